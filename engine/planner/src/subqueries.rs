//! Sub-queries in expressions, put so that DataFusion's rules make joins of them that mean what SQL says.
//!
//! ```text
//! a NOT IN (SELECT b FROM u)     b may be NULL: then nothing is known to be outside
//!   NOT EXISTS (SELECT b FROM u WHERE (a = b) IS NOT FALSE)            as Flink does it
//! a > (SELECT b FROM u)          u may have several rows: an error when it has
//!   a > (SELECT SINGLE_VALUE(b) FROM u)
//! SELECT a IN (SELECT b FROM u)  as a value: true, false or unknown
//!   CASE WHEN a IN (SELECT b FROM u) THEN TRUE WHEN EXISTS (SELECT … WHERE b IS NULL OR a IS NULL) THEN NULL
//!   ELSE FALSE END
//! ```

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, DFSchema, DataFusionError, ExprSchema, JoinType, ScalarValue};
use datafusion_expr::expr::{AggregateFunction, InSubquery};
use datafusion_expr::utils::{conjunction, split_conjunction_owned};
use datafusion_expr::{
    Expr, ExprSchemable, Filter, Join, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, exists, lit, not_exists,
    when,
};
use datafusion_optimizer::decorrelate_predicate_subquery::DecorrelatePredicateSubquery;
use datafusion_optimizer::optimizer::{OptimizerConfig, OptimizerRule};
use sluice_functions::{SessionInfo, aggregate_functions};
use sluice_model::Result;

use crate::bind::from_datafusion;
use crate::outer_values::with_outer_values;
use crate::row_in::RowIn;

type DataFusionResult<T> = std::result::Result<T, DataFusionError>;

/// Rewrites the sub-queries of a plan. `context` names what is added.
///
/// # Errors
/// A sub-query that has no column.
pub(crate) fn rewrite_subqueries(plan: LogicalPlan, context: &dyn OptimizerConfig) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|node| {
        let node = plain_alias(node)?;
        let schema = joined_schema(&node)?;
        let is_condition = matches!(node, LogicalPlan::Filter(_) | LogicalPlan::Join(_));
        let node = node.map_expressions(|expression| {
            let expression = expression.transform_up(over_one_row)?;
            expression.transform_data(|expression| match is_condition {
                true => condition(expression, &schema),
                false => value(expression, &schema),
            })
        })?;
        let node = node.transform_data(|node| with_outer_values(node, context))?;
        node.transform_data(|node| with_marks(node, context))
    });
    rewritten.map(|rewritten| rewritten.data).map_err(|error| from_datafusion(error, &[]))
}

/// Whether an expression is a sub-query itself.
pub(crate) fn is_subquery(expression: &Expr) -> bool {
    matches!(expression, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_))
}

/// `a JOIN b ON a.id = b.id AND EXISTS (…)`: of an inner join a condition may as well come behind it.
fn queries_above_join(node: LogicalPlan) -> DataFusionResult<LogicalPlan> {
    let LogicalPlan::Join(join) = &node else { return Ok(node) };
    let is_query = |part: &Expr| part.exists(|part| Ok(is_subquery(part)));
    let (JoinType::Inner, Some(filter)) = (join.join_type, &join.filter) else { return Ok(node) };
    let (mut queries, mut rest) = (Vec::new(), Vec::new());
    for part in split_conjunction_owned(filter.clone()) {
        if is_query(&part)? { queries.push(part) } else { rest.push(part) }
    }
    let Some(queries) = conjunction(queries) else { return Ok(node) };
    let joined = LogicalPlan::Join(Join { filter: conjunction(rest), ..join.clone() });
    Ok(LogicalPlan::Filter(Filter::try_new(queries, Arc::new(joined))?))
}

