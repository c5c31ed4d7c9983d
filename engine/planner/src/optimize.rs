//! The optimiser rules of DataFusion that are right on a changelog.
//!
//! Left out, because they are wrong or wasteful on a stream: folding `now()` to the time of
//! planning, pushing limits, rewriting one `DISTINCT` aggregate to two, and scalar sub-queries that
//! run once: all sub-queries become joins.

use std::sync::Arc;

use datafusion_common::config::ConfigOptions;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_expr::utils::{conjunction, split_conjunction_owned};
use datafusion_expr::{Expr, Filter, Limit, LogicalPlan, Projection};
use datafusion_optimizer::analyzer::Analyzer;
use datafusion_optimizer::analyzer::resolve_grouping_function::ResolveGroupingFunction;
use datafusion_optimizer::analyzer::type_coercion::TypeCoercion;
use datafusion_optimizer::common_subexpr_eliminate::CommonSubexprEliminate;
use datafusion_optimizer::decorrelate_lateral_join::DecorrelateLateralJoin;
use datafusion_optimizer::decorrelate_predicate_subquery::DecorrelatePredicateSubquery;
use datafusion_optimizer::eliminate_cross_join::EliminateCrossJoin;
use datafusion_optimizer::eliminate_duplicated_expr::EliminateDuplicatedExpr;
use datafusion_optimizer::eliminate_filter::EliminateFilter;
use datafusion_optimizer::eliminate_outer_join::EliminateOuterJoin;
use datafusion_optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion_optimizer::optimize_projections::OptimizeProjections;
use datafusion_optimizer::optimize_unions::OptimizeUnions;
use datafusion_optimizer::optimizer::{Optimizer, OptimizerContext, OptimizerRule};
use datafusion_optimizer::push_down_filter::PushDownFilter;
use datafusion_optimizer::replace_distinct_aggregate::ReplaceDistinctWithAggregate;
use datafusion_optimizer::scalar_subquery_to_join::ScalarSubqueryToJoin;
use datafusion_optimizer::simplify_expressions::SimplifyExpressions;
use sluice_model::Result;

use crate::bind::from_datafusion;
use crate::computed_values::with_computed_values;
use crate::current_watermark::keep_in_place;
use crate::lateral::{narrow_unnests, rewrite_laterals};
use crate::logical::{AS_OF, find_versions};
use crate::subqueries::{rewrite_subqueries, with_single_rows};
use crate::top_n::separate_ranks;

/// Coerces types and optimises.
pub(crate) fn optimize(plan: LogicalPlan) -> Result<LogicalPlan> {
    let translate = |error| from_datafusion(error, &[]);
    let analyzer = Analyzer::with_rules(vec![Arc::new(ResolveGroupingFunction::new()), Arc::new(TypeCoercion::new())]);
    let mut options = ConfigOptions::default();
    options.optimizer.enable_physical_uncorrelated_scalar_subquery = false;
    let options = Arc::new(options);
    let plan = with_computed_values(with_single_rows(plan)?).map_err(translate)?;
    let plan = analyzer.execute_and_check(plan, &options, |_, _| {}).map_err(translate)?;
    let context = OptimizerContext::new_with_config_options(options).without_query_execution_start_time();
    let plan = find_versions(rewrite_laterals(rewrite_subqueries(plan, &context)?)?)?;
    let plan = plan.transform_up(keep_in_place).map(|plan| plan.data).map_err(translate)?;
    let rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![
        Arc::new(OptimizeUnions::new()),
        Arc::new(SimplifyExpressions::new()),
        Arc::new(ReplaceDistinctWithAggregate::new()),
        Arc::new(DecorrelatePredicateSubquery::new()),
        Arc::new(ScalarSubqueryToJoin::new()),
        Arc::new(DecorrelateLateralJoin::new()),
        Arc::new(ExtractEquijoinPredicate::new()),
        Arc::new(EliminateCrossJoin::new()),
        Arc::new(EliminateOuterJoin::new()),
        Arc::new(EliminateDuplicatedExpr::new()),
        Arc::new(EliminateFilter::new()),
        Arc::new(PushDownFilter::new()),
        Arc::new(CommonSubexprEliminate::new()),
        Arc::new(OptimizeProjections::new()),
    ];
    let plan = Optimizer::with_rules(rules).optimize(plan, &context, |_, _| {}).map_err(translate)?;
    let plan = plan.transform_down(limit_below_projection).map(|plan| plan.data).map_err(translate)?;
    let plan = plan.transform_down(narrow_unnests).map(|plan| plan.data).map_err(translate)?;
    let plan = plan.transform_down(drop_inferred_marks).map(|plan| plan.data).map_err(translate)?;
    plan.transform_down(separate_ranks).map(|plan| plan.data).map_err(translate)
}

/// From `o.k = c.id` and the mark of a version, `$as_of(o.time, c.id)`, the rules conclude
/// `$as_of(o.time, o.k)` as a condition on `o`. The mark belongs to the join alone.
fn drop_inferred_marks(plan: LogicalPlan) -> datafusion_common::Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Filter(filter) = &plan else { return Ok(Transformed::no(plan)) };
    let is_mark = |part: &Expr| matches!(part, Expr::ScalarFunction(call) if call.name() == AS_OF);
    let mut parts = split_conjunction_owned(filter.predicate.clone());
    let count = parts.len();
    parts.retain(|part| !is_mark(part));
    if parts.len() == count {
        return Ok(Transformed::no(plan));
    }
    Ok(Transformed::yes(match conjunction(parts) {
        Some(predicate) => LogicalPlan::Filter(Filter::try_new(predicate, Arc::clone(&filter.input))?),
        None => filter.input.as_ref().clone(),
    }))
}

/// `SELECT a … ORDER BY b LIMIT 1`: puts the limit next to the order that it goes by.
fn limit_below_projection(plan: LogicalPlan) -> datafusion_common::Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Limit(limit) = &plan else { return Ok(Transformed::no(plan)) };
    let LogicalPlan::Projection(projection) = limit.input.as_ref() else { return Ok(Transformed::no(plan)) };
    if !matches!(projection.input.as_ref(), LogicalPlan::Sort(_)) {
        return Ok(Transformed::no(plan));
    }
    let (skip, fetch) = (limit.skip.clone(), limit.fetch.clone());
    let limited = LogicalPlan::Limit(Limit { skip, fetch, input: Arc::clone(&projection.input) });
    let schema = Arc::clone(&projection.schema);
    let projection = Projection::try_new_with_schema(projection.expr.clone(), Arc::new(limited), schema)?;
    Ok(Transformed::yes(LogicalPlan::Projection(projection)))
}
