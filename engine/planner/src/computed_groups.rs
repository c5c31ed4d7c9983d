//! What DataFusion cannot compute inside of an aggregate, computed in front of it.
//!
//! ```text
//! Aggregate: ROLLUP (t.x + 1)        Aggregate: ROLLUP ("t.x + 1")
//!                                      Projection: …, t.x + 1 AS "t.x + 1"
//! Aggregate: SUM((SELECT …))         Aggregate: SUM("$query0") AS "SUM((SELECT …))"
//!                                      Projection: …, (SELECT …) AS "$query0"
//! ```
//!
//! It changes types inside of an expression in grouping sets, and then does not find it by its name any more. Of
//! sub-queries it makes joins in projections and filters only.

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, Result};
use datafusion_expr::{Aggregate, Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder};

use crate::subqueries::is_subquery;

/// Takes expressions out of all grouping sets of a plan, and sub-queries out of all its aggregates.
pub(crate) fn with_computed_groups(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| computed_sets(node)?.transform_data(computed_queries))
        .map(|plan| plan.data)
}

fn computed_sets(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Aggregate(aggregate) = &plan else { return Ok(Transformed::no(plan)) };
    let [Expr::GroupingSet(sets)] = aggregate.group_expr.as_slice() else { return Ok(Transformed::no(plan)) };
    let mut computed = Vec::new();
    let sets = match sets {
        GroupingSet::Rollup(columns) => GroupingSet::Rollup(named(columns, &mut computed)),
        GroupingSet::Cube(columns) => GroupingSet::Cube(named(columns, &mut computed)),
        GroupingSet::GroupingSets(sets) => {
            GroupingSet::GroupingSets(sets.iter().map(|columns| named(columns, &mut computed)).collect())
        }
    };
    if computed.is_empty() {
        return Ok(Transformed::no(plan));
    }
    let calls = aggregate.aggr_expr.iter().map(|call| asked_by_name(call, &computed)).collect::<Result<Vec<_>>>()?;
    above(aggregate, computed, vec![Expr::GroupingSet(sets)], calls).map(Transformed::yes)
}

/// An aggregate over its input with further columns.
fn above(aggregate: &Aggregate, computed: Vec<Expr>, groups: Vec<Expr>, calls: Vec<Expr>) -> Result<LogicalPlan> {
    let input = aggregate.input.as_ref().clone();
    let columns = input.schema().columns().into_iter().map(Expr::Column);
    let columns: Vec<Expr> = columns.chain(computed).collect();
    let input = LogicalPlanBuilder::from(input).project(columns)?.build()?;
    Aggregate::try_new(Arc::new(input), groups, calls).map(LogicalPlan::Aggregate)
}

/// `GROUPING (x + 1)` asks for a column of the sets.
fn asked_by_name(call: &Expr, computed: &[Expr]) -> Result<Expr> {
    let name = call.schema_name().to_string();
    let asked = call.clone().transform_down(|part| match part {
        Expr::AggregateFunction(mut function) if function.func.name().starts_with("grouping") => {
            function.params.args = named(&function.params.args, &mut computed.to_vec());
            Ok(Transformed::new(Expr::AggregateFunction(function), true, TreeNodeRecursion::Jump))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(if asked.transformed { asked.data.alias(name) } else { asked.data })
}

fn computed_queries(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Aggregate(aggregate) = &plan else { return Ok(Transformed::no(plan)) };
    let mut computed = Vec::new();
    let calls = aggregate.aggr_expr.iter().map(|call| {
        let name = call.schema_name().to_string();
        let replaced = call.clone().transform_down(|part| {
            if !is_subquery(&part) {
                return Ok(Transformed::no(part));
            }
            let column = format!("$query{}", computed.len());
            computed.push(part.alias(&column));
            let column = Expr::Column(Column::new_unqualified(column));
            Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
        })?;
        Ok(if replaced.transformed { replaced.data.alias(name) } else { replaced.data })
    });
    let calls = calls.collect::<Result<Vec<_>>>()?;
    if computed.is_empty() {
        return Ok(Transformed::no(plan));
    }
    above(aggregate, computed, aggregate.group_expr.clone(), calls).map(Transformed::yes)
}

/// The columns of a set, where an expression is a column of its own name.
fn named(columns: &[Expr], computed: &mut Vec<Expr>) -> Vec<Expr> {
    let name = |expression: &Expr| {
        if matches!(expression, Expr::Column(_)) {
            return expression.clone();
        }
        let name = expression.schema_name().to_string();
        let alias = expression.clone().alias(&name);
        if !computed.contains(&alias) {
            computed.push(alias);
        }
        Expr::Column(Column::new_unqualified(name))
    };
    columns.iter().map(name).collect()
}
