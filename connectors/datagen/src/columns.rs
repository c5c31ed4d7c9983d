//! Row numbers to Arrow columns.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, IntervalMonthDayNanoArray, IntervalYearMonthArray, ListArray, MapArray,
    NullArray, StringArray, StructArray, Time64MicrosecondArray, TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow_buffer::{IntervalMonthDayNano, NullBuffer, OffsetBuffer};
use arrow_schema::DataType;
use sluice_model::{Error, Result, SqlType};

use crate::fields::{Field, Kind, Length};
use crate::random::Series;

const MILLIS_OF_DAY: i64 = 86_400_000;
/// Purposes for which a column needs a series of its own.
const NULLS: u64 = 1;
const LENGTHS: u64 = 2;
const ELEMENTS: u64 = 3;

impl Field {
    /// The values of these rows, made at `now` (milliseconds since the epoch).
    ///
    /// # Errors
    /// A bug: a generator that does not fit its type.
    pub(crate) fn column(&self, rows: &[u64], now: i64) -> Result<ArrayRef> {
        let series = self.series;
        match &self.kind {
            Kind::Null => Ok(Arc::new(NullArray::new(rows.len()))),
            Kind::Boolean => {
                Ok(Arc::new(self.values(rows, |row| series.number(row) & 1 == 1).collect::<BooleanArray>()))
            }
            Kind::Number { min, span } => self.numbers(rows, |row| min + series.below(row, *span) as i128),
            Kind::Sequence { start, unit } => self.sequence(rows, *start, *unit),
            Kind::Real { min, max } => {
                let value = |row| {
                    let share = series.fraction(row);
                    min * (1.0 - share) + max * share
                };
                self.reals(rows, value)
            }
            Kind::Text(length) => {
                let values = self.values(rows, |row| hexadecimal(series, row, length.of(series, row)));
                Ok(Arc::new(values.collect::<StringArray>()))
            }
            Kind::Bytes(length) => {
                let values = self.values(rows, |row| bytes(series, row, length.of(series, row)));
                Ok(Arc::new(values.collect::<BinaryArray>()))
            }
            Kind::Now { max_past } => {
                let past = u128::from(max_past.unsigned_abs()) + 1;
                self.times(rows, |row| now - series.below(row, past) as i64)
            }
            Kind::Array { length, element } => self.array(rows, *length, element, now),
            Kind::Map { length, key, value } => self.map(rows, *length, key, value, now),
            Kind::Row(fields) => self.row(rows, fields, now),
        }
    }

    fn is_null(&self, row: u64) -> bool {
        self.null_rate > 0.0 && self.series.derive(NULLS).fraction(row) < self.null_rate
    }

    fn nulls(&self, rows: &[u64]) -> Option<NullBuffer> {
        (self.null_rate > 0.0).then(|| rows.iter().map(|row| !self.is_null(*row)).collect())
    }

