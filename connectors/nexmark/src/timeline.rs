//! Splits of a table and the times of their events.
//!
//! A table that is read by several subtasks is split: each split has its own stretch of event ids
//! and its own timeline, on which events are as many times further apart as there are splits.
//!
//! ```text
//! 100 events at 1000 a second      first id   events   event 0 at   event 1 at
//! one split                               2      100         1 ms         2 ms
//! split 0 of 3                            2       33         3 ms         6 ms
//! split 2 of 3                           68       34         3 ms         6 ms
//! ```
//!
//! Source: `GeneratorConfig` of nexmark-flink (`split`, `timestampForEvent`).

use crate::rules::Rules;

/// Upstream counts event ids and event numbers from 1 and adds them up.
const FIRST_EVENT_ID: i64 = 1;
const FIRST_EVENT_NUMBER: i64 = 1;

/// One split of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Timeline {
    /// Id of its event 0.
    pub(crate) first_id: i64,
    /// Number of its events.
    pub(crate) events: i64,
    /// Microseconds between its events.
    pub(crate) delay_micros: f64,
    /// Milliseconds since the epoch from which times are counted.
    base_time: i64,
}

impl Timeline {
    /// Split `split` of `of`.
    pub(crate) fn of_split(rules: &Rules, split: i64, of: i64) -> Self {
        let share = |events: i64| {
            let each = events / of;
            if split == of - 1 { events - each * (of - 1) } else { each }
        };
        let stop = rules.stop_at.map_or(i64::MAX, share);
        Self {
            first_id: FIRST_EVENT_ID + FIRST_EVENT_NUMBER + rules.max_events / of * split,
            events: share(rules.max_events).min(stop),
            delay_micros: 1_000_000.0 / f64::from(rules.events_per_second) * of as f64,
            base_time: rules.base_time,
        }
    }

    /// Time of event `event` (from 0), in milliseconds since the epoch.
    #[inline]
    pub(crate) fn time(&self, event: i64) -> i64 {
        self.base_time + ((FIRST_EVENT_NUMBER + event) as f64 * self.delay_micros) as i64 / 1_000
    }

    /// Number of the events whose time is not after `time`.
    pub(crate) fn events_until(&self, time: i64) -> i64 {
        let events = (time - self.base_time + 1) as f64 * 1_000.0 / self.delay_micros;
        events.ceil() as i64 - FIRST_EVENT_NUMBER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules { max_events: 100, events_per_second: 1_000, base_time: 0, ..Rules::default() }
    }

    fn splits(rules: &Rules, of: i64) -> Vec<(i64, i64)> {
        (0..of).map(|split| Timeline::of_split(rules, split, of)).map(|line| (line.first_id, line.events)).collect()
    }

    #[test]
    fn splits_share_the_events() {
        assert_eq!(splits(&rules(), 1), [(2, 100)]);
        assert_eq!(splits(&rules(), 3), [(2, 33), (35, 33), (68, 34)]);
        assert_eq!(splits(&Rules { stop_at: Some(50), ..rules() }, 3), [(2, 16), (35, 16), (68, 18)]);
        assert_eq!(splits(&Rules { stop_at: Some(500), ..rules() }, 1), [(2, 100)]);
    }

    #[test]
    fn times_go_by_the_rate() {
        let line = Timeline::of_split(&rules(), 0, 1);
        assert_eq!([line.time(0), line.time(1), line.time(99)], [1, 2, 100]);
        let line = Timeline::of_split(&rules(), 0, 3);
        assert_eq!([line.time(0), line.time(1)], [3, 6]);
        assert_eq!([line.events_until(5), line.events_until(6), line.events_until(8)], [1, 2, 2]);
    }
}
