//! Clauses of a query, in the form that DataFusion reads.
//!
//! | text | becomes |
//! |---|---|
//! | `OFFSET 1 ROWS FETCH FIRST 3 ROWS ONLY` | `LIMIT 3 OFFSET 1` |
//! | `ORDER BY CAST(2 AS INT)`, which was `ORDER BY 2` | `ORDER BY 2`: the second column |
//! | `GROUP BY (a, b), c` | `GROUP BY a, b, c` |
//! | `GROUP BY ()` | `HAVING COUNT(*) >= 0`: one group, also without aggregates |

use sqlparser::ast::{
    BinaryOperator, CastKind, Expr, GroupByExpr, LimitClause, OrderByKind, Query, Select, SetExpr, Value,
};

use super::rewrite::call;

/// `FETCH` as `LIMIT`.
pub(super) fn fetch_as_limit(query: &mut Query) {
    let Some(fetch) = query.fetch.take() else { return };
    let rows = fetch.quantity.unwrap_or_else(|| Expr::Value(Value::Number("1".to_owned(), false).into()));
    let offset = match query.limit_clause.take() {
        Some(LimitClause::LimitOffset { offset, .. }) => offset,
        _ => None,
    };
    query.limit_clause = Some(LimitClause::LimitOffset { limit: Some(rows), offset, limit_by: Vec::new() });
}

/// Takes the types off numbers in `ORDER BY`: they are the places of columns.
pub(super) fn plain_ordinals(query: &mut Query) {
    let Some(OrderByKind::Expressions(orders)) = query.order_by.as_mut().map(|order| &mut order.kind) else { return };
    for order in orders {
        if let Expr::Cast { kind: CastKind::Cast, expr, .. } = &mut order.expr
            && matches!(expr.as_ref(), Expr::Value(value) if matches!(value.value, Value::Number(..)))
        {
            order.expr = std::mem::replace(expr.as_mut(), Expr::Value(Value::Null.into()));
        }
    }
}

/// Takes the columns out of parentheses in `GROUP BY`.
pub(super) fn plain_groups(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => plain_groups_of(select),
        SetExpr::SetOperation { left, right, .. } => {
            plain_groups(left);
            plain_groups(right);
        }
        _ => {}
    }
}

fn plain_groups_of(select: &mut Select) {
    let GroupByExpr::Expressions(groups, modifiers) = &mut select.group_by else { return };
    if !groups.iter().any(|group| matches!(group, Expr::Tuple(_))) {
        return;
    }
    let plain = std::mem::take(groups).into_iter().flat_map(|group| match group {
        Expr::Tuple(columns) => columns,
        other => vec![other],
    });
    *groups = plain.collect();
    if groups.is_empty() && modifiers.is_empty() && select.having.is_none() {
        let number = |text: &str| Expr::Value(Value::Number(text.to_owned(), false).into());
        select.having = Some(Expr::BinaryOp {
            left: Box::new(call("COUNT", vec![number("1")])),
            op: BinaryOperator::GtEq,
            right: Box::new(number("0")),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bind::testing::query_of;

    #[test]
    fn a_query_reads_the_same_in_another_form() {
        let rewritten = |sql: &str| {
            let mut query = query_of(sql);
            fetch_as_limit(&mut query);
            plain_ordinals(&mut query);
            plain_groups(&mut query.body);
            query.to_string()
        };
        assert_eq!(
            rewritten("SELECT a FROM t ORDER BY CAST(1 AS INT) DESC OFFSET 1 ROWS FETCH FIRST 3 ROWS ONLY"),
            "SELECT a FROM t ORDER BY 1 DESC LIMIT 3 OFFSET 1 ROWS"
        );
        assert_eq!(rewritten("SELECT a FROM t GROUP BY (a, b), c"), "SELECT a FROM t GROUP BY a, b, c");
        assert_eq!(rewritten("SELECT 1 FROM t GROUP BY ()"), "SELECT 1 FROM t HAVING COUNT(1) >= 0");
        assert_eq!(rewritten("SELECT a FROM t FETCH NEXT ROW ONLY"), "SELECT a FROM t LIMIT 1");
        assert_eq!(rewritten("SELECT a FROM t ORDER BY CAST(a AS INT)"), "SELECT a FROM t ORDER BY CAST(a AS INT)");
    }
}
