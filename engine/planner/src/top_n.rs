//! Further conditions on a Top-N: first the rows of the best numbers, and then those that meet the rest.
//!
//! ```text
//! WHERE rn <= 1 AND v > 4        Filter: v > 4
//!                                  Filter: rn <= 1
//!                                    WindowAggr: ROW_NUMBER() … AS rn
//! ```
//!
//! Rules put conditions together and push them down as far as they go, so that this comes behind them.

use std::sync::Arc;

use datafusion_common::tree_node::Transformed;
use datafusion_common::{Column, Result};
use datafusion_expr::utils::{conjunction, split_conjunction_owned};
use datafusion_expr::{Expr, Filter, LogicalPlan, Projection};

use crate::lower::{is_rank_condition, row_number_of};

/// Takes a filter on a row number and on other columns apart.
pub(crate) fn separate_ranks(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match &plan {
        LogicalPlan::Filter(filter) => Ok(match separated(filter, None)? {
            Some(filters) => Transformed::yes(LogicalPlan::Filter(filters)),
            None => Transformed::no(plan),
        }),
        LogicalPlan::Projection(projection) => {
            let LogicalPlan::Filter(filter) = projection.input.as_ref() else { return Ok(Transformed::no(plan)) };
            let Some(filters) = separated(filter, Some(&projection.expr))? else { return Ok(Transformed::no(plan)) };
            let (expressions, schema) = (projection.expr.clone(), Arc::clone(&projection.schema));
            let input = Arc::new(LogicalPlan::Filter(filters));
            let projection = Projection::try_new_with_schema(expressions, input, schema)?;
            Ok(Transformed::yes(LogicalPlan::Projection(projection)))
        }
        _ => Ok(Transformed::no(plan)),
    }
}

/// The two filters; `used` are the expressions on top. A number that nothing uses is dropped between them: rows
/// that only get another number are no changes then.
fn separated(filter: &Filter, used: Option<&[Expr]>) -> Result<Option<Filter>> {
    let Some(number) = row_number_of(filter) else { return Ok(None) };
    let (ranks, rest): (Vec<_>, Vec<_>) = split_conjunction_owned(filter.predicate.clone())
        .into_iter()
        .partition(|part| is_rank_condition(part, &number));
    let uses_number = |expressions: &[Expr]| expressions.iter().any(|part| part.column_refs().contains(&number));
    let is_used = uses_number(&rest) || used.is_none_or(uses_number);
    let (Some(ranks), Some(rest)) = (conjunction(ranks), conjunction(rest)) else { return Ok(None) };
    let mut ranked = LogicalPlan::Filter(Filter::try_new(ranks, Arc::clone(&filter.input))?);
    if !is_used {
        let others = ranked.schema().columns().into_iter().filter(|column: &Column| *column != number);
        let others = others.map(Expr::Column).collect();
        ranked = LogicalPlan::Projection(Projection::try_new(others, Arc::new(ranked))?);
    }
    Filter::try_new(rest, Arc::new(ranked)).map(Some)
}
