//! What runs: one task per subtask of a vertex.
//!
//! | task | driven by | answers to |
//! |---|---|---|
//! | [`source`] | a reader | commands: barriers begin here |
//! | [`operators`] | a gate | barriers in its channels |
//! | [`sink`] | a gate | barriers in its channels, and commands: commits end here |
//!
//! Tasks tell the coordinator what happens by [`TaskEvent`]s; the coordinator tells sources and
//! sinks what to do by [`Command`]s. Nothing else is shared.

pub(crate) mod collect;
pub(crate) mod group;
pub(crate) mod operators;
pub(crate) mod sink;
pub(crate) mod source;
pub(crate) mod values;

use std::sync::Arc;

use sluice_model::{Barrier, CheckpointId, Error};
use sluice_state::TaskState;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::job::{TaskStatus, TaskStatusCell};
use crate::metrics::TaskMetrics;

/// What a task tells the coordinator.
#[derive(Debug)]
pub(crate) enum TaskEvent {
    /// Connected.
    Opened,
    /// The barrier has passed, and this is the task's state at it.
    Acknowledged { task: usize, checkpoint: CheckpointId, states: Vec<TaskState> },
    /// No further rows will come out of it. Comes once.
    Ended,
    /// The task is over.
    Done,
    /// The task, or one that its connector spawned, has failed.
    Failed { name: String, error: Error },
    /// The client does not want any more rows.
    Unwanted,
}

/// What the coordinator tells sources and sinks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Command {
    /// Sources: send a barrier. Behind one that stops the job no rows follow. `drain` ends event
    /// time in front of it.
    Barrier { barrier: Barrier, drain: bool },
    /// Sources: the checkpoint that was to be the last one failed, go on.
    Resume,
    /// The checkpoint is durable: acknowledge and commit.
    Completed(CheckpointId),
    /// The job is done.
    Finish,
}

/// What every task has of its job.
#[derive(Debug, Clone)]
pub(crate) struct TaskLink {
    /// Number among all subtasks of the job.
    pub(crate) index: usize,
    pub(crate) subtask: usize,
    pub(crate) state_id: String,
    pub(crate) metrics: Arc<TaskMetrics>,
    pub(crate) status: Arc<TaskStatusCell>,
    pub(crate) events: mpsc::UnboundedSender<TaskEvent>,
    /// Set when all tasks are connected.
    pub(crate) start: CancellationToken,
    /// Set when all tasks are to end.
    pub(crate) cancel: CancellationToken,
}

impl TaskLink {
    /// Says that the task is connected, and waits until all are: no row is read before every sink
    /// has committed what the checkpoint left to it.
    pub(crate) async fn opened(&self) {
        self.tell(TaskEvent::Opened);
        self.start.cancelled().await;
        self.status.set(TaskStatus::Running);
    }

    /// For loops that may go on without ever waiting: lets go of the thread now and then, and for
    /// good when the task is to end.
    pub(crate) async fn breathe(&self) {
        tokio::task::coop::consume_budget().await;
        if self.cancel.is_cancelled() {
            std::future::pending::<()>().await;
        }
    }

    /// Hands in the task's state at a barrier.
    pub(crate) fn acknowledge(&self, checkpoint: CheckpointId, state_bytes: Option<Vec<u8>>) {
        let state = |bytes| TaskState { id: self.state_id.clone(), subtask: self.subtask, bytes };
        let states = state_bytes.map(state).into_iter().collect();
        self.tell(TaskEvent::Acknowledged { task: self.index, checkpoint, states });
    }

    /// Says that no further rows will come out of the task.
    pub(crate) fn ended(&self) {
        self.tell(TaskEvent::Ended);
    }

    /// If the coordinator is gone, the task is about to be cancelled.
    fn tell(&self, event: TaskEvent) {
        self.events.send(event).ok();
    }
}
