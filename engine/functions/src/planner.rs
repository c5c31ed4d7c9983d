//! Syntax that is not written as a function call: `EXTRACT(YEAR FROM t)`, `ARRAY[1, 2]`, `r.f`.
//!
//! | SQL | call |
//! |---|---|
//! | `EXTRACT(unit FROM t)` | `extract('UNIT', t)` |
//! | `SUBSTRING(s FROM p FOR n)` | `substring(s, p, n)` |
//! | `POSITION(a IN s)` | `instr(s, a)` |
//! | `OVERLAY(s PLACING r FROM p FOR n)` | `overlay(s, r, p, n)` |
//! | `ARRAY[a, b]`, `MAP[k, v]`, `ROW(a, b)` | `array(a, b)`, `map(k, v)`, `row(a, b)` |
//! | `COUNT(*)` | `count(1)` |
//! | `t1 - t2`, `i + j`, `i * 2` | calls of [`crate::time`], where one side is a time or an interval |
//! | `a[i]`, `m[k]`, `r.f` | `item(a, i)`, `item(m, k)`, `item(r, 'f')` |

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field};
use datafusion_common::{Column, DFSchema, Result, ScalarValue, TableReference};
use datafusion_expr::expr::{AggregateFunction, ScalarFunction};
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::planner::{
    ExprPlanner, PlannerResult, RawAggregateExpr, RawBinaryExpr, RawDictionaryExpr, RawFieldAccessExpr, RawWindowExpr,
};
use datafusion_expr::sqlparser::ast::BinaryOperator;
use datafusion_expr::type_coercion::binary::BinaryTypeCoercer;
use datafusion_expr::utils::COUNT_STAR_EXPANSION;
use datafusion_expr::{Expr, ExprSchemable, GetFieldAccess, Operator, ScalarUDF, cast, lit};
use sluice_model::SqlType;

use crate::aggregate::check_call;
use crate::bind::IntervalCall;
use crate::error::{bug, fix};
use crate::types::as_decimal;
use crate::window::plan_value;
use crate::{SessionInfo, scalar_functions};

/// The planner of Flink's expression syntax, for `ContextProvider::get_expr_planners`.
pub fn expr_planner(session: &SessionInfo) -> Arc<dyn ExprPlanner> {
    let functions = scalar_functions(session).into_iter().map(|function| (function.name().to_owned(), function));
    Arc::new(FlinkExprPlanner { functions: functions.collect(), session: session.clone() })
}

/// Whether the arguments of `COUNT` are `*`, or none.
#[allow(deprecated, reason = "the parser has no other form of it")]
fn is_all_rows(args: &[Expr]) -> bool {
    matches!(args, [] | [Expr::Wildcard { .. }])
}

/// `COUNT(*)` as `count(1)`, under its own name.
fn count_rows(RawAggregateExpr { func, args, distinct, filter, order_by, null_treatment }: RawAggregateExpr) -> Expr {
    let call = |args| {
        let (filter, order_by) = (filter.clone(), order_by.clone());
        Expr::AggregateFunction(AggregateFunction::new_udf(
            Arc::clone(&func),
            args,
            distinct,
            filter,
            order_by,
            null_treatment,
        ))
    };
    let name = NamePreserver::new_for_projection().save(&call(args));
    name.restore(call(vec![Expr::Literal(COUNT_STAR_EXPANSION, None)]))
}

#[derive(Debug)]
struct FlinkExprPlanner {
    session: SessionInfo,
    functions: HashMap<String, Arc<ScalarUDF>>,
}

