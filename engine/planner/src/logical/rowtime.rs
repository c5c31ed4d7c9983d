//! Which columns of a query tell event time.

use datafusion_expr::{Expr, LogicalPlan};

use super::{WatermarkNode, WindowNode, interval};

/// The columns that a table's `WATERMARK FOR` is about, where a query passes them on as they are. An
/// interval join has those of both sides that it compares.
///
/// ```text
/// SELECT id, ts FROM t        1, where t has WATERMARK FOR ts
/// SELECT id, CAST(ts AS …)    none: nothing promises the order of that
/// ```
pub(crate) fn rowtimes(plan: &LogicalPlan) -> Vec<usize> {
    match plan {
        LogicalPlan::Projection(projection) => {
            let schema = projection.input.schema();
            let times = rowtimes(&projection.input);
            let is_time = |expression: &Expr| {
                let place = passed(expression).and_then(|column| schema.maybe_index_of_column(column));
                place.is_some_and(|place| times.contains(&place))
            };
            (0..projection.expr.len()).filter(|column| is_time(&projection.expr[*column])).collect()
        }
        LogicalPlan::Filter(filter) => rowtimes(&filter.input),
        LogicalPlan::SubqueryAlias(alias) => rowtimes(&alias.input),
        LogicalPlan::Sort(sort) => rowtimes(&sort.input),
        LogicalPlan::Window(window) => rowtimes(&window.input),
        LogicalPlan::Union(union) => {
            let mut inputs = union.inputs.iter().map(|input| rowtimes(input));
            let first = inputs.next().unwrap_or_default();
            inputs.fold(first, |known, times| known.into_iter().filter(|time| times.contains(time)).collect())
        }
        LogicalPlan::Join(join) => {
            let found = interval(join).filter(|interval| !interval.processing_time);
            let width = join.left.schema().fields().len();
            found.map_or_else(Vec::new, |interval| vec![interval.times[0], width + interval.times[1]])
        }
        LogicalPlan::Extension(extension) => {
            let node = extension.node.as_any();
            if let Some(watermark) = node.downcast_ref::<WatermarkNode>() {
                let fields = watermark.input.schema().fields();
                return fields.iter().position(|field| *field.name() == watermark.column).into_iter().collect();
            }
            node.downcast_ref::<WindowNode>().map_or_else(Vec::new, |window| rowtimes(&window.input))
        }
        _ => Vec::new(),
    }
}

fn passed(expression: &Expr) -> Option<&datafusion_common::Column> {
    match expression {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => passed(&alias.expr),
        _ => None,
    }
}
