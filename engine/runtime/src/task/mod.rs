//! What runs: one task per subtask of a vertex.
//!
//! | task | driven by | answers to |
//! |---|---|---|
//! | [`source`] | a reader | commands: barriers begin here |
//! | [`operators`] | a gate | barriers in its channels; may begin with a [`lookup`] |
//! | [`batch`] | a gate, and a query | nothing: there are no checkpoints |
//! | [`sink`] | a gate | barriers in its channels, and commands: commits end here |
//!
//! Tasks tell the coordinator what happens by [`TaskEvent`]s; the coordinator tells sources and
//! sinks what to do by [`Command`]s. Nothing else is shared.

pub(crate) mod batch;
pub(crate) mod collect;
pub(crate) mod group;
pub(crate) mod lookup;
pub(crate) mod operators;
pub(crate) mod sink;
pub(crate) mod source;
pub(crate) mod values;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use sluice_model::{Barrier, CheckpointId, Error, Result};
use sluice_state::{Part, TaskState};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::job::{TaskStatus, TaskStatusCell};
use crate::metrics::TaskMetrics;
use crate::operator_state::OperatorSnapshot;

/// What a task tells the coordinator.
#[derive(Debug)]
pub(crate) enum TaskEvent {
    /// Connected.
    Opened,
    /// The barrier has passed, and this is the task's state at it.
    Acknowledged { task: usize, checkpoint: CheckpointId, states: Vec<TaskState>, timing: Timing },
    /// No further rows will come out of it. Comes once.
    Ended,
    /// The task is over.
    Done,
    /// The task, or one that its connector spawned, has failed.
    Failed { name: String, error: Error },
    /// The client does not want any more rows.
    Unwanted,
}

/// When a task was at what with a barrier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// It came on the first channel.
    pub(crate) arrived: Instant,
    /// It had come on all of them.
    pub(crate) aligned: Instant,
    /// The task had handed out its state, and went on.
    pub(crate) handed_out: Instant,
}

impl Timing {
    /// A task without channels.
    pub(crate) fn of_source() -> Self {
        let now = Instant::now();
        Self { arrived: now, aligned: now, handed_out: now }
    }

    /// The barrier that came first at `arrived` has just come on all channels.
    pub(crate) fn aligned(arrived: Instant) -> Self {
        Self { arrived, ..Self::of_source() }
    }
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

    /// Hands in the task's state at a barrier: that of its reader or writer, and those of its operators.
    pub(crate) fn acknowledge(
        &self,
        checkpoint: CheckpointId,
        own: Option<Vec<u8>>,
        operators: Vec<OperatorSnapshot>,
        timing: Timing,
    ) {
        let timing = Timing { handed_out: Instant::now(), ..timing };
        let state = |bytes: Vec<u8>| TaskState {
            id: self.state_id.clone(),
            subtask: self.subtask,
            part: Part::Whole,
            content: bytes.into(),
        };
        let mut states: Vec<_> = own.map(state).into_iter().collect();
        let task = self.index;
        if operators.is_empty() {
            return self.tell(TaskEvent::Acknowledged { task, checkpoint, states, timing });
        }
        // Encoding takes its time; the rows behind the barrier do not wait for it.
        let link = self.clone();
        tokio::task::spawn_blocking(move || {
            let encode = || operators.into_iter().map(OperatorSnapshot::encode).collect::<Result<Vec<_>>>();
            let encoded = std::panic::catch_unwind(AssertUnwindSafe(encode));
            match encoded.unwrap_or_else(|panic| Err(group::panicked(panic.as_ref()))) {
                Ok(encoded) => {
                    states.extend(encoded);
                    link.tell(TaskEvent::Acknowledged { task, checkpoint, states, timing });
                }
                Err(error) => link.tell(TaskEvent::Failed { name: format!("state of {}", link.state_id), error }),
            }
        });
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
