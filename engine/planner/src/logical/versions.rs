//! Versioned tables: those that have a version of each row for each time.
//!
//! ```text
//! rates (PRIMARY KEY (c), WATERMARK FOR t)                                        key c, time t
//! SELECT c, r, t FROM (SELECT *, ROW_NUMBER() OVER                                key c, time t
//!   (PARTITION BY c ORDER BY t DESC) AS rn FROM changes) WHERE rn = 1
//! ```

use std::sync::Arc;

use arrow_schema::Field;
use datafusion_common::ScalarValue;
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_expr::utils::{conjunction, split_conjunction};
use datafusion_expr::{BinaryExpr, Expr, Extension, Filter, Join, LogicalPlan, Operator, Projection};
use sluice_model::{Column, Error, Result, SqlType};

use super::interval::{guarded, with_guarded};
use super::{AS_OF, VersionNode, WatermarkNode, is_clock, rowtimes};
use crate::bind::{BaseTable, from_datafusion};

/// What tells the versions of a table apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd)]
pub(crate) struct Versions {
    /// The column of the time from which a version is valid.
    pub(crate) time: Expr,
    /// The columns of the primary key.
    pub(crate) key: Vec<Expr>,
}

/// The table as of a time that a side of a join is made of, if it is.
pub(crate) fn version(plan: &LogicalPlan) -> Option<&VersionNode> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => version(&alias.input),
        LogicalPlan::Filter(filter) => version(&filter.input),
        LogicalPlan::Projection(projection) => version(&projection.input),
        LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref::<VersionNode>(),
        _ => None,
    }
}

/// The time of a version, if the expression is its mark.
pub(crate) fn time_of(expression: &Expr) -> Option<&Expr> {
    match expression {
        Expr::ScalarFunction(call) if call.name() == AS_OF => call.args.first(),
        _ => None,
    }
}

/// Finds the versions of the tables that are joined as of an event time, so that the columns that tell
/// them apart are kept.
///
/// # Errors
/// A table without versions, or a time that is none.
pub(crate) fn find_versions(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut failure = None;
    let found = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Join(join) = &node else { return Ok(Transformed::no(node)) };
        match with_versions(join) {
            Ok(None) => Ok(Transformed::no(node)),
            Ok(Some(join)) => Ok(Transformed::yes(LogicalPlan::Join(join))),
            Err(error) => {
                failure.get_or_insert(error);
                Ok(Transformed::no(node))
            }
        }
    });
    let plan = found.map_err(|error| from_datafusion(error, &[]))?.data;
    failure.map_or(Ok(plan), Err)
}

fn with_versions(join: &Join) -> Result<Option<Join>> {
    let (Some(node), Some(filter)) = (version(&join.right), &join.filter) else { return Ok(None) };
    let mut marks = Vec::new();
    let rest = without_marks(filter, &mut marks);
    let Some(time) = marks.first().and_then(time_of).cloned() else { return Ok(None) };
    let filter = conjunction(rest.into_iter().chain(marks));
    let join = Join { filter, ..join.clone() };
    if node.versions.is_some() || is_clock(&time, &join.left) {
        return Ok(Some(join));
    }
    let place = column(&time).and_then(|column| join.left.schema().maybe_index_of_column(column));
    let Some(place) = place.filter(|place| rowtimes(&join.left).contains(place)) else {
        return Err(Error::fix(
            "Temporal table join currently only supports 'FOR SYSTEM_TIME AS OF' left table's time attribute field",
        )
        .because(format!("{time} is neither the rowtime of the left table nor its processing time"))
        .with_hint(
            "declare WATERMARK FOR the column on its table and pass it on as it is, or a column proc_time AS PROCTIME()",
        ));
    };
    let versions = versions_of(node)?;
    check_filters(&node.input)?;
    check_types(&versions, node, join.left.schema().field(place))?;
    let right = set_versions(join.right.as_ref().clone(), &versions)?;
    Ok(Some(Join { right: Arc::new(right), ..join }))
}

/// A condition without the marks of versions, which may stand behind the guard of a condition that can
/// fail.
fn without_marks(condition: &Expr, marks: &mut Vec<Expr>) -> Option<Expr> {
    let mut rest = Vec::new();
    for part in split_conjunction(condition) {
        if time_of(part).is_some() {
            marks.push(part.clone());
        } else if let Some(inner) = guarded(part) {
            rest.extend(without_marks(inner, marks).map(|inner| with_guarded(part, inner)));
        } else {
            rest.push(part.clone());
        }
    }
    conjunction(rest)
}

