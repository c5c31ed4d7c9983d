//! Where `CURRENT_WATERMARK(rowtime)` may stand, and what over.
//!
//! ```text
//! SELECT CURRENT_WATERMARK(ts) FROM t                     yes, where t has WATERMARK FOR ts
//! SELECT CURRENT_WATERMARK(CAST(ts AS TIMESTAMP(3))) …    no: nothing tells the time of that
//! … FROM t JOIN u ON t.ts > CURRENT_WATERMARK(u.ts)       no: a join has two inputs
//! ```
//!
//! The value depends on the place: behind a join it is how far both sides have come. So conditions that ask
//! for it stay where they are written.

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_expr::utils::{conjunction, split_conjunction_owned};
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ident};
use sluice_functions::{WatermarkCell, bind_watermark, type_of, watermark_argument};
use sluice_model::{Error, Result};

use crate::bind::from_datafusion;
use crate::logical::{WatermarkNode, is_rowtime};

/// The column of what a condition says that has to stay.
const HOLDS: &str = "$holds";

/// Checks all calls of a plan.
///
/// # Errors
/// A call that the user has to change.
pub(crate) fn check(plan: &LogicalPlan) -> Result<()> {
    let mut wrong = None;
    let visited = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                wrong = watermark_argument(part).and_then(|argument| mistake(argument, node));
                Ok(if wrong.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })
    });
    visited.map_err(|error| from_datafusion(error, &[]))?;
    wrong.map_or(Ok(()), Err)
}

/// Batch mode knows no watermarks: all calls give NULL.
///
/// # Errors
/// None in practice.
pub(crate) fn without(plan: LogicalPlan) -> Result<LogicalPlan> {
    let never_set = WatermarkCell::default();
    let bound = plan.transform_up_with_subqueries(|node| node.map_expressions(|expr| bind_watermark(expr, &never_set)));
    bound.map(|plan| plan.data).map_err(|error| from_datafusion(error, &[]))
}

/// Keeps a filter from being pushed below a join or a window: a condition on a computed column, that asks
/// for the watermark, cannot be.
///
/// ```text
/// Filter: l.v > 1 AND l.ts > current_watermark(l.ts)      Projection: l.v, …
///   Join                                                    Filter: $holds
///                                                             Projection: l.v, …, l.ts > … AS $holds
///                                                               Filter: l.v > 1
///                                                                 Join
/// ```
pub(crate) fn keep_in_place(plan: LogicalPlan) -> datafusion_common::Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Filter(filter) = &plan else { return Ok(Transformed::no(plan)) };
    if !asks(&filter.predicate) || stays_in_place(&filter.input) {
        return Ok(Transformed::no(plan));
    }
    let (asking, others): (Vec<_>, Vec<_>) =
        split_conjunction_owned(filter.predicate.clone()).into_iter().partition(asks);
    let columns: Vec<Expr> = filter.input.schema().columns().into_iter().map(Expr::Column).collect();
    let mut kept = LogicalPlanBuilder::from(filter.input.as_ref().clone());
    if let Some(others) = conjunction(others) {
        kept = kept.filter(others)?;
    }
    let holds = conjunction(asking).map(|asking| asking.alias(HOLDS));
    let kept = kept.project(columns.iter().cloned().chain(holds))?.filter(ident(HOLDS))?.project(columns)?;
    kept.build().map(Transformed::yes)
}

fn asks(expression: &Expr) -> bool {
    expression.exists(|part| Ok(watermark_argument(part).is_some())).unwrap_or(true)
}

/// Whether nothing is below that a filter over this plan could be pushed through and see another watermark.
fn stays_in_place(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Filter(_) | LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) => {
            plan.inputs().into_iter().all(stays_in_place)
        }
        LogicalPlan::Extension(extension) => extension.node.as_any().is::<WatermarkNode>(),
        _ => false,
    }
}

/// What is wrong with a call in the expressions of a node.
fn mistake(argument: &Expr, node: &LogicalPlan) -> Option<Error> {
    let is_row_by_row = matches!(
        node,
        LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::Aggregate(_) | LogicalPlan::Window(_)
    );
    let inputs = node.inputs();
    let ([input], true) = (inputs.as_slice(), is_row_by_row) else {
        return Some(
            Error::fix("CURRENT_WATERMARK() is for SELECT and WHERE only")
                .because("elsewhere it is not clear how far which input has come")
                .with_hint("compute it in a sub-query: SELECT *, CURRENT_WATERMARK(ts) AS w FROM t"),
        );
    };
    let place = match argument {
        Expr::Column(column) => input.schema().maybe_index_of_column(column),
        _ => None,
    };
    if place.is_some_and(|place| is_rowtime(input, place)) {
        return None;
    }
    let given = type_of(argument, input.schema()).map_or_else(|_| argument.to_string(), |given| given.to_string());
    Some(
        Error::fix(format!("the argument of CURRENT_WATERMARK() must be a rowtime attribute, but was '{given}'"))
            .with_hint("name the column of WATERMARK FOR as it is, without CAST or computation"),
    )
}
