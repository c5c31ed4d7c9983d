//! Lookup joins: joins with a table as of the processing time.
//!
//! ```text
//! Join: o.cust = c.id, $as_of(o.proc_time, c.id)        LookupJoin: lookup=[id=$l1]
//!   Projection: …, proctime() AS proc_time         ─►   └─ Calc: select=[…]
//!   SubqueryAlias: c
//!     Version: customers
//!       TableScan
//! ```

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, JoinType, NullEquality};
use datafusion_expr::utils::{conjunction, split_conjunction_owned};
use datafusion_expr::{Expr, LogicalPlan, TableScan};
use sluice_model::{Error, Result};
use sluice_plan::{Calc, Distribution, Input, JoinKind, LookupJoin, Operation, Output};

use super::join::{joined_keys, joined_schema};
use super::nodes::Nodes;
use super::scans::base_table;
use crate::bind::from_datafusion;
use crate::catalog::CatalogTable;
use crate::logical::{VersionNode, WatermarkNode, is_clock, time_of};

/// The right side of a lookup join.
struct Table<'a> {
    scan: &'a TableScan,
    /// For each column of the side, which column of the scan it is.
    columns: Vec<usize>,
    /// Conditions over the columns of the scan, as `r0, r1, …`.
    conditions: Vec<Expr>,
}

impl Nodes {
    pub(super) fn lookup_join(
        &mut self,
        join: &datafusion_expr::Join,
        version: &VersionNode,
        query: &LogicalPlan,
    ) -> Result<Input> {
        let kind = match join.join_type {
            JoinType::Inner => JoinKind::Inner,
            JoinType::Left => JoinKind::Left,
            _ => return Err(Error::fix("FOR SYSTEM_TIME AS OF goes with JOIN and LEFT JOIN only")),
        };
        if join.null_equality == NullEquality::NullEqualsNull {
            return Err(Error::fix("a lookup by IS NOT DISTINCT FROM is not supported").with_hint("compare with ="));
        }
        let table = table(&join.right, &version.table)?;
        let (on, mut residual): (Vec<_>, Vec<_>) =
            join.on.iter().partition(|(_, right)| plain(right, &join.right).is_some());
        if on.is_empty() {
            return Err(no_key(&version.table));
        }
        let definition = definition(&base_table(table.scan)?.table, table.scan)?;
        let left = self.side(&join.left, on.iter().map(|(left, _)| left), query)?;
        let key = |right: &Expr| plain(right, &join.right).map_or(0, |column| table.columns[column]);
        let keys: Vec<_> = left.keys.iter().copied().zip(on.iter().map(|(_, right)| key(right))).collect();
        let mut conditions = table.conditions.clone();
        for (left, right) in residual.drain(..) {
            conditions.push(over_pairs(&left.clone().eq(right.clone()), join, &table)?);
        }
        let filters = join.filter.iter().flat_map(|filter| split_conjunction_owned(filter.clone()));
        for filter in filters {
            match time_of(&filter) {
                Some(time) => check_time(time, join, &version.table)?,
                None => conditions.push(over_pairs(&filter, join, &table)?),
            }
        }
        let (width, columns) = (left.width, table.columns);
        let condition = conjunction(conditions);
        let node = LookupJoin { kind, table: definition, keys, condition, retry: version.retry };
        let joined = self.add_lookup(node, left.input, query)?;
        self.selected(joined, width, &columns, query)
    }

    fn add_lookup(&mut self, node: LookupJoin, input: Input, query: &LogicalPlan) -> Result<Input> {
        let left = self.plan().output(&input).clone();
        let primary_key = &node.table.schema.primary_key;
        let right = Output {
            schema: node.table.schema.to_arrow(),
            changelog: left.changelog,
            keys: if primary_key.is_empty() { Vec::new() } else { vec![primary_key.clone()] },
        };
        let (left_keys, right_keys): (Vec<_>, Vec<_>) = node.keys.iter().copied().unzip();
        let changelog = left.changelog;
        let outputs = [left, right];
        let output = Output {
            schema: joined_schema(&outputs, node.kind),
            changelog,
            keys: joined_keys(&outputs, &left_keys, &right_keys, node.kind),
        };
        let parallelism = self.plan().node(input.node).parallelism;
        let input = Input { distribution: Distribution::Forward, ..input };
        let id = self.state_id("lookup", query);
        self.add(Operation::LookupJoin(Box::new(node)), vec![input], output, parallelism, id)
    }

    /// The first `width` columns of the left, and `columns` of the table.
    fn selected(&mut self, joined: Input, width: usize, columns: &[usize], query: &LogicalPlan) -> Result<Input> {
        let source = self.plan().output(&joined).clone();
        let Operation::LookupJoin(node) = &self.plan().node(joined.node).operation else { return Ok(joined) };
        let left = source.schema.fields().len() - node.table.schema.columns.len();
        let kept: Vec<usize> = (0..width).chain(columns.iter().map(|column| left + column)).collect();
        if kept.len() == source.schema.fields().len() && kept.is_sorted() {
            return Ok(joined);
        }
        let passed: Vec<_> = kept.iter().copied().map(Some).collect();
        let output = Output {
            schema: Arc::new(source.schema.project(&kept).map_err(Error::from_arrow)?),
            changelog: source.changelog,
            keys: super::keys::project_keys(&source.keys, &passed),
        };
        let column = |index: &usize| Expr::Column(Column::new_unqualified(source.schema.field(*index).name()));
        let calc = Calc { filter: None, projection: kept.iter().map(column).collect() };
        let id = self.state_id("looked up", query);
        let parallelism = self.plan().node(joined.node).parallelism;
        self.add(Operation::Calc(calc), vec![joined], output, parallelism, id)
    }
}

