//! Sinks: where changelogs go.

use std::sync::Arc;

use async_trait::async_trait;
use sluice_model::{ChangelogBatch, ChangelogMode, CheckpointId, Clock, MetricGroup, Result};

use crate::Spawner;

/// A sink that is planned but not connected.
#[async_trait]
pub trait Sink: std::fmt::Debug + Send + Sync {
    /// The kinds it can take. With a primary key, upsert sinks take `-U` too, and treat it as a
    /// deletion that a following `+U` of the same key undoes (as Flink's sinks do).
    fn accepts(&self) -> ChangelogMode;

    /// The parallelism that the table's options ask for.
    fn parallelism(&self) -> Option<usize> {
        None
    }

    /// Notes on options that are accepted but mean something else here; told to the user once.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Connects one writer.
    ///
    /// # Errors
    /// The target cannot be reached, or does not fit the table.
    async fn open(&self, context: SinkContext) -> Result<Box<dyn SinkWriter>>;
}

/// What a writer gets from the runtime.
#[derive(Debug)]
pub struct SinkContext {
    /// Which subtask this is, from 0.
    pub subtask: usize,
    /// Number of subtasks.
    pub parallelism: usize,
    /// What [`SinkWriter::prepare`] returned for the checkpoint that the job starts from, of all
    /// former subtasks; subtask 0 gets all of them and commits them again before it writes.
    pub restored: Vec<CommitToken>,
    /// Where the writer counts.
    pub metrics: MetricGroup,
    /// For a task of its own, which ends with the job.
    pub spawner: Spawner,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// What a transactional sink stores in a checkpoint to commit it later, perhaps twice.
pub type CommitToken = Vec<u8>;

/// A running sink. Only [`write`](Self::write) has to be written.
#[async_trait]
pub trait SinkWriter: Send {
    /// Takes rows. May buffer them; may wait for the target (backpressure).
    ///
    /// # Errors
    /// The target refused a row, or is gone and all retries are used up.
    async fn write(&mut self, batch: ChangelogBatch) -> Result<()>;

    /// No further batch is waiting: a good moment to send what is buffered. This is what keeps the
    /// latency of a slow stream low, whatever the flush interval is.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    async fn idle(&mut self) -> Result<()> {
        Ok(())
    }

    /// Event time has reached `watermark` (milliseconds since 1970) in the rows before.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    async fn watermark(&mut self, _watermark: i64) -> Result<()> {
        Ok(())
    }

    /// Everything written so far is in the target, durably, when this returns.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    /// The barrier of a checkpoint has passed: flush, and return what [`commit`](Self::commit) needs.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    async fn prepare(&mut self, _checkpoint: CheckpointId) -> Result<CommitToken> {
        self.flush().await?;
        Ok(CommitToken::new())
    }

    /// The checkpoint is durable: make visible what `prepare` left. May be called twice.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    async fn commit(&mut self, _checkpoint: CheckpointId, _token: &CommitToken) -> Result<()> {
        Ok(())
    }
}