/// A version ends when the next one begins, or when its row is deleted, but not when it fails a condition:
/// the time of that is not known.
fn check_filters(plan: &LogicalPlan) -> Result<()> {
    match plan {
        LogicalPlan::Filter(filter) if ranked(filter).is_none() => {
            let key = primary_key(&filter.input).unwrap_or_default();
            let place = |column| filter.input.schema().maybe_index_of_column(column);
            let is_on_key = |column| place(column).is_some_and(|place| key.contains(&place));
            if filter.predicate.is_volatile() || !filter.predicate.column_refs().into_iter().all(is_on_key) {
                return Err(Error::fix("a versioned table that is a view with WHERE is not supported")
                    .because(format!("when a row stops to meet {} is not known", filter.predicate))
                    .with_hint("put the condition into the join: versions are found first, and then judged"));
            }
            check_filters(&filter.input)
        }
        LogicalPlan::Projection(projection) => check_filters(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => check_filters(&alias.input),
        _ => Ok(()),
    }
}

fn versions_of(node: &VersionNode) -> Result<Versions> {
    let columns = node.input.schema().columns();
    let missing = |what: &str| {
        Error::fix(format!(
            "Event-Time Temporal Table Join requires both primary key and row time attribute in versioned table, \
             but no {what} can be found."
        ))
        .while_doing(format!("table '{}' FOR SYSTEM_TIME AS OF an event time", node.table))
        .with_hint(
            "declare PRIMARY KEY (…) NOT ENFORCED and WATERMARK FOR on the table, or join with a view that keeps the \
             last row of each key: ROW_NUMBER() OVER (PARTITION BY key ORDER BY time DESC) … WHERE rn = 1",
        )
    };
    let key = primary_key(&node.input).filter(|key| !key.is_empty()).ok_or_else(|| missing("primary key"))?;
    let time = rowtimes(&node.input).first().copied().ok_or_else(|| missing("row time attribute"))?;
    let column = |place: usize| Expr::Column(columns[place].clone());
    Ok(Versions { time: column(time), key: key.into_iter().map(column).collect() })
}

fn check_types(versions: &Versions, node: &VersionNode, left: &Field) -> Result<()> {
    let right = column(&versions.time).and_then(|column| node.input.schema().maybe_index_of_column(column));
    let name = |field: &Field| match Column::of_field(field).data_type {
        SqlType::TimestampLtz(_) => "TIMESTAMP_LTZ",
        _ => "TIMESTAMP",
    };
    let (left, right) = (name(left), right.map_or("TIMESTAMP", |place| name(node.input.schema().field(place))));
    if left == right {
        return Ok(());
    }
    Err(Error::fix(format!(
        "Event-Time Temporal Table Join requires same rowtime type in left table and versioned table, \
         but the rowtime types are {left} and {right}."
    )))
}

fn set_versions(plan: LogicalPlan, versions: &Versions) -> Result<LogicalPlan> {
    let set = plan.transform_down(|node| {
        let LogicalPlan::Extension(extension) = &node else { return Ok(Transformed::no(node)) };
        let Some(version) = extension.node.as_any().downcast_ref::<VersionNode>() else {
            return Ok(Transformed::no(node));
        };
        let input = with_all_rows(version.input.clone())?;
        let version = VersionNode { input, versions: Some(versions.clone()), ..version.clone() };
        let plan = LogicalPlan::Extension(Extension { node: Arc::new(version) });
        Ok(Transformed::new(plan, true, TreeNodeRecursion::Jump))
    });
    set.map(|set| set.data).map_err(|error| from_datafusion(error, &[]))
}

/// A view that keeps the last row of each key, without that: every row is the version of its time.
fn with_all_rows(plan: LogicalPlan) -> datafusion_common::Result<LogicalPlan> {
    let all = plan.transform_down(|node| {
        let LogicalPlan::Filter(filter) = &node else { return Ok(Transformed::no(node)) };
        match ranked(filter) {
            Some(ranked) if ranked.keeps_last => {
                let input = filter.input.as_ref().clone().transform_down(numbered_by_one)?.data;
                Ok(Transformed::new(input, true, TreeNodeRecursion::Jump))
            }
            _ => Ok(Transformed::no(node)),
        }
    });
    all.map(|all| all.data)
}

/// The rows of a window, each with number 1.
fn numbered_by_one(node: LogicalPlan) -> datafusion_common::Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Window(window) = &node else { return Ok(Transformed::no(node)) };
    let one = ScalarValue::Int64(Some(1)).cast_to(window.schema.field(window.schema.fields().len() - 1).data_type())?;
    let columns = window.input.schema().columns().into_iter().map(Expr::Column);
    let expressions = columns.chain([Expr::Literal(one, None)]).collect();
    let schema = Arc::clone(&window.schema);
    let projection = Projection::try_new_with_schema(expressions, Arc::clone(&window.input), schema)?;
    Ok(Transformed::new(LogicalPlan::Projection(projection), true, TreeNodeRecursion::Jump))
}

