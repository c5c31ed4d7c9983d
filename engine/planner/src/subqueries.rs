//! Sub-queries in expressions, put so that DataFusion's rules make joins of them that mean what SQL says.
//!
//! ```text
//! a NOT IN (SELECT b FROM u)     b may be NULL: then nothing is known to be outside
//!   NOT EXISTS (SELECT b FROM u WHERE (a = b) IS NOT FALSE)            as Flink does it
//! a > (SELECT b FROM u)          u may have several rows: an error when it has
//!   a > (SELECT SINGLE_VALUE(b) FROM u)
//! ```

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, DataFusionError, ExprSchema};
use datafusion_expr::expr::{AggregateFunction, InSubquery};
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, not_exists};
use sluice_functions::{SessionInfo, aggregate_functions};
use sluice_model::{Error, Result};

use crate::bind::from_datafusion;

type DataFusionResult<T> = std::result::Result<T, DataFusionError>;

/// Rewrites the sub-queries of a plan.
///
/// # Errors
/// An `IN` of possible NULLs whose place in an expression tells "unknown" from "false".
pub(crate) fn rewrite_subqueries(plan: LogicalPlan) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|node| {
        let schema = joined_schema(&node)?;
        let is_filter = matches!(node, LogicalPlan::Filter(_));
        node.map_expressions(|expression| {
            let expression = expression.transform_up(single_row)?;
            if is_filter {
                expression.transform_data(|expression| condition(expression, &schema))
            } else {
                Ok(expression)
            }
        })
    });
    rewritten.map(|rewritten| rewritten.data).map_err(|error| from_datafusion(error, &[]))
}

/// What the expressions of a node see.
fn joined_schema(node: &LogicalPlan) -> DataFusionResult<DFSchema> {
    let mut schema = DFSchema::empty();
    for input in node.inputs() {
        schema.merge(input.schema());
    }
    Ok(schema)
}

/// A sub-query as a value has one row; where the plan does not say so, `SINGLE_VALUE` checks.
fn single_row(expression: Expr) -> DataFusionResult<Transformed<Expr>> {
    let Expr::ScalarSubquery(subquery) = &expression else { return Ok(Transformed::no(expression)) };
    if !subquery.outer_ref_columns.is_empty() || subquery.subquery.max_rows().is_some_and(|rows| rows <= 1) {
        return Ok(Transformed::no(expression));
    }
    let plan = subquery.subquery.as_ref().clone();
    let column = plan.schema().columns().into_iter().next();
    let functions = aggregate_functions(&SessionInfo::default());
    let function = functions.into_iter().find(|function| function.name() == "single_value");
    let (Some(column), Some(function)) = (column, function) else { return Ok(Transformed::no(expression)) };
    let name = column.name.clone();
    let call = AggregateFunction::new_udf(function, vec![Expr::Column(column)], false, None, Vec::new(), None);
    let none: [Expr; 0] = [];
    let checked =
        LogicalPlanBuilder::from(plan).aggregate(none, [Expr::AggregateFunction(call).alias(name)])?.build()?;
    let spans = subquery.spans.clone();
    Ok(Transformed::yes(Expr::ScalarSubquery(Subquery {
        subquery: Arc::new(checked),
        outer_ref_columns: Vec::new(),
        spans,
    })))
}

/// A condition, where unknown counts as false: under `AND` and `OR` it stays that way.
fn condition(expression: Expr, schema: &DFSchema) -> DataFusionResult<Transformed<Expr>> {
    match expression {
        Expr::BinaryExpr(mut binary) if matches!(binary.op, Operator::And | Operator::Or) => {
            let left = condition(*binary.left, schema)?;
            let right = condition(*binary.right, schema)?;
            let transformed = left.transformed || right.transformed;
            (binary.left, binary.right) = (Box::new(left.data), Box::new(right.data));
            Ok(Transformed::new(Expr::BinaryExpr(binary), transformed, TreeNodeRecursion::Continue))
        }
        Expr::Not(inner) => match *inner {
            Expr::InSubquery(in_subquery) => {
                let InSubquery { expr, subquery, negated } = in_subquery;
                condition(Expr::InSubquery(InSubquery { expr, subquery, negated: !negated }), schema)
            }
            other => Ok(Transformed::no(Expr::Not(Box::new(other)))),
        },
        Expr::InSubquery(in_subquery) if in_subquery.negated && may_be_unknown(&in_subquery, schema)? => {
            none_equal(in_subquery, schema).map(Transformed::yes)
        }
        plain @ (Expr::InSubquery(_) | Expr::Exists(_)) => Ok(Transformed::no(plain)),
        other => {
            check_value(&other, schema)?;
            Ok(Transformed::no(other))
        }
    }
}

/// `x NOT IN (SELECT c …)`: there is no `c` for which `x = c` is true or unknown.
fn none_equal(in_subquery: InSubquery, schema: &DFSchema) -> DataFusionResult<Expr> {
    let InSubquery { expr, subquery, .. } = in_subquery;
    let plan = subquery.subquery.as_ref().clone();
    let column = plan.schema().columns().into_iter().next();
    let column = column.ok_or_else(|| DataFusionError::Plan("IN takes a sub-query of one column".to_owned()))?;
    let equal = outer(*expr, schema)?.eq(Expr::Column(column));
    let matching = LogicalPlanBuilder::from(plan).filter(Expr::IsNotFalse(Box::new(equal)))?.build()?;
    Ok(not_exists(Arc::new(matching)))
}

/// An expression of the outer query, as the sub-query sees it.
fn outer(expression: Expr, schema: &DFSchema) -> DataFusionResult<Expr> {
    let seen = expression.transform(|node| match node {
        Expr::Column(column) => {
            let field = schema.field_from_column(&column)?;
            Ok(Transformed::yes(Expr::OuterReferenceColumn(Arc::clone(field), column)))
        }
        other => Ok(Transformed::no(other)),
    });
    seen.map(|seen| seen.data)
}

fn may_be_unknown(in_subquery: &InSubquery, schema: &DFSchema) -> DataFusionResult<bool> {
    let rows = in_subquery.subquery.subquery.schema();
    Ok(in_subquery.expr.nullable(schema)? || rows.fields().iter().any(|field| field.is_nullable()))
}

/// `IN` must not stand where unknown and false differ: the joins that it becomes know no unknown.
fn check_value(expression: &Expr, schema: &DFSchema) -> DataFusionResult<()> {
    let mut is_unknown = false;
    expression.apply(|node| {
        if let Expr::InSubquery(in_subquery) = node {
            is_unknown |= may_be_unknown(in_subquery, schema)?;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    if !is_unknown {
        return Ok(());
    }
    let error = Error::fix("IN over a sub-query is supported in conditions joined by AND, OR and NOT only")
        .because("elsewhere a comparison with NULL would have to be told from one that is false")
        .with_hint("exclude NULL on both sides, or write EXISTS (SELECT … WHERE …)");
    Err(DataFusionError::External(Box::new(error)))
}
