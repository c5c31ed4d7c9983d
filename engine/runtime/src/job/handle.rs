//! The user's end of a job.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sluice_model::{CheckpointId, Error, MetricRegistry, Result};
use tokio::sync::{oneshot, watch};

use super::info::{JobException, VertexInfo};
use super::shared::{Job, Request};
use super::spec::{JobConfig, JobId, StopRequest};
use super::status::JobStatus;
use crate::checkpoints::CheckpointOverview;

/// Watches and steers a job. Copies steer the same one; dropping them all leaves it running.
#[derive(Debug, Clone)]
pub struct JobHandle(pub(crate) Arc<Job>);

impl JobHandle {
    /// Id of this run.
    pub fn id(&self) -> &JobId {
        &self.0.id
    }

    /// Name for people.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// How it runs.
    pub fn config(&self) -> &JobConfig {
        &self.0.config
    }

    /// The text of `EXPLAIN CHANGELOG_MODE`.
    pub fn explain(&self) -> &str {
        &self.0.explain
    }

    /// Its state now.
    pub fn status(&self) -> JobStatus {
        *self.0.status.borrow()
    }

    /// Its state from now on.
    pub fn status_changes(&self) -> watch::Receiver<JobStatus> {
        self.0.status.subscribe()
    }

    /// Milliseconds since the epoch at which it last entered each state.
    pub fn timestamps(&self) -> BTreeMap<JobStatus, i64> {
        self.0.timestamps()
    }

    /// Milliseconds since the epoch at which it was submitted.
    pub fn start_time(&self) -> i64 {
        self.0.timestamps().get(&JobStatus::Created).copied().unwrap_or_default()
    }

    /// Milliseconds since the epoch at which it ended.
    pub fn end_time(&self) -> Option<i64> {
        let status = self.status();
        if status.is_terminal() { self.0.timestamps().get(&status).copied() } else { None }
    }

    /// Number of the attempt that is running, from 1; 0 before the first.
    pub fn attempt(&self) -> u64 {
        self.0.attempts()
    }

    /// Times it has started again after a failure.
    pub fn restarts(&self) -> u64 {
        self.0.metrics.restarts.get()
    }

    /// Ends it without a last checkpoint. Returns at once; see [`wait`](Self::wait).
    pub fn cancel(&self) {
        self.0.cancel.cancel();
    }

    /// Ends it behind a last checkpoint or a savepoint. Returns the path of the savepoint, or else of
    /// the checkpoint; `None` if the job takes none.
    ///
    /// # Errors
    /// It is not running, or the savepoint failed; in the latter case the job goes on.
    pub async fn stop(&self, request: StopRequest) -> Result<Option<String>> {
        self.ask(|reply| Request::Stop { request, reply }).await
    }

    /// Takes a savepoint in `dir`, or else in the job's directory for savepoints. Returns its path.
    ///
    /// Transactions of the sinks are not committed by it (as in Flink since 1.15).
    ///
    /// # Errors
    /// It is not running, or the savepoint failed.
    pub async fn savepoint(&self, dir: Option<String>) -> Result<String> {
        self.ask(|reply| Request::Savepoint { dir, reply }).await
    }

    /// Takes a checkpoint now.
    ///
    /// # Errors
    /// It is not running or takes no checkpoints, or the checkpoint failed.
    pub async fn checkpoint(&self) -> Result<CheckpointId> {
        self.ask(Request::Checkpoint).await
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<Result<T>>) -> Request) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let ended = || Error::fix(format!("job '{}' is not running, it is {}", self.0.name, self.status()));
        if self.status().is_terminal() {
            return Err(ended());
        }
        self.0.requests.send(request(reply)).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What made it fail.
    pub async fn wait(&self) -> Result<()> {
        let mut status = self.0.status.subscribe();
        // The sender lives in the job, which this handle holds.
        let ended = status.wait_for(|status| status.is_terminal()).await.map(|status| *status);
        match (ended, self.0.error()) {
            (Ok(JobStatus::Failed), Some(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Its failures, newest last; older ones are forgotten.
    pub fn exceptions(&self) -> Vec<JobException> {
        self.0.exceptions()
    }

    /// Its checkpoints.
    pub fn checkpoints(&self) -> CheckpointOverview {
        self.0.checkpoint_log().overview()
    }

    /// Its tasks.
    pub fn vertices(&self) -> Vec<VertexInfo> {
        self.0.vertices()
    }

    /// Its metrics, gauges of time brought up to date.
    pub fn metrics(&self) -> MetricRegistry {
        self.0.subtasks.iter().flatten().for_each(|subtask| subtask.metrics.refresh());
        self.0.registry.clone()
    }

    /// Ends it so that it can be resumed: without a last checkpoint, for an engine that cannot wait.
    pub(crate) fn suspend(&self) {
        self.0.is_suspended.store(true, Ordering::Relaxed);
    }
}
