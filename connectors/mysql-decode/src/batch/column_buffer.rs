//! One column of the batch: values in the layout of its Arrow type, and which rows are NULL.

use std::sync::Arc;

use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow_array::{ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, ListArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, FieldRef, TimeUnit};

use crate::batch::bytes::Bytes;
use crate::batch::validity::Validity;
use crate::value::{Fault, Put};

/// Values of one column in rows that are not finished yet.
#[derive(Debug)]
pub(crate) struct ColumnBuffer {
    pub(crate) values: Values,
    pub(crate) validity: Validity,
    pub(crate) nullable: bool,
    /// Zero and partial dates that became NULL, since the column was made.
    pub(crate) invalid_dates: u64,
    /// Decimals outside the declared precision that became NULL, since the column was made.
    pub(crate) decimal_overflows: u64,
}

/// Storage per Arrow type.
#[derive(Debug)]
pub(crate) enum Values {
    Boolean(BooleanBufferBuilder),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Decimal {
        values: Vec<i128>,
        precision: u8,
        scale: u8,
    },
    Utf8(Bytes),
    Binary(Bytes),
    /// Days since 1970.
    Date(Vec<i32>),
    /// Microseconds of the day.
    Time(Vec<i64>),
    /// `utc` when the type has a time zone.
    Timestamp {
        values: Vec<i64>,
        unit: Unit,
        utc: bool,
        zone: Option<Arc<str>>,
    },
    /// List of text: all items, and the number of items up to the end of each row, beginning with 0.
    List {
        items: Bytes,
        ends: Vec<i32>,
        item: FieldRef,
    },
}

/// Unit of a Timestamp column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Micros,
    Nanos,
}

/// Rows for which room is made at first.
const FIRST_CAPACITY: usize = 1024;

impl ColumnBuffer {
    /// `None` when no MySQL value can be put into a column of this type.
    pub(crate) fn new(target: &DataType, nullable: bool) -> Option<Self> {
        let values = Values::new(target, FIRST_CAPACITY)?;
        Some(Self { values, validity: Validity::default(), nullable, invalid_dates: 0, decimal_overflows: 0 })
    }

    #[inline]
    pub(crate) fn put_null(&mut self) -> Put {
        if !self.nullable {
            return Err(Fault::Null);
        }
        self.validity.push_null(self.values.len());
        self.values.push_placeholder()
    }

    /// Takes back every row from `rows` on, complete or not.
    pub(crate) fn truncate(&mut self, rows: usize) {
        self.validity.truncate(rows);
        self.values.truncate(rows);
    }

    /// The first value from row `from` on that is no UTF-8.
    pub(crate) fn find_invalid_text(&self, from: usize) -> Option<(usize, &[u8])> {
        match &self.values {
            Values::Utf8(text) => text.find_invalid(from),
            Values::List { items, ends, .. } => items.find_invalid(ends.get(from).map_or(0, |end| *end as usize)),
            _ => None,
        }
    }

    /// The column so far as an array, leaving an empty column of the same capacity behind.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let nulls = self.validity.finish();
        self.values.finish(nulls)
    }
}

