//! Batch mode: what needs all rows runs once, when they are there.
//!
//! Whatever looks at one row at a time (scans, computed columns, filters, windows of `TUMBLE` and
//! the like) is lowered as on a stream. Everything above that is one node.
//!
//! ```text
//! Aggregate                          Batch: Aggregate
//!   Filter                             ├─ input0: Source -> Calc
//!     TableScan: t        becomes      └─ …
//! ```
//!
//! A window over such a node is a node of its own above it, and what is above the window another one.

use std::sync::Arc;

use arrow_schema::Schema;
use datafusion_common::Column;
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_expr::logical_plan::builder::LogicalTableSource;
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use sluice_connector_api::Connectors;
use sluice_model::{ChangelogMode, Error, Result};
use sluice_plan::{Batch, Distribution, Input, Operation, Output, StreamPlan};

use super::fields::RowFields;
use super::needs::Needs;
use super::nodes::Nodes;
use super::sinks::PreparedSink;
use super::target::Target;
use crate::PlannerSettings;
use crate::bind::from_datafusion;
use crate::logical::{WindowNode, version};

/// A query in two: what goes row by row, and the rest.
struct Cut {
    /// The parts that go row by row.
    inputs: Vec<LogicalPlan>,
    /// What windows in `inputs` look at that does not go row by row, and how that is cut.
    below: Vec<(LogicalPlan, Cut)>,
    /// What is left, over scans of the inputs; `None` if nothing is.
    rest: Option<LogicalPlan>,
}

/// As [`super::lower`], for rows that end.
pub(super) fn lower(
    connectors: &Connectors,
    settings: &PlannerSettings,
    queries: &[LogicalPlan],
    targets: &[Target],
) -> Result<(StreamPlan, Vec<String>)> {
    queries.iter().try_for_each(refuse_versions)?;
    let sinks = targets.iter().map(|target| PreparedSink::new(connectors, target)).collect::<Result<Vec<_>>>()?;
    let cuts = queries.iter().map(Cut::new).collect::<Result<Vec<_>>>()?;
    let (mut needs, mut fields) = (Needs::default(), RowFields::default());
    for input in cuts.iter().flat_map(Cut::by_row) {
        needs.collect(input, false)?;
        fields.collect(input)?;
    }
    let mut plan = StreamPlan::default();
    let ports = std::mem::take(&mut needs.scans).sources(connectors, settings, &fields, &mut plan)?;
    let mut nodes = Nodes::new(plan, ports, needs, settings);
    nodes.is_batch = true;
    let inputs = cuts.iter().zip(queries).map(|(cut, query)| cut.add(query, settings, &mut nodes));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    if let Some(source) = nodes.plan().nodes().iter().find(|node| is_endless(&node.operation)) {
        return Err(Error::fix(format!("'{}' never ends, so batch mode cannot read it", source.operation.label()))
            .with_hint("bound it with the connector's options, or SET 'execution.runtime-mode' = 'streaming'"));
    }
    super::add_sinks(connectors, settings, queries, &sinks, inputs, nodes)
}

/// Versions come one after another, and a batch has no order.
fn refuse_versions(query: &LogicalPlan) -> Result<()> {
    let table = std::cell::RefCell::new(None);
    let found = query.exists(|node| {
        if let LogicalPlan::Join(join) = node
            && let Some(version) = version(&join.right).filter(|version| version.versions.is_some())
        {
            table.replace(Some(version.table.clone()));
        }
        Ok(table.borrow().is_some())
    });
    found.map_err(|error| from_datafusion(error, &[]))?;
    let Some(table) = table.into_inner() else { return Ok(()) };
    Err(Error::fix(format!("table '{table}' FOR SYSTEM_TIME AS OF an event time is not supported in batch mode"))
        .with_hint("SET 'execution.runtime-mode' = 'streaming'"))
}

fn is_endless(operation: &Operation) -> bool {
    matches!(operation, Operation::Source(source) if !source.bounded)
}

impl Cut {
    fn new(query: &LogicalPlan) -> Result<Self> {
        if goes_by_row(query) {
            return Ok(Self { inputs: vec![query.clone()], below: Vec::new(), rest: None });
        }
        // A node begins when its inputs do, so constants are one where there is nothing else.
        let with_constants = Self::around(query, false)?;
        if with_constants.inputs.is_empty() { Self::around(query, true) } else { Ok(with_constants) }
    }

