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

use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchemaRef, Result};
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Volatility};

use crate::subqueries::is_subquery;

/// Makes queries of rows that are no constants.
pub(crate) fn with_computed_values(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(computed).map(|plan| plan.data)
}

fn computed(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Values(values) = &plan else { return Ok(Transformed::no(plan)) };
    let computed = values.values.iter().flatten().map(is_computed).collect::<Result<Vec<_>>>()?;
    if !computed.contains(&true) {
        return Ok(Transformed::no(plan));
    }
    let mut rows = values.values.iter().map(|row| one_row(row, &values.schema));
    let Some(first) = rows.next() else { return Ok(Transformed::no(plan)) };
    let union = rows.try_fold(first?, |union, row| union.union(row?.build()?))?;
    Ok(Transformed::yes(union.build()?))
}

fn is_computed(cell: &Expr) -> Result<bool> {
    cell.exists(|part| {
        let is_volatile = matches!(part, Expr::ScalarFunction(call)
            if call.func.signature().volatility != Volatility::Immutable);
        Ok(is_volatile || is_subquery(part))
    })
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
