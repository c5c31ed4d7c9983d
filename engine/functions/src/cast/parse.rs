//! Casts from text.

use std::sync::Arc;

use arrow_array::builder::PrimitiveBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time64MicrosecondType,
};
use arrow_array::{Array, ArrayRef, BooleanArray, StringArray};
use datafusion_common::Result;
use sluice_model::SqlType;

use super::temporal::{is_time_of_day, timestamps};
use super::{Mode, cannot_cast};
use crate::decimal;
use crate::error::bug;
use crate::time::civil::{Day, Moment, days_of_month};
use crate::time::zone::to_instant;

/// Java's `trim`: all characters up to the blank.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ')
}

fn primitive<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    to: &SqlType,
    mode: Mode,
    parse: impl Fn(&str) -> Option<T::Native>,
) -> Result<ArrayRef> {
    let texts = array.as_string::<i32>();
    let mut builder = PrimitiveBuilder::<T>::with_capacity(texts.len()).with_data_type(to.to_arrow());
    for text in texts {
        let value = text.and_then(&parse);
        if let (Some(text), None, false) = (text, value, mode.try_cast) {
            return Err(cannot_cast(text, to));
        }
        builder.append_option(value);
    }
    Ok(Arc::new(builder.finish()))
}

pub(super) fn booleans(array: &ArrayRef, mode: Mode) -> Result<ArrayRef> {
    let texts: &StringArray = array.as_string();
    let mut values = Vec::with_capacity(texts.len());
    for text in texts {
        let value = text.and_then(parse_boolean);
        if let (Some(text), None, false) = (text, value, mode.try_cast) {
            return Err(cannot_cast(text, &SqlType::Boolean));
        }
        values.push(value);
    }
    Ok(Arc::new(BooleanArray::from(values)))
}

fn parse_boolean(text: &str) -> Option<bool> {
    let is = |words: [&str; 5]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is(["t", "true", "y", "yes", "1"]) {
        Some(true)
    } else if is(["f", "false", "n", "no", "0"]) {
        Some(false)
    } else {
        None
    }
}

pub(super) fn integers(array: &ArrayRef, to: &SqlType, mode: Mode) -> Result<ArrayRef> {
    match to {
        SqlType::TinyInt => primitive::<Int8Type>(array, to, mode, |text| parse_integer(text)?.try_into().ok()),
        SqlType::SmallInt => primitive::<Int16Type>(array, to, mode, |text| parse_integer(text)?.try_into().ok()),
        SqlType::Int => primitive::<Int32Type>(array, to, mode, |text| parse_integer(text)?.try_into().ok()),
        _ => primitive::<Int64Type>(array, to, mode, parse_integer),
    }
}

