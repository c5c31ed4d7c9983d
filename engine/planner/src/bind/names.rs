//! Names of the columns of a `SELECT` that has none of its own, as Calcite gives them.
//!
//! ```text
//! SELECT a + 1, r.f, t.a, t.r.f FROM t
//! SELECT a + 1 AS `EXPR$0`, r.f AS `f`, t.a, t.r.f AS `f0` FROM t
//! ```
//!
//! A column that is selected again gets a number: `SELECT a, a` has the columns `a` and `a0`, and so has
//! `SELECT x.a, y.a`, if it is no sub-query. Columns of `VALUES` are called `EXPR$0`, `EXPR$1`, …
//!
//! Here no table is known yet: `x.y` is a column where the `FROM` names a table `x`, else it is a
//! field of column `x`.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion_expr::{Expr as PlanExpr, LogicalPlan, LogicalPlanBuilder};
use sluice_model::Result;
use sqlparser::ast::{
    Expr, Ident, Query, Select, SelectItem, SetExpr, TableFactor, TableWithJoins, Value, VisitMut, VisitorMut,
};
use sqlparser::dialect::MySqlDialect;

use super::rewrite::template;

/// Names the unnamed columns of each `SELECT` of a query's body.
pub(super) fn name_columns(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            name_select(select);
            number_again(select, false);
        }
        SetExpr::SetOperation { left, right, .. } => {
            name_columns(left);
            name_columns(right);
            // The rows of both sides are compared by the names of the left ones.
            if let SetExpr::Select(select) = left.as_mut() {
                number_again(select, true);
            }
        }
        _ => {}
    }
}

/// Names the columns of `VALUES`, which DataFusion calls `column1`, `column2`, …
///
/// # Errors
/// None but bugs.
pub(super) fn name_values(body: &mut SetExpr) -> Result<()> {
    match body {
        SetExpr::Values(values) => {
            let width = values.rows.first().map_or(0, |row| row.content.len());
            let columns = (0..width).map(|index| format!("column{} AS `EXPR${index}`", index + 1));
            let text = format!("SELECT {} FROM (VALUES (1))", columns.collect::<Vec<_>>().join(", "));
            let mut named = template(&MySqlDialect {}, &text)?.body;
            if let SetExpr::Select(select) = named.as_mut()
                && let Some(TableWithJoins { relation: TableFactor::Derived { subquery, .. }, .. }) =
                    select.from.first_mut()
            {
                std::mem::swap(subquery.body.as_mut(), body);
                *body = *named;
            }
            Ok(())
        }
        SetExpr::SetOperation { left, right, .. } => {
            name_values(left)?;
            name_values(right)
        }
        _ => Ok(()),
    }
}

/// Gives the columns of a result different names: of two tables both may have a column `id`, and the second
/// one becomes `id0`. Inside of a query the name stays, and is ambiguous.
///
/// # Errors
/// None but bugs.
pub(super) fn with_different_columns(plan: LogicalPlan) -> datafusion_common::Result<LogicalPlan> {
    let columns = plan.schema().columns();
    let mut taken: BTreeSet<String> = columns.iter().map(|column| column.name.clone()).collect();
    if taken.len() == columns.len() {
        return Ok(plan);
    }
    let mut seen = BTreeSet::new();
    let named = columns.into_iter().map(|column| {
        let name = column.name.clone();
        if seen.insert(name.clone()) {
            return PlanExpr::Column(column);
        }
        let name = unused(&name, &taken);
        taken.insert(name.clone());
        PlanExpr::Column(column).alias(name)
    });
    let named: Vec<_> = named.collect();
    LogicalPlanBuilder::from(plan).project(named)?.build()
}

/// Gives columns that have the name of one before them a number. Columns of two tables may have one name; who
/// names that is told that it is ambiguous. `is_strict`: they may not.
fn number_again(select: &mut Select, is_strict: bool) {
    let mut taken: BTreeSet<String> = select.projection.iter().filter_map(visible_name).map(|(_, name)| name).collect();
    let mut seen: Vec<(Option<String>, String)> = Vec::new();
    for item in &mut select.projection {
        let Some((table, name)) = visible_name(item) else { continue };
        let is_same = |(other, seen): &(Option<String>, String)| {
            *seen == name && (is_strict || other.is_none() || table.is_none() || *other == table)
        };
        if seen.iter().any(is_same) {
            rename(item, unused(&name, &taken), &mut taken);
        } else {
            seen.push((table, name));
        }
    }
}

fn rename(item: &mut SelectItem, name: String, taken: &mut BTreeSet<String>) {
    if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
        let expr = std::mem::replace(expr, Expr::Value(Value::Null.into()));
        taken.insert(name.clone());
        *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('`', name) };
    }
}

/// The name of a column of the result, and the table that is named with it.
fn visible_name(item: &SelectItem) -> Option<(Option<String>, String)> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some((None, alias.value.clone())),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some((None, name.value.clone())),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
            let (name, tables) = parts.split_last()?;
            Some((tables.last().map(|table| table.value.clone()), name.value.clone()))
        }
        _ => None,
    }
}

