//! `ABS`, `SIGN`, `MOD`, `CEIL`, `FLOOR`, `ROUND` and `TRUNCATE`: they keep the type of their argument.
//!
//! | call | result |
//! |---|---|
//! | `ROUND(DECIMAL '2.345', 2)` | `2.35`, HALF_UP |
//! | `ROUND(147, -1)` | `150` |
//! | `TRUNCATE(42.324, 2)` | `42.32` |
//! | `CEIL(DECIMAL '1.2')` | `2`, of scale 0 |

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow_array::{ArrayRef, Decimal128Array};
use arrow_schema::DataType;
use datafusion_common::Result;
use sluice_model::SqlType;

use crate::arithmetic;
use crate::decimal;
use crate::error::bug;
use crate::function::{Arguments, Call, Definition, Kind, decimals};

pub(super) fn definitions() -> Vec<Definition> {
    use Kind::{Integer, Number};
    let keeping = |name, kernel| Definition::new(name, &[Number], SqlType::Null, kernel).same_as(0);
    vec![
        keeping("abs", |call| simple(call, Simple::Abs)),
        keeping("sign", |call| simple(call, Simple::Sign)),
        keeping("ceil", |call| simple(call, Simple::Ceil)).returns(whole_type).alias("ceiling"),
        keeping("floor", |call| simple(call, Simple::Floor)).returns(whole_type),
        keeping("round", |call| to_digits(call, Digits::Round)).or(&[Number, Integer]).returns(rounded_type).nullable(),
        keeping("truncate", |call| to_digits(call, Digits::Truncate))
            .or(&[Number, Integer])
            .returns(truncated_type)
            .nullable(),
        Definition::new("mod", &[], SqlType::Null, arithmetic::modulo_of_numbers)
            .parameters(arithmetic::modulo_parameters)
            .returns(arithmetic::modulo_result)
            .nullable()
            .fallible(),
    ]
}

#[derive(Clone, Copy, PartialEq)]
enum Simple {
    Abs,
    Sign,
    Ceil,
    Floor,
}

fn whole_type(arguments: &Arguments<'_>) -> Result<SqlType> {
    Ok(match arguments.sql_type(0) {
        SqlType::Decimal(precision, _) => SqlType::Decimal(precision, 0),
        other => other,
    })
}

fn simple(call: &Call<'_>, operation: Simple) -> Result<ArrayRef> {
    let array = call.array(0)?;
    macro_rules! integer {
        ($type:ty) => {
            match operation {
                Simple::Abs => map::<$type>(&array, |value| value.wrapping_abs()),
                Simple::Sign => map::<$type>(&array, |value| value.signum()),
                Simple::Ceil | Simple::Floor => Ok(Arc::clone(&array)),
            }
        };
    }
    match array.data_type() {
        DataType::Int8 => integer!(Int8Type),
        DataType::Int16 => integer!(Int16Type),
        DataType::Int32 => integer!(Int32Type),
        DataType::Int64 => integer!(Int64Type),
        DataType::Float32 => map::<Float32Type>(&array, |value| simple_double(f64::from(value), operation) as f32),
        DataType::Float64 => map::<Float64Type>(&array, |value| simple_double(value, operation)),
        DataType::Decimal128(_, scale) => simple_decimal(&array, *scale as u8, operation, call),
        other => Err(bug(format!("{other} is not a number"))),
    }
}

fn map<T: ArrowPrimitiveType>(array: &ArrayRef, value: impl Fn(T::Native) -> T::Native) -> Result<ArrayRef> {
    Ok(Arc::new(array.as_primitive::<T>().unary::<_, T>(value)))
}

fn simple_double(value: f64, operation: Simple) -> f64 {
    match operation {
        Simple::Abs => value.abs(),
        // Unlike Rust's, the sign of 0 is 0.
        Simple::Sign if value == 0.0 => value,
        Simple::Sign => value.signum(),
        Simple::Ceil => value.ceil(),
        Simple::Floor => value.floor(),
    }
}

fn simple_decimal(array: &ArrayRef, scale: u8, operation: Simple, call: &Call<'_>) -> Result<ArrayRef> {
    let unit = decimal::power_of_ten(scale).unwrap_or(1);
    let result: Decimal128Array = decimals(array)?.unary(|value| match operation {
        Simple::Abs => value.abs(),
        Simple::Sign => value.signum() * unit,
        Simple::Ceil => -(-value).div_euclid(unit),
        Simple::Floor => value.div_euclid(unit),
    });
    Ok(Arc::new(result.with_data_type(call.return_type.clone())))
}

#[derive(Clone, Copy, PartialEq)]
enum Digits {
    Round,
    Truncate,
}

