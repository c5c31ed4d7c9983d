//! `+ - * / %` where DataFusion's differ: decimals, and the division of integers.
//!
//! | operation | scale | precision |
//! |---|---|---|
//! | `+ -` | `max(s1,s2)` | `max(p1-s1,p2-s2) + s + 1` |
//! | `*` | `s1+s2` | `p1+p2+1` |
//! | `/` | `max(6, s1+p2+1)` | `p1-s1+s2+s` |
//! | `%` | `max(s1,s2)` | `min(p1-s1,p2-s2) + s` |
//!
//! A precision above 38 is capped, at the cost of the scale but not below 6 digits of it. Results
//! are rounded HALF_UP; what does not fit is `NULL`; a division by zero is an error.
//! Source: Flink's `LogicalTypeMerging` and `DecimalDataUtils`.

mod kernels;

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_schema::DataType;
use datafusion_common::Result;
use datafusion_expr::{Operator, ScalarUDF};
use sluice_model::SqlType;

use crate::SessionInfo;
use crate::decimal::MAX_PRECISION;
use crate::error::bug;
use crate::function::{Arguments, Call, Definition, Function};
use crate::types::{as_decimal, common_type, is_numeric};

/// The operator on two decimals, or on two integers of one type, as a function of two arguments.
///
/// `None` where DataFusion's own operator means the same.
pub(crate) fn operator(op: Operator, on_decimals: bool, session: &SessionInfo) -> Option<Arc<ScalarUDF>> {
    let definition = match (op, on_decimals) {
        (Operator::Plus, true) => decimal("decimal_plus", "+", add_type, kernels::add),
        (Operator::Minus, true) => decimal("decimal_minus", "-", add_type, kernels::subtract),
        (Operator::Multiply, true) => decimal("decimal_multiply", "*", multiply_type, kernels::multiply),
        (Operator::Divide, true) => decimal("decimal_divide", "/", divide_type, kernels::divide).fallible(),
        (Operator::Modulo, true) => decimal("decimal_modulo", "%", modulo_type, kernels::modulo).fallible(),
        (Operator::Divide, false) => integer("integer_divide", "/", kernels::integer_divide),
        (Operator::Modulo, false) => integer("integer_modulo", "%", kernels::integer_modulo),
        _ => return None,
    };
    Some(Function::udf(definition, session))
}

fn decimal(
    name: &'static str,
    infix: &'static str,
    returns: fn(&Arguments<'_>) -> Result<SqlType>,
    kernel: crate::function::Kernel,
) -> Definition {
    Definition::new(name, &[], SqlType::Null, kernel).parameters(two_decimals).returns(returns).nullable().infix(infix)
}

fn integer(name: &'static str, infix: &'static str, kernel: crate::function::Kernel) -> Definition {
    Definition::new(name, &[], SqlType::Null, kernel).parameters(two_integers).same_as(0).fallible().infix(infix)
}

fn two_decimals(given: &[DataType]) -> Option<Vec<DataType>> {
    matches!(given, [DataType::Decimal128(..), DataType::Decimal128(..)]).then(|| given.to_vec())
}

fn two_integers(given: &[DataType]) -> Option<Vec<DataType>> {
    matches!(given, [a, b] if a == b && a.is_signed_integer()).then(|| given.to_vec())
}

/// `MOD(a, b)`: decimals, or integers of one type, or doubles.
pub(crate) fn modulo_parameters(given: &[DataType]) -> Option<Vec<DataType>> {
    let [left, right] = given else { return None };
    let types = [SqlType::of_arrow(left), SqlType::of_arrow(right)];
    let common = common_type(&types).filter(is_numeric)?;
    Some(match common {
        SqlType::Decimal(..) => {
            let exact = |sql_type: &SqlType| as_decimal(sql_type).map(|(p, s)| DataType::Decimal128(p, s as i8));
            types.iter().map(|sql_type| exact(sql_type).unwrap_or_else(|| common.to_arrow())).collect()
        }
        common => vec![common.to_arrow(); 2],
    })
}

/// The type of `MOD(a, b)`.
pub(crate) fn modulo_result(arguments: &Arguments<'_>) -> Result<SqlType> {
    match arguments.sql_type(0) {
        SqlType::Decimal(..) => modulo_type(arguments),
        other => Ok(other),
    }
}

/// `MOD(a, b)`, with the sign of `a`.
pub(crate) fn modulo_of_numbers(call: &Call<'_>) -> Result<ArrayRef> {
    match call.sql_type(0) {
        SqlType::Decimal(..) => kernels::modulo(call),
        SqlType::Float => kernels::remainders::<Float32Type>(call, |left, right| left % right),
        SqlType::Double => kernels::remainders::<Float64Type>(call, |left, right| left % right),
        _ => kernels::integer_modulo(call),
    }
}

/// Precision and scale of both operands.
fn operands(arguments: &Arguments<'_>) -> Result<[i32; 4]> {
    match (arguments.sql_type(0), arguments.sql_type(1)) {
        (SqlType::Decimal(p1, s1), SqlType::Decimal(p2, s2)) => Ok([p1, s1, p2, s2].map(i32::from)),
        _ => Err(bug("decimal arithmetic on something else")),
    }
}

/// Caps the precision at 38.
fn capped(precision: i32, scale: i32) -> SqlType {
    const MOST: i32 = MAX_PRECISION as i32;
    if precision <= MOST {
        return SqlType::Decimal(precision.max(1) as u8, scale as u8);
    }
    let scale = (MOST - (precision - scale)).max(scale.min(6));
    SqlType::Decimal(MAX_PRECISION, scale as u8)
}

fn add_type(arguments: &Arguments<'_>) -> Result<SqlType> {
    let [p1, s1, p2, s2] = operands(arguments)?;
    let scale = s1.max(s2);
    Ok(capped((p1 - s1).max(p2 - s2) + scale + 1, scale))
}

fn multiply_type(arguments: &Arguments<'_>) -> Result<SqlType> {
    let [p1, s1, p2, s2] = operands(arguments)?;
    Ok(capped(p1 + p2 + 1, s1 + s2))
}

fn divide_type(arguments: &Arguments<'_>) -> Result<SqlType> {
    let [p1, s1, p2, s2] = operands(arguments)?;
    let scale = (s1 + p2 + 1).max(6);
    Ok(capped(p1 - s1 + s2 + scale, scale))
}

fn modulo_type(arguments: &Arguments<'_>) -> Result<SqlType> {
    let [p1, s1, p2, s2] = operands(arguments)?;
    if s1 == 0 && s2 == 0 {
        return Ok(arguments.sql_type(1));
    }
    let scale = s1.max(s2);
    Ok(capped((p1 - s1).min(p2 - s2) + scale, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_the_precision_at_the_cost_of_the_scale() {
        assert_eq!(capped(20, 5), SqlType::Decimal(20, 5));
        assert_eq!(capped(41, 20), SqlType::Decimal(38, 17));
        assert_eq!(capped(77, 39), SqlType::Decimal(38, 6));
        assert_eq!(capped(60, 3), SqlType::Decimal(38, 3));
    }
}
