//! What a job tells about itself.

use sluice_model::Reaction;

use super::status::TaskStatus;

/// A failure of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobException {
    /// What, why and how to fix it.
    pub error: String,
    /// What it calls for.
    pub reaction: Reaction,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// The task that failed, if it was one: `Sink: kafka (2/4)`.
    pub task: Option<String>,
}

/// What a subtask, or a vertex as a whole, has counted since the job was submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TaskCounts {
    /// Rows read.
    pub records_in: u64,
    /// Rows passed on, once for each consumer; of a sink: rows written.
    pub records_out: u64,
    /// Rows that came too late for their windows and were dropped.
    pub late_records: u64,
    /// Bytes read, as Arrow buffers.
    pub bytes_in: u64,
    /// Bytes passed on, as Arrow buffers.
    pub bytes_out: u64,
    /// Milliseconds of work.
    pub busy_ms: u64,
    /// Milliseconds without anything to do.
    pub idle_ms: u64,
    /// Milliseconds of waiting for slower consumers.
    pub backpressured_ms: u64,
    /// Milliseconds since the subtask began the piece of work that it is at (a batch, a barrier);
    /// of a vertex: the longest of its subtasks. Seconds mean that it waits for its target.
    pub busy_for_ms: u64,
}

impl TaskCounts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.records_in += other.records_in;
        self.records_out += other.records_out;
        self.late_records += other.late_records;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.busy_ms += other.busy_ms;
        self.idle_ms += other.idle_ms;
        self.backpressured_ms += other.backpressured_ms;
        self.busy_for_ms = self.busy_for_ms.max(other.busy_for_ms);
    }
}

/// Nodes of the plan that run together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VertexInfo {
    /// 32 hexadecimal digits, the same in every run of the job.
    pub id: String,
    /// `Source: sales -> Calc: …`.
    pub name: String,
    /// Number of subtasks.
    pub parallelism: usize,
    /// State of all subtasks together.
    pub status: TaskStatus,
    /// Where its rows come from.
    pub inputs: Vec<VertexInput>,
    /// Sums over the subtasks.
    pub counts: TaskCounts,
    /// The subtasks in their order.
    pub subtasks: Vec<SubtaskInfo>,
}

/// An input of a vertex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VertexInput {
    /// Id of the producing vertex.
    pub id: String,
    /// `FORWARD`, `HASH`, `REBALANCE` or `GLOBAL`, as in Flink.
    pub ship_strategy: &'static str,
}

/// A subtask of a vertex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubtaskInfo {
    /// State.
    pub status: TaskStatus,
    /// What it has counted.
    pub counts: TaskCounts,
}
