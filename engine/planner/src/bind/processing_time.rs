//! Which columns are the time of the clock: those that come from `PROCTIME()` as they are.
//!
//! ```text
//! CREATE VIEW b AS SELECT *, PROCTIME() AS p FROM bid      p is
//! SELECT p AS q, CAST(p AS STRING) AS s FROM b             q is, s is not
//! ```

use datafusion_expr::{Expr, LogicalPlan};

use crate::logical::WatermarkNode;

/// Whether column `place` of a plan is the time of the clock.
pub(super) fn is_processing_time(plan: &LogicalPlan, place: usize) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => match projection.expr.get(place).map(bare) {
            Some(Expr::ScalarFunction(call)) => call.name().eq_ignore_ascii_case("proctime"),
            Some(Expr::Column(column)) => {
                let place = projection.input.schema().maybe_index_of_column(column);
                place.is_some_and(|place| is_processing_time(&projection.input, place))
            }
            _ => false,
        },
        LogicalPlan::SubqueryAlias(alias) => is_processing_time(&alias.input, place),
        LogicalPlan::Filter(filter) => is_processing_time(&filter.input, place),
        LogicalPlan::Union(union) => union.inputs.iter().all(|input| is_processing_time(input, place)),
        LogicalPlan::Extension(extension) => {
            // The time of a window is its end, which watermarks have come to when its rows are put out.
            let watermark = extension.node.as_any().downcast_ref::<WatermarkNode>();
            watermark.is_some_and(|watermark| is_processing_time(&watermark.input, place))
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
