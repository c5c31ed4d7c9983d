//! Aggregates over what is compared with the row outside by something else than `=`.
//!
//! DataFusion takes an aggregate out of its row by grouping by what equals the row's columns. So the values that
//! the rows outside have become a part of the query inside, and the row finds its group by them:
//!
//! ```text
//! SELECT a, (SELECT COUNT(*) FROM u WHERE u.b < t.a) FROM t
//! SELECT a, (SELECT COUNT(*) FROM u JOIN (SELECT DISTINCT a FROM t) AS o ON u.b < o.a WHERE o.a = t.a) FROM t
//! ```
//!
//! Calcite's `RelDecorrelator` calls these values its value generator. A comparison that may hold for NULL is left
//! as it is, because `o.a = t.a` does not hold then.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, ExprSchema, JoinType, Result};
use datafusion_expr::utils::{conjunction, split_conjunction_owned};
use datafusion_expr::{Expr, Filter, LogicalPlan, LogicalPlanBuilder, Operator, Subquery};
use datafusion_optimizer::optimizer::OptimizerConfig;
use sluice_functions::{is_cast, is_infix};

/// Rewrites the sub-queries of one node. `context` names what is added.
///
/// # Errors
/// None but bugs.
pub(crate) fn with_outer_values(node: LogicalPlan, context: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
    let is_plain = matches!(node, LogicalPlan::Filter(_) | LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_));
    let around = match &node {
        LogicalPlan::Join(join) => join.left.as_ref().clone(),
        _ if is_plain => node.inputs()[0].clone(),
        _ => return Ok(Transformed::no(node)),
    };
    let rewriter = Rewriter { around, context };
    if let LogicalPlan::Join(mut join) = node {
        let right = rewriter.lateral(&join.right)?;
        let is_changed = right.is_some();
        join.right = right.map_or(join.right, Arc::new);
        return Ok(Transformed::new(LogicalPlan::Join(join), is_changed, TreeNodeRecursion::Continue));
    }
    node.map_expressions(|expression| {
        expression.transform_up(|part| match part {
            Expr::ScalarSubquery(subquery) => Ok(match rewriter.subquery(&subquery)? {
                Some(subquery) => Transformed::yes(Expr::ScalarSubquery(subquery)),
                None => Transformed::no(Expr::ScalarSubquery(subquery)),
            }),
            other => Ok(Transformed::no(other)),
        })
    })
}

struct Rewriter<'a> {
    /// The rows that the sub-query is for.
    around: LogicalPlan,
    context: &'a dyn OptimizerConfig,
}