impl Values {
    fn new(target: &DataType, rows: usize) -> Option<Self> {
        Some(match target {
            DataType::Boolean => Self::Boolean(BooleanBufferBuilder::new(rows)),
            DataType::Int8 => Self::Int8(Vec::with_capacity(rows)),
            DataType::Int16 => Self::Int16(Vec::with_capacity(rows)),
            DataType::Int32 => Self::Int32(Vec::with_capacity(rows)),
            DataType::Int64 => Self::Int64(Vec::with_capacity(rows)),
            DataType::Float32 => Self::Float32(Vec::with_capacity(rows)),
            DataType::Float64 => Self::Float64(Vec::with_capacity(rows)),
            DataType::Decimal128(precision @ 1..=38, scale @ 0..=38) if *scale as u8 <= *precision => {
                Self::Decimal { values: Vec::with_capacity(rows), precision: *precision, scale: *scale as u8 }
            }
            DataType::Utf8 => Self::Utf8(Bytes::with_capacity(rows, rows * 8)),
            DataType::Binary => Self::Binary(Bytes::with_capacity(rows, rows * 8)),
            DataType::Date32 => Self::Date(Vec::with_capacity(rows)),
            DataType::Time64(TimeUnit::Microsecond) => Self::Time(Vec::with_capacity(rows)),
            DataType::Timestamp(unit, zone) => {
                let unit = match unit {
                    TimeUnit::Microsecond => Unit::Micros,
                    TimeUnit::Nanosecond => Unit::Nanos,
                    _ => return None,
                };
                Self::Timestamp { values: Vec::with_capacity(rows), unit, utc: zone.is_some(), zone: zone.clone() }
            }
            DataType::List(item) if *item.data_type() == DataType::Utf8 => {
                Self::List { items: Bytes::with_capacity(rows, rows * 8), ends: vec![0], item: Arc::clone(item) }
            }
            _ => return None,
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Boolean(values) => values.len(),
            Self::Int8(values) => values.len(),
            Self::Int16(values) => values.len(),
            Self::Int32(values) | Self::Date(values) => values.len(),
            Self::Int64(values) | Self::Time(values) | Self::Timestamp { values, .. } => values.len(),
            Self::Float32(values) => values.len(),
            Self::Float64(values) => values.len(),
            Self::Decimal { values, .. } => values.len(),
            Self::Utf8(values) | Self::Binary(values) => values.len(),
            Self::List { ends, .. } => ends.len() - 1,
        }
    }

    /// Bytes of the values so far.
    pub(crate) fn byte_size(&self) -> usize {
        match self {
            Self::Boolean(values) => values.len() / 8,
            Self::Int8(values) => values.len(),
            Self::Int16(values) => values.len() * 2,
            Self::Int32(values) | Self::Date(values) => values.len() * 4,
            Self::Int64(values) | Self::Time(values) | Self::Timestamp { values, .. } => values.len() * 8,
            Self::Float32(values) => values.len() * 4,
            Self::Float64(values) => values.len() * 8,
            Self::Decimal { values, .. } => values.len() * 16,
            Self::Utf8(values) | Self::Binary(values) => values.len() * 4 + values.byte_len(),
            Self::List { items, ends, .. } => (ends.len() + items.len()) * 4 + items.byte_len(),
        }
    }

    /// Something for a row that is NULL.
    fn push_placeholder(&mut self) -> Put {
        match self {
            Self::Boolean(values) => values.append(false),
            Self::Int8(values) => values.push(0),
            Self::Int16(values) => values.push(0),
            Self::Int32(values) | Self::Date(values) => values.push(0),
            Self::Int64(values) | Self::Time(values) | Self::Timestamp { values, .. } => values.push(0),
            Self::Float32(values) => values.push(0.0),
            Self::Float64(values) => values.push(0.0),
            Self::Decimal { values, .. } => values.push(0),
            Self::Utf8(values) | Self::Binary(values) => values.end_value()?,
            Self::List { items, ends, .. } => ends.push(i32::try_from(items.len()).map_err(|_| Fault::BatchFull)?),
        }
        Ok(())
    }

    fn truncate(&mut self, rows: usize) {
        match self {
            Self::Boolean(values) => values.truncate(rows),
            Self::Int8(values) => values.truncate(rows),
            Self::Int16(values) => values.truncate(rows),
            Self::Int32(values) | Self::Date(values) => values.truncate(rows),
            Self::Int64(values) | Self::Time(values) | Self::Timestamp { values, .. } => values.truncate(rows),
            Self::Float32(values) => values.truncate(rows),
            Self::Float64(values) => values.truncate(rows),
            Self::Decimal { values, .. } => values.truncate(rows),
            Self::Utf8(values) | Self::Binary(values) => values.truncate(rows),
            Self::List { items, ends, .. } => {
                ends.truncate(rows + 1);
                items.truncate(ends.last().map_or(0, |end| *end as usize));
            }
        }
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Boolean(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Self::Int8(values) => Arc::new(primitive::<Int8Type>(values, nulls)?),
            Self::Int16(values) => Arc::new(primitive::<Int16Type>(values, nulls)?),
            Self::Int32(values) => Arc::new(primitive::<Int32Type>(values, nulls)?),
            Self::Int64(values) => Arc::new(primitive::<Int64Type>(values, nulls)?),
            Self::Float32(values) => Arc::new(primitive::<Float32Type>(values, nulls)?),
            Self::Float64(values) => Arc::new(primitive::<Float64Type>(values, nulls)?),
            Self::Decimal { values, precision, scale } => {
                let array = primitive::<Decimal128Type>(values, nulls)?;
                Arc::new(array.with_precision_and_scale(*precision, *scale as i8)?)
            }
            Self::Utf8(values) => {
                let (offsets, bytes) = values.finish();
                Arc::new(StringArray::try_new(offsets, bytes, nulls)?)
            }
            Self::Binary(values) => {
                let (offsets, bytes) = values.finish();
                Arc::new(BinaryArray::try_new(offsets, bytes, nulls)?)
            }
            Self::Date(values) => Arc::new(primitive::<Date32Type>(values, nulls)?),
            Self::Time(values) => Arc::new(primitive::<Time64MicrosecondType>(values, nulls)?),
            Self::Timestamp { values, unit: Unit::Micros, zone, .. } => {
                Arc::new(primitive::<TimestampMicrosecondType>(values, nulls)?.with_timezone_opt(zone.clone()))
            }
            Self::Timestamp { values, unit: Unit::Nanos, zone, .. } => {
                Arc::new(primitive::<TimestampNanosecondType>(values, nulls)?.with_timezone_opt(zone.clone()))
            }
            Self::List { items, ends, item } => Arc::new(list(items, ends, item, nulls)?),
        })
    }
}

fn primitive<T: ArrowPrimitiveType>(
    values: &mut Vec<T::Native>,
    nulls: Option<NullBuffer>,
) -> Result<PrimitiveArray<T>, ArrowError> {
    let empty = Vec::with_capacity(values.len());
    PrimitiveArray::try_new(ScalarBuffer::from(std::mem::replace(values, empty)), nulls)
}

fn list(
    items: &mut Bytes,
    ends: &mut Vec<i32>,
    item: &FieldRef,
    nulls: Option<NullBuffer>,
) -> Result<ListArray, ArrowError> {
    let (offsets, bytes) = items.finish();
    let texts = StringArray::try_new(offsets, bytes, None)?;
    let ends = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(ends, vec![0])));
    ListArray::try_new(Arc::clone(item), ends, Arc::new(texts), nulls)
}