fn no_key(table: &str) -> Error {
    Error::fix(format!("a lookup join needs an equality on a column of table '{table}'"))
        .because("the table is asked for the rows of a key, and is never read as a whole")
        .with_hint("add o.k = t.id to the condition; where types differ, CAST the column of the stream")
}

/// The place of a column in a plan; `None` for other expressions.
pub(super) fn plain(expression: &Expr, plan: &LogicalPlan) -> Option<usize> {
    match expression {
        Expr::Alias(alias) => plain(&alias.expr, plan),
        Expr::Column(column) => plan.schema().maybe_index_of_column(column),
        _ => None,
    }
}

/// What the right side of a lookup join is made of.
fn table<'a>(plan: &'a LogicalPlan, name: &str) -> Result<Table<'a>> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => table(&alias.input, name),
        LogicalPlan::Filter(filter) => {
            let mut below = table(&filter.input, name)?;
            let schema = filter.input.schema();
            let condition = renamed(&filter.predicate, |column| {
                Some(format!("r{}", below.columns[schema.maybe_index_of_column(column)?]))
            })?;
            below.conditions.push(condition);
            Ok(below)
        }
        LogicalPlan::Projection(projection) => {
            let mut below = table(&projection.input, name)?;
            let place = |expression| plain(expression, &projection.input).map(|column| below.columns[column]);
            let columns: Option<Vec<_>> = projection.expr.iter().map(place).collect();
            below.columns = columns.ok_or_else(|| {
                Error::fix(format!("table '{name}' of a lookup join has computed columns, which is not supported yet"))
                    .with_hint("compute in the SELECT of the join instead")
            })?;
            Ok(below)
        }
        LogicalPlan::Extension(extension) => {
            let node = extension.node.as_any();
            if let Some(version) = node.downcast_ref::<VersionNode>() {
                return table(&version.input, name);
            }
            match node.downcast_ref::<WatermarkNode>() {
                Some(watermark) => table(&watermark.input, name),
                None => Err(no_table(name)),
            }
        }
        LogicalPlan::TableScan(scan) => {
            let columns = (0..scan.projected_schema.fields().len()).collect();
            Ok(Table { scan, columns, conditions: Vec::new() })
        }
        _ => Err(no_table(name)),
    }
}

fn no_table(name: &str) -> Error {
    Error::fix(format!("'{name}' is a query, and FOR SYSTEM_TIME AS OF a processing time looks rows up in a table"))
        .with_hint("join with the table itself")
}

/// The table with the columns of the scan, in their order.
fn definition(table: &CatalogTable, scan: &TableScan) -> Result<sluice_model::TableDefinition> {
    let mut definition = table.definition(false)?;
    let declared = std::mem::take(&mut definition.schema.columns);
    let key: Vec<_> = definition.schema.primary_key.iter().map(|key| declared[*key].name.clone()).collect();
    for field in scan.projected_schema.fields() {
        let column = declared.iter().find(|column| column.name == *field.name()).cloned();
        definition.schema.columns.push(column.ok_or_else(|| {
            Error::fix(format!("metadata column '{}' cannot be looked up", field.name()))
                .with_hint("leave it out of the query")
        })?);
    }
    definition.metadata.clear();
    // A key of which a column is missing is none.
    let places: Option<Vec<_>> = key.iter().map(|name| definition.schema.index_of(name)).collect();
    definition.schema.primary_key = places.unwrap_or_default();
    Ok(definition)
}

/// A condition over `l0, l1, …` and `r0, r1, …`.
fn over_pairs(condition: &Expr, join: &datafusion_expr::Join, table: &Table<'_>) -> Result<Expr> {
    renamed(condition, |column| match join.left.schema().maybe_index_of_column(column) {
        Some(index) => Some(format!("l{index}")),
        None => Some(format!("r{}", table.columns[join.right.schema().maybe_index_of_column(column)?])),
    })
}

pub(super) fn renamed(expression: &Expr, name: impl Fn(&Column) -> Option<String>) -> Result<Expr> {
    let renamed = expression.clone().transform(|node| match node {
        Expr::Column(column) => match name(&column) {
            Some(name) => Ok(Transformed::yes(Expr::Column(Column::new_unqualified(name)))),
            None => datafusion_common::internal_err!("column {column} is of neither side of a join"),
        },
        other => Ok(Transformed::no(other)),
    });
    renamed.map(|renamed| renamed.data).map_err(|error| from_datafusion(error, &[]))
}

/// Rows are looked up when they come by: the time has to be the processing time of the left side.
fn check_time(time: &Expr, join: &datafusion_expr::Join, table: &str) -> Result<()> {
    if is_clock(time, &join.left) {
        return Ok(());
    }
    Err(Error::fix(format!("table '{table}' FOR SYSTEM_TIME AS OF {time}: no processing time of the left side"))
        .with_hint("declare a column proc_time AS PROCTIME() on the left table, and write AS OF o.proc_time"))
}
