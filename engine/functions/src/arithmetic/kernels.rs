//! Arithmetic over columns of decimals and integers.

use std::sync::Arc;

use arrow_array::builder::PrimitiveBuilder;
use arrow_array::types::{ArrowPrimitiveType, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_buffer::{NullBuffer, i256};
use datafusion_common::Result;
use sluice_model::SqlType;

use crate::decimal::{self, MAX_PRECISION};
use crate::error::{bug, division_by_zero};
use crate::function::{Call, Cells, Rows};

/// Two columns of decimals and the type of the result.
struct Operands {
    left: Cells<PrimitiveArray<Decimal128Type>>,
    right: Cells<PrimitiveArray<Decimal128Type>>,
    scales: [u8; 2],
    precision: u8,
    scale: u8,
}

impl Operands {
    fn new(call: &Call<'_>) -> Result<Self> {
        let (SqlType::Decimal(_, s1), SqlType::Decimal(_, s2), SqlType::Decimal(precision, scale)) =
            (call.sql_type(0), call.sql_type(1), call.returns.clone())
        else {
            return Err(bug("decimal arithmetic on something else"));
        };
        Ok(Self { left: call.primitives(0)?, right: call.primitives(1)?, scales: [s1, s2], precision, scale })
    }

    /// Whether no digit can be lost, so that 128 bits are enough.
    fn is_exact(&self, scale: u8) -> bool {
        self.scale == scale && self.precision < MAX_PRECISION
    }

    /// A value of every row that has both operands, computed by the column: `value` is also asked about what lies
    /// under NULL.
    fn map_exact(&self, call: &Call<'_>, value: impl Fn(i128, i128) -> i128) -> Result<ArrayRef> {
        let (left, right) = (self.left.of_all_rows(), self.right.of_all_rows());
        let values: PrimitiveArray<Decimal128Type> = match (left, right) {
            (Rows::Column(left), Rows::Column(right)) => {
                let values = left.values().iter().zip(right.values()).map(|(left, right)| value(*left, *right));
                PrimitiveArray::try_new(values.collect(), NullBuffer::union(left.nulls(), right.nulls()))?
            }
            (Rows::Column(left), Rows::Constant(right)) => left.unary(|left| value(left, right)),
            (Rows::Constant(left), Rows::Column(right)) => right.unary(|right| value(left, right)),
            (Rows::Constant(left), Rows::Constant(right)) => PrimitiveArray::from_value(value(left, right), call.rows),
            (Rows::Null, _) | (_, Rows::Null) => PrimitiveArray::new_null(call.rows),
        };
        Ok(Arc::new(values.with_data_type(call.return_type.clone())))
    }

    fn map(&self, call: &Call<'_>, value: impl Fn(i128, i128) -> Option<i128>) -> Result<ArrayRef> {
        call.primitive::<Decimal128Type>(|row| {
            Ok(self.left.get(row).zip(self.right.get(row)).and_then(|(left, right)| value(left, right)))
        })
    }
}

pub(super) fn add(call: &Call<'_>) -> Result<ArrayRef> {
    sum(call, i128::wrapping_add, i256::checked_add)
}

pub(super) fn subtract(call: &Call<'_>) -> Result<ArrayRef> {
    sum(call, i128::wrapping_sub, i256::checked_sub)
}

fn sum(call: &Call<'_>, exact: fn(i128, i128) -> i128, wide: fn(i256, i256) -> Option<i256>) -> Result<ArrayRef> {
    let operands = Operands::new(call)?;
    let [s1, s2] = operands.scales;
    let scale = s1.max(s2);
    if operands.is_exact(scale) {
        let up = |from: u8| decimal::power_of_ten(scale - from).unwrap_or(1);
        let (up1, up2) = (up(s1), up(s2));
        return operands.map_exact(call, |left, right| exact(left.wrapping_mul(up1), right.wrapping_mul(up2)));
    }
    let up = |value: i128, from: u8| i256::from_i128(value).checked_mul(decimal::wide_power_of_ten(scale - from)?);
    operands.map(call, |left, right| {
        let total = wide(up(left, s1)?, up(right, s2)?)?;
        decimal::rescale_wide(total, scale, operands.scale, operands.precision)
    })
}

pub(super) fn multiply(call: &Call<'_>) -> Result<ArrayRef> {
    let operands = Operands::new(call)?;
    let scale = operands.scales[0] + operands.scales[1];
    if operands.is_exact(scale) {
        return operands.map_exact(call, i128::wrapping_mul);
    }
    operands.map(call, |left, right| {
        let product = i256::from_i128(left).checked_mul(i256::from_i128(right))?;
        decimal::rescale_wide(product, scale, operands.scale, operands.precision)
    })
}

pub(super) fn divide(call: &Call<'_>) -> Result<ArrayRef> {
    let operands = Operands::new(call)?;
    let [s1, s2] = operands.scales;
    // left / 10^s1 / (right / 10^s2) in units of 10^-scale; the type rules keep this from being negative.
    let shift = (operands.scale + s2).saturating_sub(s1);
    let unit = decimal::wide_power_of_ten(shift);
    refuse_zero(call, &operands)?;
    operands.map(call, |left, right| {
        // An overflow of 256 bits means a quotient of more than 38 digits.
        let dividend = i256::from_i128(left).checked_mul(unit?)?;
        let quotient = decimal::divide_half_up_wide(dividend, i256::from_i128(right))?;
        decimal::fit(quotient.to_i128()?, operands.precision)
    })
}

pub(super) fn modulo(call: &Call<'_>) -> Result<ArrayRef> {
    let operands = Operands::new(call)?;
    let [s1, s2] = operands.scales;
    let scale = s1.max(s2);
    refuse_zero(call, &operands)?;
    let up = |value: i128, from: u8| i256::from_i128(value).checked_mul(decimal::wide_power_of_ten(scale - from)?);
    operands.map(call, |left, right| {
        let remainder = up(left, s1)?.checked_rem(up(right, s2)?)?;
        decimal::rescale_wide(remainder, scale, operands.scale, operands.precision)
    })
}

fn refuse_zero(call: &Call<'_>, operands: &Operands) -> Result<()> {
    let by_zero = |row| operands.left.position(row).is_some() && operands.right.get(row) == Some(0);
    if (0..call.rows).any(by_zero) { Err(division_by_zero()) } else { Ok(()) }
}

pub(super) fn integer_divide(call: &Call<'_>) -> Result<ArrayRef> {
    match call.returns {
        SqlType::TinyInt => quotients::<Int8Type>(call, i8::wrapping_div),
        SqlType::SmallInt => quotients::<Int16Type>(call, i16::wrapping_div),
        SqlType::Int => quotients::<Int32Type>(call, i32::wrapping_div),
        _ => quotients::<Int64Type>(call, i64::wrapping_div),
    }
}

pub(super) fn integer_modulo(call: &Call<'_>) -> Result<ArrayRef> {
    match call.returns {
        SqlType::TinyInt => quotients::<Int8Type>(call, i8::wrapping_rem),
        SqlType::SmallInt => quotients::<Int16Type>(call, i16::wrapping_rem),
        SqlType::Int => quotients::<Int32Type>(call, i32::wrapping_rem),
        _ => quotients::<Int64Type>(call, i64::wrapping_rem),
    }
}

/// Rows with a `NULL` on either side are not divided.
fn quotients<T: ArrowPrimitiveType>(call: &Call<'_>, divide: fn(T::Native, T::Native) -> T::Native) -> Result<ArrayRef>
where
    T::Native: Default + PartialEq,
{
    let (left, right) = (call.primitives::<T>(0)?, call.primitives::<T>(1)?);
    let mut builder = PrimitiveBuilder::<T>::with_capacity(call.rows);
    for row in 0..call.rows {
        let value = match (left.get(row), right.get(row)) {
            (Some(_), Some(divisor)) if divisor == T::Native::default() => return Err(division_by_zero()),
            (Some(dividend), Some(divisor)) => Some(divide(dividend, divisor)),
            _ => None,
        };
        builder.append_option(value);
    }
    Ok(Arc::new(builder.finish()))
}

/// Remainders of floating-point numbers; by zero they are `NaN`.
pub(super) fn remainders<T: ArrowPrimitiveType>(
    call: &Call<'_>,
    remainder: fn(T::Native, T::Native) -> T::Native,
) -> Result<ArrayRef> {
    let (left, right) = (call.primitives::<T>(0)?, call.primitives::<T>(1)?);
    call.primitive::<T>(|row| Ok(left.get(row).zip(right.get(row)).map(|(left, right)| remainder(left, right))))
}
