//! `LATERAL (SELECT … WHERE u.k = t.k ORDER BY … LIMIT n)`: the first rows of each row's partition.
//!
//! ```text
//! Limit: 3                                    Projection: name, pop
//!   Sort: pop DESC                              Filter: state = outer_ref(s.state)
//!     Projection: name, pop         becomes       Filter: ROW_NUMBER() <= 3
//!       Filter: state = outer_ref(s.state)          Window: PARTITION BY state ORDER BY pop DESC
//!         TableScan: cities                           TableScan: cities
//! ```

use arrow_schema::DataType;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion_expr::expr::Sort as SortExpr;
use datafusion_expr::utils::{conjunction, split_conjunction};
use datafusion_expr::{BinaryExpr, Expr, ExprFunctionExt, Limit, LogicalPlan, LogicalPlanBuilder, Operator, lit};
use sluice_functions::row_number;
use sluice_model::Error;

const NUMBER: &str = "$number";

/// The rewritten sub-query; `None` if it has no limit.
pub(crate) fn partitioned(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let Some(found) = Found::of(plan)? else { return Ok(None) };
    let mut inside = LogicalPlanBuilder::from(found.input.clone());
    if let Some(filter) = conjunction(found.own_conditions) {
        inside = inside.filter(filter)?;
    }
    let number = row_number().call(Vec::new()).partition_by(found.partition).order_by(found.order).build()?;
    let number = number.alias(NUMBER);
    let columns = found.input.schema().columns();
    let inside = inside.window([number])?;
    let number = Expr::Column(datafusion_common::Column::from_name(NUMBER));
    let mut range = number.clone().lt_eq(lit(found.last));
    if found.first > 1 {
        range = range.and(number.gt_eq(lit(found.first)));
    }
    let picked = inside.filter(range)?.project(columns.into_iter().map(Expr::Column))?;
    let joined = match conjunction(found.outer_conditions) {
        Some(condition) => picked.filter(condition)?,
        None => picked,
    };
    joined.project(found.columns)?.build().map(Some)
}

/// The parts of a sub-query with a limit.
struct Found<'a> {
    first: i64,
    last: i64,
    order: Vec<SortExpr>,
    /// What is selected, over the columns of the input.
    columns: Vec<Expr>,
    /// What the outer rows are compared with.
    partition: Vec<Expr>,
    outer_conditions: Vec<Expr>,
    own_conditions: Vec<Expr>,
    input: &'a LogicalPlan,
}

impl<'a> Found<'a> {
    fn of(plan: &'a LogicalPlan) -> Result<Option<Self>> {
        let (outer_columns, plan) = match plan {
            LogicalPlan::Projection(projection) => (Some(projection), projection.input.as_ref()),
            plan => (None, plan),
        };
        let LogicalPlan::Limit(limit) = plan else { return Ok(None) };
        let (first, last) = range(limit)?;
        // An order by what is not selected stands below the selection.
        let (outer_columns, sorted) = match (outer_columns, limit.input.as_ref()) {
            (None, LogicalPlan::Projection(outer)) if matches!(outer.input.as_ref(), LogicalPlan::Sort(_)) => {
                (Some(outer), outer.input.as_ref())
            }
            (outer, sorted) => (outer, sorted),
        };
        let (order, below) = match sorted {
            LogicalPlan::Sort(sort) => (sort.expr.clone(), sort.input.as_ref()),
            below => (Vec::new(), below),
        };
        let (selected, below) = match below {
            LogicalPlan::Projection(projection) => (Some(projection), projection.input.as_ref()),
            below => (None, below),
        };
        let LogicalPlan::Filter(filter) = below else { return Err(refused()) };
        let (outer_conditions, own_conditions): (Vec<_>, Vec<_>) =
            split_conjunction(&filter.predicate).into_iter().cloned().partition(sees_outside);
        let input = filter.input.as_ref();
        if !input.all_out_ref_exprs().is_empty() {
            return Err(refused());
        }
        let partition = outer_conditions.iter().map(compared).collect::<Option<Vec<_>>>().ok_or_else(refused)?;
        let all = || input.schema().columns().into_iter().map(Expr::Column).collect::<Vec<_>>();
        let names: Vec<Expr> = selected.map_or_else(all, |projection| projection.expr.clone());
        let schema = selected.map_or(input.schema(), |projection| &projection.schema);
        let order = order.into_iter().map(|sort| {
            let expr = over_input(sort.expr, schema, &names)?;
            Ok(SortExpr { expr, ..sort })
        });
        let order = order.collect::<Result<Vec<_>>>()?;
        let columns = match outer_columns {
            Some(outer) => {
                let named = outer.expr.iter().zip(outer.schema.iter()).map(|(column, (table, field))| {
                    let computed = over_input(column.clone(), schema, &names)?;
                    let is_same = matches!(&computed, Expr::Column(found) if found.relation.as_ref() == table
                        && found.name == *field.name());
                    Ok(if is_same { computed } else { computed.alias_qualified(table.cloned(), field.name()) })
                });
                named.collect::<Result<Vec<_>>>()?
            }
            None => names,
        };
        Ok(Some(Self { first, last, order, columns, partition, outer_conditions, own_conditions, input }))
    }
}

fn range(limit: &Limit) -> Result<(i64, i64)> {
    let skip = limit.skip.as_deref().map_or(Ok(0), whole)?;
    let fetch = whole(limit.fetch.as_deref().ok_or_else(refused)?)?;
    Ok((skip.saturating_add(1), skip.saturating_add(fetch)))
}

/// A number of rows, through the casts that make it one.
fn whole(expression: &Expr) -> Result<i64> {
    match expression {
        Expr::Literal(value, _) => match value.cast_to(&DataType::Int64)? {
            ScalarValue::Int64(Some(number)) if number >= 0 => Ok(number),
            _ => Err(refused()),
        },
        Expr::Cast(cast) => whole(&cast.expr),
        Expr::Alias(alias) => whole(&alias.expr),
        _ => Err(refused()),
    }
}

/// The inner side of `inner = outer`.
fn compared(condition: &Expr) -> Option<Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition else { return None };
    match (sees_outside(left), sees_outside(right)) {
        (false, true) if right.column_refs().is_empty() => Some(left.as_ref().clone()),
        (true, false) if left.column_refs().is_empty() => Some(right.as_ref().clone()),
        _ => None,
    }
}

/// An expression over a projection, over what the projection reads.
fn over_input(expression: Expr, schema: &DFSchema, columns: &[Expr]) -> Result<Expr> {
    let replaced = expression.transform_up(|node| match &node {
        Expr::Column(column) => {
            let place = schema.index_of_column(column)?;
            Ok(columns
                .get(place)
                .map_or(Transformed::no(node.clone()), |column| Transformed::yes(column.clone().unalias())))
        }
        _ => Ok(Transformed::no(node)),
    });
    replaced.map(|replaced| replaced.data)
}

fn sees_outside(expression: &Expr) -> bool {
    expression.exists(|node| Ok(matches!(node, Expr::OuterReferenceColumn(_, _)))).unwrap_or(false)
}

fn refused() -> DataFusionError {
    let error = Error::fix("LIMIT in a LATERAL sub-query needs conditions of the form inner = outer")
        .with_hint("write LATERAL (SELECT … FROM u WHERE u.k = t.k ORDER BY u.a LIMIT 3)");
    DataFusionError::External(Box::new(error))
}
