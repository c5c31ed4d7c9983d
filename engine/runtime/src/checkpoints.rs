//! What is known about a job's checkpoints, for people and for the REST API.

use std::collections::VecDeque;
use std::time::Instant;

use sluice_model::{BarrierKind, CheckpointId};
use sluice_state::{Checkpoint, Published, SnapshotKind};

use crate::task::Timing;

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
    /// Subtasks that have answered, in the order in which they did.
    pub answers: Vec<CheckpointAnswer>,
    /// Its directory, once it is durable.
    pub path: Option<String>,
    /// Why it was given up.
    pub failure: Option<String>,
}

/// The part of a subtask in a checkpoint. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckpointAnswer {
    /// Number among all subtasks of the job, vertex by vertex.
    pub task: usize,
    /// When it answered, in milliseconds since the epoch.
    pub timestamp: i64,
    /// From the trigger until the first barrier came.
    pub start_delay_ms: i64,
    /// From the first barrier to the last.
    pub alignment_ms: i64,
    /// From there until its state was handed out: rows wait.
    pub sync_ms: i64,
    /// From there until the state was durable, beside the rows.
    pub async_ms: i64,
    /// Bytes that were written of its state.
    pub size_bytes: u64,
    /// Bytes of its state, those included that older checkpoints have written.
    pub full_size_bytes: u64,
    /// Names and subtasks of its states.
    states: Vec<(String, usize)>,
}

/// What a subtask said about its part.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    pub(crate) task: usize,
    pub(crate) now: i64,
    /// When the barriers were sent.
    pub(crate) sent: Instant,
    pub(crate) timing: Timing,
    /// Names and subtasks of its states.
    pub(crate) states: Vec<(String, usize)>,
}

impl Acknowledged {
    fn answer(self) -> CheckpointAnswer {
        let millis = |from: Instant, to: Instant| {
            i64::try_from(to.saturating_duration_since(from).as_millis()).unwrap_or(i64::MAX)
        };
        let Self { task, now, sent, timing, states } = self;
        CheckpointAnswer {
            task,
            timestamp: now,
            start_delay_ms: millis(sent, timing.arrived),
            alignment_ms: millis(timing.arrived, timing.aligned),
            sync_ms: millis(timing.aligned, timing.handed_out),
            async_ms: millis(timing.handed_out, Instant::now()),
            size_bytes: 0,
            full_size_bytes: 0,
            states,
        }
    }
}

impl CheckpointAnswer {
    /// The checkpoint is durable: what it has of the subtask is known.
    fn complete(&mut self, published: Option<&Published>, now: i64) {
        // States are written from when all have answered.
        self.async_ms += if self.states.is_empty() { 0 } else { now - self.timestamp };
        let sizes = published.into_iter().flat_map(|published| &published.states);
        for size in
            sizes.filter(|size| self.states.iter().any(|(id, subtask)| *id == size.id && *subtask == size.subtask))
        {
            self.size_bytes += size.written;
            self.full_size_bytes += size.full;
        }
    }
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
            answers: Vec::new(),
            path: None,
            failure: None,
        });
    }

    pub(crate) fn acknowledged(&mut self, id: CheckpointId, acknowledged: Acknowledged) {
        if let Some(info) = self.find(id) {
            info.acknowledged += 1;
            info.latest_ack_timestamp = Some(acknowledged.now);
            info.answers.push(acknowledged.answer());
        }
    }

    /// Returns its milliseconds from the trigger on, and those of the longest alignment.
    pub(crate) fn completed(&mut self, id: CheckpointId, published: Option<&Published>, now: i64) -> (i64, i64) {
        self.overview.counts.completed += 1;
        self.overview.counts.in_progress = self.overview.counts.in_progress.saturating_sub(1);
        let Some(info) = self.find(id) else { return (0, 0) };
        let duration = now - info.trigger_timestamp;
        info.status = CheckpointStatus::Completed;
        info.duration_ms = Some(duration);
        info.size_bytes = published.map_or(0, |published| published.size);
        info.full_size_bytes = published.map_or(0, |published| published.full_size);
        info.path = published.map(|published| published.path.clone());
        info.answers.iter_mut().for_each(|answer| answer.complete(published, now));
        let alignment = info.answers.iter().map(|answer| answer.alignment_ms).max().unwrap_or(0);
        let info = info.clone();
        if info.is_savepoint {
            self.overview.latest_savepoint = Some(info);
        } else {
            self.overview.latest_completed = Some(info);
        }
        (duration, alignment)
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
    use std::time::Duration;

    use sluice_state::StateSize;

    use super::*;

    #[test]
    fn remembers_the_latest_and_counts_all() {
        let mut log = CheckpointLog::default();
        for id in 1..=12 {
            log.triggered(id, BarrierKind::Checkpoint, false, 2, id as i64 * 10);
        }
        let (sent, states) = (Instant::now(), vec![("sum".to_owned(), 1)]);
        let after = |millis| sent + Duration::from_millis(millis);
        let timing = Timing { arrived: after(1), aligned: after(3), handed_out: after(6) };
        log.acknowledged(11, Acknowledged { task: 2, now: 113, sent, timing, states });
        let size = |subtask, written, full| StateSize { id: "sum".into(), subtask, written, full };
        let states = vec![size(0, 1, 2), size(1, 3, 4)];
        let published = Published { path: "/s/chk-11".into(), size: 5, full_size: 9, states };
        assert_eq!(log.completed(11, Some(&published), 117), (7, 2));
        let answer = &log.overview().history[1].answers[0];
        assert_eq!((answer.start_delay_ms, answer.alignment_ms, answer.sync_ms), (1, 2, 3));
        assert_eq!((answer.size_bytes, answer.full_size_bytes), (3, 4));
        assert!(answer.async_ms >= 4);
        log.failed(12, "too slow".into(), 200);
        let overview = log.overview();
        assert_eq!((overview.counts.total, overview.counts.completed, overview.counts.failed), (12, 1, 1));
        assert_eq!(overview.history.iter().map(|info| info.id).collect::<Vec<_>>(), [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
        assert_eq!(overview.latest_completed.unwrap().path.as_deref(), Some("/s/chk-11"));
        assert_eq!(overview.latest_failed.unwrap().failure.as_deref(), Some("too slow"));
    }
}
