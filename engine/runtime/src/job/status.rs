//! The states of jobs and tasks, with Flink's names.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

/// State of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobStatus {
    /// Submitted.
    Created,
    /// Connects its sources and sinks for the first time.
    Initializing,
    /// Runs.
    Running,
    /// Ends its tasks after a failure.
    Failing,
    /// Ended by a failure.
    Failed,
    /// Ends its tasks because it was told to.
    Cancelling,
    /// Ended because it was told to.
    Canceled,
    /// Ended by itself, or stopped with a last checkpoint.
    Finished,
    /// Waits to start again after a failure, or connects again.
    Restarting,
    /// Stopped together with the engine; it can be resumed from its last checkpoint.
    Suspended,
}

impl JobStatus {
    /// True if nothing follows.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Failed | Self::Canceled | Self::Finished | Self::Suspended)
    }

    /// Flink's name: `RUNNING`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Initializing => "INITIALIZING",
            Self::Running => "RUNNING",
            Self::Failing => "FAILING",
            Self::Failed => "FAILED",
            Self::Cancelling => "CANCELLING",
            Self::Canceled => "CANCELED",
            Self::Finished => "FINISHED",
            Self::Restarting => "RESTARTING",
            Self::Suspended => "SUSPENDED",
        }
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// State of a subtask, or of a vertex as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TaskStatus {
    /// Not started.
    Created,
    /// Connects.
    Initializing,
    /// Runs.
    Running,
    /// Ended by itself.
    Finished,
    /// Is being ended.
    Canceling,
    /// Was ended.
    Canceled,
    /// Ended by a failure of its own.
    Failed,
}

impl TaskStatus {
    const ALL: [Self; 7] = [
        Self::Created,
        Self::Initializing,
        Self::Running,
        Self::Finished,
        Self::Canceling,
        Self::Canceled,
        Self::Failed,
    ];

    /// Flink's name: `RUNNING`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Initializing => "INITIALIZING",
            Self::Running => "RUNNING",
            Self::Finished => "FINISHED",
            Self::Canceling => "CANCELING",
            Self::Canceled => "CANCELED",
            Self::Failed => "FAILED",
        }
    }

    /// The state of a vertex from those of its subtasks (Flink's `getAggregateJobVertexState`).
    pub(crate) fn aggregate(subtasks: impl Iterator<Item = Self> + Clone) -> Self {
        let any = |status| subtasks.clone().any(|subtask| subtask == status);
        for status in [Self::Failed, Self::Canceling, Self::Canceled] {
            if any(status) {
                return status;
            }
        }
        if subtasks.clone().all(|subtask| subtask == Self::Finished) {
            Self::Finished
        } else if any(Self::Initializing) {
            Self::Initializing
        } else if any(Self::Running) || any(Self::Finished) {
            Self::Running
        } else {
            Self::Created
        }
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A [`TaskStatus`] that the task sets and others read.
#[derive(Debug, Default)]
pub(crate) struct TaskStatusCell(AtomicU8);

impl TaskStatusCell {
    pub(crate) fn set(&self, status: TaskStatus) {
        self.0.store(status as u8, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> TaskStatus {
        TaskStatus::ALL[usize::from(self.0.load(Ordering::Relaxed)) % TaskStatus::ALL.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::TaskStatus::{self, *};

    #[test]
    fn a_vertex_is_what_its_subtasks_are() {
        for (subtasks, vertex) in [
            (vec![Created, Created], Created),
            (vec![Initializing, Running], Initializing),
            (vec![Running, Finished], Running),
            (vec![Finished, Finished], Finished),
            (vec![Running, Failed], Failed),
            (vec![Canceled, Finished], Canceled),
        ] {
            assert_eq!(TaskStatus::aggregate(subtasks.iter().copied()), vertex, "{subtasks:?}");
        }
    }
}
