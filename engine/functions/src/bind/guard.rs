//! Keeps what can fail behind its guard: `x <> 0 AND 10 / x > 1`.
//!
//! SQL users rely on `AND`, `OR` and `CASE` stopping early. DataFusion evaluates both sides of an
//! `AND` on all rows unless one side decides for (nearly) all, and its simplifier turns a `CASE` of
//! conditions into `AND`s and `OR`s. So a condition that can fail on a value of the data moves into
//! a `CASE` over small numbers, which stays lazy:
//!
//! ```text
//! a AND b  ──▶  a AND to_truth(CASE WHEN a IS NOT FALSE THEN to_flag(b) END)
//! a OR b   ──▶  a OR  to_truth(CASE WHEN a IS NOT TRUE  THEN to_flag(b) END)
//! ```
//!
//! `a` stays outside as well, where it can be pushed down.

use arrow_schema::DataType;
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, Result};
use datafusion_expr::expr::{BinaryExpr, Case, ScalarFunction};
use datafusion_expr::{Expr, ExprSchemable, Operator};

use super::{Binder, call};
use crate::cast::CastFunction;
use crate::function::Function;

pub(super) fn guard(expr: Expr, schema: &DFSchema, binder: &Binder<'_>) -> Result<Expr> {
    if !can_fail(&expr)? {
        return Ok(expr);
    }
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let mut conditions = Vec::new();
            flatten(*left, op, &mut conditions);
            flatten(*right, op, &mut conditions);
            chain(conditions, op, schema, binder)
        }
        // Already guarded.
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == binder.to_truth.name() => {
            Ok(Expr::ScalarFunction(ScalarFunction { func, args }))
        }
        Expr::Case(case) => guard_case(case, schema, binder),
        other => {
            other.map_children(|child| guard(child, schema, binder).map(Transformed::yes)).map(|guarded| guarded.data)
        }
    }
}

fn flatten(expr: Expr, op: Operator, conditions: &mut Vec<Expr>) {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: inner, right }) if inner == op => {
            flatten(*left, op, conditions);
            flatten(*right, op, conditions);
        }
        other => conditions.push(other),
    }
}

/// Nests to the right, so that every condition appears twice at most.
fn chain(conditions: Vec<Expr>, op: Operator, schema: &DFSchema, binder: &Binder<'_>) -> Result<Expr> {
    let mut conditions = conditions.into_iter().rev();
    let Some(last) = conditions.next() else { return Err(crate::error::bug("an empty condition")) };
    let mut chained = guard(last, schema, binder)?;
    for condition in conditions {
        let condition = guard(condition, schema, binder)?;
        if can_fail(&chained)? && !is_guarded(&chained, binder) {
            let undecided = match op {
                Operator::And => Expr::IsNotFalse(Box::new(condition.clone())),
                _ => Expr::IsNotTrue(Box::new(condition.clone())),
            };
            let flag = call(&binder.to_flag, vec![chained]);
            let case = Expr::Case(Case::new(None, vec![(Box::new(undecided), Box::new(flag))], None));
            chained = call(&binder.to_truth, vec![case]);
        }
        chained = Expr::BinaryExpr(BinaryExpr::new(Box::new(condition), op, Box::new(chained)));
    }
    Ok(chained)
}

fn is_guarded(expr: &Expr, binder: &Binder<'_>) -> bool {
    matches!(expr, Expr::ScalarFunction(function) if function.func.name() == binder.to_truth.name())
}

/// A `CASE` of conditions, as one of numbers.
fn guard_case(case: Case, schema: &DFSchema, binder: &Binder<'_>) -> Result<Expr> {
    let Case { expr, when_then_expr, else_expr } = case;
    let branches = when_then_expr.iter().map(|(_, then)| then).chain(else_expr.iter());
    let types = branches.map(|branch| branch.get_type(schema)).collect::<Result<Vec<_>>>()?;
    let conditions = types.contains(&DataType::Boolean);
    let branch = |branch: Expr| -> Result<Box<Expr>> {
        let guarded = guard(branch, schema, binder)?;
        Ok(Box::new(if conditions { call(&binder.to_flag, vec![guarded]) } else { guarded }))
    };
    let guarded = when_then_expr
        .into_iter()
        .map(|(when, then)| Ok((Box::new(guard(*when, schema, binder)?), branch(*then)?)))
        .collect::<Result<Vec<_>>>()?;
    let expr = expr.map(|expr| guard(*expr, schema, binder).map(Box::new)).transpose()?;
    let otherwise = else_expr.map(|expr| branch(*expr)).transpose()?;
    let case = Expr::Case(Case::new(expr, guarded, otherwise));
    Ok(if conditions { call(&binder.to_truth, vec![case]) } else { case })
}

/// Whether a value of the data can make an expression fail.
pub(super) fn can_fail(expr: &Expr) -> Result<bool> {
    let mut found = false;
    expr.apply(|node| {
        if let Expr::ScalarFunction(ScalarFunction { func, .. }) = node {
            let implementation = func.inner();
            found |= implementation.downcast_ref::<Function>().is_some_and(Function::is_fallible)
                || implementation.downcast_ref::<CastFunction>().is_some_and(CastFunction::is_fallible);
        }
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}
