//! PostgreSQL's binary formats to Arrow columns.
//!
//! Source: the `…_send` functions of each type in PostgreSQL.

use std::error::Error as StdError;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder, Int8Builder,
    Int16Builder, Int32Builder, Int64Builder, StringBuilder, Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
};
use sluice_model::{Error, Result, SqlType};
use tokio_postgres::types::{FromSql, Type};

/// Days from 1970-01-01, Arrow's first day, to 2000-01-01, PostgreSQL's.
const EPOCH_DAYS: i32 = 10_957;
/// The same in microseconds.
const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;

/// A field as it came.
pub(super) struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> std::result::Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(bytes))
    }

    /// Its type was decided when the statement was written.
    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Makes one column from fields.
pub(super) enum Decoder {
    Bool(BooleanBuilder),
    TinyInt(Int8Builder),
    SmallInt(Int16Builder),
    Int(Int32Builder),
    BigInt(Int64Builder),
    Float(Float32Builder),
    Double(Float64Builder),
    Decimal(Decimal128Builder, u8, u8),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder, i64),
    Timestamp(TimestampMicrosecondBuilder, i64),
}

/// Why a field has no value in the declared type.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// Outside the range of the type.
    OutOfRange,
    /// Not the format that was asked for.
    Garbled,
}

impl Decoder {
    /// A decoder for columns of a type; `None` if there is no such type in PostgreSQL.
    pub(super) fn new(sql: &SqlType) -> Option<Self> {
        Some(match sql {
            SqlType::Boolean => Self::Bool(BooleanBuilder::new()),
            SqlType::TinyInt => Self::TinyInt(Int8Builder::new()),
            SqlType::SmallInt => Self::SmallInt(Int16Builder::new()),
            SqlType::Int => Self::Int(Int32Builder::new()),
            SqlType::BigInt => Self::BigInt(Int64Builder::new()),
            SqlType::Float => Self::Float(Float32Builder::new()),
            SqlType::Double => Self::Double(Float64Builder::new()),
            SqlType::Decimal(precision, scale) => {
                Self::Decimal(Decimal128Builder::new().with_data_type(sql.to_arrow()), *precision, *scale)
            }
            SqlType::Char(_) | SqlType::VarChar(_) => Self::Text(StringBuilder::new()),
            SqlType::Binary(_) | SqlType::VarBinary(_) => Self::Bytes(BinaryBuilder::new()),
            SqlType::Date => Self::Date(Date32Builder::new()),
            SqlType::Time(precision) => Self::Time(Time64MicrosecondBuilder::new(), step(*precision)?),
            SqlType::Timestamp(precision) | SqlType::TimestampLtz(precision) => {
                let builder = TimestampMicrosecondBuilder::new().with_data_type(sql.to_arrow());
                Self::Timestamp(builder, step(*precision)?)
            }
            _ => return None,
        })
    }

    /// Appends a field; `None` is NULL.
    ///
    /// # Errors
    /// A value that the declared type does not have.
    pub(super) fn push(&mut self, field: Option<Raw<'_>>) -> std::result::Result<(), Unfit> {
        let bytes = field.map(|field| field.0);
        match self {
            Self::Bool(builder) => builder.append_option(bytes.map(fixed::<1>).transpose()?.map(|[byte]| byte != 0)),
            Self::TinyInt(builder) => {
                let value = bytes.map(fixed).transpose()?.map(i16::from_be_bytes);
                let narrowed = value.map(i8::try_from).transpose().map_err(|_| Unfit::OutOfRange)?;
                builder.append_option(narrowed);
            }
            Self::SmallInt(builder) => builder.append_option(bytes.map(fixed).transpose()?.map(i16::from_be_bytes)),
            Self::Int(builder) => builder.append_option(bytes.map(fixed).transpose()?.map(i32::from_be_bytes)),
            Self::BigInt(builder) => builder.append_option(bytes.map(fixed).transpose()?.map(i64::from_be_bytes)),
            Self::Float(builder) => builder.append_option(bytes.map(fixed).transpose()?.map(f32::from_be_bytes)),
            Self::Double(builder) => builder.append_option(bytes.map(fixed).transpose()?.map(f64::from_be_bytes)),
            Self::Decimal(builder, precision, scale) => {
                builder.append_option(bytes.map(|bytes| numeric(bytes, *precision, *scale)).transpose()?);
            }
            Self::Text(builder) => {
                builder.append_option(bytes.map(std::str::from_utf8).transpose().map_err(|_| Unfit::Garbled)?);
            }
            Self::Bytes(builder) => builder.append_option(bytes),
            Self::Date(builder) => {
                let days = bytes.map(fixed).transpose()?.map(i32::from_be_bytes);
                let days = days.map(|days| in_range(days.checked_add(EPOCH_DAYS))).transpose()?;
                builder.append_option(days);
            }
            Self::Time(builder, step) => {
                let micros = bytes.map(fixed).transpose()?.map(i64::from_be_bytes);
                builder.append_option(micros.map(|micros| micros - micros.rem_euclid(*step)));
            }
            Self::Timestamp(builder, step) => {
                let micros = bytes.map(fixed).transpose()?.map(i64::from_be_bytes);
                let instant = |micros: i64| match micros {
                    // 'infinity' and '-infinity'.
                    i64::MIN | i64::MAX => Err(Unfit::OutOfRange),
                    _ => in_range(micros.checked_add(EPOCH_MICROS)),
                };
                let micros = micros.map(instant).transpose()?;
                builder.append_option(micros.map(|micros| micros - micros.rem_euclid(*step)));
            }
        }
        Ok(())
    }

