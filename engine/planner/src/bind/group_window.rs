//! Windows in `GROUP BY`, the older way of writing them, become those in `FROM`.
//!
//! ```text
//! SELECT k, TUMBLE_START(ts, INTERVAL '1' HOUR), COUNT(*)
//! FROM t AS x WHERE v > 0
//! GROUP BY k, TUMBLE(ts, INTERVAL '1' HOUR)
//!
//! SELECT k, window_start, COUNT(*)
//! FROM TABLE(TUMBLE((SELECT * FROM t AS x WHERE v > 0), DESCRIPTOR(ts), INTERVAL '1' HOUR)) AS x
//! GROUP BY k, window_start, window_end, window_time
//! ```
//!
//! A session's other groups are its partition; those that are no columns are computed below it. Several
//! tables become one before ([`super::joined_rows`]).

use std::ops::ControlFlow;

use sluice_model::{Error, Result};
use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, ObjectName, OrderBy, Query,
    Select, SelectItem, SetExpr, Spanned, TableAlias, TableFactor, TableWithJoins, WindowSpec, WindowType,
    visit_expressions_mut,
};

use super::joined_rows::join_rows;
use super::names::name_columns;
use super::rewrite::call;
use super::window::{position, select_all};

/// What is called in `GROUP BY`, and what belongs to it in `SELECT`; for suggestions.
pub(super) const FUNCTIONS: [&str; 12] = [
    "tumble",
    "tumble_start",
    "tumble_end",
    "tumble_rowtime",
    "hop",
    "hop_start",
    "hop_end",
    "hop_rowtime",
    "session",
    "session_start",
    "session_end",
    "session_rowtime",
];

const WINDOWS: [&str; 3] = ["TUMBLE", "HOP", "SESSION"];

/// Rewrites the windows that a query groups by; not those of its sub-queries.
pub(super) fn rewrite_group_windows(query: &mut Query) -> Result<()> {
    if !has_windows(&query.body) {
        return Ok(());
    }
    // Before the functions that the columns are called by are gone.
    name_columns(&mut query.body);
    rewrite_body(&mut query.body, query.order_by.as_mut())
}

fn has_windows(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => group_window(select).is_some(),
        SetExpr::SetOperation { left, right, .. } => has_windows(left) || has_windows(right),
        _ => false,
    }
}

fn rewrite_body(body: &mut SetExpr, order: Option<&mut OrderBy>) -> Result<()> {
    match body {
        SetExpr::Select(select) => rewrite_select(select, order),
        SetExpr::SetOperation { left, right, .. } => {
            rewrite_body(left, None)?;
            rewrite_body(right, None)
        }
        _ => Ok(()),
    }
}

/// What the rows are grouped by besides columns.
struct GroupWindow {
    /// `TUMBLE`, `HOP` or `SESSION`.
    name: String,
    time: Expr,
    lengths: Vec<Expr>,
    /// Its place in `GROUP BY`.
    place: usize,
}

fn group_window(select: &Select) -> Option<GroupWindow> {
    let GroupByExpr::Expressions(groups, _) = &select.group_by else { return None };
    groups.iter().enumerate().find_map(|(place, group)| {
        let (name, mut arguments) = function(group)?;
        let is_window = WINDOWS.contains(&name.as_str()) && !arguments.is_empty();
        let lengths = is_window.then(|| arguments.split_off(1))?;
        Some(GroupWindow { name, time: arguments.pop()?, lengths, place })
    })
}

/// The name of a function, in upper case, and its arguments.
fn function(expression: &Expr) -> Option<(String, Vec<Expr>)> {
    let Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) = expression else { return None };
    let argument = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value.clone()),
        _ => None,
    };
    Some((name.to_string().to_ascii_uppercase(), list.args.iter().map(argument).collect::<Option<_>>()?))
}

