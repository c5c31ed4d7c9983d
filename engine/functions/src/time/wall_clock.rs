//! Windows in a time zone: `TIMESTAMP_LTZ` counts instants, its windows lie between wall-clock times.
//!
//! ```text
//! Europe/Berlin, windows of an hour, on the night in which 02:00–03:00 comes twice
//!
//! instant (UTC)    wall clock       window            over when event time is at
//! 00:30            02:30            02:00–03:00       01:59:59.999 UTC
//! 01:30            02:30 again      02:00–03:00
//! 02:30            03:30            03:00–04:00       02:59:59.999 UTC
//! ```
//!
//! The rules are those of Flink's `TimeWindowUtil`: a window whose end is skipped is over at the instant
//! of the skip, one whose end comes twice when it has come for the second time. All times are in
//! milliseconds, wall-clock times as if the clock were UTC's.

use chrono::{DateTime, LocalResult, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;

use super::civil::Moment;
use super::zone::to_instant;

/// Zones change their offset at instants between which at least so many milliseconds lie.
const SPAN: i64 = 15 * 60 * 1000;

const SECOND: i64 = 1000;
const DAY: i64 = 24 * 3600 * SECOND;

/// The wall clock of a time zone.
#[derive(Debug, Clone)]
pub struct WallClock {
    zone: Tz,
    /// The span of time that was asked about last, and the offset if it is one for all of it.
    span: Option<(i64, Option<i64>)>,
}

impl WallClock {
    /// The clock of a zone. In UTC every wall-clock time is its instant.
    pub fn new(zone: Tz) -> Self {
        Self { zone, span: None }
    }

    /// What the clock shows at an instant. Cheap where instants lie close together.
    pub fn at(&mut self, instant: i64) -> i64 {
        if self.is_plain(instant) {
            return instant;
        }
        let number = instant.div_euclid(SPAN);
        let offset = match self.span {
            Some((span, offset)) if span == number => offset,
            _ => {
                let (first, last) = (self.offset(number * SPAN), self.offset((number + 1) * SPAN - 1));
                let offset = (first == last).then_some(first);
                self.span = Some((number, offset));
                offset
            }
        };
        instant + offset.unwrap_or_else(|| self.offset(instant))
    }

    /// The instant at which the clock shows a time: the first of two, and for a time that is skipped as
    /// long behind the skip.
    pub fn instant(&self, wall: i64) -> i64 {
        if self.is_plain(wall) {
            return wall;
        }
        let (seconds, rest) = (wall.div_euclid(SECOND), wall.rem_euclid(SECOND));
        to_instant(Moment::from_units(seconds, 1), self.zone).seconds * SECOND + rest
    }

    /// When event time has left a wall-clock time behind for good: the last instant at which the clock
    /// shows it, or that of the skip over it.
    pub fn passed_at(&self, wall: i64) -> i64 {
        let Some(local) = naive(wall).filter(|_| !self.is_plain(wall)) else { return wall };
        match self.zone.offset_from_local_datetime(&local) {
            LocalResult::Single(offset) | LocalResult::Ambiguous(_, offset) => {
                wall - i64::from(offset.fix().local_minus_utc()) * SECOND
            }
            LocalResult::None => {
                let before = self.offset(wall - DAY);
                let after = self.offset(wall - before);
                self.change(wall - after, wall - before)
            }
        }
    }

    /// The latest wall-clock time that event time has left behind at a watermark: the latest whose
    /// [`passed_at`](Self::passed_at) is not above it.
    pub fn passed(&self, watermark: i64) -> i64 {
        if self.is_plain(watermark) {
            return watermark;
        }
        let shown = watermark + self.offset(watermark);
        let again = self.passed_at(shown);
        if again <= watermark {
            return shown;
        }
        // The clock will be set back, and show this again.
        let change = self.change(watermark, again);
        change + self.offset(change) - 1
    }

    /// Without an offset, or beyond all calendars: the times that mean never and always.
    fn is_plain(&self, time: i64) -> bool {
        self.zone == Tz::UTC || naive(time).is_none() || naive(time.saturating_add(2 * DAY)).is_none()
    }

    fn offset(&self, instant: i64) -> i64 {
        let offset = naive(instant).map(|utc| self.zone.offset_from_utc_datetime(&utc).fix().local_minus_utc());
        i64::from(offset.unwrap_or_default()) * SECOND
    }

    /// The first instant behind `before`, and not behind `after`, that has the offset of `after`.
    fn change(&self, before: i64, after: i64) -> i64 {
        let offset = self.offset(after);
        let (mut low, mut high) = (before.div_euclid(SECOND), after.div_euclid(SECOND));
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.offset(middle * SECOND) == offset { high = middle } else { low = middle }
        }
        high * SECOND
    }
}

