//! Casts to text and among character and byte strings.

use std::fmt::Write;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, IntervalMonthDayNanoType, IntervalYearMonthType, Time64MicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use datafusion_common::Result;
use sluice_model::{Error, SqlType};

use super::interval::{MILLIS_PER_DAY, millis};
use super::{Mode, cannot_cast, number};
use crate::decimal;
use crate::error::{bug, external};
use crate::time::civil::{Moment, write_day, write_moment, write_time};
use crate::time::zone::WallTimes;

/// How `NULL` shows inside of arrays, maps and rows.
const NULL_TEXT: &str = "NULL";

/// Writes the text of the value at a position, which is not `NULL`.
type Writer<'a> = Box<dyn Fn(usize, &mut String) + 'a>;

/// Any column but text as text of type `to`.
pub(super) fn print(array: &ArrayRef, from: &SqlType, to: &SqlType, mode: Mode) -> Result<ArrayRef> {
    let write = writer(array, from, mode)?;
    let mut builder = StringBuilder::with_capacity(array.len(), array.len() * 16);
    let mut text = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            builder.append_null();
            continue;
        }
        text.clear();
        write(row, &mut text);
        fit(&mut text, to);
        builder.append_value(&text);
    }
    Ok(Arc::new(builder.finish()))
}

/// Cuts a text to the length of its type, and pads a `CHAR`.
fn fit(text: &mut String, to: &SqlType) {
    let (SqlType::Char(length) | SqlType::VarChar(length)) = to else { return };
    let length = *length as usize;
    if text.len() > length
        && let Some((end, _)) = text.char_indices().nth(length)
    {
        text.truncate(end);
    }
    if matches!(to, SqlType::Char(_)) {
        let missing = length.saturating_sub(text.chars().count());
        text.extend(std::iter::repeat_n(' ', missing));
    }
}

fn writer<'a>(array: &'a ArrayRef, from: &SqlType, mode: Mode) -> Result<Writer<'a>> {
    Ok(match from {
        SqlType::Null => Box::new(|_, out| out.push_str(NULL_TEXT)),
        SqlType::Boolean => {
            let values = array.as_boolean();
            Box::new(move |row, out| out.push_str(if values.value(row) { "TRUE" } else { "FALSE" }))
        }
        SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt => {
            let values = number::widen(array)?;
            Box::new(move |row, out| {
                let _ = write!(out, "{}", values.value(row));
            })
        }
        SqlType::Float => {
            let values = array.as_primitive::<Float32Type>();
            Box::new(move |row, out| write_float(values.value(row), out))
        }
        SqlType::Double => {
            let values = array.as_primitive::<Float64Type>();
            Box::new(move |row, out| write_double(values.value(row), out))
        }
        SqlType::Decimal(_, scale) => {
            let (values, scale) = (crate::function::decimals(array)?, *scale);
            Box::new(move |row, out| decimal::write_plain(values.value(row), scale, out))
        }
        SqlType::Char(_) | SqlType::VarChar(_) => {
            let values = array.as_string::<i32>();
            Box::new(move |row, out| out.push_str(values.value(row)))
        }
        SqlType::Binary(_) | SqlType::VarBinary(_) => {
            let values = array.as_binary::<i32>();
            Box::new(move |row, out| out.push_str(&String::from_utf8_lossy(values.value(row))))
        }
        SqlType::Array(_) | SqlType::Map(..) | SqlType::Row(_) => nested_writer(array, from, mode)?,
        _ => time_writer(array, from, mode)?,
    })
}

fn time_writer<'a>(array: &'a ArrayRef, from: &SqlType, mode: Mode) -> Result<Writer<'a>> {
    Ok(match from {
        SqlType::Date => {
            let values = WallTimes::new(array, mode.zone)?;
            Box::new(move |row, out| write_day(values.get(row).day(), out))
        }
        SqlType::Time(precision) => {
            let (values, precision) = (array.as_primitive::<Time64MicrosecondType>(), *precision);
            Box::new(move |row, out| write_time_of_day(values.value(row), precision, out))
        }
        SqlType::Timestamp(precision) | SqlType::TimestampLtz(precision) => {
            let (values, precision) = (WallTimes::new(array, mode.zone)?, *precision);
            Box::new(move |row, out| write_moment(values.get(row).truncate(precision), precision, out))
        }
        SqlType::IntervalYearMonth => {
            let values = array.as_primitive::<IntervalYearMonthType>();
            Box::new(move |row, out| {
                let months = values.value(row);
                let sign = if months < 0 { '-' } else { '+' };
                let months = months.unsigned_abs();
                let _ = write!(out, "{sign}{}-{:02}", months / 12, months % 12);
            })
        }
        SqlType::IntervalDaySecond => {
            let values = array.as_primitive::<IntervalMonthDayNanoType>();
            Box::new(move |row, out| write_day_second(millis(values.value(row)), out))
        }
        other => return Err(bug(format!("{other} has no text"))),
    })
}