    /// Cuts around what does not go row by row. Constants stay in it, or are inputs.
    fn around(query: &LogicalPlan, takes_constants: bool) -> Result<Self> {
        let stays = |node: &LogicalPlan| {
            !takes_constants && matches!(node, LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_))
        };
        let (mut inputs, mut below) = (Vec::new(), Vec::new());
        let rest = query.clone().transform_down(|node| {
            if let Some(rows) = rows_of_window(&node).filter(|rows| !goes_by_row(rows)) {
                below.push(rows.clone());
            } else if !goes_by_row(&node) || stays(&node) {
                return Ok(Transformed::no(node));
            }
            let scan = scan_of(&node, inputs.len())?;
            inputs.push(node);
            Ok(Transformed::new(scan, true, TreeNodeRecursion::Jump))
        });
        let rest = rest.map_err(|error| from_datafusion(error, &[]))?.data;
        let cut = |rows: LogicalPlan| Cut::new(&rows).map(|cut| (rows, cut));
        let below = below.into_iter().map(cut).collect::<Result<_>>()?;
        Ok(Self { inputs, below, rest: Some(rest) })
    }

    /// What is lowered as on a stream, down to the tables.
    fn by_row(&self) -> Vec<&LogicalPlan> {
        let is_above = |input: &LogicalPlan| rows_of_window(input).is_some_and(|rows| !goes_by_row(rows));
        let own = self.inputs.iter().filter(|input| !is_above(input));
        own.chain(self.below.iter().flat_map(|(_, cut)| cut.by_row())).collect()
    }

    fn add(&self, query: &LogicalPlan, settings: &PlannerSettings, nodes: &mut Nodes) -> Result<Input> {
        for (rows, cut) in &self.below {
            let input = cut.add(rows, settings, nodes)?;
            nodes.remember(rows, input);
        }
        let inputs = self.inputs.iter().map(|input| nodes.lower(input)).collect::<Result<Vec<_>>>()?;
        for input in &inputs {
            let changelog = nodes.plan().output(input).changelog;
            if !changelog.is_append() {
                return Err(Error::fix(format!("batch mode reads insertions only, and a table has [{changelog}]"))
                    .with_hint("SET 'execution.runtime-mode' = 'streaming'"));
            }
        }
        let Some(rest) = &self.rest else {
            return inputs.into_iter().next().ok_or_else(|| Error::bug("a query without a plan"));
        };
        let is_single = |input: &Input| nodes.plan().node(input.node).parallelism == 1;
        let inputs = inputs.into_iter().map(|mut input| {
            input.distribution = if is_single(&input) { Distribution::Forward } else { Distribution::Single };
            input
        });
        let inputs = inputs.collect();
        let schema = Arc::clone(query.schema().inner());
        let output = Output { schema, changelog: ChangelogMode::APPEND, keys: Vec::new() };
        let batch = Batch { query: rest.clone(), threads: settings.parallelism };
        let id = nodes.state_id("batch", query);
        nodes.add(Operation::Batch(Box::new(batch)), inputs, output, 1, id)
    }
}

/// Whether every row can be handled when it comes. Nodes of our own are: those that do need more
/// have a stateless reading of one row as well.
fn goes_by_row(plan: &LogicalPlan) -> bool {
    let is_by_row = matches!(
        plan,
        LogicalPlan::TableScan(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::Extension(_)
    );
    is_by_row && plan.inputs().into_iter().all(goes_by_row)
}

/// What a window looks at.
fn rows_of_window(plan: &LogicalPlan) -> Option<&LogicalPlan> {
    let LogicalPlan::Extension(extension) = plan else { return None };
    extension.node.as_any().downcast_ref::<WindowNode>().map(|window| &window.input)
}

/// A scan that stands for a part of a query: the same columns under the same names.
fn scan_of(part: &LogicalPlan, number: usize) -> datafusion_common::Result<LogicalPlan> {
    let name = Batch::input_name(number);
    let fields = part.schema().fields().iter().enumerate();
    let fields: Vec<_> =
        fields.map(|(index, field)| field.as_ref().clone().with_name(Batch::column_name(index))).collect();
    let source = Arc::new(LogicalTableSource::new(Arc::new(Schema::new(fields))));
    let columns = part.schema().iter().enumerate().map(|(index, (qualifier, field))| {
        let column = Expr::Column(Column::new(Some(name.as_str()), Batch::column_name(index)));
        column.alias_qualified(qualifier.cloned(), field.name())
    });
    LogicalPlanBuilder::scan(name.as_str(), source, None)?.project(columns)?.build()
}
