//! Which function arithmetic of times and intervals stands for.
//!
//! DataFusion's differences are in a type that SQL has not, its sums mix months and days, and it multiplies no
//! intervals. What adds an interval to a time is left to it.

use datafusion_common::{DFSchema, Result};
use datafusion_expr::planner::RawBinaryExpr;
use datafusion_expr::sqlparser::ast::BinaryOperator;
use datafusion_expr::{Expr, Operator};
use sluice_model::{Error, SqlType};

use super::operators::{incompatible, is_interval};
use crate::error::external;
use crate::types::{is_numeric, is_temporal, type_of};

/// A function in place of an operator.
pub(crate) struct IntervalCall {
    pub(crate) name: &'static str,
    /// The interval stands on the right side of the operator, and comes first in the call.
    pub(crate) swapped: bool,
}

/// The function of an arithmetic operation on intervals, or on two times.
///
/// # Errors
/// Types that do not go together.
pub(crate) fn interval_call(raw: &RawBinaryExpr, schema: &DFSchema) -> Result<Option<IntervalCall>> {
    let Some(op) = arithmetic(&raw.op) else { return Ok(None) };
    let Ok(right) = type_of(&raw.right, schema) else { return Ok(None) };
    let is_scaling = matches!(op, Operator::Multiply | Operator::Divide);
    // A chain of operators grows to the left: its type is asked for only where the right side calls for it.
    let is_length = |sql_type: &SqlType| is_numeric(sql_type) || *sql_type == SqlType::Null;
    let asks = is_temporal(&right) || is_interval(&right) || (is_length(&right) && !is_chain(&raw.left));
    let Some(left) = asks.then(|| type_of(&raw.left, schema).ok()).flatten() else { return Ok(None) };
    let is_time = is_temporal(&left) || is_interval(&left);
    let call = |name| Ok(Some(IntervalCall { name, swapped: false }));
    match op {
        Operator::Minus if is_difference(&left, &right) => call("__minus"),
        Operator::Plus | Operator::Minus if is_interval(&left) && left == right => {
            call(if op == Operator::Plus { "__interval_plus" } else { "__interval_minus" })
        }
        Operator::Multiply if is_interval(&left) && is_length(&right) => call("__interval_times"),
        Operator::Divide if is_interval(&left) && is_length(&right) => call("__interval_divide"),
        Operator::Multiply if is_length(&left) && is_interval(&right) => {
            Ok(Some(IntervalCall { name: "__interval_times", swapped: true }))
        }
        _ if is_interval(&left) && is_interval(&right) => Err(different_intervals(op, &left, &right)),
        _ if !is_time && is_length(&right) => Ok(None),
        _ if is_numeric(&left) || (is_time && is_numeric(&right)) => Err(no_number(op, &left, &right)),
        Operator::Plus if is_temporal(&left) && is_temporal(&right) => Err(incompatible(op, &left, &right)),
        Operator::Minus if is_interval(&left) && is_temporal(&right) => Err(incompatible(op, &left, &right)),
        _ if left == SqlType::Boolean || (is_time && is_scaling) => Err(incompatible(op, &left, &right)),
        _ => Ok(None),
    }
}

fn arithmetic(op: &BinaryOperator) -> Option<Operator> {
    Some(match op {
        BinaryOperator::Plus => Operator::Plus,
        BinaryOperator::Minus => Operator::Minus,
        BinaryOperator::Multiply => Operator::Multiply,
        BinaryOperator::Divide => Operator::Divide,
        _ => return None,
    })
}

/// Whether `left - right` is the time between two: of an untyped `NULL` too.
fn is_difference(left: &SqlType, right: &SqlType) -> bool {
    let is_null = |sql_type: &SqlType| *sql_type == SqlType::Null;
    (is_temporal(left) && (is_temporal(right) || is_null(right))) || (is_null(left) && is_temporal(right))
}

fn is_chain(left: &Expr) -> bool {
    matches!(left, Expr::BinaryExpr(_))
}

fn no_number(op: Operator, left: &SqlType, right: &SqlType) -> datafusion_common::DataFusionError {
    let error = Error::fix(format!("cannot apply '{op}' to {left} and {right}"));
    external(error.with_hint("to add or subtract days, write INTERVAL '1' DAY; an interval is multiplied by a number"))
}

fn different_intervals(op: Operator, left: &SqlType, right: &SqlType) -> datafusion_common::DataFusionError {
    let error = Error::fix(format!("cannot apply '{op}' to {left} and {right}"));
    external(if left == right {
        error
    } else {
        error
            .because("a month is no fixed number of days")
            .with_hint("add both to a time: ts + INTERVAL '1' MONTH + INTERVAL '1' DAY")
    })
}