    /// The column, and an empty decoder.
    ///
    /// # Errors
    /// A bug: a decimal type that Arrow does not have.
    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match self {
            Self::Bool(builder) => Arc::new(builder.finish()),
            Self::TinyInt(builder) => Arc::new(builder.finish()),
            Self::SmallInt(builder) => Arc::new(builder.finish()),
            Self::Int(builder) => Arc::new(builder.finish()),
            Self::BigInt(builder) => Arc::new(builder.finish()),
            Self::Float(builder) => Arc::new(builder.finish()),
            Self::Double(builder) => Arc::new(builder.finish()),
            Self::Decimal(builder, precision, scale) => {
                let scale = i8::try_from(*scale).unwrap_or(0);
                let column = builder.finish().with_precision_and_scale(*precision, scale);
                Arc::new(column.map_err(Error::from_arrow)?)
            }
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Bytes(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Time(builder, _) => Arc::new(builder.finish()),
            Self::Timestamp(builder, _) => Arc::new(builder.finish()),
        })
    }
}

/// Microseconds between two values of a precision; `None` if it is finer than PostgreSQL's.
fn step(precision: u8) -> Option<i64> {
    6u32.checked_sub(u32::from(precision)).map(|digits| 10i64.pow(digits))
}

fn fixed<const N: usize>(bytes: &[u8]) -> std::result::Result<[u8; N], Unfit> {
    bytes.try_into().map_err(|_| Unfit::Garbled)
}

fn in_range<T>(value: Option<T>) -> std::result::Result<T, Unfit> {
    value.ok_or(Unfit::OutOfRange)
}

/// `numeric`: groups of four decimal digits, of which the first counts 10000^weight. Digits behind
/// the scale are rounded, half away from zero, as Flink does.
fn numeric(bytes: &[u8], precision: u8, scale: u8) -> std::result::Result<i128, Unfit> {
    let word = |place: usize| -> std::result::Result<u16, Unfit> {
        let bytes = bytes.get(2 * place..2 * place + 2).ok_or(Unfit::Garbled)?;
        Ok(u16::from_be_bytes(fixed(bytes)?))
    };
    let (count, weight, sign) = (usize::from(word(0)?), word(1)?.cast_signed(), word(2)?);
    let is_negative = match sign {
        0 => false,
        0x4000 => true,
        // NaN and the infinities.
        _ => return Err(Unfit::OutOfRange),
    };
    let mut value = 0i128;
    let mut round_up = false;
    for group in 0..count {
        let digits = word(4 + group)?;
        if digits > 9999 {
            return Err(Unfit::Garbled);
        }
        // The power of ten of the group's last digit, in units of the result.
        let power = (i32::from(weight) - group as i32) * 4 + i32::from(scale);
        if let Ok(power) = u32::try_from(power) {
            let unit = in_range(10i128.checked_pow(power))?;
            value = in_range(unit.checked_mul(i128::from(digits)).and_then(|part| value.checked_add(part)))?;
        } else if power > -4 {
            let unit = 10u16.pow(power.unsigned_abs());
            value = in_range(value.checked_add(i128::from(digits / unit)))?;
            round_up = digits % unit * 2 >= unit;
            break;
        } else {
            round_up = power == -4 && digits >= 5000;
            break;
        }
    }
    value = in_range(value.checked_add(i128::from(round_up)))?;
    if value >= 10i128.checked_pow(u32::from(precision)).unwrap_or(i128::MAX) {
        return Err(Unfit::OutOfRange);
    }
    Ok(if is_negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::encode::put_numeric;

    fn read(value: i128, written: u8, precision: u8, scale: u8) -> std::result::Result<i128, Unfit> {
        let mut out = BytesMut::new();
        put_numeric(&mut out, value, written);
        numeric(&out[4..], precision, scale)
    }

    #[test]
    fn decimals_are_read_as_they_are_written() {
        for value in [0, 1, 9, 10, 9_999, 10_000, 12_345_678, 10i128.pow(38) - 1] {
            for scale in [0, 1, 2, 3, 4, 5, 10, 38] {
                assert_eq!(read(value, scale, 38, scale), Ok(value), "{value} {scale}");
                assert_eq!(read(-value, scale, 38, scale), Ok(-value), "-{value} {scale}");
            }
        }
    }

    #[test]
    fn decimals_are_rounded_half_away_from_zero() {
        assert_eq!(read(12_345, 3, 10, 2), Ok(1235));
        assert_eq!(read(-12_345, 3, 10, 2), Ok(-1235));
        assert_eq!(read(12_344, 3, 10, 2), Ok(1234));
        assert_eq!(read(5, 1, 10, 0), Ok(1));
        assert_eq!(read(49, 2, 10, 0), Ok(0));
        assert_eq!(read(5, 5, 10, 4), Ok(1));
        assert_eq!(read(49_999, 9, 10, 4), Ok(0));
        assert_eq!(read(995, 1, 2, 0), Err(Unfit::OutOfRange));
        assert_eq!(numeric(&[0, 0, 0, 0, 0xc0, 0, 0, 0], 10, 0), Err(Unfit::OutOfRange));
        assert_eq!(numeric(&[0, 1, 0, 0, 0, 0, 0, 0], 10, 0), Err(Unfit::Garbled));
    }
}
