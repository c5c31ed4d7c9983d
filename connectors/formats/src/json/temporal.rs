//! Dates and times as Flink's `TimeFormats` prints them: fractions without trailing zeros.

use sluice_connector_api::text::{self, Fraction};

const SECONDS_OF_DAY: i64 = 86_400;

/// Appends `"2021-04-13"` for days since 1970-01-01.
pub(super) fn write_date(days: i32, out: &mut Vec<u8>) {
    out.push(b'"');
    text::write_date(i64::from(days), out);
    out.push(b'"');
}

/// Appends `"20:12:11"` for microseconds since midnight, with up to `digits` digits of the fraction.
pub(super) fn write_time(micros: i64, digits: u8, out: &mut Vec<u8>) {
    out.push(b'"');
    let second = micros.div_euclid(1_000_000).rem_euclid(SECONDS_OF_DAY);
    text::write_clock(second as u32, out);
    text::write_fraction(micros.rem_euclid(1_000_000) as u32 * 1_000, Fraction::Shortest(digits), out);
    out.push(b'"');
}

/// How a timestamp column is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimestampStyle {
    /// Units of a value in one second: a million or a billion.
    pub(super) per_second: i64,
    /// Digits of the fraction that the column has.
    pub(super) digits: u8,
    /// Between date and time: a blank or `T`.
    pub(super) separator: u8,
    /// Whether a `Z` follows.
    pub(super) zulu: bool,
}

/// Appends `"2021-04-13 20:12:11.123"` for a count of units since 1970-01-01T00:00:00.
pub(super) fn write_timestamp(value: i64, style: TimestampStyle, out: &mut Vec<u8>) {
    let seconds = value.div_euclid(style.per_second);
    let nanos = value.rem_euclid(style.per_second) * (1_000_000_000 / style.per_second);
    out.push(b'"');
    text::write_date(seconds.div_euclid(SECONDS_OF_DAY), out);
    out.push(style.separator);
    text::write_clock(seconds.rem_euclid(SECONDS_OF_DAY) as u32, out);
    if nanos != 0 {
        text::write_fraction(nanos as u32, Fraction::Shortest(style.digits), out);
    }
    if style.zulu {
        out.push(b'Z');
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    const SQL_MICROS: TimestampStyle =
        TimestampStyle { per_second: 1_000_000, digits: 6, separator: b' ', zulu: false };

    fn micros(text: &str) -> i64 {
        chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").unwrap().and_utc().timestamp_micros()
    }

    #[test]
    fn timestamps_have_no_trailing_zeros() {
        let sql = |text| written(|out| write_timestamp(micros(text), SQL_MICROS, out));
        assert_eq!(sql("2021-04-13 20:12:11.123"), "\"2021-04-13 20:12:11.123\"");
        assert_eq!(sql("2021-04-13 20:12:11"), "\"2021-04-13 20:12:11\"");
        assert_eq!(sql("2021-04-13 00:00:00.100"), "\"2021-04-13 00:00:00.1\"");
        assert_eq!(sql("1969-12-31 23:59:59.999999"), "\"1969-12-31 23:59:59.999999\"");
        assert_eq!(sql("0001-01-01 00:00:00"), "\"0001-01-01 00:00:00\"");
    }

    #[test]
    fn precision_standard_and_zone_shape_a_timestamp() {
        let style = TimestampStyle { per_second: 1_000_000_000, digits: 9, separator: b'T', zulu: true };
        assert_eq!(written(|out| write_timestamp(1_000_000_001, style, out)), "\"1970-01-01T00:00:01.000000001Z\"");
        let millis = TimestampStyle { digits: 3, ..SQL_MICROS };
        assert_eq!(written(|out| write_timestamp(1_123_456, millis, out)), "\"1970-01-01 00:00:01.123\"");
    }

    #[test]
    fn dates_and_times() {
        assert_eq!(written(|out| write_date(0, out)), "\"1970-01-01\"");
        assert_eq!(written(|out| write_date(2_932_897, out)), "\"+10000-01-01\"");
        assert_eq!(written(|out| write_date(-719_529, out)), "\"-0001-12-31\"");
        assert_eq!(written(|out| write_time(72_731_500_000, 0, out)), "\"20:12:11\"");
        assert_eq!(written(|out| write_time(72_731_500_000, 3, out)), "\"20:12:11.5\"");
    }
}
