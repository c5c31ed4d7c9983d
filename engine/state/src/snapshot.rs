//! What is stored: the states of all subtasks at one barrier.

use serde::{Deserialize, Serialize};
use sluice_model::CheckpointId;

use crate::content::Content;

/// Which job a checkpoint is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobIdentity {
    /// Id of the run, 32 hexadecimal digits.
    pub id: String,
    /// Name given by the user.
    pub name: String,
    /// Name of the directory of the job's checkpoints; the same in every run of the job.
    pub key: String,
}

/// Whether a snapshot belongs to the engine or to the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotKind {
    /// Taken by the engine; removed when newer ones are there.
    Checkpoint,
    /// Asked for by the user; never removed by the engine.
    Savepoint,
}

/// What a [`TaskState`] holds of the state of its subtask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// All of it, for this checkpoint alone.
    #[default]
    Whole,
    /// All of it; later checkpoints may build on it.
    Base,
    /// What has changed since checkpoint `since`.
    Delta {
        /// The checkpoint, the newest one of its writer.
        since: CheckpointId,
    },
}

/// The state of one subtask of one node, or a part of it: those of one subtask are to be read in
/// their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskState {
    /// Name of the node's state: the plan's `state_id`.
    pub id: String,
    /// Which subtask, from 0.
    pub subtask: usize,
    /// Whether it is all there is.
    pub part: Part,
    /// What it stored; the engine does not look inside.
    pub content: Content,
}

/// What one barrier collected, before it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Number of the checkpoint.
    pub checkpoint: CheckpointId,
    /// Checkpoint or savepoint.
    pub kind: SnapshotKind,
    /// Milliseconds since the epoch at which it was triggered.
    pub timestamp: i64,
    /// States in any order.
    pub states: Vec<TaskState>,
}

/// A stored snapshot, read back and verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its directory.
    pub path: String,
    /// Number of the checkpoint.
    pub id: CheckpointId,
    /// Checkpoint or savepoint.
    pub kind: SnapshotKind,
    /// Epoch of its writer.
    pub epoch: u64,
    /// Milliseconds since the epoch at which it was triggered.
    pub timestamp: i64,
    /// The job that wrote it.
    pub job: JobIdentity,
    /// The states as they were stored.
    pub states: Vec<TaskState>,
}

/// Where a snapshot went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its directory.
    pub path: String,
    /// Bytes that were written for it.
    pub size: u64,
    /// Bytes of all its files, those included that older checkpoints have written.
    pub full_size: u64,
    /// What each of its states has of that.
    pub states: Vec<StateSize>,
}

/// Bytes of the state of one subtask of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateSize {
    /// Name of the node's state.
    pub id: String,
    /// Which subtask, from 0.
    pub subtask: usize,
    /// Bytes that were written for the checkpoint.
    pub written: u64,
    /// All bytes, those included that older checkpoints have written.
    pub full: u64,
}

/// A checkpoint that should have been restored but is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedCheckpoint {
    /// Its directory.
    pub path: String,
    /// What is wrong with it.
    pub why: String,
}
