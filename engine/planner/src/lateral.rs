//! Sub-queries in `FROM` that see the columns of what stands before them.
//!
//! ```text
//! FROM t CROSS JOIN UNNEST(t.tags) AS u (tag)
//!   Join                                             Projection: t.*, u.tag
//!     TableScan: t                         becomes     UnnestValues: t.tags
//!     SubqueryAlias: u                                   TableScan: t
//!       Subquery: UnnestValues: outer_ref(t.tags)
//!                   EmptyRelation: rows=1
//! ```
//!
//! What stands on one row stands on each row of the left side instead. Sub-queries over tables are left
//! to DataFusion, which makes joins of them; here only their `ORDER BY … LIMIT n` becomes the first n
//! rows of every partition, so that it can.

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, DataFusionError, Result as DataFusionResult, TableReference};
use datafusion_expr::utils::conjunction;
use datafusion_expr::{Expr, Filter, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Projection};
use sluice_functions::UnnestNode;
use sluice_model::{Error, Result};

use crate::bind::from_datafusion;
use crate::lateral_limit::partitioned;

/// Rewrites the lateral joins of a plan.
///
/// # Errors
/// One that has no meaning on a changelog, or is not supported.
pub(crate) fn rewrite_laterals(plan: LogicalPlan) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Join(join) => lateral_join(join),
        other => Ok(Transformed::no(other)),
    });
    rewritten.map(|rewritten| rewritten.data).map_err(|error| from_datafusion(error, &[]))
}

/// Lets each `UNNEST` pass on only the columns that the projection on top of it reads.
pub(crate) fn narrow_unnests(plan: LogicalPlan) -> DataFusionResult<Transformed<LogicalPlan>> {
    let LogicalPlan::Projection(projection) = &plan else { return Ok(Transformed::no(plan)) };
    let (filter, below) = match projection.input.as_ref() {
        LogicalPlan::Filter(filter) => (Some(filter), filter.input.as_ref()),
        below => (None, below),
    };
    let Some(unnest) = UnnestNode::of(below) else { return Ok(Transformed::no(plan)) };
    let schema = below.schema();
    let read: Vec<usize> = projection
        .expr
        .iter()
        .chain(filter.map(|filter| &filter.predicate))
        .flat_map(Expr::column_refs)
        .filter_map(|column| schema.maybe_index_of_column(column))
        .collect();
    let narrowed = unnest.narrowed(|column| read.contains(&column))?.into_plan();
    let input = match filter {
        Some(filter) => LogicalPlan::Filter(Filter::try_new(filter.predicate.clone(), Arc::new(narrowed))?),
        None => narrowed,
    };
    let projection =
        Projection::try_new_with_schema(projection.expr.clone(), Arc::new(input), Arc::clone(&projection.schema))?;
    Ok(Transformed::yes(LogicalPlan::Projection(projection)))
}

fn lateral_join(join: Join) -> DataFusionResult<Transformed<LogicalPlan>> {
    let Some((subquery, alias)) = lateral(&join.right) else {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    };
    if !subquery.exists(|node| Ok(UnnestNode::of(node).is_some_and(|node| sees_outside(&node.value))))? {
        return with_right(join, partitioned);
    }
    let outer = match join.join_type {
        JoinType::Inner => false,
        JoinType::Left => true,
        _ => return Err(refused("UNNEST is joined by CROSS JOIN, JOIN or LEFT JOIN … ON TRUE only")),
    };
    let condition = join.on.iter().map(|(left, right)| left.clone().eq(right.clone())).chain(join.filter.clone());
    let condition = conjunction(condition.filter(|part| !is_true(part)));
    if outer && condition.is_some() {
        return Err(refused("LEFT JOIN with UNNEST takes ON TRUE only"));
    }
    let Lifted { plan, columns } = lift(subquery, &join.left, outer)?;
    let left = join.left.schema().columns().into_iter().map(Expr::Column);
    let right = columns.into_iter().zip(subquery.schema().iter()).map(|(column, (qualifier, field))| {
        let qualifier = alias.clone().or_else(|| qualifier.cloned());
        column.unalias().alias_qualified(qualifier, field.name())
    });
    let columns: Vec<Expr> = left.chain(right).collect();
    let mut joined = LogicalPlanBuilder::from(plan).project(columns)?;
    if let Some(condition) = condition {
        joined = joined.filter(condition)?;
    }
    joined.build().map(Transformed::yes)
}

/// The sub-query on the right side of a lateral join, and what it is called.
fn lateral(right: &LogicalPlan) -> Option<(&LogicalPlan, Option<TableReference>)> {
    match right {
        LogicalPlan::Subquery(subquery) => Some((&subquery.subquery, None)),
        LogicalPlan::SubqueryAlias(alias) => match alias.input.as_ref() {
            LogicalPlan::Subquery(subquery) => Some((&subquery.subquery, Some(alias.alias.clone()))),
            _ => None,
        },
        _ => None,
    }
}

/// The same join with the sub-query on its right side rewritten.
fn with_right(
    mut join: Join,
    rewrite: impl Fn(&LogicalPlan) -> DataFusionResult<Option<LogicalPlan>>,
) -> DataFusionResult<Transformed<LogicalPlan>> {
    let mut is_changed = false;
    let right = join.right.as_ref().clone().transform_down(|node| {
        let LogicalPlan::Subquery(mut subquery) = node else {
            return Ok(Transformed::no(node));
        };
        if let Some(rewritten) = rewrite(&subquery.subquery)? {
            subquery.outer_ref_columns = rewritten.all_out_ref_exprs();
            subquery.subquery = Arc::new(rewritten);
            is_changed = true;
        }
        Ok(Transformed::new(LogicalPlan::Subquery(subquery), is_changed, TreeNodeRecursion::Jump))
    })?;
    join.right = Arc::new(right.data);
    Ok(Transformed::new_transformed(LogicalPlan::Join(join), is_changed))
}