/// An alias inside of a correlated sub-query, as a projection: the columns that its conditions compare with the
/// query around have to come out of it, and DataFusion leaves them out of the schema of an alias.
fn plain_alias(node: LogicalPlan) -> DataFusionResult<LogicalPlan> {
    let LogicalPlan::SubqueryAlias(alias) = &node else { return Ok(node) };
    if matches!(alias.input.as_ref(), LogicalPlan::Subquery(_)) || alias.input.all_out_ref_exprs().is_empty() {
        return Ok(node);
    }
    let columns = alias.input.schema().columns().into_iter().zip(alias.schema.iter());
    let columns =
        columns.map(|(column, (table, field))| Expr::Column(column).alias_qualified(table.cloned(), field.name()));
    LogicalPlanBuilder::from(alias.input.as_ref().clone()).project(columns)?.build()
}

/// Makes sub-queries as values have one row each; where the plan does not say so, `SINGLE_VALUE` checks. It
/// comes before DataFusion's own check, which takes correlated ones for wrong that are not aggregated.
pub(crate) fn with_single_rows(plan: LogicalPlan) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|node| {
        queries_above_join(node)?.map_expressions(|expression| expression.transform_up(single_row))
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

fn single_row(expression: Expr) -> DataFusionResult<Transformed<Expr>> {
    let Expr::ScalarSubquery(subquery) = &expression else { return Ok(Transformed::no(expression)) };
    let is_single = is_one_row(&subquery.subquery) || subquery.subquery.max_rows().is_some_and(|rows| rows <= 1);
    if is_single && !hides_null(subquery) {
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
    let (outer_ref_columns, spans) = (subquery.outer_ref_columns.clone(), subquery.spans.clone());
    Ok(Transformed::yes(Expr::ScalarSubquery(Subquery { subquery: Arc::new(checked), outer_ref_columns, spans })))
}

/// Whether a sub-query has a column without NULLs and yet may be NULL: while there is no row. `SINGLE_VALUE` says so.
fn hides_null(subquery: &Subquery) -> bool {
    subquery.outer_ref_columns.is_empty()
        && subquery.subquery.schema().fields().first().is_some_and(|field| !field.is_nullable())
}

/// Whether a plan is an aggregate of all rows, which has one row even if there are none.
fn is_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => is_one_row(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => is_one_row(&alias.input),
        LogicalPlan::Sort(sort) => sort.fetch.is_none() && is_one_row(&sort.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        _ => false,
    }
}

/// `EXISTS` and `IN` over an aggregate of all rows: it exists, and is a value to compare with.
fn over_one_row(expression: Expr) -> DataFusionResult<Transformed<Expr>> {
    Ok(match expression {
        Expr::Exists(exists) if is_one_row(&exists.subquery.subquery) => Transformed::yes(lit(!exists.negated)),
        Expr::InSubquery(InSubquery { expr, subquery, negated }) if is_one_row(&subquery.subquery) => {
            let value = Expr::ScalarSubquery(subquery);
            Transformed::yes(if negated { (*expr).not_eq(value) } else { (*expr).eq(value) })
        }
        other => Transformed::no(other),
    })
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
        Expr::InSubquery(in_subquery) => match RowIn::of(&in_subquery, schema)? {
            Some(row_in) => row_in.condition().map(Transformed::yes),
            None if in_subquery.negated && may_be_unknown(&in_subquery, schema)? => {
                none_equal(in_subquery, schema).map(Transformed::yes)
            }
            None => Ok(Transformed::no(Expr::InSubquery(in_subquery))),
        },
        plain @ Expr::Exists(_) => Ok(Transformed::no(plain)),
        other => value(other, schema),
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
pub(crate) fn outer(expression: Expr, schema: &DFSchema) -> DataFusionResult<Expr> {
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

/// An expression where unknown and false differ: every `IN` of possible NULLs tells which of them it is.
fn value(expression: Expr, schema: &DFSchema) -> DataFusionResult<Transformed<Expr>> {
    expression.transform_up(|node| match node {
        Expr::InSubquery(in_subquery) => match RowIn::of(&in_subquery, schema)? {
            Some(row_in) => row_in.value().map(Transformed::yes),
            None if may_be_unknown(&in_subquery, schema)? => three_valued(in_subquery, schema).map(Transformed::yes),
            None => Ok(Transformed::no(Expr::InSubquery(in_subquery))),
        },
        other => Ok(Transformed::no(other)),
    })
}

/// `x IN (SELECT c …)`: true if a `c` equals; else unknown if there is a `c` and one of both is NULL.
fn three_valued(in_subquery: InSubquery, schema: &DFSchema) -> DataFusionResult<Expr> {
    let InSubquery { expr, subquery, negated } = in_subquery;
    let rows = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone());
    let column = rows.schema().columns().into_iter().next();
    let column = column.ok_or_else(|| DataFusionError::Plan("IN takes a sub-query of one column".to_owned()))?;
    let mut kinds = rows.project([Expr::Column(column).is_null().alias(IS_NULL)])?;
    if subquery.outer_ref_columns.is_empty() {
        // Of many rows only two kinds are left to compare with.
        kinds = kinds.distinct()?;
    }
    let is_null = Expr::Column(Column::new_unqualified(IS_NULL));
    let unknown = kinds.filter(is_null.or(outer(*expr.clone(), schema)?.is_null()))?.build()?;
    let equals = Expr::InSubquery(InSubquery { expr, subquery, negated: false });
    let value = when(equals, lit(true))
        .when(exists(Arc::new(unknown)), lit(ScalarValue::Boolean(None)))
        .otherwise(lit(false))?;
    Ok(if negated { Expr::Not(Box::new(value)) } else { value })
}

/// Column of the kinds of rows that `IN` looks at.
const IS_NULL: &str = "$is_null";

/// Conditions with sub-queries that are values become marks: columns of a join that tells for each row
/// whether it has a partner.
///
/// ```text
/// Projection: EXISTS (SELECT … FROM u) AS e       Projection: mark AS e
///   t                                               LeftMark Join
///                                                     t
///                                                     u
/// ```
fn with_marks(node: LogicalPlan, context: &dyn OptimizerConfig) -> DataFusionResult<Transformed<LogicalPlan>> {
    if !matches!(node, LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_)) {
        return Ok(Transformed::no(node));
    }
    let Some(input) = node.inputs().first().map(|input| (*input).clone()) else { return Ok(Transformed::no(node)) };
    let (mut input, mut is_changed) = (input, false);
    let mut expressions = node.expressions();
    for expression in &mut expressions {
        if expression.exists(|part| Ok(matches!(part, Expr::InSubquery(_) | Expr::Exists(_))))? {
            (input, *expression) = marked(input, expression.clone(), context)?;
            is_changed = true;
        }
    }
    if !is_changed {
        return Ok(Transformed::no(node));
    }
    node.with_new_exprs(expressions, vec![input]).map(Transformed::yes)
}

/// Lets DataFusion's rule, which knows conditions only, take the sub-queries out of an expression.
fn marked(
    input: LogicalPlan,
    expression: Expr,
    context: &dyn OptimizerConfig,
) -> DataFusionResult<(LogicalPlan, Expr)> {
    let name = expression.schema_name().to_string();
    let filter = Filter::try_new(expression.clone().is_not_null(), Arc::new(input.clone()))?;
    let rewritten = DecorrelatePredicateSubquery::new().rewrite(LogicalPlan::Filter(filter), context)?.data;
    let mut plan = &rewritten;
    while let LogicalPlan::Projection(projection) = plan {
        plan = &projection.input;
    }
    let LogicalPlan::Filter(filter) = plan else { return Ok((input, expression)) };
    let Expr::IsNotNull(condition) = &filter.predicate else { return Ok((input, expression)) };
    let condition = condition.as_ref().clone();
    let is_named = matches!(condition, Expr::Alias(_)) || condition.schema_name().to_string() == name;
    Ok((filter.input.as_ref().clone(), if is_named { condition } else { condition.alias(name) }))
}