/// Numbers the columns called `name` that stand beside of `*`. True if there are any.
pub(super) fn number_beside_wildcard(query: &mut Query, name: &str) -> bool {
    struct Numberer<'a>(&'a str, bool);
    impl VisitorMut for Numberer<'_> {
        type Break = Infallible;

        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Infallible> {
            let is_wildcard =
                |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
            if select.projection.iter().any(is_wildcard) {
                let mut taken = BTreeSet::from([self.0.to_owned()]);
                for item in &mut select.projection {
                    if matches!(item, SelectItem::UnnamedExpr(_))
                        && visible_name(item).is_some_and(|(_, name)| name == self.0)
                    {
                        rename(item, unused(self.0, &taken), &mut taken);
                        self.1 = true;
                    }
                }
            }
            ControlFlow::Continue(())
        }
    }
    let mut numberer = Numberer(name, false);
    let _ = query.visit(&mut numberer);
    numberer.1
}

fn name_select(select: &mut Select) {
    let mut tables = BTreeSet::new();
    select.from.iter().for_each(|from| collect_tables(from, &mut tables));
    let mut taken: BTreeSet<String> = select.projection.iter().filter_map(|item| own_name(item, &tables)).collect();
    for (index, item) in select.projection.iter_mut().enumerate() {
        let SelectItem::UnnamedExpr(expression) = item else { continue };
        let name = match expression {
            Expr::CompoundIdentifier(parts) => field_name(parts, &tables).map(|name| unused(name, &taken)),
            Expr::Identifier(_) => None,
            _ => Some(format!("EXPR${index}")),
        };
        if let Some(name) = name {
            taken.insert(name.clone());
            let expr = std::mem::replace(expression, Expr::Value(Value::Null.into()));
            *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('`', name) };
        }
    }
}

/// The name that a column has without our doing.
fn own_name(item: &SelectItem, tables: &BTreeSet<String>) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.value.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) if field_name(parts, tables).is_none() => {
            parts.last().map(|name| name.value.clone())
        }
        _ => None,
    }
}

/// The last part of `column.field…` or `table.column.field…`; `None` for `table.column`.
fn field_name<'a>(parts: &'a [Ident], tables: &BTreeSet<String>) -> Option<&'a str> {
    let [first, .., last] = parts else { return None };
    let is_column = parts.len() == 2 && tables.contains(&first.value);
    (!is_column).then_some(last.value.as_str())
}

fn unused(name: &str, taken: &BTreeSet<String>) -> String {
    let numbered = (0..=taken.len()).map(|number| format!("{name}{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken.contains(name)).unwrap_or_default()
}

fn collect_tables(from: &TableWithJoins, tables: &mut BTreeSet<String>) {
    for relation in std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)) {
        let (alias, name) = match relation {
            TableFactor::Table { name, alias, .. } => {
                (alias, name.0.last().and_then(|part| part.as_ident()).map(|name| name.value.clone()))
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                collect_tables(table_with_joins, tables);
                (alias, None)
            }
            TableFactor::Derived { alias, .. }
            | TableFactor::TableFunction { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. } => (alias, None),
            _ => continue,
        };
        tables.extend(alias.as_ref().map(|alias| alias.name.value.clone()).or(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bind::testing::query_of;

    fn named(sql: &str) -> String {
        let mut query = query_of(sql);
        name_columns(&mut query.body);
        query.to_string()
    }

    #[test]
    fn expressions_are_numbered() {
        assert_eq!(named("SELECT a, a + 1, 2 FROM t"), "SELECT a, a + 1 AS `EXPR$1`, 2 AS `EXPR$2` FROM t");
        assert_eq!(named("SELECT a[1], a[1].f FROM t"), "SELECT a[1] AS `EXPR$0`, a[1].f AS `EXPR$1` FROM t");
    }

    #[test]
    fn fields_are_called_by_their_own_name() {
        assert_eq!(named("SELECT r.f, t.a FROM t"), "SELECT r.f AS `f`, t.a FROM t");
        assert_eq!(named("SELECT t.r.f.g FROM s.t"), "SELECT t.r.f.g AS `g` FROM s.t");
        assert_eq!(named("SELECT t.a, r.a FROM t AS x"), "SELECT t.a AS `a`, r.a AS `a0` FROM t AS x");
        let unchanged = "SELECT x.f, y.f FROM (SELECT 1) AS x JOIN u AS y ON x.f = y.f";
        assert_eq!(named(unchanged), unchanged);
    }

    #[test]
    fn a_column_that_is_selected_again_is_numbered() {
        assert_eq!(named("SELECT a, a, t.a FROM t"), "SELECT a, a AS `a0`, t.a AS `a1` FROM t");
        assert_eq!(named("SELECT 1 AS a, 2 AS a"), "SELECT 1 AS a, 2 AS `a0`");
        assert_eq!(named("SELECT t.a, u.a FROM t, u"), "SELECT t.a, u.a FROM t, u");
        let rows = named("SELECT t.a, u.a FROM t, u EXCEPT SELECT 1, 2");
        assert_eq!(rows, "SELECT t.a, u.a AS `a0` FROM t, u EXCEPT SELECT 1 AS `EXPR$0`, 2 AS `EXPR$1`");
    }

    #[test]
    fn values_are_numbered() {
        let mut query = query_of("VALUES (1, 'a'), (2, 'b')");
        name_values(&mut query.body).unwrap();
        let named = "SELECT column1 AS `EXPR$0`, column2 AS `EXPR$1` FROM (VALUES (1, 'a'), (2, 'b'))";
        assert_eq!(query.to_string(), named);
    }

    #[test]
    fn names_that_are_taken_are_numbered() {
        assert_eq!(named("SELECT r.id, s.id, id FROM t"), "SELECT r.id AS `id0`, s.id AS `id1`, id FROM t");
    }
}
