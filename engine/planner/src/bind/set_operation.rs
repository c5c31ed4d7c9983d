//! `INTERSECT ALL` and `EXCEPT ALL`: how often a row is there counts.
//!
//! DataFusion makes joins of them, which put out a row of the left side for every equal one. Here each
//! becomes the counts of each row on both sides, and as many copies as the operation leaves; Flink
//! does the same.
//!
//! ```text
//! SELECT a FROM t EXCEPT ALL SELECT b FROM u
//!   UnnestValues: SUM($left) - SUM($right)          copies of a
//!     Aggregate: groupBy=[a], aggr=[SUM($left), SUM($right)]
//!       Union: (a, 1 AS $left, 0 AS $right), (b, 0, 1)
//! ```
//!
//! In the text the operation becomes a table function of a name that nobody can write, which
//! [`super::relations`] is asked for when all tables around are known.

use datafusion_common::{Column, Result, TableReference};
use datafusion_expr::planner::RelationPlannerContext;
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit, when};
use sluice_functions::{SessionInfo, UnnestNode, Unnesting, aggregate_functions};
use sluice_model::Error;
use sqlparser::ast::{
    Expr as SqlExpr, FunctionArg, FunctionArgExpr, Ident, ObjectName, Query, SetExpr, SetOperator, SetQuantifier,
    TableFactor,
};

use super::window::select_all;

const INTERSECT_ALL: &str = "$intersect_all";
const EXCEPT_ALL: &str = "$except_all";
const SIDES: [&str; 2] = ["$left", "$right"];
const COPIES: &str = "$copies";

/// Takes the operations out of a query's body.
pub(super) fn take_set_operations(body: &mut SetExpr) -> sluice_model::Result<()> {
    let SetExpr::SetOperation { op, set_quantifier, left, right } = body else { return Ok(()) };
    take_set_operations(left)?;
    take_set_operations(right)?;
    let name = match (*op, *set_quantifier) {
        (SetOperator::Intersect, SetQuantifier::All) => INTERSECT_ALL,
        (SetOperator::Except | SetOperator::Minus, SetQuantifier::All) => EXCEPT_ALL,
        _ => return Ok(()),
    };
    let name = ObjectName::from(vec![Ident::with_quote('`', name)]);
    let mut query = select_all(name.clone())?;
    let side = |side: &mut Box<SetExpr>| -> sluice_model::Result<FunctionArg> {
        let mut query = select_all(name.clone())?;
        query.body = Box::new(std::mem::replace(side.as_mut(), SetExpr::Values(no_values())));
        Ok(FunctionArg::Unnamed(FunctionArgExpr::Expr(SqlExpr::Subquery(Box::new(query)))))
    };
    let args = vec![side(left)?, side(right)?];
    if let SetExpr::Select(select) = query.body.as_mut()
        && let Some(from) = select.from.first_mut()
    {
        from.relation = TableFactor::Function { lateral: false, name, args, with_ordinality: false, alias: None };
    }
    *body = *query.body;
    Ok(())
}

fn no_values() -> sqlparser::ast::Values {
    sqlparser::ast::Values { explicit_row: false, value_keyword: false, rows: Vec::new() }
}

/// An operation, found again.
pub(super) struct SetOperation {
    is_intersection: bool,
    sides: [Query; 2],
}

impl SetOperation {
    pub(super) fn of(relation: &TableFactor) -> Option<Self> {
        let TableFactor::Function { name, args, .. } = relation else { return None };
        let is_intersection = match name.0.as_slice() {
            [part] if part.as_ident()?.value == INTERSECT_ALL => true,
            [part] if part.as_ident()?.value == EXCEPT_ALL => false,
            _ => return None,
        };
        let query = |arg: &FunctionArg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(SqlExpr::Subquery(query))) => Some(query.as_ref().clone()),
            _ => None,
        };
        let sides = args.iter().map(query).collect::<Option<Vec<_>>>()?;
        Some(Self { is_intersection, sides: sides.try_into().ok()? })
    }
}

/// The plan of an operation.
pub(super) fn plan_set_operation(
    operation: SetOperation,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let [left, right] = operation.sides.map(|query| {
        context.plan(TableFactor::Derived { lateral: false, subquery: Box::new(query), alias: None, sample: None })
    });
    let (left, right) = (left?, right?);
    let width = left.schema().fields().len();
    if right.schema().fields().len() != width {
        let name = if operation.is_intersection { "INTERSECT ALL" } else { "EXCEPT ALL" };
        let error =
            Error::fix(format!("the sides of {name} have {width} and {} columns", right.schema().fields().len()));
        return Err(datafusion_common::DataFusionError::External(Box::new(error)));
    }
    let names: Vec<String> = left.schema().fields().iter().map(|field| field.name().clone()).collect();
    let both = marked(left, &names, 0)?.union(marked(right, &names, 1)?.build()?)?;
    let columns: Vec<Expr> = both.schema().columns().into_iter().take(width).map(Expr::Column).collect();
    let counts = SIDES.map(|side| sum(side).map(|count| count.alias(format!("n{side}"))));
    let counted = both.aggregate(columns.clone(), counts.into_iter().collect::<Result<Vec<_>>>()?)?;
    let [left, right] = SIDES.map(|side| Expr::Column(Column::from_name(format!("n{side}"))));
    let copies = if operation.is_intersection {
        when(left.clone().lt(right.clone()), left).otherwise(right)?
    } else {
        left - right
    };
    let numbered = counted.project(columns.iter().cloned().chain([copies.alias(COPIES)]))?.build()?;
    let value = Expr::Column(Column::from_name(COPIES));
    let unnested = UnnestNode::try_new(numbered, value, Unnesting::default(), TableReference::bare(COPIES))?;
    LogicalPlanBuilder::from(unnested.into_plan()).project(columns)?.build()
}

/// The rows of a side, with 1 in the column that is counted for it, and 0 in the other.
fn marked(plan: LogicalPlan, names: &[String], side: usize) -> Result<LogicalPlanBuilder> {
    let columns = plan.schema().columns().into_iter().zip(names).map(|(column, name)| Expr::Column(column).alias(name));
    let marks = SIDES.iter().enumerate().map(|(place, mark)| lit(i64::from(place == side)).alias(*mark));
    let columns: Vec<Expr> = columns.chain(marks).collect();
    LogicalPlanBuilder::from(plan).project(columns)
}

fn sum(side: &str) -> Result<Expr> {
    let functions = aggregate_functions(&SessionInfo::default());
    match functions.into_iter().find(|function| function.name() == "sum") {
        Some(sum) => Ok(sum.call(vec![Expr::Column(Column::from_name(side))])),
        None => datafusion_common::internal_err!("there is no SUM"),
    }
}
