//! Dates and times: the calendar, and the way into Date32, Time64 and Timestamp columns.

use crate::batch::{ColumnBuffer, Unit, Values};
use crate::value::fault::{Fault, Put};

/// A day as MySQL stores it. All zero, or month or day zero, are possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Date {
    pub(crate) year: u32,
    pub(crate) month: u32,
    pub(crate) day: u32,
}

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Clock {
    pub(crate) hour: u32,
    pub(crate) minute: u32,
    pub(crate) second: u32,
    pub(crate) micros: u32,
}

/// Date and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct DateTime {
    pub(crate) date: Date,
    pub(crate) clock: Clock,
}

/// A MySQL TIME: an interval of up to ±838:59:59.999999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) negative: bool,
    pub(crate) hours: u32,
    pub(crate) minutes: u32,
    pub(crate) seconds: u32,
    pub(crate) micros: u32,
}

pub(crate) const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

impl Date {
    /// Days since 1970-01-01; `None` for zero, partial and impossible dates (`2024-02-31`).
    #[inline]
    pub(crate) fn days(self) -> Option<i32> {
        let Self { year, month, day } = self;
        if month.wrapping_sub(1) >= 12 || day.wrapping_sub(1) >= 28 && !is_late_day(year, month, day) {
            return None;
        }
        // Years begin in March, so that the leap day is the last one ("days_from_civil" by Howard Hinnant).
        let shifted = if month <= 2 { year as i32 - 1 } else { year as i32 };
        let era = shifted.div_euclid(400);
        let year_of_era = shifted.rem_euclid(400) as u32;
        let month_from_march = if month > 2 { month - 3 } else { month + 9 };
        let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Some(era * 146_097 + day_of_era as i32 - 719_468)
    }

    /// The day that is `days` after 1970-01-01, for years 0 to 9999.
    pub(crate) fn from_days(days: i64) -> Self {
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        Self { year: year.clamp(0, 9999) as u32, month: month as u32, day: day as u32 }
    }
}

/// Whether a day behind the 28th exists in its month. It takes numbers, because a date that is passed on as a whole
/// has to be in memory.
fn is_late_day(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (1..=last).contains(&day)
}

impl Clock {
    /// Checks the ranges a clock has.
    #[inline]
    pub(crate) fn new(hour: u32, minute: u32, second: u32, micros: u32) -> Result<Self, Fault> {
        if hour > 23 || minute > 59 || second > 59 || micros > 999_999 {
            return Err(Fault::Malformed);
        }
        Ok(Self { hour, minute, second, micros })
    }

    #[inline]
    fn micros_of_day(self) -> i64 {
        let seconds = (i64::from(self.hour) * 60 + i64::from(self.minute)) * 60 + i64::from(self.second);
        seconds * MICROS_PER_SECOND + i64::from(self.micros)
    }
}

impl DateTime {
    /// Microseconds since 1970-01-01 00:00:00 on the same clock; `None` when the date is none.
    #[inline]
    pub(crate) fn micros(self) -> Option<i64> {
        let days = i64::from(self.date.days()?);
        Some(days * SECONDS_PER_DAY * MICROS_PER_SECOND + self.clock.micros_of_day())
    }

    pub(crate) fn from_micros(micros: i64) -> Self {
        let (seconds, fraction) = (micros.div_euclid(MICROS_PER_SECOND), micros.rem_euclid(MICROS_PER_SECOND));
        let (days, of_day) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
        let clock = Clock {
            hour: (of_day / 3600) as u32,
            minute: (of_day / 60 % 60) as u32,
            second: (of_day % 60) as u32,
            micros: fraction as u32,
        };
        Self { date: Date::from_days(days), clock }
    }
}

impl ColumnBuffer {
    #[inline]
    pub(crate) fn put_date(&mut self, date: Date) -> Put {
        match &mut self.values {
            Values::Date(values) => match date.days() {
                Some(days) => values.push(days),
                None => return self.put_zero_date(),
            },
            Values::Utf8(text) => text.push_with(|out| date.write(out))?,
            _ => return Err(Fault::Mismatch),
        }
        self.validity.push_valid();
        Ok(())
    }

    /// DATETIME, whose text shows `digits` of its fraction.
    #[inline]
    pub(crate) fn put_datetime(&mut self, datetime: DateTime, digits: u8) -> Put {
        let Values::Timestamp { values, unit, .. } = &mut self.values else {
            return self.put_datetime_text(datetime, digits);
        };
        match datetime.micros() {
            Some(micros) => values.push(unit.convert(micros)?),
            None => return self.put_zero_date(),
        }
        self.validity.push_valid();
        Ok(())
    }