/// `[+-]digits[.digits]`; the fraction is cut.
fn parse_integer(text: &str) -> Option<i64> {
    let text = trim(text);
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text.as_bytes()[1..]),
        b'+' => (false, &text.as_bytes()[1..]),
        _ => (false, text.as_bytes()),
    };
    let point = digits.iter().position(|byte| *byte == b'.').unwrap_or(digits.len());
    if digits.is_empty() || !digits[(point + 1).min(digits.len())..].iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Negative numbers reach one further than positive ones, so the sum is kept negative.
    let mut value: i64 = 0;
    for byte in &digits[..point] {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

pub(super) fn floats(array: &ArrayRef, to: &SqlType, mode: Mode) -> Result<ArrayRef> {
    match to {
        SqlType::Float => primitive::<Float32Type>(array, to, mode, |text| float_text(text)?.parse().ok()),
        _ => primitive::<Float64Type>(array, to, mode, |text| float_text(text)?.parse().ok()),
    }
}

/// The part of a Java floating-point literal that Rust reads: without the suffix `d` or `f`.
fn float_text(text: &str) -> Option<&str> {
    let text = trim(text);
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned == "NaN" || unsigned == "Infinity" {
        return Some(text);
    }
    let number = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    let allowed = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    number.bytes().all(allowed).then_some(number)
}

pub(super) fn decimals(array: &ArrayRef, precision: u8, scale: u8, mode: Mode) -> Result<ArrayRef> {
    let to = SqlType::Decimal(precision, scale);
    primitive::<Decimal128Type>(array, &to, mode, |text| decimal::parse(trim(text), precision, scale)?)
}

pub(super) fn temporals(array: &ArrayRef, to: &SqlType, mode: Mode) -> Result<ArrayRef> {
    let texts: &StringArray = array.as_string();
    match to {
        SqlType::Date => primitive::<Date32Type>(array, to, mode, |text| Some(parse_day(text)?.to_epoch_days() as i32)),
        SqlType::Time(precision) => primitive::<Time64MicrosecondType>(array, to, mode, |text| {
            let time = parse_time(trim(text))?.truncate(*precision);
            time.to_units(1_000_000)
        }),
        SqlType::Timestamp(precision) | SqlType::TimestampLtz(precision) => {
            let parse = |text: &str| parse_moment(text).map(|moment| moment.truncate(*precision));
            let bad = texts.iter().flatten().find(|text| !mode.try_cast && parse(text).is_none());
            if let Some(text) = bad {
                return Err(cannot_cast(text, to));
            }
            let is_instant = matches!(to, SqlType::TimestampLtz(_));
            timestamps(texts.len(), to, mode, |row| {
                let moment = (!texts.is_null(row)).then(|| parse(texts.value(row)))??;
                Some(if is_instant { to_instant(moment, mode.zone) } else { moment })
            })
        }
        other => Err(bug(format!("no text casts to {other}"))),
    }
}

/// Whether a text is a point in time of a type: a cast of it does not fail.
pub fn is_time(text: &str, sql_type: &SqlType) -> bool {
    match sql_type {
        SqlType::Date => parse_day(text).is_some(),
        SqlType::Time(_) => parse_time(trim(text)).is_some(),
        _ => parse_moment(text).is_some(),
    }
}

/// `yyyy[-M[-d]]`, with anything after a blank ignored.
pub(crate) fn parse_day(text: &str) -> Option<Day> {
    let text = match text.find(' ') {
        Some(blank) if blank > 0 => &text[..blank],
        _ => text,
    };
    let mut parts = text.splitn(3, '-').map(|part| number(trim(part)));
    let year = parts.next()??;
    let month = parts.next().unwrap_or(Some(1))?;
    let day = parts.next().unwrap_or(Some(1))?;
    Day::valid(year, month.try_into().ok()?, day.try_into().ok()?)
}

/// A day up to the 31st; in a shorter month, its last (the "smart" resolver of `java.time`).
pub(crate) fn smart_day(year: i32, month: u32, day: u32) -> Option<Day> {
    if !(1..=12).contains(&month) || day > 31 {
        return None;
    }
    Day::valid(year, month, day.min(days_of_month(year, month)))
}

fn number(text: &str) -> Option<i32> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// `H[:m[:s[.fraction]]]`, as a moment of 1970-01-01.
fn parse_time(text: &str) -> Option<Moment> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.splitn(3, ':').map(|part| number(trim(part)));
    let hour = parts.next()??;
    let minute = parts.next().unwrap_or(Some(0))?;
    let second = parts.next().unwrap_or(Some(0))?;
    let in_range = hour < 24 && minute < 60 && second < 60;
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    (in_range && is_time_of_day(seconds)).then_some(Moment { seconds, nanos: nanos_of(fraction)? })
}

/// `yyyy-M-d[ H:m:s[.fraction of up to 9 digits]]`.
pub(crate) fn parse_moment(text: &str) -> Option<Moment> {
    let (date, time) = match text.split_once(' ') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if year.len() != 4 || month.len() > 2 || day.len() > 2 {
        return None;
    }
    let day = smart_day(number(year)?, number(month)?.try_into().ok()?, number(day)?.try_into().ok()?)?;
    let Some(time) = time else { return Some(Moment::new(day, 0, 0)) };
    if time.split(':').count() != 3 || time.split(':').any(|part| part.split('.').next().is_none_or(|p| p.len() > 2)) {
        return None;
    }
    let time = parse_time(time)?;
    Some(Moment::new(day, time.seconds, time.nanos))
}

fn nanos_of(fraction: &str) -> Option<u32> {
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits: u32 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    Some(digits * 10u32.pow(9 - fraction.len() as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_integers_as_flink_does() {
        for (text, expected) in [
            (" 42 ", Some(42)),
            ("-7", Some(-7)),
            ("+7", Some(7)),
            ("1.934", Some(1)),
            ("9223372036854775808", None),
            ("-9223372036854775808", Some(i64::MIN)),
            ("1.x", None),
            ("1e3", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(parse_integer(text), expected, "'{text}'");
        }
    }

    #[test]
    fn reads_points_in_time() {
        let seconds = |text| parse_moment(text).map(|moment| (moment.seconds, moment.nanos));
        assert_eq!(seconds("1970-01-02 00:00:01.5"), Some((86_401, 500_000_000)));
        assert_eq!(seconds("1970-1-2 0:0:1"), Some((86_401, 0)));
        assert_eq!(seconds("1970-01-02"), Some((86_400, 0)));
        assert_eq!(seconds("1970-02-30"), seconds("1970-02-28"));
        assert_eq!(seconds("1970-02-32"), None);
        assert_eq!(seconds("1970-01-02 00:00"), None);
        assert_eq!(seconds("1970-01-02T00:00:00"), None);
        assert_eq!(parse_day("2021"), Day::valid(2021, 1, 1));
        assert_eq!(parse_day("2017-12-12 09:30:00.0"), Day::valid(2017, 12, 12));
        assert_eq!(parse_day("2021-13-01"), None);
    }
}
