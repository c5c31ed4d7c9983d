//! Sources of one group wait for the slowest of them: `scan.watermark.alignment.*`.
//!
//! A join of a table that is read from its beginning with one that is followed live would keep all rows
//! of the faster one until the slower one has come as far. Held back, the faster one stays within
//! `max-drift`, and so does what the join keeps.
//!
//! ```text
//! max-drift 1 min      source a     source b
//!                      12:00:00     12:00:30      both read
//!                      12:00:05     12:01:20      b is held back
//!                      12:00:25     12:01:20      b goes on
//! ```
//!
//! Members tell each other by numbers that anybody may read; each looks at those of the others once in
//! its update interval. A member that is idle, has ended or has had no watermark yet holds nobody back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sluice_plan::WatermarkAlignment;
use tokio::time::Instant;

/// A member that nobody waits for.
const NOBODY_WAITS: i64 = i64::MAX;

/// The groups of a job.
#[derive(Debug, Default)]
pub(crate) struct Groups(BTreeMap<String, Group>);

/// The watermarks of the members of a group.
type Group = Arc<Mutex<Vec<Arc<AtomicI64>>>>;

impl Groups {
    /// Adds a subtask of a source to its group.
    pub(crate) fn join(&mut self, alignment: &WatermarkAlignment) -> Member {
        let group = Arc::clone(self.0.entry(alignment.group.clone()).or_default());
        let own = Arc::new(AtomicI64::new(NOBODY_WAITS));
        group.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&own));
        Member {
            group,
            own,
            max_drift: i64::try_from(alignment.max_drift.as_millis()).unwrap_or(i64::MAX),
            // Members would look at each other without end.
            update_interval: alignment.update_interval.max(Duration::from_millis(1)),
            limit: i64::MAX,
            next_look: Instant::now(),
        }
    }
}

/// A subtask of a source in its group.
#[derive(Debug)]
pub(crate) struct Member {
    group: Group,
    own: Arc<AtomicI64>,
    max_drift: i64,
    update_interval: Duration,
    /// How far it may be, by the last look at the others.
    limit: i64,
    next_look: Instant,
}

impl Member {
    /// Tells the others how far it is; `None`: they are not to wait for it.
    pub(crate) fn tell(&self, watermark: Option<i64>) {
        self.own.store(watermark.unwrap_or(NOBODY_WAITS), Ordering::Relaxed);
    }

    /// Whether it is to wait for the others.
    pub(crate) fn is_ahead(&mut self) -> bool {
        let own = self.own.load(Ordering::Relaxed);
        if own == NOBODY_WAITS {
            return false;
        }
        if Instant::now() >= self.next_look {
            let members = self.group.lock().unwrap_or_else(PoisonError::into_inner);
            let slowest = members.iter().map(|member| member.load(Ordering::Relaxed)).min();
            self.limit = slowest.unwrap_or(NOBODY_WAITS).saturating_add(self.max_drift);
            self.next_look = Instant::now() + self.update_interval;
        }
        own > self.limit
    }

    /// Waits for the next look at the others. Cancel-safe.
    pub(crate) fn next_look(&self) -> impl Future<Output = ()> + Send + use<> {
        tokio::time::sleep_until(self.next_look)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.tell(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alignment(group: &str) -> WatermarkAlignment {
        let (max_drift, update_interval) = (Duration::from_secs(60), Duration::from_millis(1));
        WatermarkAlignment { group: group.to_owned(), max_drift, update_interval }
    }

    #[tokio::test]
    async fn the_faster_waits_for_the_slower() {
        let mut groups = Groups::default();
        let (mut a, mut b) = (groups.join(&alignment("g")), groups.join(&alignment("g")));
        let mut other = groups.join(&alignment("h"));
        b.tell(Some(500_000));
        assert!(!b.is_ahead(), "nobody knows where a is");
        a.tell(Some(0));
        other.tell(Some(900_000));
        b.next_look().await;
        assert_eq!([a.is_ahead(), b.is_ahead(), other.is_ahead()], [false, true, false]);
        a.tell(Some(440_000));
        b.next_look().await;
        assert!(!b.is_ahead());
        a.tell(Some(100));
        b.next_look().await;
        assert!(b.is_ahead());
        a.tell(None);
        b.next_look().await;
        assert!(!b.is_ahead(), "a is idle");
        a.tell(Some(100));
        drop(a);
        b.next_look().await;
        assert!(!b.is_ahead(), "a is gone");
    }
}
