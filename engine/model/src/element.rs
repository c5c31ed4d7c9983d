//! What travels in a channel between two tasks.

use serde::{Deserialize, Serialize};

use crate::ChangelogBatch;

/// Number of a checkpoint of a job; grows by one, never repeats.
pub type CheckpointId = u64;

/// Number of a split, of its table and its reader: a part that is read in the order of its own, such as a
/// partition of a topic.
pub type SplitId = u32;

/// What is about a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitStatus {
    /// It is read from here on: its watermark counts, though no row has come.
    Begun,
    /// The rows that follow are its.
    Read,
    /// No row of it follows.
    Finished,
}

/// One element of a stream.
#[derive(Debug, Clone)]
pub enum StreamElement {
    /// Rows.
    Batch(ChangelogBatch),
    /// No row with an event time at or below this many milliseconds since the epoch will follow.
    Watermark(i64),
    /// Whether the producer has had no rows for so long that nobody is to wait for its watermarks.
    Idle(bool),
    /// Everything before belongs to the checkpoint, everything behind does not.
    Barrier(Barrier),
    /// Nothing follows.
    End,
}

/// The marker of a checkpoint (Chandy and Lamport 1985, as in Flink's asynchronous barriers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Barrier {
    /// Which checkpoint.
    pub checkpoint: CheckpointId,
    /// Why it is taken.
    pub kind: BarrierKind,
    /// Operators whose state is in this checkpoint may hand out what has changed since; the others,
    /// and all without it, hand out everything.
    pub since: Option<CheckpointId>,
}

/// Why a checkpoint is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BarrierKind {
    /// The coordinator's own rhythm; old ones are removed.
    Checkpoint,
    /// Asked for by the user; kept until the user removes it.
    Savepoint,
    /// The last one of this run: the job stops behind it, and can be resumed from it.
    Stop,
    /// The last one of a job whose rows have ended and that takes no other checkpoints: sinks commit, and
    /// no operator will be asked for what it keeps.
    End,
}

impl BarrierKind {
    /// Whether no row follows, unless the job goes on because the checkpoint failed.
    pub fn is_last(self) -> bool {
        matches!(self, Self::Stop | Self::End)
    }
}
