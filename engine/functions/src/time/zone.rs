//! Wall-clock times of a time zone.
//!
//! A wall-clock time that a zone skips (the hour that is lost in spring) moves on by what was
//! skipped, and of one that it shows twice the first is meant: as `java.time` does.

use arrow_array::types::{Date32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Int64Array, cast::AsArray};
use arrow_schema::{DataType, TimeUnit};
use chrono::{DateTime, LocalResult, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;
use datafusion_common::Result;

use super::civil::{Moment, SECONDS_PER_DAY};
use crate::error::bug;

/// A time zone by its name, or by an offset as Java writes it: `GMT-08:00`, `UTC+1`, `+05`, `Z`.
///
/// `None` for unknown names, and for offsets that are not of whole hours.
///
/// ```
/// use sluice_functions::time_zone;
/// assert_eq!(time_zone("GMT-08:00"), "Etc/GMT+8".parse().ok());
/// assert_eq!(time_zone("UTC+25"), None);
/// ```
pub fn time_zone(name: &str) -> Option<Tz> {
    if let Ok(zone) = name.parse() {
        return Some(zone);
    }
    let offset = ["GMT", "UTC", "UT"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    if (offset.is_empty() && !name.is_empty()) || name == "Z" {
        return Some(Tz::UTC);
    }
    let (sign, digits) = match offset.split_at_checked(1)? {
        // The names of the database count what is missing to UTC.
        ("+", digits) => ('-', digits),
        ("-", digits) => ('+', digits),
        _ => return None,
    };
    let (hours, rest) = match digits.split_once(':') {
        Some((hours, rest)) => (hours, rest),
        None if digits.len() > 2 => digits.split_at_checked(2)?,
        None => (digits, ""),
    };
    let is_number = (1..=2).contains(&hours.len()) && hours.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || !rest.bytes().all(|byte| matches!(byte, b'0' | b':')) {
        return None;
    }
    match hours.parse::<u32>().ok()? {
        0 => Some(Tz::UTC),
        hours => format!("Etc/GMT{sign}{hours}").parse().ok(),
    }
}

/// The wall-clock time that a zone shows at an instant.
pub(crate) fn to_wall(instant: Moment, zone: Tz) -> Moment {
    if zone == Tz::UTC {
        return instant;
    }
    let offset = naive(instant.seconds).map_or(0, |utc| zone.offset_from_utc_datetime(&utc).fix().local_minus_utc());
    Moment { seconds: instant.seconds + i64::from(offset), ..instant }
}

/// The instant at which a zone shows a wall-clock time.
pub(crate) fn to_instant(wall: Moment, zone: Tz) -> Moment {
    instant_of(wall, zone, false)
}

/// The same, but of a time that the zone shows twice the second one is meant: as `java.text.SimpleDateFormat` does.
pub(crate) fn to_last_instant(wall: Moment, zone: Tz) -> Moment {
    instant_of(wall, zone, true)
}

fn instant_of(wall: Moment, zone: Tz, is_last: bool) -> Moment {
    if zone == Tz::UTC {
        return wall;
    }
    let offset = naive(wall.seconds).map_or(0, |local| match zone.offset_from_local_datetime(&local) {
        LocalResult::Ambiguous(_, offset) if is_last => offset.fix().local_minus_utc(),
        LocalResult::Single(offset) | LocalResult::Ambiguous(offset, _) => offset.fix().local_minus_utc(),
        LocalResult::None => {
            let day_before = naive(wall.seconds - SECONDS_PER_DAY).unwrap_or(local);
            zone.offset_from_utc_datetime(&day_before).fix().local_minus_utc()
        }
    });
    Moment { seconds: wall.seconds - i64::from(offset), ..wall }
}

fn naive(seconds: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp(seconds, 0).map(|utc| utc.naive_utc())
}

/// Units of a second of a `TIMESTAMP` column's Arrow type.
pub(crate) fn units_per_second(data_type: &DataType) -> i64 {
    match data_type {
        DataType::Timestamp(TimeUnit::Second, _) => 1,
        DataType::Timestamp(TimeUnit::Millisecond, _) => 1_000,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => 1_000_000_000,
        _ => 1_000_000,
    }
}

/// A `DATE`, `TIMESTAMP` or `TIMESTAMP_LTZ` column, read as wall-clock times.
#[derive(Debug)]
pub(crate) struct WallTimes {
    units: Int64Array,
    per_second: i64,
    zone: Tz,
}

impl WallTimes {
    /// `zone` is the session's; it matters to `TIMESTAMP_LTZ` only.
    pub(crate) fn new(array: &ArrayRef, zone: Tz) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Date32 => {
                let days = array.as_primitive::<Date32Type>();
                let units = days.unary::<_, Int64Type>(|days| i64::from(days) * SECONDS_PER_DAY);
                Self { units, per_second: 1, zone: Tz::UTC }
            }
            DataType::Timestamp(_, declared) => Self {
                units: arrow_cast::cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone(),
                per_second: units_per_second(array.data_type()),
                zone: if declared.is_some() { zone } else { Tz::UTC },
            },
            other => return Err(bug(format!("{other} is not a point in time"))),
        })
    }

    pub(crate) fn is_null(&self, index: usize) -> bool {
        self.units.is_null(index)
    }

    /// The wall-clock time of a value that is not `NULL`.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Moment {
        to_wall(self.instant(index), self.zone)
    }

    /// The value as it is stored, without a zone.
    #[inline]
    pub(crate) fn instant(&self, index: usize) -> Moment {
        Moment::from_units(self.units.value(index), self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::civil::Day;

    #[test]
    fn offsets_are_zones() {
        for (name, expected) in [
            ("GMT-08:00", Some(Tz::Etc__GMTPlus8)),
            ("GMT+8", Some(Tz::Etc__GMTMinus8)),
            ("UTC+01:00", Some(Tz::Etc__GMTMinus1)),
            ("+14:00", Some(Tz::Etc__GMTMinus14)),
            ("-0330", None),
            ("+05:30", None),
            ("GMT+15", None),
            ("UT", Some(Tz::UTC)),
            ("Z", Some(Tz::UTC)),
            ("GMT+00:00", Some(Tz::UTC)),
            ("Europe/Berlin", Some(Tz::Europe__Berlin)),
            ("Berlin", None),
            ("", None),
            ("+", None),
        ] {
            assert_eq!(time_zone(name), expected, "{name}");
        }
    }

    #[test]
    fn a_skipped_hour_moves_on_and_a_repeated_one_comes_first() {
        let wall = |month, day, hour: i64| Moment::new(Day { year: 2021, month, day }, hour * 3600, 0);
        let berlin = Tz::Europe__Berlin;
        assert_eq!(to_instant(wall(7, 1, 12), berlin), wall(7, 1, 10));
        assert_eq!(to_wall(wall(1, 1, 12), berlin), wall(1, 1, 13));
        assert_eq!(to_wall(to_instant(wall(3, 28, 2), berlin), berlin), wall(3, 28, 3));
        assert_eq!(to_instant(wall(10, 31, 2), berlin), wall(10, 31, 0));
        assert_eq!(to_last_instant(wall(10, 31, 2), berlin), wall(10, 31, 1));
    }
}
