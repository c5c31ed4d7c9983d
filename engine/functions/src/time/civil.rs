//! Days and wall-clock times of the proleptic Gregorian calendar.

/// Seconds of a day.
pub(crate) const SECONDS_PER_DAY: i64 = 86_400;
/// Nanoseconds of a second.
pub(crate) const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// A point on a time line without a zone: seconds since 1970-01-01 00:00:00, and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub(crate) seconds: i64,
    pub(crate) nanos: u32,
}

/// A day: year, month 1..=12, day 1..=31.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) year: i32,
    pub(crate) month: u32,
    pub(crate) day: u32,
}

impl Day {
    /// The day that is `days` after 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
    pub(crate) fn from_epoch_days(days: i64) -> Self {
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { year: year as i32, month: month as u32, day: day as u32 }
    }

    /// Days since 1970-01-01.
    pub(crate) fn to_epoch_days(self) -> i64 {
        let year = i64::from(self.year) - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let shifted_month = (i64::from(self.month) + 9) % 12;
        let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// A day that exists, of the years 0..=9999.
    pub(crate) fn valid(year: i32, month: u32, day: u32) -> Option<Self> {
        let exists =
            (0..=9999).contains(&year) && (1..=12).contains(&month) && (1..=days_of_month(year, month)).contains(&day);
        exists.then_some(Self { year, month, day })
    }

    /// 1 for January 1st.
    pub(crate) fn day_of_year(self) -> i64 {
        self.to_epoch_days() - Self { month: 1, day: 1, ..self }.to_epoch_days() + 1
    }

    /// The day some months later; the last day of the month if that month is shorter.
    pub(crate) fn plus_months(self, months: i64) -> Self {
        let total = i64::from(self.year) * 12 + i64::from(self.month) - 1 + months;
        let year = total.div_euclid(12) as i32;
        let month = total.rem_euclid(12) as u32 + 1;
        Self { year, month, day: self.day.min(days_of_month(year, month)) }
    }

    /// ISO 8601: the year that the week belongs to, and the week 1..=53.
    pub(crate) fn iso_week(self) -> (i32, i64) {
        let days = self.to_epoch_days();
        // The Thursday of the week decides.
        let thursday = days - iso_day_of_week(days) + 4;
        let year = Self::from_epoch_days(thursday).year;
        let first = Self { year, month: 1, day: 1 }.to_epoch_days();
        (year, (thursday - first) / 7 + 1)
    }
}

/// 1 for Monday … 7 for Sunday.
pub(crate) fn iso_day_of_week(epoch_days: i64) -> i64 {
    (epoch_days + 3).rem_euclid(7) + 1
}

/// 28..=31.
pub(crate) fn days_of_month(year: i32, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Moment {
    pub(crate) fn new(day: Day, second_of_day: i64, nanos: u32) -> Self {
        Self { seconds: day.to_epoch_days() * SECONDS_PER_DAY + second_of_day, nanos }
    }

    pub(crate) fn epoch_days(self) -> i64 {
        self.seconds.div_euclid(SECONDS_PER_DAY)
    }

    pub(crate) fn day(self) -> Day {
        Day::from_epoch_days(self.epoch_days())
    }

    pub(crate) fn second_of_day(self) -> i64 {
        self.seconds.rem_euclid(SECONDS_PER_DAY)
    }

    /// Cuts the fraction after `precision` digits.
    pub(crate) fn truncate(self, precision: u8) -> Self {
        let unit = 10u32.pow(u32::from(9 - precision.min(9)));
        Self { nanos: self.nanos - self.nanos % unit, ..self }
    }

    /// From a count of units of which a second has `per_second`.
    pub(crate) fn from_units(units: i64, per_second: i64) -> Self {
        let nanos = units.rem_euclid(per_second) * (i64::from(NANOS_PER_SECOND) / per_second);
        Self { seconds: units.div_euclid(per_second), nanos: nanos as u32 }
    }

    /// As a count of units; `None` if there are too many for 64 bits.
    pub(crate) fn to_units(self, per_second: i64) -> Option<i64> {
        let fraction = i64::from(self.nanos) / (i64::from(NANOS_PER_SECOND) / per_second);
        self.seconds.checked_mul(per_second)?.checked_add(fraction)
    }

    /// Some milliseconds later.
    pub(crate) fn plus_millis(self, millis: i64) -> Option<Self> {
        let nanos = i64::from(self.nanos) + millis.rem_euclid(1000) * 1_000_000;
        let carry = nanos / i64::from(NANOS_PER_SECOND);
        let seconds = self.seconds.checked_add(millis.div_euclid(1000))?.checked_add(carry)?;
        Some(Self { seconds, nanos: (nanos % i64::from(NANOS_PER_SECOND)) as u32 })
    }
}

/// Writes `yyyy-MM-dd`.
pub(crate) fn write_day(day: Day, out: &mut String) {
    use std::fmt::Write;
    let _ = write!(out, "{:04}-{:02}-{:02}", day.year, day.month, day.day);
}

/// Writes `HH:mm:ss`.
pub(crate) fn write_time(second_of_day: i64, out: &mut String) {
    for (index, part) in [second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60].into_iter().enumerate() {
        if index > 0 {
            out.push(':');
        }
        out.push(char::from(b'0' + (part / 10) as u8));
        out.push(char::from(b'0' + (part % 10) as u8));
    }
}

/// Writes `yyyy-MM-dd HH:mm:ss[.fraction]`, with at least `precision` digits of the fraction, and
/// more only if they are not zero.
pub(crate) fn write_moment(moment: Moment, precision: u8, out: &mut String) {
    use std::fmt::Write;
    write_day(moment.day(), out);
    out.push(' ');
    write_time(moment.second_of_day(), out);
    if precision > 0 || moment.nanos > 0 {
        let _ = write!(out, ".{:09}", moment.nanos);
        let least = out.len() - 9 + usize::from(precision);
        while out.len() > least && out.ends_with('0') {
            out.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_days_and_weeks() {
        for (days, text) in [(0, "1970-01-01"), (-1, "1969-12-31"), (19_782, "2024-02-29"), (-719_528, "0000-01-01")] {
            let day = Day::from_epoch_days(days);
            let mut out = String::new();
            write_day(day, &mut out);
            assert_eq!((out.as_str(), day.to_epoch_days()), (text, days));
        }
        let week = |year, month, day| Day { year, month, day }.iso_week();
        assert_eq!(week(2021, 1, 3), (2020, 53));
        assert_eq!(week(2024, 12, 30), (2025, 1));
        assert_eq!(week(2021, 1, 4), (2021, 1));
        assert_eq!(iso_day_of_week(0), 4);
        assert_eq!(Day { year: 2024, month: 1, day: 31 }.plus_months(1), Day { year: 2024, month: 2, day: 29 });
        assert_eq!(Day { year: 2024, month: 1, day: 31 }.plus_months(-2), Day { year: 2023, month: 11, day: 30 });
    }

    #[test]
    fn prints_the_digits_of_the_precision() {
        let print = |nanos, precision| {
            let mut out = String::new();
            write_moment(Moment { seconds: 0, nanos }, precision, &mut out);
            out
        };
        assert_eq!(print(100_000_000, 3), "1970-01-01 00:00:00.100");
        assert_eq!(print(123_456_700, 9), "1970-01-01 00:00:00.123456700");
        assert_eq!(print(0, 0), "1970-01-01 00:00:00");
        assert_eq!(print(500_000_000, 0), "1970-01-01 00:00:00.5");
    }
}