impl Rewriter<'_> {
    /// The right side of a join that sees its left side.
    fn lateral(&self, right: &LogicalPlan) -> Result<Option<LogicalPlan>> {
        match right {
            LogicalPlan::Subquery(subquery) => Ok(self.subquery(subquery)?.map(LogicalPlan::Subquery)),
            LogicalPlan::SubqueryAlias(_) => self.input_of(right, |input| self.lateral(input)),
            _ => Ok(None),
        }
    }

    fn subquery(&self, subquery: &Subquery) -> Result<Option<Subquery>> {
        let plan = self.plan(&subquery.subquery, false)?;
        Ok(plan.map(|plan| subquery.with_plan(Arc::new(plan))))
    }

    /// `None` where nothing is to be done.
    fn plan(&self, plan: &LogicalPlan, is_aggregated: bool) -> Result<Option<LogicalPlan>> {
        match plan {
            LogicalPlan::Aggregate(_) => self.input_of(plan, |input| self.plan(input, true)),
            LogicalPlan::Filter(filter) if is_aggregated && compares(filter)? => self.filter(filter),
            LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) | LogicalPlan::Filter(_) => {
                self.input_of(plan, |input| self.plan(input, is_aggregated))
            }
            _ => Ok(None),
        }
    }

    fn input_of(
        &self,
        plan: &LogicalPlan,
        rewrite: impl Fn(&LogicalPlan) -> Result<Option<LogicalPlan>>,
    ) -> Result<Option<LogicalPlan>> {
        let input = rewrite(plan.inputs()[0])?;
        input.map(|input| plan.with_new_exprs(plan.expressions(), vec![input])).transpose()
    }

    /// The condition becomes that of a join with the values outside, and these are compared with the row outside.
    fn filter(&self, filter: &Filter) -> Result<Option<LogicalPlan>> {
        let (seen, own): (Vec<_>, Vec<_>) =
            split_conjunction_owned(filter.predicate.clone()).into_iter().partition(Expr::contains_outer);
        let mut outside = BTreeMap::new();
        for condition in &seen {
            let is_strict = fails_on_null(condition)?;
            for (column, reference) in references(condition)? {
                let Ok(field) = self.around.schema().field_from_column(&column) else { return Ok(None) };
                if field.is_nullable() && !is_strict {
                    return Ok(None);
                }
                outside.insert(column, reference);
            }
        }
        let name = self.context.alias_generator().next("$outer");
        let inside = |index: usize| Column::new(Some(name.clone()), format!("$value{index}"));
        let columns: Vec<_> = outside.keys().cloned().collect();
        let values = columns.iter().enumerate();
        let values = values.map(|(index, column)| Expr::Column(column.clone()).alias(inside(index).name));
        let values =
            LogicalPlanBuilder::from(self.around.clone()).project(values)?.distinct()?.alias(&name)?.build()?;
        let conditions = seen.into_iter().map(|condition| {
            let replaced = condition.transform(|part| match &part {
                Expr::OuterReferenceColumn(_, column) => Ok(match columns.binary_search(column) {
                    Ok(index) => Transformed::yes(Expr::Column(inside(index))),
                    Err(_) => Transformed::no(part),
                }),
                _ => Ok(Transformed::no(part)),
            });
            replaced.map(|replaced| replaced.data)
        });
        let conditions = conditions.collect::<Result<Vec<_>>>()?;
        let mut rows = LogicalPlanBuilder::from(filter.input.as_ref().clone());
        if let Some(own) = conjunction(own) {
            rows = rows.filter(own)?;
        }
        let found = outside.into_values().enumerate();
        let found = conjunction(found.map(|(index, reference)| Expr::Column(inside(index)).eq(reference)));
        let joined = rows.join_on(values, JoinType::Inner, conditions)?;
        found.map(|found| joined.filter(found)?.build()).transpose()
    }
}

/// Whether a row outside is compared by something that DataFusion cannot group by.
fn compares(filter: &Filter) -> Result<bool> {
    let conditions = split_conjunction_owned(filter.predicate.clone()).into_iter();
    Ok(conditions.filter(Expr::contains_outer).any(|condition| !is_equality(&condition)))
}

/// `inside = outside`
fn is_equality(condition: &Expr) -> bool {
    let Expr::BinaryExpr(binary) = condition else { return false };
    let is_outside = |side: &Expr| side.column_refs().is_empty();
    let is_inside = |side: &Expr| !side.contains_outer();
    binary.op == Operator::Eq
        && (is_outside(&binary.left) && is_inside(&binary.right)
            || is_outside(&binary.right) && is_inside(&binary.left))
}

/// The columns outside that an expression sees.
fn references(expression: &Expr) -> Result<BTreeMap<Column, Expr>> {
    let mut references = BTreeMap::new();
    expression.apply(|part| {
        if let Expr::OuterReferenceColumn(_, column) = part {
            references.insert(column.clone(), part.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(references)
}

/// Whether a condition holds for no row in which a column is NULL: a comparison of what is made of columns by casts
/// and arithmetic.
fn fails_on_null(condition: &Expr) -> Result<bool> {
    let sides = match condition {
        Expr::BinaryExpr(binary) if binary.op.supports_propagation() || binary.op == Operator::NotEq => {
            vec![binary.left.as_ref(), binary.right.as_ref()]
        }
        Expr::Between(between) if !between.negated => {
            [&between.expr, &between.low, &between.high].map(AsRef::as_ref).to_vec()
        }
        Expr::Like(like) => [&like.expr, &like.pattern].map(AsRef::as_ref).to_vec(),
        _ => return Ok(false),
    };
    for side in sides {
        if side.exists(|part| Ok(!is_null_of_null(part)))? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_null_of_null(part: &Expr) -> bool {
    match part {
        Expr::Column(_) | Expr::OuterReferenceColumn(..) | Expr::Literal(..) | Expr::Cast(_) | Expr::Negative(_) => {
            true
        }
        Expr::BinaryExpr(binary) => binary.op.is_numerical_operators(),
        Expr::ScalarFunction(call) => is_infix(&call.func) || is_cast(&call.func),
        _ => false,
    }
}
