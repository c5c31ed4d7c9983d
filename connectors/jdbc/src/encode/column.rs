//! One column of a batch, ready to be written value by value.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, BinaryArray, BooleanArray, ListArray, StringArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, TimeUnit};
use bytes::{BufMut, BytesMut};
use sluice_model::{Error, Result};

use super::Wire;
use super::numeric::put_numeric;

/// Why a value cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueError {
    /// U+0000 in a text.
    Nul,
    /// A number outside the target's range.
    OutOfRange,
}

/// Writes the fields of one column. The types are decided once, not per value.
pub(crate) struct ColumnEncoder<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

enum Values<'a> {
    Bool(&'a BooleanArray),
    Integer(Integers<'a>, IntegerWire),
    IntegerAsFloat4(Integers<'a>),
    IntegerAsFloat8(Integers<'a>),
    IntegerAsNumeric(Integers<'a>),
    Float4(&'a [f32]),
    Float4AsFloat8(&'a [f32]),
    Float8(&'a [f64]),
    Numeric(&'a [i128], u8),
    DecimalAsInteger(&'a [i128], IntegerWire),
    Text(Texts<'a>),
    Bytea(&'a BinaryArray),
    /// Days, sent with another first day.
    Date(&'a [i32]),
    /// Microseconds of a day.
    Time(&'a [i64]),
    /// Microseconds, sent with another first instant.
    Timestamp(&'a [i64]),
    List(&'a ListArray, Box<ColumnEncoder<'a>>, u32),
}

#[derive(Clone, Copy)]
enum Integers<'a> {
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
}

impl Integers<'_> {
    fn get(&self, row: usize) -> i64 {
        match self {
            Self::I8(values) => i64::from(values[row]),
            Self::I16(values) => i64::from(values[row]),
            Self::I32(values) => i64::from(values[row]),
            Self::I64(values) => values[row],
        }
    }
}

#[derive(Clone, Copy)]
enum IntegerWire {
    Int2,
    Int4,
    Int8,
}

struct Texts<'a> {
    array: &'a StringArray,
    /// Whether the column's bytes hold a zero anywhere; found for all rows at once.
    has_nul: bool,
    /// `jsonb` has a version in front.
    version: Option<u8>,
}

/// Days from 1970-01-01, Arrow's first day, to 2000-01-01, PostgreSQL's.
const EPOCH_DAYS: i32 = 10_957;
/// The same in microseconds.
const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;

impl<'a> ColumnEncoder<'a> {
    /// An encoder of `array` into `wire`.
    ///
    /// # Errors
    /// A bug: an array of a type that was not planned.
    pub(crate) fn new(array: &'a dyn Array, wire: &Wire) -> Result<Self> {
        let values = match (array.data_type(), wire) {
            (DataType::Boolean, Wire::Bool) => Values::Bool(array.as_boolean()),
            (DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64, _) => integers(array, wire)?,
            (DataType::Float32, Wire::Float4) => Values::Float4(array.as_primitive::<Float32Type>().values()),
            (DataType::Float32, Wire::Float8) => Values::Float4AsFloat8(array.as_primitive::<Float32Type>().values()),
            (DataType::Float64, Wire::Float8) => Values::Float8(array.as_primitive::<Float64Type>().values()),
            (DataType::Decimal128(_, scale), _) => decimals(array, *scale, wire)?,
            (DataType::Utf8, Wire::Text | Wire::Json | Wire::Jsonb) => Values::Text(texts(array.as_string(), wire)),
            (DataType::Binary, Wire::Bytea) => Values::Bytea(array.as_binary()),
            (DataType::Date32, Wire::Date) => Values::Date(array.as_primitive::<Date32Type>().values()),
            (DataType::Time64(TimeUnit::Microsecond), Wire::Time) => {
                Values::Time(array.as_primitive::<Time64MicrosecondType>().values())
            }
            (DataType::Timestamp(TimeUnit::Microsecond, _), Wire::Timestamp | Wire::Timestamptz) => {
                Values::Timestamp(array.as_primitive::<TimestampMicrosecondType>().values())
            }
            (DataType::List(_), Wire::Array(element, element_id)) => {
                let list = array.as_list::<i32>();
                let elements = Self::new(list.values().as_ref(), element)?;
                Values::List(list, Box::new(elements), *element_id)
            }
            (other, wire) => return Err(unplanned(other, wire)),
        };
        Ok(Self { nulls: array.nulls(), values })
    }

    /// Whether the value of `row` is NULL.
    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    /// Appends the field of `row`: its length and its value.
    ///
    /// # Errors
    /// A value that has no form in the target. `out` then holds a part of it.
    #[inline]
    pub(crate) fn put_field(&self, row: usize, out: &mut BytesMut) -> Result<(), ValueError> {
        if self.is_null(row) {
            out.put_i32(-1);
            return Ok(());
        }
        match &self.values {
            Values::Bool(array) => put_field(out, [u8::from(array.value(row))]),
            Values::Integer(integers, wire) => put_integer(out, integers.get(row), *wire)?,
            Values::IntegerAsFloat4(integers) => put_field(out, (integers.get(row) as f32).to_be_bytes()),
            Values::IntegerAsFloat8(integers) => put_field(out, (integers.get(row) as f64).to_be_bytes()),
            Values::IntegerAsNumeric(integers) => put_numeric(out, i128::from(integers.get(row)), 0),
            Values::Float4(values) => put_field(out, values[row].to_be_bytes()),
            Values::Float4AsFloat8(values) => put_field(out, f64::from(values[row]).to_be_bytes()),
            Values::Float8(values) => put_field(out, values[row].to_be_bytes()),
            Values::Numeric(values, scale) => put_numeric(out, values[row], *scale),
            Values::DecimalAsInteger(values, wire) => {
                let value = i64::try_from(values[row]).map_err(|_| ValueError::OutOfRange)?;
                put_integer(out, value, *wire)?;
            }
            Values::Text(texts) => texts.put_field(row, out)?,
            Values::Bytea(array) => put_bytes(out, array.value(row)),
            Values::Date(values) => {
                let day = values[row].checked_sub(EPOCH_DAYS).ok_or(ValueError::OutOfRange)?;
                put_field(out, day.to_be_bytes());
            }
            Values::Time(values) => put_field(out, values[row].to_be_bytes()),
            Values::Timestamp(values) => {
                let micros = values[row].checked_sub(EPOCH_MICROS).ok_or(ValueError::OutOfRange)?;
                put_field(out, micros.to_be_bytes());
            }
            Values::List(list, elements, element_id) => put_list(out, list, row, elements, *element_id)?,
        }
        Ok(())
    }
}

fn integers<'a>(array: &'a dyn Array, wire: &Wire) -> Result<Values<'a>> {
    let integers = match array.data_type() {
        DataType::Int8 => Integers::I8(array.as_primitive::<Int8Type>().values()),
        DataType::Int16 => Integers::I16(array.as_primitive::<Int16Type>().values()),
        DataType::Int32 => Integers::I32(array.as_primitive::<Int32Type>().values()),
        _ => Integers::I64(array.as_primitive::<Int64Type>().values()),
    };
    Ok(match wire {
        Wire::Int2 => Values::Integer(integers, IntegerWire::Int2),
        Wire::Int4 => Values::Integer(integers, IntegerWire::Int4),
        Wire::Int8 => Values::Integer(integers, IntegerWire::Int8),
        Wire::Float4 => Values::IntegerAsFloat4(integers),
        Wire::Float8 => Values::IntegerAsFloat8(integers),
        Wire::Numeric => Values::IntegerAsNumeric(integers),
        other => return Err(unplanned(array.data_type(), other)),
    })
}

fn decimals<'a>(array: &'a dyn Array, scale: i8, wire: &Wire) -> Result<Values<'a>> {
    let values: &[i128] = array.as_primitive::<Decimal128Type>().values();
    let (Ok(scale), data_type) = (u8::try_from(scale), array.data_type()) else {
        return Err(unplanned(array.data_type(), wire));
    };
    Ok(match wire {
        Wire::Numeric => Values::Numeric(values, scale),
        Wire::Int2 if scale == 0 => Values::DecimalAsInteger(values, IntegerWire::Int2),
        Wire::Int4 if scale == 0 => Values::DecimalAsInteger(values, IntegerWire::Int4),
        Wire::Int8 if scale == 0 => Values::DecimalAsInteger(values, IntegerWire::Int8),
        other => return Err(unplanned(data_type, other)),
    })
}

fn texts<'a>(array: &'a StringArray, wire: &Wire) -> Texts<'a> {
    let offsets = array.value_offsets();
    let used = match (offsets.first(), offsets.last()) {
        (Some(first), Some(last)) => array.value_data().get(*first as usize..*last as usize).unwrap_or_default(),
        _ => &[],
    };
    let version = (*wire == Wire::Jsonb).then_some(1);
    Texts { array, has_nul: memchr::memchr(0, used).is_some(), version }
}

fn unplanned(data_type: &DataType, wire: &Wire) -> Error {
    Error::bug(format!("a column of {data_type} was not planned to be written as {}", wire.name()))
}

impl Texts<'_> {
    fn put_field(&self, row: usize, out: &mut BytesMut) -> Result<(), ValueError> {
        let bytes = self.array.value(row).as_bytes();
        if self.has_nul && memchr::memchr(0, bytes).is_some() {
            return Err(ValueError::Nul);
        }
        match self.version {
            None => put_bytes(out, bytes),
            Some(version) => {
                out.put_i32(bytes.len() as i32 + 1);
                out.put_u8(version);
                out.put_slice(bytes);
            }
        }
        Ok(())
    }
}

fn put_integer(out: &mut BytesMut, value: i64, wire: IntegerWire) -> Result<(), ValueError> {
    let out_of_range = |_| ValueError::OutOfRange;
    match wire {
        IntegerWire::Int2 => put_field(out, i16::try_from(value).map_err(out_of_range)?.to_be_bytes()),
        IntegerWire::Int4 => put_field(out, i32::try_from(value).map_err(out_of_range)?.to_be_bytes()),
        IntegerWire::Int8 => put_field(out, value.to_be_bytes()),
    }
    Ok(())
}

/// A field of a size known when this is compiled, in one write.
#[inline]
fn put_field<const N: usize>(out: &mut BytesMut, value: [u8; N]) {
    let mut field = [0; 12];
    field[..4].copy_from_slice(&(N as i32).to_be_bytes());
    field[4..4 + N].copy_from_slice(&value);
    out.extend_from_slice(&field[..4 + N]);
}

fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    out.put_i32(bytes.len() as i32);
    out.put_slice(bytes);
}

/// Dimensions, whether there are NULLs, the elements' type, then length and first index of the one
/// dimension; an empty array has none (`array_recv` in PostgreSQL's arrayfuncs.c).
fn put_list(
    out: &mut BytesMut,
    list: &ListArray,
    row: usize,
    elements: &ColumnEncoder<'_>,
    element_id: u32,
) -> Result<(), ValueError> {
    let offsets = list.value_offsets();
    let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
    let length_at = out.len();
    out.put_i32(0);
    put_array_header(out, end - start, (start..end).any(|at| elements.is_null(at)), element_id);
    for at in start..end {
        elements.put_field(at, out)?;
    }
    let length = (out.len() - length_at - 4) as i32;
    out[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// The header of a one-dimensional array of `length` elements.
pub(super) fn put_array_header(out: &mut BytesMut, length: usize, has_nulls: bool, element_id: u32) {
    out.put_i32(i32::from(length > 0));
    out.put_i32(i32::from(has_nulls));
    out.put_u32(element_id);
    if length > 0 {
        out.put_i32(length as i32);
        out.put_i32(1);
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Date32Array, Int64Array, StringArray};

    use super::*;

    fn fields(array: &dyn Array, wire: Wire) -> Vec<Result<Vec<u8>, ValueError>> {
        let encoder = ColumnEncoder::new(array, &wire).unwrap();
        (0..array.len())
            .map(|row| {
                let mut out = BytesMut::new();
                encoder.put_field(row, &mut out).map(|()| out.to_vec())
            })
            .collect()
    }

    #[test]
    fn fields_have_a_length_and_network_order() {
        let array = Int64Array::from(vec![Some(258), None, Some(i64::MAX)]);
        assert_eq!(
            fields(&array, Wire::Int2),
            [Ok(vec![0, 0, 0, 2, 1, 2]), Ok(vec![255, 255, 255, 255]), Err(ValueError::OutOfRange)]
        );
        assert_eq!(fields(&Date32Array::from(vec![10_958]), Wire::Date), [Ok(vec![0, 0, 0, 4, 0, 0, 0, 1])]);
    }

    #[test]
    fn zero_characters_are_found() {
        let array = StringArray::from(vec!["ok", "a\0b"]);
        assert_eq!(fields(&array, Wire::Text), [Ok(vec![0, 0, 0, 2, b'o', b'k']), Err(ValueError::Nul)]);
        let before = array.slice(0, 1);
        assert_eq!(fields(&before, Wire::Jsonb), [Ok(vec![0, 0, 0, 3, 1, b'o', b'k'])]);
    }

    #[test]
    fn what_was_not_planned_is_a_bug_and_no_panic() {
        assert!(ColumnEncoder::new(&StringArray::from(vec!["x"]), &Wire::Int4).is_err());
    }
}
