//! What a subtask counts, and how it spends its time.
//!
//! A subtask is at any time in one [`Activity`]; changing it costs one look at the clock and one
//! atomic swap per batch, never per row. The time of the activity at hand counts as it passes, so
//! that a source that has been idle for an hour shows an hour.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Instant;

use sluice_model::{Counter, Gauge, MetricGroup};

/// What a subtask is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    /// Waits for rows.
    Idle = 0,
    /// Works on rows, or waits for the target that it writes to.
    Busy = 1,
    /// Waits for a consumer that is slower.
    Backpressured = 2,
    /// Does not run.
    Stopped = 3,
}

/// Time by activity, without a lock.
#[derive(Debug)]
pub(crate) struct ActivityClock {
    start: Instant,
    /// Microseconds since `start` at which the activity began, times four, plus the activity.
    current: AtomicU64,
    /// Finished microseconds by activity.
    spent: [AtomicU64; 4],
}

impl Default for ActivityClock {
    fn default() -> Self {
        let current = AtomicU64::new(Activity::Stopped as u64);
        Self { start: Instant::now(), current, spent: Default::default() }
    }
}

impl ActivityClock {
    /// Begins an activity and books the time of the one before.
    pub(crate) fn enter(&self, activity: Activity) {
        let now = self.now();
        let before = self.current.swap((now << 2) | activity as u64, Ordering::Relaxed);
        self.spent[(before & 3) as usize].fetch_add(now.saturating_sub(before >> 2), Ordering::Relaxed);
    }

    /// Milliseconds spent in an activity so far.
    pub(crate) fn millis(&self, activity: Activity) -> u64 {
        let current = self.current.load(Ordering::Relaxed);
        let finished = self.spent[activity as usize].load(Ordering::Relaxed);
        let running = if current & 3 == activity as u64 { self.now().saturating_sub(current >> 2) } else { 0 };
        (finished + running) / 1000
    }

    /// Milliseconds since the work at hand began; 0 if there is none.
    pub(crate) fn busy_for(&self) -> u64 {
        let current = self.current.load(Ordering::Relaxed);
        if current & 3 == Activity::Busy as u64 { self.now().saturating_sub(current >> 2) / 1000 } else { 0 }
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    /// Runs a future; as long as it waits, the subtask is in `waiting`, else it is busy.
    pub(crate) async fn during<F: Future>(&self, waiting: Activity, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut is_waiting = false;
        std::future::poll_fn(|context| {
            if is_waiting {
                self.enter(Activity::Busy);
                is_waiting = false;
            }
            let polled = future.as_mut().poll(context);
            if polled.is_pending() {
                self.enter(waiting);
                is_waiting = true;
            }
            match polled {
                Poll::Ready(output) => Poll::Ready(output),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

/// Counters of one subtask; they live as long as the job and count on after a restart.
#[derive(Debug)]
pub(crate) struct TaskMetrics {
    pub(crate) group: MetricGroup,
    pub(crate) records_in: Counter,
    pub(crate) records_out: Counter,
    /// Rows that were dropped because their windows were over.
    pub(crate) late_records: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) clock: ActivityClock,
    idle: Gauge,
    busy: Gauge,
    backpressured: Gauge,
}

impl TaskMetrics {
    pub(crate) fn new(group: MetricGroup) -> Self {
        Self {
            records_in: group.counter("records_in"),
            records_out: group.counter("records_out"),
            late_records: group.counter("late_records"),
            bytes_in: group.counter("bytes_in"),
            bytes_out: group.counter("bytes_out"),
            idle: group.gauge("idle_ms"),
            busy: group.gauge("busy_ms"),
            backpressured: group.gauge("backpressured_ms"),
            clock: ActivityClock::default(),
            group,
        }
    }

    /// Brings the gauges up to date, for somebody who is about to read them.
    pub(crate) fn refresh(&self) {
        let gauges = [
            (&self.idle, Activity::Idle),
            (&self.busy, Activity::Busy),
            (&self.backpressured, Activity::Backpressured),
        ];
        for (gauge, activity) in gauges {
            gauge.set(i64::try_from(self.clock.millis(activity)).unwrap_or(i64::MAX));
        }
    }
}

/// Metrics of the job as a whole.
#[derive(Debug)]
pub(crate) struct JobMetrics {
    pub(crate) restarts: Counter,
    pub(crate) checkpoints_completed: Counter,
    pub(crate) checkpoints_failed: Counter,
    pub(crate) last_checkpoint_id: Gauge,
    pub(crate) last_checkpoint_duration_ms: Gauge,
    pub(crate) last_checkpoint_size_bytes: Gauge,
    pub(crate) last_checkpoint_full_size_bytes: Gauge,
    /// The longest that one of its subtasks waited for the barriers of all its channels.
    pub(crate) last_checkpoint_alignment_ms: Gauge,
    pub(crate) last_checkpoint_timestamp_ms: Gauge,
    /// Bytes of the batches that lie in channels.
    pub(crate) channel_bytes: Gauge,
}

impl JobMetrics {
    pub(crate) fn new(group: &MetricGroup) -> Self {
        Self {
            restarts: group.counter("restarts"),
            checkpoints_completed: group.counter("checkpoints_completed"),
            checkpoints_failed: group.counter("checkpoints_failed"),
            last_checkpoint_id: group.gauge("last_checkpoint_id"),
            last_checkpoint_duration_ms: group.gauge("last_checkpoint_duration_ms"),
            last_checkpoint_size_bytes: group.gauge("last_checkpoint_size_bytes"),
            last_checkpoint_full_size_bytes: group.gauge("last_checkpoint_full_size_bytes"),
            last_checkpoint_alignment_ms: group.gauge("last_checkpoint_alignment_ms"),
            last_checkpoint_timestamp_ms: group.gauge("last_checkpoint_timestamp_ms"),
            channel_bytes: group.gauge("channel_bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn waiting_is_not_being_busy() {
        let clock = ActivityClock::default();
        clock.enter(Activity::Busy);
        clock.during(Activity::Backpressured, tokio::time::sleep(Duration::from_millis(50))).await;
        clock.enter(Activity::Stopped);
        assert!(clock.millis(Activity::Backpressured) >= 49);
        assert!(clock.millis(Activity::Busy) < 40);
        assert_eq!(clock.millis(Activity::Idle), 0);
    }
}