    fn values<'a, T>(&'a self, rows: &'a [u64], value: impl Fn(u64) -> T + 'a) -> impl Iterator<Item = Option<T>> + 'a {
        rows.iter().map(move |row| (!self.is_null(*row)).then(|| value(*row)))
    }

    fn unfit(&self) -> Error {
        Error::bug(format!("connector 'datagen' made no values of type {}", self.sql_type))
    }

    fn sequence(&self, rows: &[u64], start: i128, unit: i128) -> Result<ArrayRef> {
        let number = |row: u64| start + i128::from(row);
        match self.sql_type {
            SqlType::Char(_) | SqlType::VarChar(_) => {
                Ok(Arc::new(self.values(rows, |row| number(row).to_string()).collect::<StringArray>()))
            }
            SqlType::Float | SqlType::Double => self.reals(rows, |row| number(row) as f64),
            _ => self.numbers(rows, |row| number(row) * unit),
        }
    }

    fn numbers(&self, rows: &[u64], value: impl Fn(u64) -> i128) -> Result<ArrayRef> {
        let values = self.values(rows, value);
        Ok(match &self.sql_type {
            SqlType::TinyInt => Arc::new(values.map(|value| value.map(|value| value as i8)).collect::<Int8Array>()),
            SqlType::SmallInt => Arc::new(values.map(|value| value.map(|value| value as i16)).collect::<Int16Array>()),
            SqlType::Int => Arc::new(values.map(|value| value.map(|value| value as i32)).collect::<Int32Array>()),
            SqlType::BigInt => Arc::new(values.map(|value| value.map(|value| value as i64)).collect::<Int64Array>()),
            SqlType::Decimal(precision, scale) => {
                let array = values.collect::<Decimal128Array>();
                Arc::new(array.with_precision_and_scale(*precision, *scale as i8).map_err(Error::from_arrow)?)
            }
            SqlType::IntervalYearMonth => {
                Arc::new(values.map(|value| value.map(|value| value as i32)).collect::<IntervalYearMonthArray>())
            }
            SqlType::IntervalDaySecond => {
                let interval = |millis: i128| IntervalMonthDayNano {
                    months: 0,
                    days: (millis as i64 / MILLIS_OF_DAY) as i32,
                    nanoseconds: millis as i64 % MILLIS_OF_DAY * 1_000_000,
                };
                Arc::new(values.map(|value| value.map(interval)).collect::<IntervalMonthDayNanoArray>())
            }
            _ => return Err(self.unfit()),
        })
    }

    fn reals(&self, rows: &[u64], value: impl Fn(u64) -> f64) -> Result<ArrayRef> {
        let values = self.values(rows, value);
        match self.sql_type {
            SqlType::Float => {
                Ok(Arc::new(values.map(|value| value.map(|value| value as f32)).collect::<Float32Array>()))
            }
            SqlType::Double => Ok(Arc::new(values.collect::<Float64Array>())),
            _ => Err(self.unfit()),
        }
    }

    fn times(&self, rows: &[u64], millis: impl Fn(u64) -> i64) -> Result<ArrayRef> {
        let values = self.values(rows, millis);
        let of_day = |millis: i64| millis.rem_euclid(MILLIS_OF_DAY) * 1_000;
        let zone = matches!(self.sql_type, SqlType::TimestampLtz(_)).then_some("UTC");
        Ok(match self.sql_type {
            SqlType::Date => {
                let day = |millis: i64| millis.div_euclid(MILLIS_OF_DAY) as i32;
                Arc::new(values.map(|value| value.map(day)).collect::<Date32Array>())
            }
            SqlType::Time(_) => Arc::new(values.map(|value| value.map(of_day)).collect::<Time64MicrosecondArray>()),
            SqlType::Timestamp(digits) | SqlType::TimestampLtz(digits) if digits > 6 => {
                let nanos = |millis: i64| millis.saturating_mul(1_000_000);
                let array = values.map(|value| value.map(nanos)).collect::<TimestampNanosecondArray>();
                Arc::new(array.with_timezone_opt(zone))
            }
            SqlType::Timestamp(digits) | SqlType::TimestampLtz(digits) => {
                let step = 10i64.pow(3 - u32::from(digits.min(3)));
                let micros = |millis: i64| (millis - millis.rem_euclid(step)).saturating_mul(1_000);
                let array = values.map(|value| value.map(micros)).collect::<TimestampMicrosecondArray>();
                Arc::new(array.with_timezone_opt(zone))
            }
            _ => return Err(self.unfit()),
        })
    }

    /// Where the elements of each row end, and the numbers that the elements are made from.
    fn elements(&self, rows: &[u64], length: Length) -> (OffsetBuffer<i32>, Vec<u64>) {
        let lengths = || rows.iter().map(|row| if self.is_null(*row) { 0 } else { length.of(self.series, *row) });
        let places = self.series.derive(ELEMENTS);
        let element_rows = rows.iter().zip(lengths()).flat_map(|(row, length)| {
            let first = places.number(*row);
            (0..length as u64).map(move |place| first.wrapping_add(place))
        });
        let element_rows = element_rows.collect();
        (OffsetBuffer::from_lengths(lengths()), element_rows)
    }

    fn array(&self, rows: &[u64], length: Length, element: &Field, now: i64) -> Result<ArrayRef> {
        let DataType::List(item) = self.sql_type.to_arrow() else { return Err(self.unfit()) };
        let (offsets, element_rows) = self.elements(rows, length);
        let values = element.column(&element_rows, now)?;
        let array = ListArray::try_new(item, offsets, values, self.nulls(rows));
        Ok(Arc::new(array.map_err(Error::from_arrow)?))
    }

    fn map(&self, rows: &[u64], length: Length, key: &Field, value: &Field, now: i64) -> Result<ArrayRef> {
        let DataType::Map(entries, sorted) = self.sql_type.to_arrow() else { return Err(self.unfit()) };
        let DataType::Struct(pair) = entries.data_type() else { return Err(self.unfit()) };
        let (offsets, element_rows) = self.elements(rows, length);
        let columns = vec![key.column(&element_rows, now)?, value.column(&element_rows, now)?];
        let pairs = StructArray::try_new(pair.clone(), columns, None).map_err(Error::from_arrow)?;
        let array = MapArray::try_new(entries, offsets, pairs, self.nulls(rows), sorted);
        Ok(Arc::new(array.map_err(Error::from_arrow)?))
    }

    fn row(&self, rows: &[u64], fields: &[Field], now: i64) -> Result<ArrayRef> {
        let DataType::Struct(members) = self.sql_type.to_arrow() else { return Err(self.unfit()) };
        let columns = fields.iter().map(|field| field.column(rows, now)).collect::<Result<Vec<_>>>()?;
        let array = StructArray::try_new_with_length(members, columns, self.nulls(rows), rows.len());
        Ok(Arc::new(array.map_err(Error::from_arrow)?))
    }
}

impl Length {
    fn of(self, series: Series, row: u64) -> usize {
        if self.varies && self.most > 0 {
            1 + series.derive(LENGTHS).below(row, self.most as u128) as usize
        } else {
            self.most
        }
    }
}

fn hexadecimal(series: Series, row: u64, length: usize) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(length);
    let own = series.derive(row);
    for word in 0..length.div_ceil(16) as u64 {
        let mut bits = own.number(word);
        for _ in 0..16.min(length - text.len()) {
            text.push(char::from(DIGITS[(bits & 15) as usize]));
            bits >>= 4;
        }
    }
    text
}

fn bytes(series: Series, row: u64, length: usize) -> Vec<u8> {
    let own = series.derive(row);
    let mut all: Vec<u8> = (0..length.div_ceil(8) as u64).flat_map(|word| own.number(word).to_le_bytes()).collect();
    all.truncate(length);
    all
}
