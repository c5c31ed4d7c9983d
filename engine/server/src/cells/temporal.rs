//! Dates, times and intervals as text.

use std::fmt::Write;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    IntervalMonthDayNano, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;

/// `2021-04-13`.
pub(crate) fn date(days: i32) -> Option<String> {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
    Some(epoch.checked_add_signed(TimeDelta::try_days(i64::from(days))?)?.format("%Y-%m-%d").to_string())
}

/// `20:12:11`, with `precision` digits behind the seconds.
pub(super) fn time(array: &dyn Array, row: usize, precision: u8) -> Option<String> {
    let nanos = match array.as_primitive_opt::<Time64MicrosecondType>() {
        Some(micros) => micros.value(row).checked_mul(1000)?,
        None => array.as_primitive_opt::<Time64NanosecondType>()?.value(row),
    };
    let seconds = nanos / 1_000_000_000;
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    push_fraction(&mut text, u32::try_from(nanos % 1_000_000_000).ok()?, precision);
    Some(text)
}

/// `2021-04-13 20:12:11.123`: a wall clock, or with `zone` an instant as it is seen there.
pub(crate) fn timestamp(array: &dyn Array, row: usize, precision: u8, zone: Option<Tz>) -> Option<String> {
    let utc = utc(array, row)?;
    let shown = match zone {
        Some(zone) => utc.checked_add_offset(zone.offset_from_utc_datetime(&utc).fix())?,
        None => utc,
    };
    let mut text = shown.format("%Y-%m-%d %H:%M:%S").to_string();
    push_fraction(&mut text, shown.and_utc().timestamp_subsec_nanos(), precision);
    Some(text)
}

fn utc(array: &dyn Array, row: usize) -> Option<NaiveDateTime> {
    let instant = if let Some(values) = array.as_primitive_opt::<TimestampMicrosecondType>() {
        DateTime::from_timestamp_micros(values.value(row))?
    } else if let Some(values) = array.as_primitive_opt::<TimestampNanosecondType>() {
        DateTime::from_timestamp_nanos(values.value(row))
    } else if let Some(values) = array.as_primitive_opt::<TimestampMillisecondType>() {
        DateTime::from_timestamp_millis(values.value(row))?
    } else {
        DateTime::from_timestamp(array.as_primitive_opt::<TimestampSecondType>()?.value(row), 0)?
    };
    Some(instant.naive_utc())
}

fn push_fraction(text: &mut String, nanos: u32, precision: u8) {
    let precision = usize::from(precision.min(9));
    if precision > 0 {
        let digits = format!("{nanos:09}");
        text.push('.');
        text.push_str(&digits[..precision]);
    }
}

/// `+1-02`: years and months.
pub(super) fn year_month(months: i32) -> String {
    let sign = if months < 0 { '-' } else { '+' };
    let months = months.unsigned_abs();
    format!("{sign}{}-{:02}", months / 12, months % 12)
}

/// `+1 00:00:00.000`: days, hours, minutes, seconds, milliseconds.
pub(super) fn day_second(value: IntervalMonthDayNano) -> String {
    let nanos = i128::from(value.days) * 86_400_000_000_000 + i128::from(value.nanoseconds);
    let sign = if nanos < 0 { '-' } else { '+' };
    let millis = nanos.unsigned_abs() / 1_000_000;
    let seconds = millis / 1000;
    let mut text = format!("{sign}{} ", seconds / 86_400);
    let _ =
        write!(text, "{:02}:{:02}:{:02}.{:03}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60, millis % 1000);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_intervals() {
        assert_eq!(date(18_730).unwrap(), "2021-04-13");
        assert_eq!(date(-1).unwrap(), "1969-12-31");
        assert_eq!(date(i32::MAX), None);
        assert_eq!(day_second(IntervalMonthDayNano::new(0, 1, 0)), "+1 00:00:00.000");
        assert_eq!(day_second(IntervalMonthDayNano::new(0, 0, -1_500_000_000)), "-0 00:00:01.500");
    }
}
