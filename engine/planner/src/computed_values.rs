//! `VALUES (1, CURRENT_TIMESTAMP)`: rows that are computed when the query runs.
//!
//! ```text
//! Values: (1, now()), (2, now())        Union
//!                                         Projection: 1 AS column1, now() AS column2
//!                                           EmptyRelation
//!                                         Projection: 2, now()
//!                                           EmptyRelation
//! ```
//!
//! Rows of constants stay what they are: they are read as one batch.

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchemaRef, Result};
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Volatility};

/// Makes queries of rows that are no constants.
pub(crate) fn with_computed_values(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(computed).map(|plan| plan.data)
}

fn computed(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Values(values) = &plan else { return Ok(Transformed::no(plan)) };
    if !values.values.iter().flatten().any(is_computed) {
        return Ok(Transformed::no(plan));
    }
    let mut rows = values.values.iter().map(|row| one_row(row, &values.schema));
    let Some(first) = rows.next() else { return Ok(Transformed::no(plan)) };
    let union = rows.try_fold(first?, |union, row| union.union(row?.build()?))?;
    Ok(Transformed::yes(union.build()?))
}

fn is_computed(cell: &Expr) -> bool {
    let mut is_computed = false;
    let _ = cell.apply(|part| {
        is_computed |= match part {
            Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Immutable,
            Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) => true,
            _ => false,
        };
        Ok(if is_computed { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    is_computed
}

/// A row as `SELECT` without `FROM`, in the types of all rows.
fn one_row(row: &[Expr], schema: &DFSchemaRef) -> Result<LogicalPlanBuilder> {
    let empty = LogicalPlanBuilder::empty(true);
    let none = Arc::clone(empty.schema());
    let cells = row.iter().zip(schema.fields()).map(|(cell, field)| {
        let cell = cell.clone().cast_to(field.data_type(), none.as_ref())?;
        Ok(cell.alias(field.name()))
    });
    empty.project(cells.collect::<Result<Vec<_>>>()?)
}
