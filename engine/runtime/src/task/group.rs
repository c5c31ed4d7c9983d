//! The tasks of one attempt: an error or a panic of any of them becomes an event, and all of them
//! end together.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use sluice_connector_api::Spawner;
use sluice_model::{Error, Result};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::TaskEvent;

/// Spawns, watches and ends tasks.
#[derive(Debug, Clone)]
pub(crate) struct TaskGroup {
    tracker: TaskTracker,
    cancel: CancellationToken,
    events: mpsc::UnboundedSender<TaskEvent>,
    /// Tasks that may still run, for those that do not end when told to.
    running: Arc<Mutex<Vec<(String, AbortHandle)>>>,
}

impl TaskGroup {
    pub(crate) fn new(events: mpsc::UnboundedSender<TaskEvent>) -> Self {
        Self { tracker: TaskTracker::new(), cancel: CancellationToken::new(), events, running: Arc::default() }
    }

    /// Starts a task that ends with the group.
    pub(crate) fn spawn(&self, name: String, task: impl Future<Output = Result<()>> + Send + 'static) {
        let (cancel, events, task_name) = (self.cancel.clone(), self.events.clone(), name.clone());
        let handle = self.tracker.spawn(async move {
            let outcome = tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                outcome = AssertUnwindSafe(task).catch_unwind() => outcome,
            };
            let error = match outcome {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error,
                Err(panic) => panicked(panic.as_ref()),
            };
            // If nobody listens, the attempt is over.
            events.send(TaskEvent::Failed { name: task_name, error }).ok();
        });
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|(_, handle)| !handle.is_finished());
        running.push((name, handle.abort_handle()));
    }

    /// Set when all tasks are to end.
    pub(crate) fn cancel_token(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// Lets a connector spawn tasks on behalf of `owner`.
    pub(crate) fn spawner(&self, owner: String) -> Spawner {
        let group = self.clone();
        Spawner::new(move |name, task| group.spawn(format!("{owner}: {name}"), task))
    }

    /// Ends all tasks. Returns the names of those that have not ended after `patience`, because they
    /// do not let go of their thread.
    pub(crate) async fn stop(&self, patience: Duration) -> Vec<String> {
        self.cancel.cancel();
        self.tracker.close();
        if tokio::time::timeout(patience, self.tracker.wait()).await.is_ok() {
            return Vec::new();
        }
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let stuck = running.iter().filter(|(_, handle)| !handle.is_finished());
        stuck
            .map(|(name, handle)| {
                handle.abort();
                name.clone()
            })
            .collect()
    }
}

/// A panic as an error of the job.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned());
    Error::bug(format!("a task panicked: {text}"))
}
