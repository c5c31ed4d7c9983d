//! The running source.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use sluice_connector_api::{SourceEvent, SourceReader};
use sluice_model::{Clock, Result};

use crate::progress::{Progress, Taken};
use crate::rules::Rules;
use crate::table::Table;

/// Rows in a batch at most.
const BATCH_ROWS: usize = 8192;

pub(crate) struct NexmarkReader {
    pub(crate) rules: Rules,
    pub(crate) table: Table,
    pub(crate) schema: SchemaRef,
    pub(crate) progress: Progress,
    /// Since when events are due by the clock, if it paces them: milliseconds since the epoch.
    pub(crate) paced_since: Option<i64>,
    /// Whether it waits behind the last event instead of ending.
    pub(crate) keep_alive: bool,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl SourceReader for NexmarkReader {
    async fn next(&mut self) -> Result<SourceEvent> {
        // Nothing is taken before the last wait: a call that is dropped loses no row.
        tokio::task::consume_budget().await;
        loop {
            let elapsed = self.paced_since.map(|since| self.clock.now_millis() - since);
            match self.progress.take(BATCH_ROWS, elapsed) {
                Taken::Spans(spans) => {
                    let batch = self.table.batch(&self.rules, &self.schema, &spans)?;
                    return Ok(SourceEvent::Batch { table: 0, batch });
                }
                Taken::Wait(wait) => tokio::time::sleep(wait).await,
                Taken::Nothing if self.keep_alive => std::future::pending().await,
                Taken::Nothing => return Ok(SourceEvent::End),
            }
        }
    }

    fn position(&mut self) -> Result<Vec<u8>> {
        self.progress.position()
    }
}
