//! Gives a plan Flink's meaning: what DataFusion would do differently is replaced by calls.
//!
//! ```text
//! SELECT CAST(s AS INT) / 2, d1 * d2 FROM t WHERE n = '5' AND s LIKE 'a\b%'
//! ──▶ integer_divide(CAST(s AS INT), 2), decimal_multiply(d1, d2)
//!     WHERE n = CAST('5' AS INT) AND s LIKE 'a\\b%'
//! ```
//!
//! Names of columns stay what they were, and DataFusion's type coercion finds nothing left to do
//! but to widen numbers.

mod conditional;
mod guard;
mod interval;
mod operators;
mod pattern;
mod plan;

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::expr::{Alias, ScalarFunction};
use datafusion_expr::{Expr, ExprSchemable, ScalarUDF, lit};
use sluice_model::SqlType;

use crate::cast::{CastFunction, cast};
use crate::decimal::{MAX_PRECISION, fit, power_of_ten};
use crate::error::fix;
use crate::json::marked_clause;
use crate::types::type_of;
use crate::{SessionInfo, function::Function, misc, text};

pub(crate) use interval::{IntervalCall, interval_call};

/// Gives every expression of a plan Flink's meaning. Run it before DataFusion's type coercion.
///
/// Names of the output columns stay, schemas are computed anew, and binding twice changes nothing.
///
/// # Errors
/// An expression whose types do not go together.
pub fn bind_plan(plan: datafusion_expr::LogicalPlan, session: &SessionInfo) -> Result<datafusion_expr::LogicalPlan> {
    plan::bind(plan, &Binder::new(session))
}

/// Gives one expression Flink's meaning.
///
/// # Errors
/// Types that do not go together.
pub fn bind_expr(expr: Expr, schema: &DFSchema, session: &SessionInfo) -> Result<Expr> {
    Binder::new(session).bind(expr, schema)
}

/// The calls that binding puts into expressions.
struct Binder<'s> {
    session: &'s SessionInfo,
    like: Arc<ScalarUDF>,
    similar_to: Arc<ScalarUDF>,
    to_flag: Arc<ScalarUDF>,
    to_truth: Arc<ScalarUDF>,
}

impl<'s> Binder<'s> {
    fn new(session: &'s SessionInfo) -> Self {
        Self {
            session,
            like: Function::udf(text::like::like(), session),
            similar_to: Function::udf(text::like::similar_to(), session),
            to_flag: Function::udf(misc::to_flag(), session),
            to_truth: Function::udf(misc::to_truth(), session),
        }
    }

    fn bind(&self, expr: Expr, schema: &DFSchema) -> Result<Expr> {
        let bound = expr.transform_up(|expr| self.bind_node(expr, schema))?.data;
        guard::guard(bound, schema, self)
    }

    /// One node whose children are bound.
    fn bind_node(&self, expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        let bound = match expr {
            Expr::Cast(node) => {
                let from = type_of(&node.expr, schema)?;
                cast(*node.expr, &from, &SqlType::of_field(&node.field), false, self.session)?
            }
            Expr::TryCast(node) => {
                let from = type_of(&node.expr, schema)?;
                cast(*node.expr, &from, &SqlType::of_field(&node.field), true, self.session)?
            }
            Expr::Literal(value, metadata) => {
                let number = exact_number(&value)?;
                let changed = number.is_some();
                return Ok(Transformed::new_transformed(Expr::Literal(number.unwrap_or(value), metadata), changed));
            }
            Expr::BinaryExpr(node) => self.bind_binary(node, schema)?,
            Expr::Negative(operand) => self.bind_negative(*operand, schema)?,
            Expr::Between(node) => self.bind_between(node, schema)?,
            Expr::InList(node) => self.bind_in_list(node, schema)?,
            Expr::Like(node) => self.bind_like(node, schema)?,
            Expr::SimilarTo(node) => self.bind_similar_to(node, schema)?,
            Expr::Case(node) => self.bind_case(node, schema)?,
            Expr::ScalarFunction(node) => self.bind_function(node, schema)?,
            other => return Ok(Transformed::no(other)),
        };
        Ok(Transformed::yes(bound))
    }