fn write_day_second(interval: i64, out: &mut String) {
    let sign = if interval < 0 { '-' } else { '+' };
    let interval = Moment::from_units(interval.abs(), 1000);
    let days = interval.seconds * 1000 / MILLIS_PER_DAY;
    let _ = write!(out, "{sign}{days} ");
    write_time(interval.second_of_day(), out);
    let _ = write!(out, ".{:03}", interval.nanos / 1_000_000);
}

/// `12:34:56`, with the fraction's digits up to the last that is not 0, at least one if the type has any.
fn write_time_of_day(micros: i64, precision: u8, out: &mut String) {
    write_time(micros / 1_000_000, out);
    if precision > 0 {
        let _ = write!(out, ".{:06}", micros % 1_000_000);
        let least = out.len() - 5;
        let most = out.len() - 6 + usize::from(precision.min(6));
        out.truncate(most);
        while out.len() > least && out.ends_with('0') {
            out.pop();
        }
    }
}

fn nested_writer<'a>(array: &'a ArrayRef, from: &SqlType, mode: Mode) -> Result<Writer<'a>> {
    Ok(match from {
        SqlType::Array(element) => {
            let list = array.as_list::<i32>();
            let write = optional(list.values(), writer(list.values(), element, mode)?);
            Box::new(move |row, out| {
                let range = list.value_offsets()[row] as usize..list.value_offsets()[row + 1] as usize;
                separated(out, '[', ']', range, &write);
            })
        }
        SqlType::Map(key, value) => {
            let map = array.as_map();
            let write_key = optional(map.keys(), writer(map.keys(), key, mode)?);
            let write_value = optional(map.values(), writer(map.values(), value, mode)?);
            let write: Writer<'a> = Box::new(move |entry, out| {
                write_key(entry, out);
                out.push('=');
                write_value(entry, out);
            });
            Box::new(move |row, out| {
                let range = map.value_offsets()[row] as usize..map.value_offsets()[row + 1] as usize;
                separated(out, '{', '}', range, &write);
            })
        }
        SqlType::Row(fields) => {
            let row = array.as_struct();
            let columns = row.columns().iter().zip(fields);
            let writers = columns
                .map(|(column, (_, field))| Ok(optional(column, writer(column, field, mode)?)))
                .collect::<Result<Vec<_>>>()?;
            Box::new(move |index, out| {
                out.push('(');
                for (position, write) in writers.iter().enumerate() {
                    out.push_str(if position == 0 { "" } else { ", " });
                    write(index, out);
                }
                out.push(')');
            })
        }
        other => return Err(bug(format!("{other} is not nested"))),
    })
}

fn optional<'a>(array: &'a ArrayRef, write: Writer<'a>) -> Writer<'a> {
    Box::new(move |row, out| if array.is_null(row) { out.push_str(NULL_TEXT) } else { write(row, out) })
}

fn separated(out: &mut String, open: char, close: char, range: std::ops::Range<usize>, write: &Writer<'_>) {
    out.push(open);
    let first = range.start;
    for index in range {
        out.push_str(if index == first { "" } else { ", " });
        write(index, out);
    }
    out.push(close);
}

/// `Double.toString` of Java: `1.0`, `1.0E10`, `1.0E-5`, `NaN`, `Infinity`.
pub(crate) fn write_double(value: f64, out: &mut String) {
    if value.is_finite() {
        let mut shortest = [0; 32];
        write_shortest(fmt_into(&mut shortest, format_args!("{value:e}")), out);
    } else {
        out.push_str(non_finite(value.is_nan(), value < 0.0));
    }
}

/// `Float.toString` of Java.
pub(crate) fn write_float(value: f32, out: &mut String) {
    if value.is_finite() {
        let mut shortest = [0; 32];
        write_shortest(fmt_into(&mut shortest, format_args!("{value:e}")), out);
    } else {
        out.push_str(non_finite(value.is_nan(), value < 0.0));
    }
}

fn non_finite(is_nan: bool, negative: bool) -> &'static str {
    match (is_nan, negative) {
        (true, _) => "NaN",
        (false, true) => "-Infinity",
        (false, false) => "Infinity",
    }
}

/// Formats into a buffer on the stack.
fn fmt_into<'b>(buffer: &'b mut [u8; 32], text: std::fmt::Arguments<'_>) -> &'b str {
    use std::io::Write as _;
    let mut rest = &mut buffer[..];
    let _ = rest.write_fmt(text);
    let unused = rest.len();
    let used = buffer.len() - unused;
    std::str::from_utf8(&buffer[..used]).unwrap_or("0e0")
}

