//! How much may wait in front of a task: as much as it works off in a given time.
//!
//! Whatever lies in a channel when a barrier comes has to be worked off in front of it. With a bound of
//! bytes alone a slow sink has minutes of work in front of it, and every checkpoint takes as long. So a
//! gate measures how fast its task is, and its channels hold what that task does in
//! `taskmanager.network.memory.buffer-debloat.target`; batches are cut to fit. A task that is fast, or
//! waits for rows, has the room that channels have without.
//!
//! ```text
//! a sink takes 100 KB per second, the target is 1 s, one channel
//!
//! bounds of bytes    4 MiB wait            a barrier waits for 42 s
//! bounds of time     100 KB wait           a barrier waits for  1 s, and for the batch at hand
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Bytes that a channel holds at most; a larger batch has the channel for itself.
pub(crate) const MOST: usize = 4 << 20;
/// Bytes that a channel holds at least: batches that are too small cost more than they save.
const LEAST: usize = 16 << 10;
/// The time of work after which the speed is looked at.
const WINDOW: Duration = Duration::from_millis(100);

/// How much may lie in each channel of a gate.
#[derive(Debug)]
pub(crate) struct Pace(AtomicUsize);

impl Default for Pace {
    fn default() -> Self {
        Self(AtomicUsize::new(MOST))
    }
}

impl Pace {
    /// Bytes that a channel may hold now.
    pub(crate) fn limit(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Bytes that a batch should have, so that not all that may wait is one batch; `None` if the task is
    /// fast enough for any.
    pub(crate) fn piece(&self) -> Option<usize> {
        Some(self.limit() / 2).filter(|piece| *piece < MOST / 4)
    }
}

/// Measures how fast the task behind a gate works.
#[derive(Debug)]
pub(crate) struct Meter {
    pace: Arc<Pace>,
    channels: usize,
    /// Channels hold what is worked off in this time; `None`: what their bound of bytes allows.
    target: Option<Duration>,
    /// When work began on what was taken last; `None` if the task waits.
    working: Option<Instant>,
    bytes: usize,
    busy: Duration,
}

impl Meter {
    pub(crate) fn new(pace: Arc<Pace>, channels: usize, target: Option<Duration>) -> Self {
        Self { pace, channels: channels.max(1), target, working: None, bytes: 0, busy: Duration::ZERO }
    }

    /// The task goes to work on so many bytes: it is done with what was before.
    pub(crate) fn takes(&mut self, bytes: usize) {
        if self.target.is_some() {
            self.work(Instant::now(), bytes);
        }
    }

    /// The task waits for rows: it is done with all that it has taken.
    pub(crate) fn waits(&mut self) {
        if self.working.is_some() {
            self.stop(Instant::now());
        }
    }

    fn work(&mut self, now: Instant, bytes: usize) {
        self.stop(now);
        self.working = Some(now);
        self.bytes += bytes;
    }

    fn stop(&mut self, now: Instant) {
        let (Some(target), Some(since)) = (self.target, self.working.take()) else { return };
        self.busy += now.duration_since(since);
        if self.busy < WINDOW {
            return;
        }
        let allowed = self.bytes as f64 / self.busy.as_secs_f64() * target.as_secs_f64();
        let each = (allowed / self.channels as f64).clamp(LEAST as f64, MOST as f64);
        // Half of what was before: one batch that took long says little about the next.
        let limit = (self.pace.limit() as f64 + each) / 2.0;
        self.pace.0.store(limit as usize, Ordering::Relaxed);
        (self.bytes, self.busy) = (0, Duration::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task that takes `bytes` at a time and works on them for `millis`, `times` over.
    fn worked(meter: &mut Meter, now: &mut Instant, bytes: usize, millis: u64, times: usize) -> usize {
        for _ in 0..times {
            meter.work(*now, bytes);
            *now += Duration::from_millis(millis);
        }
        meter.stop(*now);
        meter.pace.limit()
    }

    #[test]
    fn channels_hold_what_is_worked_off_in_time() {
        let (pace, mut now) = (Arc::new(Pace::default()), Instant::now());
        let mut meter = Meter::new(pace, 2, Some(Duration::from_secs(1)));
        let slow = worked(&mut meter, &mut now, 100_000, 500, 40);
        assert!((100_000..101_000).contains(&slow), "200 KB per second in two channels: {slow}");
        now += Duration::from_secs(3600);
        let crawling = worked(&mut meter, &mut now, 100, 500, 40);
        assert!((LEAST..LEAST + 1000).contains(&crawling), "{crawling}");
        let fast = worked(&mut meter, &mut now, 1_000_000, 10, 400);
        assert!(fast > MOST - 1000, "{fast}");
    }

    #[test]
    fn without_a_target_nothing_is_bounded_by_time() {
        let mut meter = Meter::new(Arc::default(), 1, None);
        meter.takes(1);
        std::thread::sleep(Duration::from_millis(120));
        meter.takes(1);
        assert_eq!(meter.pace.limit(), MOST);
    }
}