    fn bind_function(&self, ScalarFunction { func, args }: ScalarFunction, schema: &DFSchema) -> Result<Expr> {
        if let (Some(cast), [value]) = (func.inner().downcast_ref::<CastFunction>(), args.as_slice())
            && type_of(value, schema)? == *cast.target()
        {
            return Ok(value.clone());
        }
        if let ("__cell", [value]) | ("__as", [_, value]) = (func.name(), args.as_slice()) {
            return Ok(value.clone());
        }
        let args = coerce_literals(&func, args, schema)?;
        match (func.name(), args.as_slice()) {
            ("if", [_, _, _]) => self.bind_if(args, schema),
            ("coalesce", [_, ..]) | ("ifnull", [_, _]) => self.bind_coalesce(args, schema),
            ("__overlaps", [_, _, _, _]) => self.bind_overlaps(args, schema),
            ("nullif", [_, _]) => self.bind_null_if(args, schema),
            ("__json_object" | "__json_array", [Expr::Literal(ScalarValue::Utf8(Some(clause)), _), values @ ..]) => {
                let is_json = std::iter::once(false).chain(values.iter().map(makes_json));
                let mut args = args.clone();
                args[0] = lit(marked_clause(clause, is_json));
                Ok(Expr::ScalarFunction(ScalarFunction::new_udf(func, args)))
            }
            ("typeof", [value] | [value, _]) => {
                let sql_type = type_of(value, schema)?;
                let not_null = if value.nullable(schema)? { "" } else { " NOT NULL" };
                Ok(lit(format!("{sql_type}{not_null}")))
            }
            _ => Ok(Expr::ScalarFunction(ScalarFunction::new_udf(func, args))),
        }
    }

    fn cast_to(&self, expr: Expr, to: &SqlType, schema: &DFSchema) -> Result<Expr> {
        let from = type_of(&expr, schema)?;
        cast(expr, &from, to, false, self.session)
    }

    /// Labels an expression with the precision of its type, where Arrow's type says another one.
    fn with_detail(&self, expr: Expr, wanted: &SqlType, schema: &DFSchema) -> Result<Expr> {
        match wanted {
            SqlType::Timestamp(_) | SqlType::TimestampLtz(_) | SqlType::Time(_) => self.cast_to(expr, wanted, schema),
            _ => Ok(expr),
        }
    }
}

/// A number literal in a type that Flink has, where the parser chose one that it has not.
fn exact_number(value: &ScalarValue) -> Result<Option<ScalarValue>> {
    let too_long = || fix("a number of more than 38 digits does not fit DECIMAL");
    Ok(match value {
        ScalarValue::UInt64(Some(number)) => {
            let digits = number.checked_ilog10().unwrap_or(0) as u8 + 1;
            Some(ScalarValue::Decimal128(Some(i128::from(*number)), digits, 0))
        }
        ScalarValue::Decimal128(Some(number), precision, scale) if *scale < 0 => {
            let zeros = scale.unsigned_abs();
            let number = power_of_ten(zeros).and_then(|unit| number.checked_mul(unit)).ok_or_else(too_long)?;
            let precision = (*precision + zeros).min(MAX_PRECISION);
            Some(ScalarValue::Decimal128(Some(fit(number, precision).ok_or_else(too_long)?), precision, 0))
        }
        ScalarValue::Decimal256(Some(_), ..) => return Err(too_long()),
        _ => None,
    })
}

/// Literal arguments in the types that a function takes, so that it still finds literals after type coercion.
fn coerce_literals(func: &ScalarUDF, args: Vec<Expr>, schema: &DFSchema) -> Result<Vec<Expr>> {
    let is_literal = |arg: &Expr| matches!(arg, Expr::Literal(..));
    if func.inner().downcast_ref::<Function>().is_none() || !args.iter().any(is_literal) {
        return Ok(args);
    }
    let given = args.iter().map(|arg| arg.get_type(schema)).collect::<Result<Vec<_>>>()?;
    let wanted = func.coerce_types(&given)?;
    let coerced = args.into_iter().zip(wanted).map(|(arg, wanted)| match arg {
        Expr::Literal(value, metadata) if value.data_type() != wanted => {
            Ok(Expr::Literal(value.cast_to(&wanted)?, metadata))
        }
        arg => Ok(arg),
    });
    coerced.collect()
}

fn call(function: &Arc<ScalarUDF>, args: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(function), args))
}

/// Whether an expression is a call whose result is JSON.
fn makes_json(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarFunction(function) => function.func.name().starts_with("__json_"),
        Expr::Alias(Alias { expr, .. }) => makes_json(expr),
        _ => false,
    }
}

/// The text of a string literal, looking through its name.
fn literal_text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => Some(text),
        Expr::Alias(Alias { expr, .. }) => literal_text(expr),
        _ => None,
    }
}
