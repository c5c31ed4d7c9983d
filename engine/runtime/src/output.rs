//! The outputs of a task: sends batches to the consumers' channels, and barriers to all of them.

use std::sync::Arc;

use sluice_model::{ChangelogBatch, Result, StreamElement};

use crate::chain::Sent;
use crate::channel::Sender;
use crate::exchange::Partitioner;
use crate::metrics::{Activity, TaskMetrics};

/// All outputs of one subtask.
pub(crate) struct Outputs {
    outputs: Vec<Output>,
    metrics: Arc<TaskMetrics>,
}

/// One edge of the graph, seen from one producing subtask.
pub(crate) struct Output {
    pub(crate) partitioner: Partitioner,
    /// One channel per consuming subtask; a single one if all rows take it.
    pub(crate) channels: Vec<Sender>,
}

impl Outputs {
    pub(crate) fn new(outputs: Vec<Output>, metrics: Arc<TaskMetrics>) -> Self {
        Self { outputs, metrics }
    }

    /// Sends a batch, when there is room.
    ///
    /// # Errors
    /// The rows cannot be dealt.
    async fn send(&mut self, output: usize, batch: ChangelogBatch) -> Result<()> {
        self.metrics.records_out.add(batch.num_rows() as u64);
        self.metrics.bytes_out.add(batch.memory_size() as u64);
        let Output { partitioner, channels } = &mut self.outputs[output];
        for (channel, part) in partitioner.split(batch, channels.len())? {
            let mut start = 0;
            while start < part.num_rows() {
                let (piece, end) = channels[channel].cut(&part, start)?;
                put(&channels[channel], StreamElement::Batch(piece), &self.metrics).await;
                start = end;
            }
        }
        Ok(())
    }

    /// Sends what a chain has put out, and leaves none of it.
    ///
    /// # Errors
    /// The rows cannot be dealt.
    pub(crate) async fn send_all(&mut self, sent: &mut Sent) -> Result<()> {
        for (output, element) in sent.drain(..) {
            match element {
                StreamElement::Batch(batch) => self.send(output, batch).await?,
                other => {
                    for channel in &self.outputs[output].channels {
                        put(channel, other.clone(), &self.metrics).await;
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends a barrier or the end to every consumer.
    pub(crate) async fn broadcast(&self, element: StreamElement) {
        for channel in self.outputs.iter().flat_map(|output| &output.channels) {
            put(channel, element.clone(), &self.metrics).await;
        }
    }
}

/// Waits for ever if the consumer is gone: it has failed, and this task is about to be cancelled.
/// Failing here as well would only hide the cause.
async fn put(channel: &Sender, element: StreamElement, metrics: &TaskMetrics) {
    let sent = metrics.clock.during(Activity::Backpressured, channel.send(element)).await;
    if sent.is_err() {
        metrics.clock.enter(Activity::Idle);
        std::future::pending::<()>().await;
    }
}
