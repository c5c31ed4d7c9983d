//! The running source: rows at a rate.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use sluice_connector_api::{SourceEvent, SourceReader};
use sluice_model::{ChangelogBatch, Clock, Error, Result};

use crate::fields::Field;
use crate::progress::Progress;

/// Rows in a batch at most.
const BATCH_ROWS: usize = 8192;
/// How long rows are collected for a batch, so that a fast source does not make tiny ones.
const BATCH_MILLIS: f64 = 5.0;

pub(crate) struct DatagenReader {
    schema: SchemaRef,
    fields: Vec<Field>,
    progress: Progress,
    pace: Pace,
    clock: Arc<dyn Clock>,
}

impl DatagenReader {
    pub(crate) fn new(
        schema: SchemaRef,
        fields: Vec<Field>,
        progress: Progress,
        rows_per_second: f64,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let pace = Pace { rows_per_milli: rows_per_second / 1_000.0, since: clock.now_millis(), made: 0.0 };
        Self { schema, fields, progress, pace, clock }
    }

    fn batch(&self, rows: &[u64]) -> Result<ChangelogBatch> {
        let now = self.clock.now_millis();
        let columns = self.fields.iter().map(|field| field.column(rows, now)).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options);
        Ok(ChangelogBatch::append(batch.map_err(Error::from_arrow)?))
    }
}

#[async_trait]
impl SourceReader for DatagenReader {
    async fn next(&mut self) -> Result<SourceEvent> {
        // Nothing is taken before the last wait: a call that is dropped loses no row.
        let due = loop {
            match self.pace.rows_due(self.clock.now_millis()) {
                Ok(due) => break due,
                Err(wait) => tokio::time::sleep(wait).await,
            }
        };
        let rows = self.progress.take(due.min(BATCH_ROWS));
        if rows.is_empty() {
            return Ok(SourceEvent::End);
        }
        self.pace.made += rows.len() as f64;
        Ok(SourceEvent::Batch { table: 0, batch: self.batch(&rows)? })
    }

    fn position(&mut self) -> Result<Vec<u8>> {
        self.progress.position()
    }
}

/// How many rows are due by now.
struct Pace {
    rows_per_milli: f64,
    /// Where counting began, in milliseconds since the epoch.
    since: i64,
    /// Rows made since then.
    made: f64,
}

impl Pace {
    /// Rows that are due, or how long to wait for some.
    fn rows_due(&mut self, now: i64) -> Result<usize, Duration> {
        let second = self.rows_per_milli * 1_000.0;
        let mut due = (now - self.since) as f64 * self.rows_per_milli + 1.0 - self.made;
        if due > second + 1.0 {
            // What consumes the rows was slow: a second's worth is caught up, not more.
            (self.since, self.made) = (now, 1.0 - second.max(1.0));
            due = second.max(1.0);
        }
        if due >= 1.0 {
            return Ok(due as usize);
        }
        let wait = ((1.0 - due) / self.rows_per_milli).clamp(BATCH_MILLIS, 60_000.0);
        Err(Duration::from_micros((wait * 1_000.0) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_in(rows_per_second: f64, millis: i64, step: usize) -> f64 {
        let mut pace = Pace { rows_per_milli: rows_per_second / 1_000.0, since: 0, made: 0.0 };
        let mut total = 0.0;
        for now in (0..=millis).step_by(step) {
            while let Ok(due) = pace.rows_due(now) {
                pace.made += due as f64;
                total += due as f64;
            }
        }
        total
    }

    #[test]
    fn rows_keep_their_rate() {
        assert_eq!(made_in(1.0, 10_000, 10), 11.0);
        assert_eq!(made_in(1_000.0, 10_000, 7), 9_997.0);
        assert_eq!(made_in(0.5, 10_000, 10), 6.0);
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let mut pace = Pace { rows_per_milli: 1.0, since: 0, made: 0.0 };
        assert_eq!(pace.rows_due(3_600_000), Ok(1_000));
        pace.made += 1_000.0;
        assert!(pace.rows_due(3_600_000).is_err());
    }
}
