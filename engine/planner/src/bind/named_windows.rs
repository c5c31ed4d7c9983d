//! Windows that build on a window of a name, written out: DataFusion would take them for windows without
//! `PARTITION BY` and `ORDER BY`.
//!
//! ```text
//! SELECT SUM(v) OVER (w ROWS 1 PRECEDING) FROM t WINDOW w AS (PARTITION BY k ORDER BY ts)
//! SELECT SUM(v) OVER (PARTITION BY k ORDER BY ts ROWS 1 PRECEDING) FROM t WINDOW …
//! ```

use std::ops::ControlFlow;

use sluice_model::{Error, Result};
use sqlparser::ast::{Expr, Function, Ident, NamedWindowExpr, SetExpr, WindowSpec, WindowType, visit_expressions_mut};

use super::rewrite::position_of;

/// Writes out the windows of each `SELECT` of a body. Names that are not known here are left to sub-queries.
pub(super) fn complete_windows(body: &mut SetExpr) -> Result<()> {
    let select = match body {
        SetExpr::Select(select) => select,
        SetExpr::SetOperation { left, right, .. } => {
            complete_windows(left)?;
            return complete_windows(right);
        }
        _ => return Ok(()),
    };
    let mut known: Vec<(String, WindowSpec)> = Vec::new();
    for definition in &mut select.named_window {
        let spec = match &mut definition.1 {
            NamedWindowExpr::NamedWindow(name) => find(name, &known)?.clone(),
            NamedWindowExpr::WindowSpec(spec) => {
                complete(spec, &known)?;
                spec.clone()
            }
        };
        known.push((definition.0.value.clone(), spec));
    }
    let flow = visit_expressions_mut(&mut select.projection, |expression| match complete_call(expression, &known) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    });
    match flow {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn complete_call(expression: &mut Expr, known: &[(String, WindowSpec)]) -> Result<()> {
    let Expr::Function(Function { over: Some(WindowType::WindowSpec(spec)), .. }) = expression else { return Ok(()) };
    let is_known = spec.window_name.as_ref().is_some_and(|name| known.iter().any(|(other, _)| *other == name.value));
    if is_known { complete(spec, known) } else { Ok(()) }
}

/// Refuses a window on top of one that no `SELECT` around it defines.
pub(super) fn check(function: &Function) -> Result<()> {
    match &function.over {
        Some(WindowType::WindowSpec(WindowSpec { window_name: Some(name), .. })) => find(name, &[]).map(|_| ()),
        _ => Ok(()),
    }
}

fn complete(spec: &mut WindowSpec, known: &[(String, WindowSpec)]) -> Result<()> {
    let Some(name) = spec.window_name.take() else { return Ok(()) };
    let base = find(&name, known)?;
    if !spec.partition_by.is_empty() || !spec.order_by.is_empty() && !base.order_by.is_empty() {
        return Err(Error::fix(format!(
            "a window cannot change what window '{}' is partitioned or ordered by",
            name.value
        ))
        .at_opt(position_of(name.span))
        .with_hint("leave it out, or write the window without the name"));
    }
    spec.partition_by.clone_from(&base.partition_by);
    if spec.order_by.is_empty() {
        spec.order_by.clone_from(&base.order_by);
    }
    if spec.window_frame.is_none() {
        spec.window_frame.clone_from(&base.window_frame);
    }
    Ok(())
}

fn find<'a>(name: &Ident, known: &'a [(String, WindowSpec)]) -> Result<&'a WindowSpec> {
    let found = known.iter().find(|(other, _)| *other == name.value).map(|(_, spec)| spec);
    found.ok_or_else(|| {
        Error::fix(format!("window '{}' is not defined before it is used", name.value)).at_opt(position_of(name.span))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bind::testing::query_of;

    fn completed(sql: &str) -> Result<String> {
        let mut query = query_of(sql);
        complete_windows(&mut query.body)?;
        Ok(query.to_string())
    }

    #[test]
    fn a_window_takes_over_what_its_base_says() {
        assert_eq!(
            completed(
                "SELECT SUM(v) OVER (w ROWS 1 PRECEDING) FROM t WINDOW u AS (PARTITION BY k), w AS (u ORDER BY ts)"
            )
            .unwrap(),
            "SELECT SUM(v) OVER (PARTITION BY k ORDER BY ts ROWS 1 PRECEDING) FROM t \
             WINDOW u AS (PARTITION BY k), w AS (PARTITION BY k ORDER BY ts)"
        );
    }

    #[test]
    fn a_window_has_to_be_there() {
        let error = completed("SELECT 1 FROM t WINDOW w AS (x ORDER BY ts)").unwrap_err();
        assert_eq!(error.what(), "window 'x' is not defined before it is used");
        let error = completed("SELECT SUM(v) OVER (w PARTITION BY k) FROM t WINDOW w AS (ORDER BY ts)").unwrap_err();
        assert_eq!(error.what(), "a window cannot change what window 'w' is partitioned or ordered by");
    }
}
