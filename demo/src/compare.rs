//! The contents of a table, wherever it is, in one form: key to the text of the row.
//!
//! MySQL and the warehouse are read with one query; a Kafka topic is read from its beginning to its
//! end and materialised by key, as its consumers do.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use mysql_async::prelude::Queryable;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;

use crate::Result;
use crate::tpcds::{Kind, Table};

/// Rows by key.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Contents(BTreeMap<(i64, i64), String>);

impl Contents {
    /// Number of rows.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// A number that is equal for equal contents: the sum of the rows' hashes.
    pub fn checksum(&self) -> u64 {
        self.0.values().fold(0, |sum: u64, row| {
            let mut hasher = DefaultHasher::new();
            row.hash(&mut hasher);
            sum.wrapping_add(hasher.finish())
        })
    }

    /// Up to `limit` differences to what it should be, one line each; empty if it is equal.
    pub fn differences(&self, expected: &Self, limit: usize) -> Vec<String> {
        let missing = expected.0.iter().filter_map(|(key, row)| match self.0.get(key) {
            None => Some(format!("{key:?} is missing")),
            Some(other) if other != row => Some(format!("{key:?} is\n    {other}\n  should be\n    {row}")),
            Some(_) => None,
        });
        let extra = self.0.keys().filter(|key| !expected.0.contains_key(key)).map(|key| format!("{key:?} is too much"));
        missing.chain(extra).take(limit).collect()
    }

    fn insert(&mut self, table: &Table, cells: Vec<Option<String>>) -> Result<()> {
        let number = |index: usize| -> Result<i64> { Ok(cells[index].as_deref().ok_or("a key is NULL")?.parse()?) };
        let key = (number(table.item)?, number(table.ticket)?);
        let text: Vec<_> = cells.into_iter().map(|cell| cell.unwrap_or_else(|| "NULL".to_owned())).collect();
        self.0.insert(key, text.join("|"));
        Ok(())
    }
}

/// What MySQL holds now.
///
/// # Errors
/// The server refuses, or is gone.
pub async fn in_mysql(connection: &mut mysql_async::Conn, table: &Table) -> Result<Contents> {
    let rows: Vec<mysql_async::Row> =
        connection.query(format!("SELECT {} FROM {}", table.column_list(), table.name)).await?;
    let mut contents = Contents::default();
    for row in rows {
        let cells = row
            .unwrap()
            .into_iter()
            .map(|value| match value {
                mysql_async::Value::NULL => Ok(None),
                mysql_async::Value::Bytes(bytes) => Ok(Some(String::from_utf8(bytes)?)),
                mysql_async::Value::Int(number) => Ok(Some(number.to_string())),
                other => Err(format!("MySQL sent {other:?}").into()),
            })
            .collect::<Result<Vec<_>>>()?;
        contents.insert(table, cells)?;
    }
    Ok(contents)
}

/// What the warehouse holds now in `name`, given as `schema.table`.
///
/// # Errors
/// The server refuses, or is gone.
pub async fn in_warehouse(client: &tokio_postgres::Client, table: &Table, name: &str) -> Result<Contents> {
    let columns: Vec<_> = table.columns.iter().map(|(column, _)| format!("{column}::text")).collect();
    let query = format!("SELECT {} FROM {name}", columns.join(", "));
    let rows = client.query_raw(&query, std::iter::empty::<&str>()).await?;
    let mut rows = std::pin::pin!(rows);
    let mut contents = Contents::default();
    while let Some(row) = rows.try_next().await? {
        let cells = (0..table.columns.len()).map(|index| row.try_get(index)).collect::<Result<Vec<_>, _>>()?;
        contents.insert(table, cells)?;
    }
    Ok(contents)
}

/// What a consumer that goes by key knows after reading the topic to its end. Blocks its thread.
///
/// # Errors
/// The broker is gone, or a message cannot be read.
pub fn in_kafka(brokers: &str, topic: &str, table: &Table) -> Result<Contents> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "sluice-demo")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "false")
        .set("fetch.wait.max.ms", "50")
        .create()?;
    let timeout = Duration::from_secs(20);
    let metadata = connected(timeout, || consumer.fetch_metadata(Some(topic), timeout))?;
    let partitions = metadata.topics().first().map_or(&[][..], |topic| topic.partitions());
    let (mut assignment, mut left) = (TopicPartitionList::new(), 0_i64);
    let mut ends = BTreeMap::new();
    for partition in partitions {
        let (low, high) = connected(timeout, || consumer.fetch_watermarks(topic, partition.id(), timeout))?;
        assignment.add_partition_offset(topic, partition.id(), Offset::Offset(low))?;
        left += i64::from(high > low);
        ends.insert(partition.id(), high);
    }
    consumer.assign(&assignment)?;
    let mut contents = Contents::default();
    let mut last_message = Instant::now();
    while left > 0 {
        let Some(message) = consumer.poll(Duration::from_millis(500)) else {
            if last_message.elapsed() > timeout {
                return Err(format!("topic {topic} stopped before its end").into());
            }
            continue;
        };
        let message = message?;
        last_message = Instant::now();
        apply(&mut contents, table, message.key(), message.payload())?;
        left -= i64::from(ends.get(&message.partition()) == Some(&(message.offset() + 1)));
    }
    Ok(contents)
}

/// Asks again when a connection fails, or a topic is not known yet: a busy broker drops connections that are
/// new, and takes its time to tell others of a topic.
fn connected<T>(timeout: Duration, ask: impl Fn() -> KafkaResult<T>) -> KafkaResult<T> {
    let deadline = Instant::now() + timeout;
    loop {
        match ask() {
            Err(error)
                if Instant::now() < deadline
                    && matches!(
                        error.rdkafka_error_code(),
                        Some(
                            RDKafkaErrorCode::BrokerTransportFailure
                                | RDKafkaErrorCode::UnknownPartition
                                | RDKafkaErrorCode::UnknownTopicOrPartition
                        )
                    ) =>
            {
                std::thread::sleep(Duration::from_millis(100));
            }
            answer => return answer,
        }
    }
}

fn apply(contents: &mut Contents, table: &Table, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<()> {
    let key: Value = serde_json::from_slice(key.ok_or("a message has no key")?)?;
    match value {
        None => {
            let part = |index: usize| key[table.columns[index].0].as_i64().ok_or("a key is not a number");
            contents.0.remove(&(part(table.item)?, part(table.ticket)?));
        }
        Some(value) => {
            let value: Value = serde_json::from_slice(value)?;
            let cells = table.columns.iter().map(|(name, kind)| text_of(&value[name], *kind)).collect();
            contents.insert(table, cells)?;
        }
    }
    Ok(())
}

/// A JSON number as the servers print it: money with two digits.
fn text_of(value: &Value, kind: Kind) -> Option<String> {
    match (value, kind) {
        (Value::Null, _) => None,
        (Value::Number(number), Kind::Money) => Some(format!("{:.2}", number.as_f64().unwrap_or(f64::NAN))),
        (other, _) => Some(other.to_string()),
    }
}