fn rewrite_select(select: &mut Select, order: Option<&mut OrderBy>) -> Result<()> {
    if group_window(select).is_some() && (select.from.len() > 1 || select.from.iter().any(is_join)) {
        join_rows(select, order)?;
    }
    let Some(window) = group_window(select) else { return Ok(()) };
    let place = position(window.time.span().start);
    let Some(column) = last_part(&window.time) else {
        return Err(Error::fix(format!("{} goes by a column, not by {}", window.name, window.time)).at_opt(place));
    };
    let [from] = select.from.as_mut_slice() else {
        return Err(Error::fix(format!("{} in GROUP BY needs a table to select from", window.name)).at_opt(place));
    };
    let GroupByExpr::Expressions(groups, _) = &mut select.group_by else { return Ok(()) };
    groups.remove(window.place);
    let (partition, computed) = partition(&window.name, groups);
    groups.extend(["window_start", "window_end", "window_time"].map(identifier));
    let alias = alias_of(&from.relation);
    let mut rows = select_all(ObjectName::from(vec![Ident::new("t")]))?;
    if let SetExpr::Select(inner) = rows.body.as_mut() {
        inner.projection.extend(computed);
        inner.from.clone_from(&select.from);
        inner.selection = select.selection.take();
    }
    let descriptor = call("DESCRIPTOR", vec![Expr::Identifier(column)]);
    let mut arguments = vec![partitioned(rows, partition), descriptor];
    arguments.extend(window.lengths.iter().cloned());
    let [from] = select.from.as_mut_slice() else { return Ok(()) };
    from.relation = TableFactor::TableFunction { expr: call(&window.name, arguments), alias };
    let mut replace = |expression: &mut Expr| match replaced(expression, &window) {
        Ok(None) => ControlFlow::Continue(()),
        Ok(Some(column)) => {
            *expression = column;
            ControlFlow::Continue(())
        }
        Err(error) => ControlFlow::Break(error),
    };
    for outcome in [
        visit_expressions_mut(&mut select.projection, &mut replace),
        visit_expressions_mut(&mut select.having, &mut replace),
    ] {
        if let ControlFlow::Break(error) = outcome {
            return Err(error);
        }
    }
    Ok(())
}

fn is_join(from: &TableWithJoins) -> bool {
    !from.joins.is_empty() || matches!(from.relation, TableFactor::NestedJoin { .. })
}

/// The column that stands for `TUMBLE_START(ts, …)` and its like.
fn replaced(expression: &Expr, window: &GroupWindow) -> Result<Option<Expr>> {
    let Some((name, arguments)) = function(expression) else { return Ok(None) };
    let Some((kind, part)) = name.split_once('_').filter(|(kind, _)| WINDOWS.contains(kind)) else { return Ok(None) };
    let column = match part {
        "START" => "window_start",
        "END" => "window_end",
        "ROWTIME" | "PROCTIME" => "window_time",
        _ => return Ok(None),
    };
    let is_same = arguments.split_first().is_some_and(|(time, lengths)| {
        last_part(time).map(|part| part.value) == last_part(&window.time).map(|part| part.value)
            && lengths.iter().map(Expr::to_string).eq(window.lengths.iter().map(Expr::to_string))
    });
    if kind == window.name && is_same {
        return Ok(Some(identifier(column)));
    }
    Err(Error::fix(format!("{name} does not belong to the window of GROUP BY"))
        .at_opt(position(expression.span().start))
        .with_hint(format!("call it with what {} is called with in GROUP BY", window.name)))
}

/// The columns of a session's partition, and what has to be computed for them.
fn partition(name: &str, groups: &[Expr]) -> (Vec<Expr>, Vec<SelectItem>) {
    let (mut partition, mut computed) = (Vec::new(), Vec::new());
    for group in groups.iter().filter(|_| name == "SESSION") {
        match last_part(group) {
            Some(column) => partition.push(Expr::Identifier(column)),
            None => {
                let alias = Ident::with_quote('`', format!("$group{}", computed.len()));
                partition.push(Expr::Identifier(alias.clone()));
                computed.push(SelectItem::ExprWithAlias { expr: group.clone(), alias });
            }
        }
    }
    (partition, computed)
}

/// A query as the argument of a window, in the form of `TABLE t PARTITION BY …`.
fn partitioned(rows: Query, partition: Vec<Expr>) -> Expr {
    let rows = Expr::Subquery(Box::new(rows));
    if partition.is_empty() {
        return rows;
    }
    match call("TABLE", vec![rows]) {
        Expr::Function(function) => {
            let spec =
                WindowSpec { window_name: None, partition_by: partition, order_by: Vec::new(), window_frame: None };
            Expr::Function(Function { over: Some(WindowType::WindowSpec(spec)), ..function })
        }
        other => other,
    }
}

/// The name that columns of a table are qualified by.
fn alias_of(relation: &TableFactor) -> Option<TableAlias> {
    match relation {
        TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), .. }
        | TableFactor::TableFunction { alias: Some(alias), .. }
        | TableFactor::Function { alias: Some(alias), .. } => Some(TableAlias { columns: Vec::new(), ..alias.clone() }),
        TableFactor::Table { name, .. } => {
            let name = name.0.last()?.as_ident()?.clone();
            Some(TableAlias { explicit: true, name, columns: Vec::new(), at: None })
        }
        _ => None,
    }
}

fn last_part(expression: &Expr) -> Option<Ident> {
    match expression {
        Expr::Identifier(column) => Some(column.clone()),
        Expr::CompoundIdentifier(parts) => parts.last().cloned(),
        _ => None,
    }
}

fn identifier(name: &str) -> Expr {
    Expr::Identifier(Ident::new(name))
}