    /// Apart, so that the parts of a date stay in registers in the function above.
    #[inline(never)]
    fn put_datetime_text(&mut self, datetime: DateTime, digits: u8) -> Put {
        self.put_written(|out| {
            datetime.write(out, digits);
            Ok(())
        })
    }

    /// TIMESTAMP: microseconds since 1970 in UTC, or `None` for the zero timestamp. `offset` yields what the server's
    /// time zone adds at that time, and is asked only when the target has no zone of its own.
    #[inline]
    pub(crate) fn put_timestamp(&mut self, utc: Option<i64>, offset: impl Fn(i64) -> i64, digits: u8) -> Put {
        match (&mut self.values, utc) {
            (Values::Timestamp { values, unit, utc: true, .. }, Some(micros)) => values.push(unit.convert(micros)?),
            (Values::Timestamp { values, unit, .. }, Some(micros)) => {
                values.push(unit.convert(micros.saturating_add(offset(micros)))?);
            }
            (Values::Timestamp { .. }, None) => return self.put_zero_date(),
            (Values::Utf8(text), utc) => {
                let local = utc.map(|micros| DateTime::from_micros(micros.saturating_add(offset(micros))));
                text.push_with(|out| local.unwrap_or_default().write(out, digits))?;
            }
            _ => return Err(Fault::Mismatch),
        }
        self.validity.push_valid();
        Ok(())
    }

    /// TIME, whose text shows `digits` of its fraction.
    #[inline]
    pub(crate) fn put_time(&mut self, span: Span, digits: u8) -> Put {
        match &mut self.values {
            Values::Time(values) => values.push(span.micros_of_day().ok_or(Fault::NotTimeOfDay)?),
            Values::Utf8(text) => text.push_with(|out| span.write(out, digits))?,
            _ => return Err(Fault::Mismatch),
        }
        self.validity.push_valid();
        Ok(())
    }

    /// `0000-00-00` and its kin: NULL, counted, where NULL is allowed.
    #[cold]
    fn put_zero_date(&mut self) -> Put {
        if !self.nullable {
            return Err(Fault::ZeroDate);
        }
        self.invalid_dates += 1;
        self.put_null()
    }
}

impl Span {
    /// Checks the range of the type.
    pub(crate) fn new(negative: bool, hours: u32, minutes: u32, seconds: u32, micros: u32) -> Result<Self, Fault> {
        if hours > 838 || minutes > 59 || seconds > 59 || micros > 999_999 {
            return Err(Fault::Malformed);
        }
        Ok(Self { negative, hours, minutes, seconds, micros })
    }

    /// `None` unless it lies between 00:00 and 24:00.
    #[inline]
    fn micros_of_day(self) -> Option<i64> {
        let seconds = (i64::from(self.hours) * 60 + i64::from(self.minutes)) * 60 + i64::from(self.seconds);
        let micros = seconds * MICROS_PER_SECOND + i64::from(self.micros);
        let zero = micros == 0;
        (self.hours < 24 && (!self.negative || zero)).then_some(micros)
    }
}

impl Unit {
    /// From microseconds.
    #[inline]
    fn convert(self, micros: i64) -> Result<i64, Fault> {
        match self {
            Self::Micros => Ok(micros),
            Self::Nanos => micros.checked_mul(1000).ok_or(Fault::Nanoseconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: u32, month: u32, day: u32) -> Date {
        Date { year, month, day }
    }

    #[test]
    fn days_of_the_edges_of_the_calendar() {
        for (date, days) in [
            (date(1970, 1, 1), 0),
            (date(1969, 12, 31), -1),
            (date(2000, 2, 29), 11_016),
            (date(9999, 12, 31), 2_932_896),
            (date(1000, 1, 1), -354_285),
            (date(1, 1, 1), -719_162),
            (date(0, 1, 1), -719_528),
        ] {
            assert_eq!(date.days(), Some(days), "{date:?}");
            assert_eq!(Date::from_days(days.into()), date);
        }
    }

    #[test]
    fn days_that_do_not_exist() {
        for date in [date(0, 0, 0), date(2024, 0, 10), date(2024, 10, 0), date(2023, 2, 29), date(2024, 4, 31)] {
            assert_eq!(date.days(), None, "{date:?}");
        }
        assert!(date(2024, 13, 1).days().is_none() && date(1900, 2, 29).days().is_none());
    }

    #[test]
    fn micros_before_the_epoch_read_back() {
        let datetime = DateTime { date: date(1582, 10, 10), clock: Clock::new(23, 59, 59, 999_999).unwrap() };
        assert_eq!(DateTime::from_micros(datetime.micros().unwrap()), datetime);
        assert!(Clock::new(24, 0, 0, 0).is_err());
    }
}
