//! Which columns of a query tell event time.

use datafusion_expr::{Expr, LogicalPlan};

use super::{WatermarkNode, WindowNode, interval, version};

/// The columns of a query that tell event time.
///
/// ```text
/// SELECT id, ts FROM t        1, where t has WATERMARK FOR ts
/// SELECT id, CAST(ts AS …)    none: nothing promises the order of that
/// ```
pub(crate) fn rowtimes(plan: &LogicalPlan) -> Vec<usize> {
    (0..plan.schema().fields().len()).filter(|place| is_rowtime(plan, *place)).collect()
}

/// Whether a column tells event time: one that a table's `WATERMARK FOR` is about, or the `window_time` of
/// a window, also behind `GROUP BY window_time`, where a query passes it on as it is. An interval join has
/// those of both sides that it compares, a temporal join those of the left.
pub(crate) fn is_rowtime(plan: &LogicalPlan, place: usize) -> bool {
    let below = |input: &LogicalPlan, expression: Option<&Expr>| {
        let place = expression.and_then(passed).and_then(|column| input.schema().maybe_index_of_column(column));
        place.is_some_and(|place| is_rowtime(input, place))
    };
    match plan {
        LogicalPlan::Projection(projection) => below(&projection.input, projection.expr.get(place)),
        LogicalPlan::Aggregate(aggregate) => below(&aggregate.input, aggregate.group_expr.get(place)),
        LogicalPlan::Filter(filter) => is_rowtime(&filter.input, place),
        LogicalPlan::SubqueryAlias(alias) => is_rowtime(&alias.input, place),
        LogicalPlan::Sort(sort) => is_rowtime(&sort.input, place),
        LogicalPlan::Window(window) => place < window.input.schema().fields().len() && is_rowtime(&window.input, place),
        LogicalPlan::Union(union) => union.inputs.iter().all(|input| is_rowtime(input, place)),
        LogicalPlan::Join(join) if version(&join.right).is_some_and(|version| version.versions.is_some()) => {
            place < join.left.schema().fields().len() && is_rowtime(&join.left, place)
        }
        LogicalPlan::Join(join) => {
            let width = join.left.schema().fields().len();
            let found = interval(join).filter(|interval| !interval.processing_time);
            found.is_some_and(|interval| [interval.times[0], width + interval.times[1]].contains(&place))
        }
        LogicalPlan::Extension(extension) => {
            let node = extension.node.as_any();
            if let Some(watermark) = node.downcast_ref::<WatermarkNode>() {
                return watermark.input.schema().fields().iter().position(|field| *field.name() == watermark.column)
                    == Some(place);
            }
            node.downcast_ref::<WindowNode>().is_some_and(|window| {
                let width = window.input.schema().fields().len();
                if place < width { is_rowtime(&window.input, place) } else { place + 1 == plan.schema().fields().len() }
            })
        }
        _ => false,
    }
}

fn passed(expression: &Expr) -> Option<&datafusion_common::Column> {
    match expression {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => passed(&alias.expr),
        _ => None,
    }
}
