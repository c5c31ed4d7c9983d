//! Whether Sluice and Flink make the same events: FNV-1a over all fields of all of them.
//!
//! Numbers and times (in milliseconds) count as eight bytes each, texts as their bytes behind their
//! length; an event is its type followed by its fields.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use sluice_connector_api::{SourceEvent, testing};
use sluice_demo::Result;
use sluice_model::{ChangelogMode, Column, SqlType, TableSchema};

const PERSON: &str = "id name: emailAddress: creditCard: city: state: dateTime@ extra:";
const AUCTION: &str = "id itemName: description: initialBid reserve dateTime@ expires@ seller category extra:";
const BID: &str = "auction bidder price channel: url: dateTime@ extra:";

/// Checksum of the first events at this rate.
///
/// # Errors
/// A bug: the connector does not make them.
pub async fn of_sluice(events: u64, rate: u32) -> Result<String> {
    let mut columns = vec![Column::new("event_type", SqlType::Int)];
    columns.extend(
        [("person", PERSON), ("auction", AUCTION), ("bid", BID)]
            .map(|(name, fields)| Column::new(name, SqlType::Row(fields.split(' ').map(field).collect()))),
    );
    let (events, rate) = (events.to_string(), rate.to_string());
    let options = [("connector", "nexmark"), ("first-event.rate", &rate), ("events.num", &events)];
    let table = testing::table(TableSchema::new(columns), &options);
    let source = sluice_registry::connectors().source(vec![(table, ChangelogMode::APPEND)])?;
    let mut reader = source.open(testing::source_context(0, 1, Vec::new())).await?;
    let mut hash = Hash(0xcbf2_9ce4_8422_2325);
    loop {
        match reader.next().await? {
            SourceEvent::Batch { batch, .. } | SourceEvent::SplitBatch { batch, .. } => hash.batch(batch.rows()),
            SourceEvent::Split { .. } => {}
            SourceEvent::End => return Ok(format!("{:016x}", hash.0)),
        }
    }
}

/// `name:` is a text, `name@` a time, any other a number.
fn field(text: &str) -> (String, SqlType) {
    match (text.strip_suffix(':'), text.strip_suffix('@')) {
        (Some(name), _) => (name.to_owned(), SqlType::STRING),
        (_, Some(name)) => (name.to_owned(), SqlType::Timestamp(3)),
        _ => (text.to_owned(), SqlType::BigInt),
    }
}

struct Hash(u64);

impl Hash {
    fn batch(&mut self, batch: &RecordBatch) {
        let types = batch.column(0).as_primitive::<Int32Type>();
        for row in 0..batch.num_rows() {
            let kind = types.value(row);
            self.number(kind.into());
            for value in batch.column(1 + kind as usize).as_struct().columns() {
                self.value(value.as_ref(), row);
            }
        }
    }

    fn value(&mut self, array: &dyn Array, row: usize) {
        match array.data_type() {
            DataType::Int64 => self.number(array.as_primitive::<Int64Type>().value(row)),
            DataType::Timestamp(..) => self.number(array.as_primitive::<TimestampMicrosecondType>().value(row) / 1_000),
            _ => {
                let text = array.as_string::<i32>().value(row);
                self.number(text.len() as i64);
                self.bytes(text.as_bytes());
            }
        }
    }

    fn number(&mut self, number: i64) {
        self.bytes(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the generator in `benches/flink` prints it for `checksum 100000 10000000`.
    #[tokio::test]
    async fn events_are_those_of_the_flink_side() {
        assert_eq!(of_sluice(100_000, 10_000_000).await.unwrap(), "7985071c4d50403a");
        assert_ne!(of_sluice(99_999, 10_000_000).await.unwrap(), "7985071c4d50403a");
        assert_ne!(of_sluice(100_000, 100_000).await.unwrap(), "7985071c4d50403a");
    }
}
