//! A program bound to the arrays of one batch, so that a row costs no look-up and no allocation.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNanoType, IntervalYearMonthType, Time64MicrosecondType, TimestampMicrosecondType,
    TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, StringArray};
use arrow_buffer::{IntervalMonthDayNano, NullBuffer};
use sluice_connector_api::text::{DecimalText, write_decimal, write_integer};
use sluice_model::{Error, Result};

use super::number::{write_double, write_float};
use super::program::{Member, NullKey, Program};
use super::temporal::{TimestampStyle, write_date, write_time, write_timestamp};
use super::text::{write_base64, write_string};

/// A column of one batch, ready to be written.
pub(super) struct Column<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

enum Values<'a> {
    Null,
    Boolean(&'a BooleanArray),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Float(&'a [f32]),
    Double(&'a [f64]),
    Decimal { values: &'a [i128], scale: u8, text: DecimalText },
    String(&'a StringArray),
    Base64(&'a BinaryArray),
    Date(&'a [i32]),
    Time { values: &'a [i64], digits: u8 },
    Timestamp { values: &'a [i64], style: TimestampStyle },
    Milliseconds(&'a [IntervalMonthDayNano]),
    Array { offsets: &'a [i32], items: Box<Column<'a>> },
    Map { offsets: &'a [i32], keys: &'a StringArray, values: Box<Column<'a>>, null_key: &'a NullKey },
    Row(Row<'a>),
}

/// The members of an object, bound.
pub(super) struct Row<'a> {
    members: Vec<(&'a [u8], Column<'a>)>,
    skip_nulls: bool,
}

fn primitive<T: ArrowPrimitiveType>(array: &dyn Array) -> Result<&[T::Native]> {
    array.as_primitive_opt::<T>().map(|array| array.values().as_ref()).ok_or_else(|| unfit(array))
}

fn unfit(array: &dyn Array) -> Error {
    Error::bug(format!("a column of Arrow type {} does not fit the schema of its encoder", array.data_type()))
}

impl<'a> Column<'a> {
    fn bind(program: &'a Program, array: &'a ArrayRef) -> Result<Self> {
        let array = array.as_ref();
        let values = match program {
            Program::Null => Values::Null,
            Program::Boolean => Values::Boolean(array.as_boolean_opt().ok_or_else(|| unfit(array))?),
            Program::Int8 => Values::Int8(primitive::<Int8Type>(array)?),
            Program::Int16 => Values::Int16(primitive::<Int16Type>(array)?),
            Program::Int32 => Values::Int32(primitive::<Int32Type>(array)?),
            Program::Int64 => Values::Int64(primitive::<Int64Type>(array)?),
            Program::Float => Values::Float(primitive::<Float32Type>(array)?),
            Program::Double => Values::Double(primitive::<Float64Type>(array)?),
            Program::Decimal { scale, text } => {
                Values::Decimal { values: primitive::<Decimal128Type>(array)?, scale: *scale, text: *text }
            }
            Program::String => Values::String(array.as_string_opt().ok_or_else(|| unfit(array))?),
            Program::Base64 => Values::Base64(array.as_binary_opt().ok_or_else(|| unfit(array))?),
            Program::Date => Values::Date(primitive::<Date32Type>(array)?),
            Program::Time { digits } => {
                Values::Time { values: primitive::<Time64MicrosecondType>(array)?, digits: *digits }
            }
            Program::Timestamp(style) => Values::Timestamp { values: timestamps(array, *style)?, style: *style },
            Program::Months => Values::Int32(primitive::<IntervalYearMonthType>(array)?),
            Program::Milliseconds => Values::Milliseconds(primitive::<IntervalMonthDayNanoType>(array)?),
            Program::Array(item) => {
                let list = array.as_list_opt::<i32>().ok_or_else(|| unfit(array))?;
                Values::Array { offsets: list.value_offsets(), items: Box::new(Self::bind(item, list.values())?) }
            }
            Program::Map { value, null_key } => {
                let map = array.as_map_opt().ok_or_else(|| unfit(array))?;
                Values::Map {
                    offsets: map.value_offsets(),
                    keys: map.keys().as_string_opt().ok_or_else(|| unfit(array))?,
                    values: Box::new(Self::bind(value, map.values())?),
                    null_key,
                }
            }
            Program::Row { members, skip_nulls } => {
                let row = array.as_struct_opt().ok_or_else(|| unfit(array))?;
                Values::Row(Row::bind(members, *skip_nulls, row.columns())?)
            }
        };
        Ok(Self { nulls: array.nulls(), values })
    }

    /// The text of a value, if the column holds texts.
    pub(super) fn text(&self, row: usize) -> Option<&'a str> {
        match self.values {
            Values::String(array) => Some(array.value(row)),
            _ => None,
        }
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        matches!(self.values, Values::Null) || self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match &self.values {
            Values::Null => out.extend_from_slice(b"null"),
            Values::Boolean(array) => out.extend_from_slice(if array.value(row) { b"true" } else { b"false" }),
            Values::Int8(values) => write_integer(values[row], out),
            Values::Int16(values) => write_integer(values[row], out),
            Values::Int32(values) => write_integer(values[row], out),
            Values::Int64(values) => write_integer(values[row], out),
            Values::Float(values) => write_float(values[row], out),
            Values::Double(values) => write_double(values[row], out),
            Values::Decimal { values, scale, text } => write_decimal(values[row], *scale, *text, out),
            Values::String(array) => write_string(array.value(row), out),
            Values::Base64(array) => write_base64(array.value(row), out),
            Values::Date(values) => write_date(values[row], out),
            Values::Time { values, digits } => write_time(values[row], *digits, out),
            Values::Timestamp { values, style } => write_timestamp(values[row], *style, out),
            Values::Milliseconds(values) => write_integer(milliseconds(values[row]), out),
            Values::Array { offsets, items } => write_array(range(offsets, row), items, out)?,
            Values::Map { offsets, keys, values, null_key } => {
                write_map(range(offsets, row), keys, values, null_key, out)?;
            }
            Values::Row(members) => members.write(row, out)?,
        }
        Ok(())
    }
}

fn timestamps(array: &dyn Array, style: TimestampStyle) -> Result<&[i64]> {
    if style.per_second == 1_000_000 {
        primitive::<TimestampMicrosecondType>(array)
    } else {
        primitive::<TimestampNanosecondType>(array)
    }
}

fn milliseconds(interval: IntervalMonthDayNano) -> i64 {
    i64::from(interval.days) * 86_400_000 + interval.nanoseconds / 1_000_000
}

fn range(offsets: &[i32], row: usize) -> std::ops::Range<usize> {
    offsets[row] as usize..offsets[row + 1] as usize
}

fn write_array(range: std::ops::Range<usize>, items: &Column<'_>, out: &mut Vec<u8>) -> Result<()> {
    out.push(b'[');
    let start = range.start;
    for index in range {
        if index > start {
            out.push(b',');
        }
        items.write(index, out)?;
    }
    out.push(b']');
    Ok(())
}

fn write_map(
    range: std::ops::Range<usize>,
    keys: &StringArray,
    values: &Column<'_>,
    null_key: &NullKey,
    out: &mut Vec<u8>,
) -> Result<()> {
    let mut separator = b'{';
    for index in range {
        let key_is_null = keys.is_null(index);
        if key_is_null && matches!(null_key, NullKey::Drop) {
            continue;
        }
        out.push(separator);
        separator = b',';
        match null_key {
            NullKey::Literal(literal) if key_is_null => out.extend_from_slice(literal),
            NullKey::Fail if key_is_null => {
                return Err(Error::fix("JSON format doesn't support to serialize map data with null keys").with_hint(
                    "you can drop null key entries or encode null in literals by specifying 'json.map-null-key.mode'",
                ));
            }
            _ => write_string(keys.value(index), out),
        }
        out.push(b':');
        values.write(index, out)?;
    }
    if separator == b'{' {
        out.push(b'{');
    }
    out.push(b'}');
    Ok(())
}

impl<'a> Row<'a> {
    /// A column by its number.
    pub(super) fn column(&self, number: usize) -> Option<&Column<'a>> {
        self.members.get(number).map(|(_, column)| column)
    }

    /// Binds the members of an object to the arrays of a batch or of a struct.
    ///
    /// # Errors
    /// A bug: arrays that are not of the encoder's schema.
    pub(super) fn bind(members: &'a [Member], skip_nulls: bool, arrays: &'a [ArrayRef]) -> Result<Self> {
        if members.len() != arrays.len() {
            return Err(Error::bug(format!("{} columns were handed to an encoder of {}", arrays.len(), members.len())));
        }
        let members = members
            .iter()
            .zip(arrays)
            .map(|(member, array)| Ok((member.fragment.as_slice(), Column::bind(&member.program, array)?)))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { members, skip_nulls })
    }

    /// Appends the object of row `row`.
    ///
    /// # Errors
    /// A map with a NULL key, unless the options allow it.
    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        for (fragment, column) in &self.members {
            if self.skip_nulls {
                if column.is_null(row) {
                    continue;
                }
                out.push(if out.len() == start { b'{' } else { b',' });
                out.extend_from_slice(&fragment[1..]);
            } else {
                out.extend_from_slice(fragment);
            }
            column.write(row, out)?;
        }
        if out.len() == start {
            out.push(b'{');
        }
        out.push(b'}');
        Ok(())
    }
}