/// A sub-query that stands on the rows of the left side.
struct Lifted {
    /// The columns of the left side, and others behind them.
    plan: LogicalPlan,
    /// The columns of the sub-query, as expressions over those of the plan.
    columns: Vec<Expr>,
}

/// Puts a sub-query that stands on one row onto the rows of `left`.
fn lift(plan: &LogicalPlan, left: &LogicalPlan, outer: bool) -> DataFusionResult<Lifted> {
    let inner = |expression: &Expr, lifted: &Lifted, schema: &DFSchema| {
        inner_expression(expression, left.schema(), schema, &lifted.columns)
    };
    if let Some(unnest) = UnnestNode::of(plan) {
        let below = lift(&unnest.input, left, outer)?;
        let value = inner(&unnest.value, &below, unnest.input.schema())?;
        let width = below.plan.schema().fields().len();
        let node = unnest.over(below.plan, value, outer)?.into_plan();
        let mut columns = below.columns;
        columns.extend(node.schema().columns().into_iter().skip(width).map(Expr::Column));
        return Ok(Lifted { plan: node, columns });
    }
    match plan {
        LogicalPlan::EmptyRelation(one) if one.produce_one_row => {
            Ok(Lifted { plan: left.clone(), columns: Vec::new() })
        }
        LogicalPlan::SubqueryAlias(alias) => lift(&alias.input, left, outer),
        // What comes first in FROM stands on nothing but the rows around the sub-query.
        LogicalPlan::Subquery(subquery) => lift(&subquery.subquery, left, outer),
        LogicalPlan::Projection(projection) => {
            let below = lift(&projection.input, left, outer)?;
            let schema = projection.input.schema();
            let columns = projection.expr.iter().map(|column| inner(column, &below, schema));
            let columns = columns.collect::<DataFusionResult<Vec<_>>>()?;
            if outer && !columns.iter().all(|column| matches!(column.clone().unalias(), Expr::Column(_))) {
                return Err(refused("LEFT JOIN LATERAL over UNNEST selects columns only"));
            }
            Ok(Lifted { plan: below.plan, columns })
        }
        LogicalPlan::Filter(filter) if !outer => {
            let below = lift(&filter.input, left, outer)?;
            let predicate = inner(&filter.predicate, &below, filter.input.schema())?;
            let plan = LogicalPlanBuilder::from(below.plan).filter(predicate)?.build()?;
            Ok(Lifted { plan, columns: below.columns })
        }
        LogicalPlan::Join(join) if !outer && join.join_type == JoinType::Inner => lift_join(join, left),
        _ => Err(refused("a LATERAL sub-query over UNNEST selects, filters and joins only")),
    }
}

/// Of the sides of a join one may see the rows of `left`.
fn lift_join(join: &Join, left: &LogicalPlan) -> DataFusionResult<Lifted> {
    if join.right.contains_outer_reference() || !join.right.all_out_ref_exprs().is_empty() {
        return Err(refused("a LATERAL sub-query names what it unnests before the tables that it joins"));
    }
    let mut lifted = lift(&join.left, left, false)?;
    lifted.columns.extend(join.right.schema().columns().into_iter().map(Expr::Column));
    let condition = join.on.iter().map(|(left, right)| left.clone().eq(right.clone())).chain(join.filter.clone());
    let schema = join.left.schema().join(join.right.schema())?;
    let condition = condition.map(|part| inner_expression(&part, left.schema(), &schema, &lifted.columns));
    let condition = condition.collect::<DataFusionResult<Vec<_>>>()?;
    let right = join.right.as_ref().clone();
    let plan = LogicalPlanBuilder::from(lifted.plan).join_on(right, JoinType::Inner, condition)?.build()?;
    Ok(Lifted { plan, ..lifted })
}

/// An expression of a sub-query over the columns of the left side and `columns`, which stand for those
/// of `schema`.
fn inner_expression(expression: &Expr, left: &DFSchema, schema: &DFSchema, columns: &[Expr]) -> DataFusionResult<Expr> {
    let replaced = expression.clone().transform_down(|node| match node {
        Expr::OuterReferenceColumn(_, column) if left.has_column(&column) => {
            Ok(Transformed::new(Expr::Column(column), true, TreeNodeRecursion::Jump))
        }
        Expr::Column(column) => {
            let place = schema.index_of_column(&column)?;
            let replacement = columns.get(place).cloned().map(Expr::unalias);
            let replacement = replacement.unwrap_or(Expr::Column(column));
            Ok(Transformed::new(replacement, true, TreeNodeRecursion::Jump))
        }
        other => Ok(Transformed::no(other)),
    });
    replaced.map(|replaced| replaced.data)
}

fn sees_outside(expression: &Expr) -> bool {
    expression.exists(|node| Ok(matches!(node, Expr::OuterReferenceColumn(_, _)))).unwrap_or(false)
}

fn is_true(expression: &Expr) -> bool {
    matches!(expression, Expr::Literal(datafusion_common::ScalarValue::Boolean(Some(true)), _))
}

fn refused(what: &str) -> DataFusionError {
    DataFusionError::External(Box::new(Error::fix(what)))
}