fn naive(millis: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_millis(millis).map(|utc| utc.naive_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> i64 {
        text.parse::<NaiveDateTime>().unwrap().and_utc().timestamp_millis()
    }

    fn text(millis: i64) -> String {
        naive(millis).unwrap().to_string().replacen(' ', "T", 1)
    }

    /// The examples in the comments of Flink's `TimeWindowUtil`.
    #[test]
    fn a_skipped_end_is_over_at_the_skip_and_a_repeated_one_the_second_time() {
        let clock = WallClock::new(Tz::America__Los_Angeles);
        let passed_at = |wall: &str| text(clock.passed_at(millis(wall)));
        assert_eq!(passed_at("2021-03-14T01:59:59.999"), "2021-03-14T09:59:59.999");
        assert_eq!(passed_at("2021-03-14T02:00:00"), "2021-03-14T10:00:00");
        assert_eq!(passed_at("2021-03-14T02:59:59.999"), "2021-03-14T10:00:00");
        assert_eq!(passed_at("2021-03-14T03:00:00"), "2021-03-14T10:00:00");
        assert_eq!(passed_at("2021-03-14T03:59:59.999"), "2021-03-14T10:59:59.999");
        assert_eq!(passed_at("2021-11-07T00:59:59.999"), "2021-11-07T07:59:59.999");
        assert_eq!(passed_at("2021-11-07T01:00:00"), "2021-11-07T09:00:00");
        assert_eq!(passed_at("2021-11-07T01:59:59.999"), "2021-11-07T09:59:59.999");
        assert_eq!(passed_at("2021-11-07T02:00:00"), "2021-11-07T10:00:00");
        let instant = |wall: &str| text(clock.instant(millis(wall)));
        assert_eq!(instant("2021-03-14T02:59:59.999"), "2021-03-14T10:59:59.999");
        assert_eq!(instant("2021-11-07T01:59:59.999"), "2021-11-07T08:59:59.999");
    }

    #[test]
    fn what_is_passed_is_what_has_been_passed() {
        let zones = [Tz::Europe__Berlin, Tz::America__Los_Angeles, Tz::Australia__Lord_Howe, Tz::Asia__Kolkata];
        for zone in zones {
            let (mut clock, start) = (WallClock::new(zone), millis("2021-01-01T00:00:00"));
            for quarter in 0..366 * 24 * 4 {
                let watermark = start + quarter * SPAN + quarter % 3 * 333;
                let passed = clock.passed(watermark);
                assert!(clock.passed_at(passed) <= watermark, "{zone} at {}", text(watermark));
                assert!(clock.passed_at(passed + 1) > watermark, "{zone} at {}", text(watermark));
                let offset = clock.offset(watermark);
                assert_eq!(clock.at(watermark), watermark + offset, "{zone} at {}", text(watermark));
            }
        }
    }

    #[test]
    fn the_ends_of_time_are_the_same_everywhere() {
        let mut clock = WallClock::new(Tz::Europe__Berlin);
        for time in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
            assert_eq!([clock.at(time), clock.instant(time), clock.passed_at(time), clock.passed(time)], [time; 4]);
        }
    }
}
