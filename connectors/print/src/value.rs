//! Values as `Row.toString` shows them: the `toString` of Flink's conversion classes.
//!
//! | SQL | Java | text |
//! |---|---|---|
//! | `DECIMAL` | `BigDecimal` | `12.50`, `2.7E-8` |
//! | `DATE` | `LocalDate` | `2021-04-13` |
//! | `TIME` | `LocalTime` | `20:12`, `20:12:11.500` |
//! | `TIMESTAMP` | `LocalDateTime` | `2021-04-13T20:12:11.123` |
//! | `TIMESTAMP_LTZ` | `Instant` | `2021-04-13T20:12:11.123Z` |
//! | `INTERVAL` | `Period`, `Duration` | `P1Y2M`, `PT24H0.005S` |
//! | `BYTES` | `byte[]` | `[102, 111, -1]` |
//! | `ARRAY`, `MAP`, `ROW` | `Object[]`, `Map`, `Row` | `[1, null]`, `{k=1}`, `+I[1, a]` |

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, IntervalMonthDayNanoType, IntervalYearMonthType, Time64MicrosecondType, TimestampMicrosecondType,
    TimestampNanosecondType,
};
use sluice_connector_api::text::{
    DecimalText, Fraction, write_clock, write_date, write_decimal, write_double, write_float, write_fraction,
    write_integer,
};
use sluice_model::{Error, Result, SqlType};

