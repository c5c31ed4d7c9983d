//! Comparisons with several rows or values at once, as those that DataFusion knows.
//!
//! | text | becomes |
//! |---|---|
//! | `a = ANY (SELECT …)`, `a = SOME (SELECT …)` | `a IN (SELECT …)` |
//! | `a <> ALL (SELECT …)` | `a NOT IN (SELECT …)` |
//! | `a > ANY (SELECT x …)` | `a` compared with the least `x`, see [`with_bounds`] |
//! | `(a, b) IN (SELECT x, y …)` | `ROW(a, b) IN (SELECT ROW(x, y) …)`, see [`crate::row_in`] |
//! | `(a, b) IN ((1, 2), (3, 4))` | `a = 1 AND b = 2 OR a = 3 AND b = 4` |

use sluice_model::{Error, Result};
use sqlparser::ast::{BinaryOperator, Expr, Query, SelectItem, SetExpr, Spanned, TableFactor, UnaryOperator, Value};
use sqlparser::dialect::MySqlDialect;

use super::literal;
use super::rewrite::{binary, call, position_of, template};

/// Rewrites one expression.
pub(super) fn rewrite(expression: &mut Expr) -> Result<()> {
    let (left, operator, right, is_any) = match expression {
        Expr::AnyOp { left, compare_op, right, .. } => (left, compare_op, right, true),
        Expr::AllOp { left, compare_op, right } => (left, compare_op, right, false),
        Expr::InSubquery { expr, subquery, .. } => return row_in_subquery(expr, subquery),
        other => {
            rows_in_list(other);
            return Ok(());
        }
    };
    let Expr::Subquery(subquery) = right.as_ref() else {
        let quantifier = if is_any { "ANY" } else { "ALL" };
        return Err(Error::fix(format!("{operator} {quantifier} takes a sub-query"))
            .at_opt(position_of(left.span()))
            .with_hint(format!("write {operator} {quantifier} (SELECT …); for a list of values, IN (…)")));
    };
    *expression = match (&operator, is_any) {
        (BinaryOperator::Eq, true) | (BinaryOperator::NotEq, false) => {
            let mut expr = left.clone();
            let mut subquery = subquery.clone();
            row_in_subquery(&mut expr, &mut subquery)?;
            Expr::InSubquery { expr, subquery, negated: !is_any }
        }
        _ => with_bounds(left, operator, subquery, is_any)?,
    };
    Ok(())
}

/// A comparison with the least and the greatest value of a sub-query. Unlike a join with every row, it
/// costs the engine one row however many the sub-query has.
///
/// ```text
/// a > ANY (SELECT x …)    SUM(1) IS NOT NULL AND (a > MIN(x) OR COUNT(*) <> COUNT(x) AND NULL)
/// a > ALL (SELECT x …)    SUM(1) IS NULL OR a > MAX(x) AND (COUNT(*) = COUNT(x) OR NULL)
/// a <> ANY (SELECT x …)   SUM(1) IS NOT NULL AND (a <> MIN(x) OR a <> MAX(x) OR …)
/// ```
///
/// Of no rows, `ANY` is false and `ALL` is true. A NULL among them makes unknown what no other row decides.
fn with_bounds(left: &Expr, operator: &BinaryOperator, rows: &Query, is_any: bool) -> Result<Expr> {
    use BinaryOperator::{And, Eq, Gt, GtEq, Lt, LtEq, NotEq, Or};
    let least_decides = matches!((operator, is_any), (Gt | GtEq, true) | (Lt | LtEq, false));
    let bounds: &[&str] = match operator {
        Gt | GtEq | Lt | LtEq if least_decides => &["MIN"],
        Gt | GtEq | Lt | LtEq => &["MAX"],
        _ => &["MIN", "MAX"],
    };
    let (either, compared) = if is_any { (Or, NotEq) } else { (And, Eq) };
    let aggregate = |call: &str| over(rows, 1, call).map(|query| Expr::Subquery(Box::new(query)));
    let known =
        bounds.iter().map(|bound| Ok(binary(left.clone(), operator.clone(), aggregate(&format!("{bound}(`$1`)"))?)));
    let known = known.collect::<Result<Vec<_>>>()?;
    let known = known.into_iter().reduce(|all, one| binary(all, either.clone(), one));
    let known = known.ok_or_else(|| Error::bug("a comparison without bounds"))?;
    let complete = binary(aggregate("COUNT(*)")?, compared, aggregate("COUNT(`$1`)")?);
    let undecided = literal::cast(Expr::Value(Value::Null.into()), "BOOLEAN");
    let unless = if is_any { And } else { Or };
    let incomplete = binary(complete, unless.clone(), undecided);
    // On a stream there is no COUNT(*) as long as there are no rows.
    let some = Box::new(aggregate("SUM(1)")?);
    let is_empty = if is_any { Expr::IsNotNull(some) } else { Expr::IsNull(some) };
    Ok(binary(is_empty, unless, binary(known, either, incomplete)))
}

/// `(a, b) IN (SELECT x, y …)`
fn row_in_subquery(expr: &mut Box<Expr>, subquery: &mut Box<Query>) -> Result<()> {
    let Expr::Tuple(values) = expr.as_mut() else { return Ok(()) };
    let columns: Vec<String> = (1..=values.len()).map(|place| format!("`${place}`")).collect();
    **subquery = over(subquery, values.len(), &format!("ROW({})", columns.join(", ")))?;
    **expr = call("ROW", std::mem::take(values));
    Ok(())
}

/// `SELECT <selected> FROM (<rows>) AS $in($1, $2, …)`. Nobody can write these names, so that those of the
/// query around keep their meaning.
fn over(rows: &Query, width: usize, selected: &str) -> Result<Query> {
    if let Some(found) = width_of(&rows.body).filter(|found| *found != width) {
        let columns = if found == 1 { "1 column" } else { &format!("{found} columns") };
        let compared = if width == 1 { "1 is" } else { &format!("{width} are") };
        return Err(Error::fix(format!("the sub-query has {columns}, and {compared} compared with it"))
            .at_opt(position_of(rows.span())));
    }
    let columns: Vec<String> = (1..=width).map(|place| format!("`${place}`")).collect();
    let text = format!("SELECT {selected} FROM (SELECT 1) AS `$in`({})", columns.join(", "));
    let mut query = template(&MySqlDialect {}, &text)?;
    if let SetExpr::Select(select) = query.body.as_mut()
        && let Some(from) = select.from.first_mut()
        && let TableFactor::Derived { subquery, .. } = &mut from.relation
    {
        **subquery = rows.clone();
    }
    Ok(query)
}

/// Number of columns, where the text alone tells it.
fn width_of(body: &SetExpr) -> Option<usize> {
    match body {
        SetExpr::Select(select) => {
            let is_one =
                |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
            select.projection.iter().all(is_one).then_some(select.projection.len())
        }
        SetExpr::Query(query) => width_of(&query.body),
        SetExpr::SetOperation { left, .. } => width_of(left),
        SetExpr::Values(values) => values.rows.first().map(|row| row.content.len()),
        _ => None,
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
