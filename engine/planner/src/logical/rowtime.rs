//! Which column of a query tells event time.

use datafusion_expr::{Expr, LogicalPlan};

use super::{WatermarkNode, WindowNode};

/// The column that a table's `WATERMARK FOR` is about, where a query passes it on as it is.
///
/// ```text
/// SELECT id, ts FROM t        1, where t has WATERMARK FOR ts
/// SELECT id, CAST(ts AS …)    none: nothing promises the order of that
/// ```
pub(crate) fn rowtime(plan: &LogicalPlan) -> Option<usize> {
    match plan {
        LogicalPlan::Projection(projection) => {
            let schema = projection.input.schema();
            let time = rowtime(&projection.input)?;
            let is_time = |expression: &Expr| {
                passed(expression).and_then(|column| schema.maybe_index_of_column(column)) == Some(time)
            };
            projection.expr.iter().position(is_time)
        }
        LogicalPlan::Filter(filter) => rowtime(&filter.input),
        LogicalPlan::SubqueryAlias(alias) => rowtime(&alias.input),
        LogicalPlan::Sort(sort) => rowtime(&sort.input),
        LogicalPlan::Window(window) => rowtime(&window.input),
        LogicalPlan::Union(union) => {
            let mut times = union.inputs.iter().map(|input| rowtime(input));
            let first = times.next()??;
            times.all(|time| time == Some(first)).then_some(first)
        }
        LogicalPlan::Extension(extension) => {
            let node = extension.node.as_any();
            if let Some(watermark) = node.downcast_ref::<WatermarkNode>() {
                return watermark.input.schema().fields().iter().position(|field| *field.name() == watermark.column);
            }
            node.downcast_ref::<WindowNode>().and_then(|window| rowtime(&window.input))
        }
        _ => None,
    }
}

fn passed(expression: &Expr) -> Option<&datafusion_common::Column> {
    match expression {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => passed(&alias.expr),
        _ => None,
    }
}