const SECONDS_OF_DAY: i64 = 86_400;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Appends the text of one value.
///
/// # Errors
/// A bug: an array that is not of the type.
pub(crate) fn write_value(array: &dyn Array, sql_type: &SqlType, row: usize, out: &mut Vec<u8>) -> Result<()> {
    if array.is_null(row) || *sql_type == SqlType::Null {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    match sql_type {
        SqlType::Null => {}
        SqlType::Boolean => {
            let value = array.as_boolean_opt().ok_or_else(|| unfit(array))?.value(row);
            out.extend_from_slice(if value { b"true" } else { b"false" });
        }
        SqlType::TinyInt => write_integer(primitive::<Int8Type>(array, row)?, out),
        SqlType::SmallInt => write_integer(primitive::<Int16Type>(array, row)?, out),
        SqlType::Int => write_integer(primitive::<Int32Type>(array, row)?, out),
        SqlType::BigInt => write_integer(primitive::<Int64Type>(array, row)?, out),
        SqlType::Float => write_float(primitive::<Float32Type>(array, row)?, out),
        SqlType::Double => write_double(primitive::<Float64Type>(array, row)?, out),
        SqlType::Decimal(_, scale) => {
            write_decimal(primitive::<Decimal128Type>(array, row)?, *scale, DecimalText::Java, out);
        }
        SqlType::Char(_) | SqlType::VarChar(_) => {
            let text = array.as_string_opt::<i32>().ok_or_else(|| unfit(array))?.value(row);
            out.extend_from_slice(text.as_bytes());
        }
        SqlType::Binary(_) | SqlType::VarBinary(_) => {
            let bytes = array.as_binary_opt::<i32>().ok_or_else(|| unfit(array))?.value(row);
            write_list(b"[]", 0..bytes.len(), out, |index, out| {
                write_integer(bytes[index] as i8, out);
                Ok(())
            })?;
        }
        SqlType::Date => write_date(i64::from(primitive::<Date32Type>(array, row)?), out),
        SqlType::Time(_) => write_time(primitive::<Time64MicrosecondType>(array, row)? * 1_000, out),
        SqlType::Timestamp(_) => write_timestamp(timestamp(array, row)?, false, out),
        SqlType::TimestampLtz(_) => write_timestamp(timestamp(array, row)?, true, out),
        SqlType::IntervalYearMonth => write_period(primitive::<IntervalYearMonthType>(array, row)?, out),
        SqlType::IntervalDaySecond => {
            let interval = primitive::<IntervalMonthDayNanoType>(array, row)?;
            write_duration(i128::from(interval.days) * 86_400_000_000_000 + i128::from(interval.nanoseconds), out);
        }
        SqlType::Array(item) => {
            let items = array.as_list_opt::<i32>().ok_or_else(|| unfit(array))?.value(row);
            write_list(b"[]", 0..items.len(), out, |index, out| write_value(items.as_ref(), item, index, out))?;
        }
        SqlType::Map(key, value) => write_map(array, key, value, row, out)?,
        SqlType::Row(fields) => {
            let columns = array.as_struct_opt().ok_or_else(|| unfit(array))?.columns();
            out.extend_from_slice(b"+I");
            write_list(b"[]", 0..columns.len().min(fields.len()), out, |index, out| {
                write_value(columns[index].as_ref(), &fields[index].1, row, out)
            })?;
        }
    }
    Ok(())
}

fn primitive<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> Result<T::Native> {
    array.as_primitive_opt::<T>().map(|array| array.value(row)).ok_or_else(|| unfit(array))
}

fn unfit(array: &dyn Array) -> Error {
    Error::bug(format!("a column of Arrow type {} does not fit its SQL type", array.data_type()))
}

/// Seconds since the epoch and nanoseconds of the second.
fn timestamp(array: &dyn Array, row: usize) -> Result<(i64, u32)> {
    let (value, per_second) = match array.as_primitive_opt::<TimestampMicrosecondType>() {
        Some(micros) => (micros.value(row), 1_000_000),
        None => (primitive::<TimestampNanosecondType>(array, row)?, NANOS_PER_SECOND),
    };
    Ok((value.div_euclid(per_second), (value.rem_euclid(per_second) * (NANOS_PER_SECOND / per_second)) as u32))
}

/// `LocalDateTime.toString`, or `Instant.toString`, which never leaves the seconds out.
fn write_timestamp((seconds, nanos): (i64, u32), is_instant: bool, out: &mut Vec<u8>) {
    write_date(seconds.div_euclid(SECONDS_OF_DAY), out);
    out.push(b'T');
    let second_of_day = seconds.rem_euclid(SECONDS_OF_DAY) as u32;
    if is_instant {
        write_clock(second_of_day, out);
        write_fraction(nanos, Fraction::Thirds, out);
        out.push(b'Z');
    } else {
        write_local_time(second_of_day, nanos, out);
    }
}

fn write_time(nanos_of_day: i64, out: &mut Vec<u8>) {
    let second = nanos_of_day.div_euclid(NANOS_PER_SECOND).rem_euclid(SECONDS_OF_DAY) as u32;
    write_local_time(second, nanos_of_day.rem_euclid(NANOS_PER_SECOND) as u32, out);
}

/// `LocalTime.toString`: `20:12` when there is nothing behind the minute.
fn write_local_time(second_of_day: u32, nanos: u32, out: &mut Vec<u8>) {
    write_clock(second_of_day, out);
    if nanos != 0 {
        write_fraction(nanos, Fraction::Thirds, out);
    } else if second_of_day.is_multiple_of(60) {
        out.truncate(out.len() - ":00".len());
    }
}

/// `Period.toString`.
fn write_period(months: i32, out: &mut Vec<u8>) {
    out.push(b'P');
    if months == 0 {
        out.extend_from_slice(b"0D");
    }
    for (amount, unit) in [(months / 12, b'Y'), (months % 12, b'M')] {
        if amount != 0 {
            write_integer(amount, out);
            out.push(unit);
        }
    }
}

/// `Duration.toString`: every part carries the sign.
fn write_duration(nanos: i128, out: &mut Vec<u8>) {
    let seconds = nanos / i128::from(NANOS_PER_SECOND);
    let fraction = (nanos % i128::from(NANOS_PER_SECOND)).unsigned_abs() as u32;
    out.extend_from_slice(b"PT");
    for (amount, unit) in [(seconds / 3600, b'H'), (seconds / 60 % 60, b'M')] {
        if amount != 0 {
            write_integer(amount, out);
            out.push(unit);
        }
    }
    let second = seconds % 60;
    if second != 0 || fraction != 0 || seconds == 0 {
        if nanos < 0 && second == 0 {
            out.push(b'-');
        }
        write_integer(second, out);
        write_fraction(fraction, Fraction::Shortest(9), out);
        out.push(b'S');
    }
}

fn write_map(array: &dyn Array, key: &SqlType, value: &SqlType, row: usize, out: &mut Vec<u8>) -> Result<()> {
    let map = array.as_map_opt().ok_or_else(|| unfit(array))?;
    let (keys, values) = (map.keys(), map.values());
    let range = map.value_offsets()[row] as usize..map.value_offsets()[row + 1] as usize;
    write_list(b"{}", range, out, |index, out| {
        write_value(keys.as_ref(), key, index, out)?;
        out.push(b'=');
        write_value(values.as_ref(), value, index, out)
    })
}

fn write_list(
    brackets: &[u8; 2],
    range: std::ops::Range<usize>,
    out: &mut Vec<u8>,
    mut write: impl FnMut(usize, &mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    out.push(brackets[0]);
    let start = range.start;
    for index in range {
        if index > start {
            out.extend_from_slice(b", ");
        }
        write(index, out)?;
    }
    out.push(brackets[1]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::builder::{Int32Builder, ListBuilder, MapBuilder, StringBuilder};
    use arrow_array::{
        ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Float64Array, Int32Array, StructArray,
        Time64MicrosecondArray, TimestampMicrosecondArray,
    };
    use std::sync::Arc;

    fn text(array: &dyn Array, sql_type: &SqlType) -> String {
        let mut out = Vec::new();
        for row in 0..array.len() {
            if row > 0 {
                out.push(b' ');
            }
            write_value(array, sql_type, row, &mut out).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn scalars() {
        assert_eq!(text(&BooleanArray::from(vec![Some(true), None]), &SqlType::Boolean), "true null");
        assert_eq!(text(&Float64Array::from(vec![1e10, 0.5, f64::NAN]), &SqlType::Double), "1.0E10 0.5 NaN");
        assert_eq!(text(&BinaryArray::from_vec(vec![b"fo\xff"]), &SqlType::BYTES), "[102, 111, -1]");
        let decimals = Decimal128Array::from(vec![1250, 27]).with_precision_and_scale(12, 9).unwrap();
        assert_eq!(text(&decimals, &SqlType::Decimal(12, 9)), "0.000001250 2.7E-8");
    }

    #[test]
    fn times() {
        let times = Time64MicrosecondArray::from(vec![72_720_000_000, 72_731_000_000, 72_731_500_000]);
        assert_eq!(text(&times, &SqlType::Time(3)), "20:12 20:12:11 20:12:11.500");
        let stamps = TimestampMicrosecondArray::from(vec![0, 1_618_344_731_123_000]);
        assert_eq!(text(&stamps, &SqlType::Timestamp(3)), "1970-01-01T00:00 2021-04-13T20:12:11.123");
        let instants = stamps.with_timezone("UTC");
        assert_eq!(text(&instants, &SqlType::TimestampLtz(3)), "1970-01-01T00:00:00Z 2021-04-13T20:12:11.123Z");
    }

    #[test]
    fn intervals() {
        let period = |months| {
            let mut out = Vec::new();
            write_period(months, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!([period(14), period(0), period(-3)], ["P1Y2M", "P0D", "P-3M"]);
        let duration = |nanos| {
            let mut out = Vec::new();
            write_duration(nanos, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(duration(86_400_005_000_000), "PT24H0.005S");
        assert_eq!(duration(0), "PT0S");
        assert_eq!(duration(60_000_000_000), "PT1M");
        assert_eq!(duration(-1_500_000_000), "PT-1.5S");
        assert_eq!(duration(-500_000_000), "PT-0.5S");
    }

    #[test]
    fn collections() {
        let mut list = ListBuilder::new(Int32Builder::new());
        list.append_value([Some(1), None]);
        assert_eq!(text(&list.finish(), &SqlType::Array(Box::new(SqlType::Int))), "[1, null]");
        let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        map.keys().append_value("k");
        map.values().append_value(1);
        map.append(true).unwrap();
        let map_type = SqlType::Map(Box::new(SqlType::STRING), Box::new(SqlType::Int));
        assert_eq!(text(&map.finish(), &map_type), "{k=1}");
        let row = SqlType::Row(vec![("a".into(), SqlType::Int)]);
        let arrow_schema::DataType::Struct(fields) = row.to_arrow() else { panic!("a row is a struct") };
        let values: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
        assert_eq!(text(&StructArray::new(fields, vec![values], None), &row), "+I[1] +I[null]");
    }
}
