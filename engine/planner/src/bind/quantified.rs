//! Comparisons with several rows or values at once, as those that DataFusion knows.
//!
//! | text | becomes |
//! |---|---|
//! | `a = ANY (SELECT …)`, `a = SOME (SELECT …)` | `a IN (SELECT …)` |
//! | `a <> ALL (SELECT …)` | `a NOT IN (SELECT …)` |
//! | `(a, b) IN ((1, 2), (3, 4))` | `a = 1 AND b = 2 OR a = 3 AND b = 4` |

use sluice_model::{Error, Result};
use sqlparser::ast::{BinaryOperator, Expr, Spanned, UnaryOperator};

use super::rewrite::position_of;

/// Rewrites one expression.
pub(super) fn rewrite(expression: &mut Expr) -> Result<()> {
    let (left, operator, right, is_any) = match expression {
        Expr::AnyOp { left, compare_op, right, .. } => (left, compare_op, right, true),
        Expr::AllOp { left, compare_op, right } => (left, compare_op, right, false),
        other => {
            rows_in_list(other);
            return Ok(());
        }
    };
    match (right.as_ref(), is_any, &operator) {
        (Expr::Subquery(subquery), true, BinaryOperator::Eq)
        | (Expr::Subquery(subquery), false, BinaryOperator::NotEq) => {
            let (expr, subquery) = (left.clone(), subquery.clone());
            *expression = Expr::InSubquery { expr, subquery, negated: !is_any };
            Ok(())
        }
        _ => {
            let quantifier = if is_any { "ANY" } else { "ALL" };
            Err(Error::fix(format!("{operator} {quantifier} is not supported yet"))
                .at_opt(position_of(left.span()))
                .with_hint("compare with (SELECT MIN(…) …) or (SELECT MAX(…) …), or write EXISTS (SELECT … WHERE …)"))
        }
    }
}

fn rows_in_list(expression: &mut Expr) {
    let Expr::InList { expr, list, negated } = expression else { return };
    let Expr::Tuple(left) = expr.as_ref() else { return };
    let equal = |row: &Expr| match row {
        Expr::Tuple(right) if right.len() == left.len() => {
            let parts =
                left.iter().zip(right).map(|(left, right)| binary(left.clone(), BinaryOperator::Eq, right.clone()));
            parts.reduce(|all, part| binary(all, BinaryOperator::And, part))
        }
        _ => None,
    };
    let Some(rows) = list.iter().map(equal).collect::<Option<Vec<_>>>() else { return };
    let Some(any) = rows.into_iter().reduce(|any, row| binary(any, BinaryOperator::Or, row)) else { return };
    let any = Expr::Nested(Box::new(any));
    *expression = if *negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(any) } } else { any };
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}
