//! Casts among numbers and truth values, with Java's narrowing.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow_array::{ArrayRef, BooleanArray, Decimal128Array, PrimitiveArray};
use datafusion_common::Result;
use sluice_model::SqlType;

use crate::decimal;
use crate::error::bug;
use crate::types::as_decimal;

pub(super) fn convert(array: &ArrayRef, from: &SqlType, to: &SqlType) -> Result<ArrayRef> {
    match from {
        SqlType::Boolean => from_boolean(array.as_boolean(), to),
        SqlType::Float => from_double(&array.as_primitive::<Float32Type>().unary(f64::from), to),
        SqlType::Double => from_double(array.as_primitive::<Float64Type>(), to),
        SqlType::Decimal(_, scale) => from_decimal(crate::function::decimals(array)?, *scale, to),
        integer => {
            let (digits, _) = as_decimal(integer).unwrap_or((decimal::MAX_PRECISION, 0));
            from_integer(&widen(array)?, digits, to)
        }
    }
}

/// Any integer column as 64 bits.
pub(crate) fn widen(array: &ArrayRef) -> Result<PrimitiveArray<Int64Type>> {
    Ok(arrow_cast::cast(array, &arrow_schema::DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

fn map<S: ArrowPrimitiveType, T: ArrowPrimitiveType>(
    array: &PrimitiveArray<S>,
    convert: impl Fn(S::Native) -> T::Native,
) -> ArrayRef {
    Arc::new(array.unary::<_, T>(convert))
}

fn truth<S: ArrowPrimitiveType>(array: &PrimitiveArray<S>, is_true: impl FnMut(S::Native) -> bool) -> ArrayRef {
    Arc::new(BooleanArray::from_unary(array, is_true))
}

fn to_decimal<S: ArrowPrimitiveType>(
    array: &PrimitiveArray<S>,
    (precision, scale): (u8, u8),
    convert: impl Fn(S::Native) -> Option<i128>,
) -> Result<ArrayRef> {
    let values: Decimal128Array = array.unary_opt::<_, Decimal128Type>(convert);
    Ok(Arc::new(values.with_precision_and_scale(precision, scale as i8)?))
}

fn from_boolean(array: &BooleanArray, to: &SqlType) -> Result<ArrayRef> {
    let numbers: PrimitiveArray<Int64Type> = array.iter().map(|value| value.map(i64::from)).collect();
    from_integer(&numbers, 1, to)
}

/// `digits` is how many digits a number has at most.
fn from_integer(array: &PrimitiveArray<Int64Type>, digits: u8, to: &SqlType) -> Result<ArrayRef> {
    Ok(match to {
        SqlType::Boolean => truth(array, |value| value != 0),
        SqlType::TinyInt => map::<_, Int8Type>(array, |value| value as i8),
        SqlType::SmallInt => map::<_, Int16Type>(array, |value| value as i16),
        SqlType::Int => map::<_, Int32Type>(array, |value| value as i32),
        SqlType::BigInt => Arc::new(array.clone()),
        SqlType::Float => map::<_, Float32Type>(array, |value| value as f32),
        SqlType::Double => map::<_, Float64Type>(array, |value| value as f64),
        SqlType::Decimal(precision, scale) if precision.saturating_sub(*scale) >= digits => {
            let unit = decimal::power_of_ten(*scale).unwrap_or(1);
            let values = array.unary::<_, Decimal128Type>(|value| i128::from(value) * unit);
            Arc::new(values.with_precision_and_scale(*precision, *scale as i8)?)
        }
        SqlType::Decimal(precision, scale) => {
            to_decimal(array, (*precision, *scale), |value| decimal::rescale(i128::from(value), 0, *scale, *precision))?
        }
        other => return Err(bug(format!("no number casts to {other}"))),
    })
}

/// Java narrows to `byte` and `short` by way of `int`: `(short) 123456.78` is `-7616`.
fn from_double(array: &PrimitiveArray<Float64Type>, to: &SqlType) -> Result<ArrayRef> {
    Ok(match to {
        SqlType::Boolean => truth(array, |value| value != 0.0),
        SqlType::TinyInt => map::<_, Int8Type>(array, |value| value as i32 as i8),
        SqlType::SmallInt => map::<_, Int16Type>(array, |value| value as i32 as i16),
        SqlType::Int => map::<_, Int32Type>(array, |value| value as i32),
        SqlType::BigInt => map::<_, Int64Type>(array, |value| value as i64),
        SqlType::Float => map::<_, Float32Type>(array, |value| value as f32),
        SqlType::Double => Arc::new(array.clone()),
        SqlType::Decimal(precision, scale) => {
            to_decimal(array, (*precision, *scale), |value| decimal::from_double(value, *precision, *scale))?
        }
        other => return Err(bug(format!("no number casts to {other}"))),
    })
}

fn from_decimal(array: &Decimal128Array, scale: u8, to: &SqlType) -> Result<ArrayRef> {
    let unit = decimal::power_of_ten(scale).unwrap_or(1);
    Ok(match to {
        SqlType::Boolean => truth(array, |value| value != 0),
        SqlType::TinyInt => map::<_, Int8Type>(array, |value| (value / unit) as i8),
        SqlType::SmallInt => map::<_, Int16Type>(array, |value| (value / unit) as i16),
        SqlType::Int => map::<_, Int32Type>(array, |value| (value / unit) as i32),
        SqlType::BigInt => map::<_, Int64Type>(array, |value| (value / unit) as i64),
        SqlType::Float => map::<_, Float32Type>(array, |value| decimal::to_double(value, scale) as f32),
        SqlType::Double => map::<_, Float64Type>(array, |value| decimal::to_double(value, scale)),
        SqlType::Decimal(precision, to_scale) => {
            to_decimal(array, (*precision, *to_scale), |value| decimal::rescale(value, scale, *to_scale, *precision))?
        }
        other => return Err(bug(format!("no number casts to {other}"))),
    })
}
