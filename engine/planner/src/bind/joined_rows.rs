//! A `SELECT` over several tables as one over a single table, for what takes one table only.
//!
//! ```text
//! SELECT a.k, SUM(b.v) FROM a JOIN b ON a.id = b.id WHERE b.v > 0 GROUP BY a.k, TUMBLE(a.ts, …)
//!
//! SELECT `$column0` AS k, SUM(`$column1`)
//! FROM (SELECT a.k AS `$column0`, b.v AS `$column1`, a.ts AS `$column2` FROM a JOIN b ON … WHERE b.v > 0)
//! GROUP BY `$column0`, TUMBLE(`$column2`, …)
//! ```

use std::ops::ControlFlow;

use sluice_model::{Error, Result};
use sqlparser::ast::{
    Expr, Ident, ObjectName, OrderBy, Query, Select, SelectItem, SetExpr, Spanned, TableFactor, TableWithJoins,
    VisitMut, VisitorMut,
};

use super::rewrite::{position_of, quote_time_unit};
use super::window::select_all;

/// Puts the tables of a `SELECT` into a sub-query; `order` is that of the query around it.
pub(super) fn join_rows(select: &mut Select, order: Option<&mut OrderBy>) -> Result<()> {
    let mut columns = Columns { found: Vec::new(), aliases: Vec::new(), is_order: false };
    name_items(select);
    columns.visit(&mut select.projection)?;
    columns.visit(&mut select.group_by)?;
    columns.visit(&mut select.having)?;
    columns.visit(&mut select.qualify)?;
    if let Some(order) = order {
        columns.aliases = select.projection.iter().filter_map(alias).collect();
        columns.is_order = true;
        columns.visit(order)?;
    }
    let mut rows = select_all(ObjectName::from(vec![Ident::new("t")]))?;
    if let SetExpr::Select(inner) = rows.body.as_mut() {
        let named = columns.found.into_iter().enumerate();
        let named = named.map(|(place, expr)| SelectItem::ExprWithAlias { expr, alias: name(place) });
        inner.projection = named.collect();
        inner.from = std::mem::take(&mut select.from);
        inner.selection = select.selection.take();
    }
    select.from = vec![TableWithJoins { relation: derived(rows), joins: Vec::new() }];
    Ok(())
}

fn derived(rows: Query) -> TableFactor {
    TableFactor::Derived { lateral: false, subquery: Box::new(rows), alias: None, sample: None }
}

fn name(place: usize) -> Ident {
    Ident::with_quote('`', format!("$column{place}"))
}

/// Columns keep the names that they have: `a.k` is `k`.
fn name_items(select: &mut Select) {
    let mut taken: Vec<String> = select.projection.iter().filter_map(alias).collect();
    for item in &mut select.projection {
        let SelectItem::UnnamedExpr(expression) = item else { continue };
        let Some(last) = parts(expression).and_then(|parts| parts.last()) else { continue };
        let mut alias = last.value.clone();
        let mut number = 0;
        while taken.contains(&alias) {
            alias = format!("{}{number}", last.value);
            number += 1;
        }
        taken.push(alias.clone());
        *item = SelectItem::ExprWithAlias { expr: expression.clone(), alias: Ident::with_quote('`', alias) };
    }
}

fn alias(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        _ => None,
    }
}

fn parts(expression: &Expr) -> Option<&[Ident]> {
    match expression {
        Expr::Identifier(column) => Some(std::slice::from_ref(column)),
        Expr::CompoundIdentifier(parts) => Some(parts),
        _ => None,
    }
}

/// The columns that are named so far.
struct Columns {
    found: Vec<Expr>,
    /// Names that `ORDER BY` may use.
    aliases: Vec<String>,
    is_order: bool,
}

impl Columns {
    fn visit(&mut self, part: &mut impl VisitMut) -> Result<()> {
        match part.visit(self) {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => Ok(()),
        }
    }

    /// The place of a column; with and without its table in front it is the same.
    fn place(&mut self, column: &Expr) -> Option<usize> {
        let wanted = parts(column)?;
        let is_same = |known: &Expr| {
            let Some(known) = parts(known) else { return false };
            let (shorter, longer) = if known.len() < wanted.len() { (known, wanted) } else { (wanted, known) };
            let values = |parts: &[Ident]| parts.iter().map(|part| part.value.clone()).collect::<Vec<_>>();
            values(known) == values(wanted)
                || shorter.len() == 1 && longer.len() == 2 && shorter[0].value == longer[1].value
        };
        Some(self.found.iter().position(is_same).unwrap_or_else(|| {
            self.found.push(column.clone());
            self.found.len() - 1
        }))
    }
}

impl VisitorMut for Columns {
    type Break = Error;

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        quote_time_unit(expression);
        if matches!(expression, Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. }) {
            let error = Error::fix("a sub-query beside a window in GROUP BY over a join is not supported yet")
                .at_opt(position_of(expression.span()))
                .with_hint("put the join into a view, and select from the view");
            return ControlFlow::Break(error);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        if let (true, Expr::Identifier(column)) = (self.is_order, &*expression)
            && self.aliases.contains(&column.value)
        {
            return ControlFlow::Continue(());
        }
        if let Some(place) = self.place(expression) {
            *expression = Expr::Identifier(name(place));
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use sqlparser::ast::Statement;
    use sqlparser::dialect::GenericDialect;
    use sqlparser::parser::Parser;

    use super::*;

    fn joined(sql: &str) -> String {
        let Statement::Query(mut query) = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0) else {
            panic!("a query")
        };
        let SetExpr::Select(select) = query.body.as_mut() else { panic!("a SELECT") };
        join_rows(select, query.order_by.as_mut()).unwrap();
        query.to_string()
    }

    #[test]
    fn columns_of_several_tables_become_those_of_one() {
        assert_eq!(
            joined("SELECT a.k, SUM(v) AS s FROM a JOIN b ON a.id = b.id WHERE v > 0 GROUP BY k ORDER BY s, a.k"),
            "SELECT `$column0` AS `k`, SUM(`$column1`) AS s FROM (SELECT a.k AS `$column0`, v AS `$column1` FROM a \
             JOIN b ON a.id = b.id WHERE v > 0) GROUP BY `$column0` ORDER BY s, `$column0`"
        );
        assert_eq!(
            joined("SELECT a.k, b.k FROM a, b"),
            "SELECT `$column0` AS `k`, `$column1` AS `k0` FROM (SELECT a.k AS `$column0`, b.k AS `$column1` FROM a, b)"
        );
    }
}
