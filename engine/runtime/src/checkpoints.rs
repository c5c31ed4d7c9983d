//! What is known about a job's checkpoints, for people and for the REST API.

use std::collections::VecDeque;

use sluice_model::{BarrierKind, CheckpointId};
use sluice_state::{Checkpoint, Published, SnapshotKind};

/// Checkpoints that are remembered (Flink's `web.checkpoints.history`).
const HISTORY: usize = 10;

/// State of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointStatus {
    /// Barriers are on their way, or files are being written.
    InProgress,
    /// Durable.
    Completed,
    /// Given up.
    Failed,
}

/// One checkpoint or savepoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointInfo {
    /// Number.
    pub id: CheckpointId,
    /// State.
    pub status: CheckpointStatus,
    /// Why it was taken.
    pub kind: BarrierKind,
    /// Whether it is the user's to keep.
    pub is_savepoint: bool,
    /// Milliseconds since the epoch.
    pub trigger_timestamp: i64,
    /// Milliseconds since the epoch at which the latest subtask answered.
    pub latest_ack_timestamp: Option<i64>,
    /// Milliseconds from the trigger until it was durable, or given up.
    pub duration_ms: Option<i64>,
    /// Bytes that were written for it.
    pub size_bytes: u64,
    /// Bytes of all its files, those included that older checkpoints have written.
    pub full_size_bytes: u64,
    /// Subtasks that take part.
    pub subtasks: usize,
    /// Subtasks that have answered.
    pub acknowledged: usize,
    /// Its directory, once it is durable.
    pub path: Option<String>,
    /// Why it was given up.
    pub failure: Option<String>,
}

/// Numbers of checkpoints since the job was submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CheckpointCounts {
    /// Restored from one.
    pub restored: u64,
    /// Triggered.
    pub total: u64,
    /// On their way.
    pub in_progress: u64,
    /// Durable.
    pub completed: u64,
    /// Given up.
    pub failed: u64,
}

/// The checkpoint that the current attempt started from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredCheckpoint {
    /// Number.
    pub id: CheckpointId,
    /// Milliseconds since the epoch at which it was restored.
    pub timestamp: i64,
    /// Whether it is a savepoint.
    pub is_savepoint: bool,
    /// Its directory.
    pub path: String,
}

/// All that is known about a job's checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckpointOverview {
    /// Numbers.
    pub counts: CheckpointCounts,
    /// The latest ones, newest first.
    pub history: Vec<CheckpointInfo>,
    /// The newest that is durable, savepoints not counted.
    pub latest_completed: Option<CheckpointInfo>,
    /// The newest savepoint.
    pub latest_savepoint: Option<CheckpointInfo>,
    /// The newest that was given up.
    pub latest_failed: Option<CheckpointInfo>,
    /// What the current attempt started from.
    pub restored: Option<RestoredCheckpoint>,
}

/// Keeps the overview.
#[derive(Debug, Default)]
pub(crate) struct CheckpointLog {
    overview: CheckpointOverview,
    /// Newest first.
    history: VecDeque<CheckpointInfo>,
}

impl CheckpointLog {
    pub(crate) fn overview(&self) -> CheckpointOverview {
        CheckpointOverview { history: self.history.iter().cloned().collect(), ..self.overview.clone() }
    }

    pub(crate) fn restored(&mut self, checkpoint: &Checkpoint, now: i64) {
        self.overview.counts.restored += 1;
        self.overview.restored = Some(RestoredCheckpoint {
            id: checkpoint.id,
            timestamp: now,
            is_savepoint: checkpoint.kind == SnapshotKind::Savepoint,
            path: checkpoint.path.clone(),
        });
    }

    pub(crate) fn triggered(
        &mut self,
        id: CheckpointId,
        kind: BarrierKind,
        is_savepoint: bool,
        subtasks: usize,
        now: i64,
    ) {
        self.overview.counts.total += 1;
        self.overview.counts.in_progress += 1;
        self.history.truncate(HISTORY - 1);
        self.history.push_front(CheckpointInfo {
            id,
            status: CheckpointStatus::InProgress,
            kind,
            is_savepoint,
            trigger_timestamp: now,
            latest_ack_timestamp: None,
            duration_ms: None,
            size_bytes: 0,
            full_size_bytes: 0,
            subtasks,
            acknowledged: 0,
            path: None,
            failure: None,
        });
    }

    pub(crate) fn acknowledged(&mut self, id: CheckpointId, now: i64) {
        if let Some(info) = self.find(id) {
            info.acknowledged += 1;
            info.latest_ack_timestamp = Some(now);
        }
    }

    /// Returns its milliseconds from the trigger on.
    pub(crate) fn completed(&mut self, id: CheckpointId, published: Option<&Published>, now: i64) -> i64 {
        self.overview.counts.completed += 1;
        self.overview.counts.in_progress = self.overview.counts.in_progress.saturating_sub(1);
        let Some(info) = self.find(id) else { return 0 };
        let duration = now - info.trigger_timestamp;
        info.status = CheckpointStatus::Completed;
        info.duration_ms = Some(duration);
        info.size_bytes = published.map_or(0, |published| published.size);
        info.full_size_bytes = published.map_or(0, |published| published.full_size);
        info.path = published.map(|published| published.path.clone());
        let info = info.clone();
        if info.is_savepoint {
            self.overview.latest_savepoint = Some(info);
        } else {
            self.overview.latest_completed = Some(info);
        }
        duration
    }

    pub(crate) fn failed(&mut self, id: CheckpointId, why: String, now: i64) {
        self.overview.counts.failed += 1;
        self.overview.counts.in_progress = self.overview.counts.in_progress.saturating_sub(1);
        let Some(info) = self.find(id) else { return };
        info.status = CheckpointStatus::Failed;
        info.duration_ms = Some(now - info.trigger_timestamp);
        info.failure = Some(why);
        self.overview.latest_failed = Some(info.clone());
    }

    fn find(&mut self, id: CheckpointId) -> Option<&mut CheckpointInfo> {
        self.history.iter_mut().find(|info| info.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_latest_and_counts_all() {
        let mut log = CheckpointLog::default();
        for id in 1..=12 {
            log.triggered(id, BarrierKind::Checkpoint, false, 2, id as i64 * 10);
        }
        log.acknowledged(11, 113);
        assert_eq!(log.completed(11, Some(&Published { path: "/s/chk-11".into(), size: 5, full_size: 9 }), 117), 7);
        log.failed(12, "too slow".into(), 200);
        let overview = log.overview();
        assert_eq!((overview.counts.total, overview.counts.completed, overview.counts.failed), (12, 1, 1));
        assert_eq!(overview.history.iter().map(|info| info.id).collect::<Vec<_>>(), [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
        assert_eq!(overview.latest_completed.unwrap().path.as_deref(), Some("/s/chk-11"));
        assert_eq!(overview.latest_failed.unwrap().failure.as_deref(), Some("too slow"));
    }
}
