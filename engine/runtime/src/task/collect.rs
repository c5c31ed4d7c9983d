//! Hands rows to the client that asked for a result.

use async_trait::async_trait;
use sluice_connector_api::SinkWriter;
use sluice_model::{ChangelogBatch, Result};
use tokio::sync::mpsc;

use super::TaskEvent;

/// Writes into a channel; waits while it is full, and for its end once the client has gone.
#[derive(Debug)]
pub(crate) struct CollectWriter {
    pub(crate) rows: mpsc::Sender<ChangelogBatch>,
}

#[async_trait]
impl SinkWriter for CollectWriter {
    async fn write(&mut self, batch: ChangelogBatch) -> Result<()> {
        if self.rows.send(batch).await.is_err() {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

/// Tells when the client goes.
pub(crate) async fn watch(rows: mpsc::Sender<ChangelogBatch>, events: mpsc::UnboundedSender<TaskEvent>) -> Result<()> {
    rows.closed().await;
    events.send(TaskEvent::Unwanted).ok();
    Ok(())
}
