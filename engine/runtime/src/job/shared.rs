//! A job as all sides see it: the supervisor that runs it writes, handles read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sluice_model::{CheckpointId, Clock, Error, MetricRegistry, Result};
use sluice_plan::{Distribution, ExplainDetails};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::info::{JobException, SubtaskInfo, TaskCounts, VertexInfo, VertexInput};
use super::spec::{JobConfig, JobId, StopRequest};
use super::status::{JobStatus, TaskStatus, TaskStatusCell};
use crate::checkpoints::CheckpointLog;
use crate::metrics::{Activity, JobMetrics, TaskMetrics};
use crate::program::Program;

/// Failures that are remembered (Flink's `web.exception-history-size`).
const EXCEPTIONS: usize = 16;

/// What a user asks of a running job.
#[derive(Debug)]
pub(crate) enum Request {
    Checkpoint(oneshot::Sender<Result<CheckpointId>>),
    Savepoint { dir: Option<String>, reply: oneshot::Sender<Result<String>> },
    Stop { request: StopRequest, reply: oneshot::Sender<Result<Option<String>>> },
}

impl Request {
    pub(crate) fn refuse(self, error: Error) {
        // Nobody waits for the answer any more: then nobody misses it.
        match self {
            Self::Checkpoint(reply) => drop(reply.send(Err(error))),
            Self::Savepoint { reply, .. } => drop(reply.send(Err(error))),
            Self::Stop { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}

/// A submitted job.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) name: String,
    pub(crate) config: JobConfig,
    pub(crate) explain: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) program: Program,
    pub(crate) registry: MetricRegistry,
    pub(crate) metrics: JobMetrics,
    /// By vertex and subtask.
    pub(crate) subtasks: Vec<Vec<Subtask>>,
    pub(crate) status: watch::Sender<JobStatus>,
    pub(crate) checkpoints: Mutex<CheckpointLog>,
    pub(crate) requests: mpsc::Sender<Request>,
    /// Set when the job is to end without a last checkpoint.
    pub(crate) cancel: CancellationToken,
    /// Set when the engine shuts down: the job can be resumed.
    pub(crate) is_suspended: AtomicBool,
    pub(crate) attempt: AtomicU64,
    /// The newest checkpoint that was triggered in any attempt.
    last_checkpoint: AtomicU64,
    state: Mutex<State>,
}

/// What lives longer than one attempt of a subtask.
#[derive(Debug, Clone)]
pub(crate) struct Subtask {
    pub(crate) metrics: Arc<TaskMetrics>,
    pub(crate) status: Arc<TaskStatusCell>,
}

#[derive(Debug, Default)]
struct State {
    timestamps: BTreeMap<JobStatus, i64>,
    exceptions: VecDeque<JobException>,
    error: Option<Error>,
}

impl Job {
    pub(crate) fn new(
        id: JobId,
        name: String,
        config: JobConfig,
        program: Program,
        clock: Arc<dyn Clock>,
        requests: mpsc::Sender<Request>,
    ) -> Self {
        let registry = MetricRegistry::default();
        let group = registry.group(vec![("job".to_owned(), name.clone())]);
        let subtasks = program
            .graph
            .vertices
            .iter()
            .map(|vertex| {
                // Names may repeat, ids do not.
                let group = group.with_label("task", &vertex.name).with_label("task_id", &vertex.id);
                let subtask = |subtask: usize| Subtask {
                    metrics: Arc::new(TaskMetrics::new(group.with_label("subtask", subtask.to_string()))),
                    status: Arc::default(),
                };
                (0..vertex.parallelism).map(subtask).collect()
            })
            .collect();
        let timestamps = BTreeMap::from([(JobStatus::Created, clock.now_millis())]);
        Self {
            id,
            name,
            config,
            explain: program.plan.explain(ExplainDetails { changelog_mode: true, ..ExplainDetails::default() }),
            clock,
            program,
            metrics: JobMetrics::new(&group),
            registry,
            subtasks,
            status: watch::Sender::new(JobStatus::Created),
            checkpoints: Mutex::default(),
            requests,
            cancel: CancellationToken::new(),
            is_suspended: AtomicBool::new(false),
            attempt: AtomicU64::new(0),
            last_checkpoint: AtomicU64::new(0),
            state: Mutex::new(State { timestamps, ..State::default() }),
        }
    }

