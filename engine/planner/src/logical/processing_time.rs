//! Which columns are the time of the clock: those that come from `PROCTIME()` as they are.
//!
//! ```text
//! CREATE VIEW b AS SELECT *, PROCTIME() AS p FROM bid      p is
//! SELECT p AS q, CAST(p AS STRING) AS s FROM b             q is, s is not
//! ```

use datafusion_expr::{Expr, LogicalPlan};

use super::{WatermarkNode, WindowNode};

/// Whether an expression over a plan is the time of the clock.
pub(crate) fn is_clock(expression: &Expr, plan: &LogicalPlan) -> bool {
    match bare(expression) {
        Expr::ScalarFunction(call) => call.name().eq_ignore_ascii_case("proctime"),
        Expr::Column(column) => {
            let place = plan.schema().maybe_index_of_column(column);
            place.is_some_and(|place| is_processing_time(plan, place))
        }
        _ => false,
    }
}

/// Whether column `place` of a plan is the time of the clock.
pub(crate) fn is_processing_time(plan: &LogicalPlan, place: usize) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => match projection.expr.get(place).map(bare) {
            Some(Expr::ScalarFunction(call)) => call.name().eq_ignore_ascii_case("proctime"),
            Some(Expr::Column(column)) => {
                let place = projection.input.schema().maybe_index_of_column(column);
                place.is_some_and(|place| is_processing_time(&projection.input, place))
            }
            _ => false,
        },
        LogicalPlan::Join(join) => match place.checked_sub(join.left.schema().fields().len()) {
            None => is_processing_time(&join.left, place),
            Some(place) => place < join.right.schema().fields().len() && is_processing_time(&join.right, place),
        },
        LogicalPlan::SubqueryAlias(alias) => is_processing_time(&alias.input, place),
        LogicalPlan::Filter(filter) => is_processing_time(&filter.input, place),
        LogicalPlan::Sort(sort) => is_processing_time(&sort.input, place),
        LogicalPlan::Window(window) => {
            place < window.input.schema().fields().len() && is_processing_time(&window.input, place)
        }
        LogicalPlan::Union(union) => union.inputs.iter().all(|input| is_processing_time(input, place)),
        LogicalPlan::Extension(extension) => {
            // The time of a window is its end, which watermarks have come to when its rows are put out.
            let node = extension.node.as_any();
            let watermark = node.downcast_ref::<WatermarkNode>().map(|node| &node.input);
            let window = node.downcast_ref::<WindowNode>().map(|node| &node.input);
            let input = watermark.or(window.filter(|input| place < input.schema().fields().len()));
            input.is_some_and(|input| is_processing_time(input, place))
        }
        LogicalPlan::TableScan(scan) => {
            let derived = scan.source.get_logical_plan();
            derived.is_some_and(|plan| {
                let column = scan.projection.as_ref().map_or(Some(place), |columns| columns.get(place).copied());
                column.is_some_and(|column| is_processing_time(&plan, column))
            })
        }
        _ => false,
    }
}

fn bare(expression: &Expr) -> &Expr {
    match expression {
        Expr::Alias(alias) => bare(&alias.expr),
        other => other,
    }
}