/// Lays out the shortest digits `-d.ddde-x` the way Java does: plain from 10^-3 up to 10^7.
fn write_shortest(shortest: &str, out: &mut String) {
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let unsigned = match mantissa.strip_prefix('-') {
        Some(unsigned) => {
            out.push('-');
            unsigned
        }
        None => mantissa,
    };
    let (first, rest) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digit = |index: usize| if index == 0 { first } else { rest.get(index - 1..index).unwrap_or("0") };
    if !(-3..7).contains(&exponent) {
        let fraction = if rest.is_empty() { "0" } else { rest };
        let _ = write!(out, "{first}.{fraction}E{exponent}");
    } else if exponent < 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', (-exponent - 1) as usize));
        out.push_str(first);
        out.push_str(rest);
    } else {
        let integral = exponent as usize + 1;
        (0..integral).for_each(|index| out.push_str(digit(index)));
        out.push('.');
        out.push_str(rest.get(integral - 1..).filter(|fraction| !fraction.is_empty()).unwrap_or("0"));
    }
}

/// `CHAR`, `VARCHAR` → `CHAR`, `VARCHAR`.
pub(super) fn shorten(array: &ArrayRef, from: &SqlType, to: &SqlType) -> Result<ArrayRef> {
    let length = |sql_type: &SqlType| match sql_type {
        SqlType::Char(length) | SqlType::VarChar(length) => *length,
        _ => u32::MAX,
    };
    if matches!(to, SqlType::VarChar(_)) && (length(to) >= length(from) || *to == SqlType::STRING) {
        return super::conform(array, to);
    }
    let texts = super::conform(array, &SqlType::STRING)?;
    print(&texts, &SqlType::STRING, to, Mode { try_cast: false, zone: chrono_tz::Tz::UTC })
}

/// Text → bytes, as UTF-8.
pub(super) fn encode(array: &ArrayRef, to: &SqlType) -> Result<ArrayRef> {
    let bytes = arrow_cast::cast(array, &arrow_schema::DataType::Binary)?;
    shorten_bytes(&bytes, to)
}

/// Bytes → text; bytes that are not UTF-8 cannot be cast.
pub(super) fn decode(array: &ArrayRef, to: &SqlType, mode: Mode) -> Result<ArrayRef> {
    let bytes = array.as_binary::<i32>();
    let mut builder = StringBuilder::with_capacity(bytes.len(), bytes.value_data().len());
    let mut text = String::new();
    for value in bytes {
        let decoded = value.and_then(|value| std::str::from_utf8(value).ok());
        match (value, decoded) {
            (Some(value), None) if !mode.try_cast => {
                let error = cannot_cast(&String::from_utf8_lossy(value), to);
                let own = crate::error::from_datafusion(error);
                return Err(external(Error::fix(own.what()).because("the bytes are not valid UTF-8")));
            }
            (_, Some(decoded)) => {
                text.clear();
                text.push_str(decoded);
                fit(&mut text, to);
                builder.append_value(&text);
            }
            _ => builder.append_null(),
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// `BINARY(n)`: cut or filled up with zeros; `VARBINARY(n)`: cut.
pub(super) fn shorten_bytes(array: &ArrayRef, to: &SqlType) -> Result<ArrayRef> {
    let array = super::conform(array, &SqlType::BYTES)?;
    let (length, fixed) = match to {
        SqlType::Binary(length) => (*length as usize, true),
        SqlType::VarBinary(length) if *to != SqlType::BYTES => (*length as usize, false),
        _ => return Ok(array),
    };
    let bytes = array.as_binary::<i32>();
    let mut builder = BinaryBuilder::with_capacity(bytes.len(), bytes.value_data().len());
    let mut padded = Vec::new();
    for value in bytes {
        let value = value.map(|value| &value[..value.len().min(length)]);
        match value {
            Some(value) if fixed && value.len() < length => {
                padded.clear();
                padded.extend_from_slice(value);
                padded.resize(length, 0);
                builder.append_value(&padded);
            }
            value => builder.append_option(value),
        }
    }
    Ok(Arc::new(builder.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_doubles_as_java_does() {
        for (value, expected) in [
            (1.0, "1.0"),
            (1e10, "1.0E10"),
            (123.456, "123.456"),
            (1e-5, "1.0E-5"),
            (0.001, "0.001"),
            (9_999_999.0, "9999999.0"),
            (1.234_567_89e7, "1.23456789E7"),
            (-0.0, "-0.0"),
            (100.5, "100.5"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::NAN, "NaN"),
        ] {
            let mut out = String::new();
            write_double(value, &mut out);
            assert_eq!(out, expected);
        }
        let mut out = String::new();
        write_float(0.1, &mut out);
        assert_eq!(out, "0.1");
    }
}