    /// A checkpoint's number is in use: no attempt takes it again.
    pub(crate) fn used_checkpoint(&self, id: CheckpointId) {
        self.last_checkpoint.fetch_max(id, Ordering::Relaxed);
    }

    pub(crate) fn next_checkpoint(&self) -> CheckpointId {
        self.last_checkpoint.load(Ordering::Relaxed) + 1
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now_millis()
    }

    pub(crate) fn set_status(&self, status: JobStatus) {
        let before = *self.status.borrow();
        // A cancelled job may fail while it ends; that is of no interest any more.
        if before == status || before.is_terminal() {
            return;
        }
        self.state().timestamps.insert(status, self.now());
        tracing::info!(job = %self.name, id = %self.id, "job {before} -> {status}");
        self.status.send_replace(status);
    }

    pub(crate) fn timestamps(&self) -> BTreeMap<JobStatus, i64> {
        self.state().timestamps.clone()
    }

    pub(crate) fn add_exception(&self, error: &Error, task: Option<String>) {
        tracing::error!(job = %self.name, id = %self.id, task, "{error}");
        let exception =
            JobException { error: error.to_string(), reaction: error.reaction(), timestamp: self.now(), task };
        let mut state = self.state();
        state.exceptions.push_back(exception);
        if state.exceptions.len() > EXCEPTIONS {
            state.exceptions.pop_front();
        }
    }

    pub(crate) fn exceptions(&self) -> Vec<JobException> {
        self.state().exceptions.iter().cloned().collect()
    }

    pub(crate) fn set_error(&self, error: Error) {
        self.state().error = Some(error);
    }

    pub(crate) fn error(&self) -> Option<Error> {
        self.state().error.clone()
    }

    pub(crate) fn checkpoint_log(&self) -> MutexGuard<'_, CheckpointLog> {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the state of all subtasks that are not at an end already.
    pub(crate) fn set_tasks(&self, status: TaskStatus) {
        for subtask in self.subtasks.iter().flatten() {
            let before = subtask.status.get();
            let is_over = matches!(before, TaskStatus::Finished | TaskStatus::Failed | TaskStatus::Canceled);
            if !is_over || status == TaskStatus::Created {
                subtask.status.set(status);
            }
            if !matches!(status, TaskStatus::Running | TaskStatus::Initializing) {
                subtask.metrics.clock.enter(Activity::Stopped);
            }
        }
    }

    pub(crate) fn vertices(&self) -> Vec<VertexInfo> {
        let vertices = &self.program.graph.vertices;
        let input = |(producer, output): &(usize, usize)| VertexInput {
            id: vertices[*producer].id.clone(),
            ship_strategy: ship_strategy(&vertices[*producer].outputs[*output].distribution),
        };
        vertices
            .iter()
            .zip(&self.subtasks)
            .map(|(vertex, subtasks)| {
                let subtasks: Vec<SubtaskInfo> = subtasks.iter().map(Subtask::info).collect();
                let mut counts = TaskCounts::default();
                subtasks.iter().for_each(|subtask| counts.add(&subtask.counts));
                VertexInfo {
                    id: vertex.id.clone(),
                    name: vertex.name.clone(),
                    parallelism: vertex.parallelism,
                    status: TaskStatus::aggregate(subtasks.iter().map(|subtask| subtask.status)),
                    inputs: vertex.inputs.iter().map(input).collect(),
                    counts,
                    subtasks,
                }
            })
            .collect()
    }

    pub(crate) fn attempts(&self) -> u64 {
        self.attempt.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subtask {
    fn info(&self) -> SubtaskInfo {
        let TaskMetrics { records_in, records_out, late_records, bytes_in, bytes_out, clock, .. } =
            self.metrics.as_ref();
        let counts = TaskCounts {
            records_in: records_in.get(),
            records_out: records_out.get(),
            late_records: late_records.get(),
            bytes_in: bytes_in.get(),
            bytes_out: bytes_out.get(),
            busy_ms: clock.millis(Activity::Busy),
            idle_ms: clock.millis(Activity::Idle),
            backpressured_ms: clock.millis(Activity::Backpressured),
            busy_for_ms: clock.busy_for(),
        };
        SubtaskInfo { status: self.status.get(), counts }
    }
}

fn ship_strategy(distribution: &Distribution) -> &'static str {
    match distribution {
        Distribution::Forward => "FORWARD",
        Distribution::Hash(_) => "HASH",
        Distribution::Single => "GLOBAL",
        Distribution::Rebalance => "REBALANCE",
    }
}
