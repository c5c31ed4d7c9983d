//! Runs a job attempt by attempt until it has ended.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use sluice_model::{ChangelogBatch, Error, Reaction};
use sluice_state::{CheckpointStore, Restore};
use tokio::sync::mpsc;

use super::shared::{Job, Request};
use super::status::{JobStatus, TaskStatus};
use crate::attempt::{Attempt, Outcome};
use crate::restart::Restarts;
use crate::task::group::panicked;

/// Runs one job.
pub(crate) struct Supervisor {
    pub(crate) job: Arc<Job>,
    /// `None` if the job neither takes checkpoints nor starts from one.
    pub(crate) store: Option<CheckpointStore>,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) collect: Option<mpsc::Sender<ChangelogBatch>>,
}

impl Supervisor {
    /// Runs the job to its end. Whatever happens in it stays in it.
    pub(crate) async fn run(mut self) {
        let ended = AssertUnwindSafe(self.run_attempts()).catch_unwind().await;
        let status = ended.unwrap_or_else(|panic| self.fail(panicked(panic.as_ref()), None));
        let Self { job, mut requests, .. } = self;
        requests.close();
        while let Ok(request) = requests.try_recv() {
            request.refuse(Error::fix(format!("job '{}' has ended", job.name)));
        }
        // The client's rows end (the sender is dropped above) before the job says that it has ended.
        job.set_status(status);
    }

    async fn run_attempts(&mut self) -> JobStatus {
        let mut restarts = Restarts::new(self.job.config.restart.clone());
        let mut has_begun = false;
        loop {
            self.job.attempt.fetch_add(1, Ordering::Relaxed);
            if self.job.attempts() == 1 {
                self.job.set_status(JobStatus::Initializing);
            }
            let attempt = Attempt {
                job: &self.job,
                store: self.store.as_ref(),
                restore: if has_begun { Restore::Latest } else { self.job.config.restore.clone() },
                has_begun: &mut has_begun,
                collect: self.collect.as_ref(),
                requests: &mut self.requests,
            };
            let is_suspended = || self.job.is_suspended.load(Ordering::Relaxed);
            match attempt.run().await {
                Outcome::Finished { is_stopped } if is_stopped && is_suspended() => return JobStatus::Suspended,
                Outcome::Finished { .. } | Outcome::Unwanted => return JobStatus::Finished,
                Outcome::Canceled => return self.canceled(),
                Outcome::Failed { error, task } => {
                    let pause = self.pause_after(&error, &mut restarts);
                    let Some(pause) = pause else { return self.fail(error, task) };
                    self.job.add_exception(&error, task);
                    if !self.wait_for_restart(pause).await {
                        return self.canceled();
                    }
                }
            }
        }
    }

    fn pause_after(&self, error: &Error, restarts: &mut Restarts) -> Option<Duration> {
        // A client has seen rows that another attempt would repeat.
        let is_in_vain = error.reaction() == Reaction::Fix || self.job.program.is_collected();
        if is_in_vain { None } else { restarts.after_failure(self.job.now(), rand::random()) }
    }

    /// False if the job was cancelled meanwhile.
    async fn wait_for_restart(&mut self, pause: Duration) -> bool {
        self.job.set_status(JobStatus::Restarting);
        tracing::warn!(job = %self.job.name, id = %self.job.id, "restarting in {pause:?}");
        let pause = tokio::time::sleep(pause);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                biased;
                () = self.job.cancel.cancelled() => {
                    self.job.set_status(JobStatus::Cancelling);
                    return false;
                }
                () = &mut pause => break,
                Some(request) = self.requests.recv() => {
                    let error = Error::retry(format!("job '{}' is restarting", self.job.name));
                    request.refuse(error.with_hint("try again when it runs"));
                }
            }
        }
        self.job.metrics.restarts.add(1);
        self.job.set_tasks(TaskStatus::Created);
        true
    }

    fn canceled(&self) -> JobStatus {
        if self.job.is_suspended.load(Ordering::Relaxed) { JobStatus::Suspended } else { JobStatus::Canceled }
    }

    fn fail(&self, error: Error, task: Option<String>) -> JobStatus {
        self.job.add_exception(&error, task);
        self.job.set_error(error);
        JobStatus::Failed
    }
}