/// The columns of which no two rows have the same content at one time.
fn primary_key(plan: &LogicalPlan) -> Option<Vec<usize>> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let base = scan.source.downcast_ref::<BaseTable>()?;
            let place = |name: &String| scan.projected_schema.fields().iter().position(|field| field.name() == name);
            base.table.primary_key.iter().map(place).collect()
        }
        LogicalPlan::Projection(projection) => {
            let key = primary_key(&projection.input)?;
            key.into_iter().map(|place| projected(place, &projection.expr, &projection.input)).collect()
        }
        LogicalPlan::SubqueryAlias(alias) => primary_key(&alias.input),
        LogicalPlan::Filter(filter) => match ranked(filter) {
            Some(ranked) => Some(ranked.key),
            None => primary_key(&filter.input),
        },
        LogicalPlan::Extension(extension) => {
            primary_key(&extension.node.as_any().downcast_ref::<WatermarkNode>()?.input)
        }
        _ => None,
    }
}

/// One row of each key, by event time.
struct Ranked {
    /// The column of the number.
    number: usize,
    key: Vec<usize>,
    /// The last row is number 1, not the first.
    keeps_last: bool,
}

/// What a filter on a row number keeps, if it keeps number 1 and says nothing else.
fn ranked(filter: &Filter) -> Option<Ranked> {
    numbered(&filter.input).filter(|ranked| is_first(&filter.predicate, ranked.number, &filter.input))
}

/// A row number by event time.
fn numbered(plan: &LogicalPlan) -> Option<Ranked> {
    match plan {
        LogicalPlan::Window(window) => {
            let [expression] = window.window_expr.as_slice() else { return None };
            let Expr::WindowFunction(function) = bare(expression) else { return None };
            let [order] = function.params.order_by.as_slice() else { return None };
            let place = |expression: &Expr| window.input.schema().maybe_index_of_column(column(expression)?);
            let is_by_time = place(&order.expr).is_some_and(|place| rowtimes(&window.input).contains(&place));
            if !is_by_time || !function.fun.name().eq_ignore_ascii_case("row_number") {
                return None;
            }
            let key = function.params.partition_by.iter().map(place).collect::<Option<_>>()?;
            Some(Ranked { number: window.schema.fields().len() - 1, key, keeps_last: !order.asc })
        }
        LogicalPlan::Projection(projection) => {
            let below = numbered(&projection.input)?;
            let up = |place| projected(place, &projection.expr, &projection.input);
            Some(Ranked {
                number: up(below.number)?,
                key: below.key.into_iter().map(up).collect::<Option<_>>()?,
                ..below
            })
        }
        LogicalPlan::SubqueryAlias(alias) => numbered(&alias.input),
        _ => None,
    }
}

/// Whether a condition lets rows with number 1 pass, and no others.
fn is_first(predicate: &Expr, number: usize, input: &LogicalPlan) -> bool {
    let is_number = |expression: &Expr| {
        let place = column(expression).and_then(|column| input.schema().maybe_index_of_column(column));
        place == Some(number)
    };
    let is_one = |expression: &Expr| matches!(bare(expression), Expr::Literal(value, _) if value.to_string() == "1");
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = predicate else { return false };
    match op {
        Operator::Eq => is_number(left) && is_one(right) || is_number(right) && is_one(left),
        Operator::LtEq => is_number(left) && is_one(right),
        _ => false,
    }
}

/// Where a column is behind a projection.
fn projected(place: usize, expressions: &[Expr], input: &LogicalPlan) -> Option<usize> {
    let is_it = |expression: &Expr| match passed(expression) {
        Some(column) => input.schema().maybe_index_of_column(column) == Some(place),
        None => false,
    };
    expressions.iter().position(is_it)
}

/// The column that an expression passes on as it is.
fn passed(expression: &Expr) -> Option<&datafusion_common::Column> {
    match expression {
        Expr::Alias(alias) => passed(&alias.expr),
        Expr::Column(column) => Some(column),
        _ => None,
    }
}

/// The column that an expression is, but for its type and its name.
fn column(expression: &Expr) -> Option<&datafusion_common::Column> {
    match bare(expression) {
        Expr::Column(column) => Some(column),
        _ => None,
    }
}

fn bare(expression: &Expr) -> &Expr {
    match expression {
        Expr::Alias(alias) => bare(&alias.expr),
        Expr::Cast(cast) => bare(&cast.expr),
        other => other,
    }
}