impl FlinkExprPlanner {
    fn call(&self, name: &str, args: Vec<Expr>) -> Result<Expr> {
        let function = self.functions.get(name).ok_or_else(|| bug(format!("there is no function {name}")))?;
        Ok(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(function), args)))
    }

    /// Products and quotients of decimals of so many digits that DataFusion's operator cannot tell their type.
    fn of_long_decimals(&self, raw: &RawBinaryExpr, schema: &DFSchema) -> Result<Option<Expr>> {
        let op = match raw.op {
            BinaryOperator::Multiply => Operator::Multiply,
            BinaryOperator::Divide => Operator::Divide,
            _ => return Ok(None),
        };
        let types = [raw.left.get_type(schema)?, raw.right.get_type(schema)?];
        let are_decimals = types.iter().any(|data_type| matches!(data_type, DataType::Decimal128(..)));
        if !are_decimals || BinaryTypeCoercer::new(&types[0], &op, &types[1]).get_result_type().is_ok() {
            return Ok(None);
        }
        let exact = |side: &Expr, data_type: &DataType| {
            let digits = as_decimal(&SqlType::of_arrow(data_type));
            digits.map(|(precision, scale)| cast(side.clone(), DataType::Decimal128(precision, scale as i8)))
        };
        let operands = exact(&raw.left, &types[0]).zip(exact(&raw.right, &types[1]));
        let operator = crate::arithmetic::operator(op, true, &self.session);
        Ok(operands.zip(operator).map(|((left, right), operator)| {
            Expr::ScalarFunction(ScalarFunction::new_udf(operator, vec![left, right]))
        }))
    }

    fn plan<T>(&self, name: &str, args: Vec<Expr>) -> Result<PlannerResult<T>> {
        self.call(name, args).map(PlannerResult::Planned)
    }
}

impl ExprPlanner for FlinkExprPlanner {
    fn plan_aggregate(&self, call: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        check_call(&call)?;
        if call.func.name() == "count" && is_all_rows(&call.args) {
            return Ok(PlannerResult::Planned(count_rows(call)));
        }
        Ok(PlannerResult::Original(call))
    }

    fn plan_window(&self, mut call: RawWindowExpr) -> Result<PlannerResult<RawWindowExpr>> {
        if call.func_def.name() == "count" && is_all_rows(&call.args) {
            call.args = vec![Expr::Literal(COUNT_STAR_EXPANSION, None)];
        }
        Ok(PlannerResult::Original(plan_value(call)?))
    }

    fn plan_binary_op(&self, raw: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if let Some(call) = self.of_long_decimals(&raw, schema)? {
            return Ok(PlannerResult::Planned(call));
        }
        match crate::bind::interval_call(&raw, schema)? {
            Some(IntervalCall { name, swapped }) => {
                let RawBinaryExpr { left, right, .. } = raw;
                self.plan(name, if swapped { vec![right, left] } else { vec![left, right] })
            }
            None => Ok(PlannerResult::Original(raw)),
        }
    }

    fn plan_field_access(
        &self,
        RawFieldAccessExpr { expr, field_access }: RawFieldAccessExpr,
        _schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        match field_access {
            GetFieldAccess::NamedStructField { name } => self.plan("item", vec![expr, lit(name)]),
            GetFieldAccess::ListIndex { key } => self.plan("item", vec![expr, *key]),
            GetFieldAccess::ListRange { .. } => {
                Err(fix("a slice of an array is not written a[x:y]; use ARRAY_SLICE(a, x, y)"))
            }
        }
    }

    fn plan_array_literal(&self, exprs: Vec<Expr>, _schema: &DFSchema) -> Result<PlannerResult<Vec<Expr>>> {
        self.plan("array", exprs)
    }

    fn plan_position(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        self.plan("instr", args)
    }

    fn plan_dictionary_literal(
        &self,
        expr: RawDictionaryExpr,
        _schema: &DFSchema,
    ) -> Result<PlannerResult<RawDictionaryExpr>> {
        let entries = expr.keys.into_iter().zip(expr.values).flat_map(|(key, value)| [key, value]);
        self.plan("map", entries.collect())
    }

    fn plan_extract(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        self.plan("extract", args)
    }

    fn plan_substring(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        self.plan("substring", args)
    }

    fn plan_struct_literal(&self, args: Vec<Expr>, is_named_struct: bool) -> Result<PlannerResult<Vec<Expr>>> {
        if is_named_struct {
            return Err(fix("ROW(…) takes values without names; CAST it AS ROW<name type, …> to name them"));
        }
        self.plan("row", args)
    }

    fn plan_overlay(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        self.plan("overlay", args)
    }

    fn plan_make_map(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        self.plan("map", args)
    }

    fn plan_compound_identifier(
        &self,
        field: &Field,
        qualifier: Option<&TableReference>,
        nested_names: &[String],
    ) -> Result<PlannerResult<Vec<Expr>>> {
        let column = Expr::Column(Column::from((qualifier, field)));
        let access = nested_names
            .iter()
            .try_fold(column, |expr, name| self.call("item", vec![expr, lit(ScalarValue::from(name.as_str()))]))?;
        Ok(PlannerResult::Planned(access))
    }
}
