//! A `SELECT` over several tables as one over a single table, for what takes one table only.
//!
//! ```text
//! SELECT a.k, SUM(b.v) FROM a JOIN b ON a.id = b.id WHERE b.v > 0 GROUP BY a.k, TUMBLE(a.ts, …)
//!
//! SELECT `k` AS k, SUM(`v`)
//! FROM (SELECT a.k AS `k`, b.v AS `v`, a.ts AS `ts` FROM a JOIN b ON … WHERE b.v > 0)
//! GROUP BY `k`, TUMBLE(`ts`, …)
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
        let named = columns.found.into_iter();
        inner.projection = named.map(|(expr, alias)| SelectItem::ExprWithAlias { expr, alias }).collect();
        inner.from = std::mem::take(&mut select.from);
        inner.selection = select.selection.take();
    }
    select.from = vec![TableWithJoins { relation: derived(rows), joins: Vec::new() }];
    Ok(())
}

fn derived(rows: Query) -> TableFactor {
    TableFactor::Derived { lateral: false, subquery: Box::new(rows), alias: None, sample: None }
}

/// The name with a number behind it if it is taken.
fn unused(name: &str, is_taken: impl Fn(&str) -> bool) -> Ident {
    let numbered = (0..).map(|number| format!("{name}{number}"));
    let free = std::iter::once(name.to_owned()).chain(numbered).find(|name| !is_taken(name));
    Ident::with_quote('`', free.unwrap_or_default())
}

/// Columns keep the names that they have: `a.k` is `k`.
fn name_items(select: &mut Select) {
    let mut taken: Vec<String> = select.projection.iter().filter_map(alias).collect();
    for item in &mut select.projection {
        let SelectItem::UnnamedExpr(expression) = item else { continue };
        let Some(last) = parts(expression).and_then(|parts| parts.last()) else { continue };
        let alias = unused(&last.value, |name| taken.iter().any(|other| other == name));
        taken.push(alias.value.clone());
        *item = SelectItem::ExprWithAlias { expr: expression.clone(), alias };
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

/// The columns that are named so far, and what they are called now.
struct Columns {
    found: Vec<(Expr, Ident)>,
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

    /// What a column is called; with and without its table in front it is the same.
    fn name(&mut self, column: &Expr) -> Option<Ident> {
        let wanted = parts(column)?;
        let last = wanted.last()?;
        let is_same = |(known, _): &&(Expr, Ident)| {
            let Some(known) = parts(known) else { return false };
            let (shorter, longer) = if known.len() < wanted.len() { (known, wanted) } else { (wanted, known) };
            let values = |parts: &[Ident]| parts.iter().map(|part| part.value.clone()).collect::<Vec<_>>();
            values(known) == values(wanted)
                || shorter.len() == 1 && longer.len() == 2 && shorter[0].value == longer[1].value
        };
        let name = match self.found.iter().find(is_same) {
            Some((_, name)) => name.clone(),
            None => {
                let name = unused(&last.value, |name| self.found.iter().any(|(_, other)| other.value == name));
                self.found.push((column.clone(), name.clone()));
                name
            }
        };
        // With the place in the user's text.
        Some(Ident { span: last.span, ..name })
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
        if let Some(name) = self.name(expression) {
            *expression = Expr::Identifier(name);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bind::testing::query_of;

    fn joined(sql: &str) -> String {
        let mut query = query_of(sql);
        let SetExpr::Select(select) = query.body.as_mut() else { panic!("a SELECT") };
        join_rows(select, query.order_by.as_mut()).unwrap();
        query.to_string()
    }

    #[test]
    fn columns_of_several_tables_become_those_of_one() {
        assert_eq!(
            joined("SELECT a.k, SUM(v) AS s FROM a JOIN b ON a.id = b.id WHERE v > 0 GROUP BY k ORDER BY s, a.k"),
            "SELECT `k` AS `k`, SUM(`v`) AS s FROM (SELECT a.k AS `k`, v AS `v` FROM a JOIN b ON a.id = b.id WHERE v > 0) \
             GROUP BY `k` ORDER BY s, `k`"
        );
        assert_eq!(
            joined("SELECT a.k, b.k FROM a, b"),
            "SELECT `k` AS `k`, `k0` AS `k0` FROM (SELECT a.k AS `k`, b.k AS `k0` FROM a, b)"
        );
    }
}