/// `ROUND` of a decimal to a constant number of digits has as many; a carry needs one more in front.
fn rounded_type(arguments: &Arguments<'_>) -> Result<SqlType> {
    let SqlType::Decimal(precision, scale) = arguments.sql_type(0) else { return Ok(arguments.sql_type(0)) };
    let digits = if arguments.sql_types().len() == 1 { Some(0) } else { arguments.constant_integer(1) };
    Ok(match digits {
        None => SqlType::Decimal(precision, scale),
        Some(digits) if digits >= i64::from(scale) => SqlType::Decimal(precision, scale),
        Some(digits) if digits < 0 => SqlType::Decimal((1 + precision - scale).min(38), 0),
        Some(digits) => SqlType::Decimal((1 + precision - scale + digits as u8).min(38), digits as u8),
    })
}

fn truncated_type(arguments: &Arguments<'_>) -> Result<SqlType> {
    rounded_type(arguments)
}

fn to_digits(call: &Call<'_>, operation: Digits) -> Result<ArrayRef> {
    let digits = (call.len() > 1).then(|| call.integers(1)).transpose()?;
    let digits = |row| digits.as_ref().map_or(Some(0), |digits| digits.get(row));
    macro_rules! integer {
        ($type:ty) => {{
            let values = call.primitives::<$type>(0)?;
            call.primitive::<$type>(|row| {
                let both = values.get(row).zip(digits(row));
                Ok(both.map(|(value, digits)| cut(i128::from(value), 0, digits, operation) as _))
            })
        }};
    }
    match call.cells_of_any(0)?.array().data_type() {
        DataType::Int8 => integer!(Int8Type),
        DataType::Int16 => integer!(Int16Type),
        DataType::Int32 => integer!(Int32Type),
        DataType::Int64 => integer!(Int64Type),
        DataType::Float32 => {
            let values = call.primitives::<Float32Type>(0)?;
            call.primitive::<Float32Type>(|row| {
                let both = values.get(row).zip(digits(row));
                Ok(both.map(|(value, digits)| cut_double(f64::from(value), digits, operation) as f32))
            })
        }
        DataType::Float64 => {
            let values = call.doubles(0)?;
            call.primitive::<Float64Type>(|row| {
                Ok(values.get(row).zip(digits(row)).map(|(value, digits)| cut_double(value, digits, operation)))
            })
        }
        DataType::Decimal128(_, scale) => decimal_to_digits(call, *scale as u8, digits, operation),
        other => Err(bug(format!("{other} is not a number"))),
    }
}

fn decimal_to_digits(
    call: &Call<'_>,
    from: u8,
    digits: impl Fn(usize) -> Option<i64>,
    operation: Digits,
) -> Result<ArrayRef> {
    let SqlType::Decimal(precision, to) = call.returns else { return Err(bug("a decimal rounds to a decimal")) };
    let values = call.primitives::<Decimal128Type>(0)?;
    call.primitive::<Decimal128Type>(|row| {
        let both = values.get(row).zip(digits(row));
        Ok(both.and_then(|(value, digits)| decimal::rescale(cut(value, from, digits, operation), from, to, precision)))
    })
}

/// Zeroes the digits after the given one, counted from the point.
fn cut(value: i128, scale: u8, digits: i64, operation: Digits) -> i128 {
    let dropped = i64::from(scale) - digits;
    if dropped <= 0 {
        return value;
    }
    let Some(unit) = u8::try_from(dropped).ok().and_then(decimal::power_of_ten) else { return 0 };
    match operation {
        Digits::Round => decimal::divide_half_up(value, unit).saturating_mul(unit),
        Digits::Truncate => value / unit * unit,
    }
}

/// On the shortest decimal text of a double, as `BigDecimal.valueOf` sees it.
fn cut_double(value: f64, digits: i64, operation: Digits) -> f64 {
    const PRECISE: f64 = 1e15;
    if !value.is_finite() || digits > 17 || (digits >= 0 && value.abs() >= PRECISE * 10.0) {
        return value;
    }
    // 38 digits are enough for what is left: fewer than 17 in front of the point and at most 18 behind it.
    const SCALE: u8 = 18;
    match decimal::from_double(value, 38, SCALE) {
        Some(exact) => decimal::to_double(cut(exact, SCALE, digits, operation), SCALE),
        None => cut_large(value, digits, operation),
    }
}

/// More than 20 digits in front of the point: only digits far left of it are cut.
fn cut_large(value: f64, digits: i64, operation: Digits) -> f64 {
    let unit = 10f64.powi(i32::try_from(-digits).unwrap_or(i32::MAX));
    let quotient = value / unit;
    let whole = if operation == Digits::Round { quotient.round() } else { quotient.trunc() };
    if unit.is_finite() { whole * unit } else { 0.0 }
}
