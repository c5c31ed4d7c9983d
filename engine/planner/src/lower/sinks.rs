//! Sinks: what they need, whether the query's key is theirs, and how rows are dealt to writers.

use datafusion_expr::LogicalPlan;
use sluice_connector_api::{Connectors, Sink};
use sluice_model::{ChangelogMode, Result, RowKind};
use sluice_plan::{Distribution, Input, Node, NotNull, Operation, Output, SinkTarget, UpsertMaterialize};

use super::join::is_in_order;
use super::nodes::Nodes;
use super::target::{TableTarget, Target};
use crate::{Materialize, PlannerSettings};

/// A sink whose options have been checked.
pub(super) struct PreparedSink<'a> {
    target: &'a Target,
    accepts: ChangelogMode,
    /// Rows are kept in front of it.
    materialize: bool,
}

impl<'a> PreparedSink<'a> {
    pub(super) fn new(connectors: &Connectors, target: &'a Target) -> Result<Self> {
        let accepts = match target {
            // Asked with the modest assumption of insertions; the sink is made again for what really
            // comes once the query's row kinds are known.
            Target::Table(table) => connectors.sink(&table.definition, ChangelogMode::APPEND)?.accepts(),
            Target::Collect => ChangelogMode::RETRACT,
        };
        Ok(Self { target, accepts, materialize: false })
    }

    /// Whether the old content of updated rows is needed here.
    pub(super) fn needs_update_before(&self) -> bool {
        self.materialize || self.accepts.contains(RowKind::UpdateBefore)
    }

    /// Notes if rows have to be kept in front of the sink, which needs the old content of updated
    /// rows. Returns whether that is news: then the query has to be lowered again.
    pub(super) fn decide_materialize(&mut self, settings: &PlannerSettings, output: &Output) -> bool {
        let Target::Table(table) = self.target else { return false };
        let is_news = !self.materialize && must_materialize(settings, table, output);
        self.materialize |= is_news;
        is_news
    }

    /// Adds the sink behind `input`.
    pub(super) fn add(
        &self,
        connectors: &Connectors,
        settings: &PlannerSettings,
        query: &LogicalPlan,
        input: Input,
        nodes: &mut Nodes,
        notes: &mut Vec<String>,
    ) -> Result<()> {
        let output = nodes.plan().output(&input).clone();
        match self.target {
            Target::Collect => {
                let operation =
                    Operation::Sink(sluice_plan::Sink { target: SinkTarget::Collect, changelog: output.changelog });
                let distribution = distribution_of(nodes, &input, 1, &output, None);
                add_sink(nodes, operation, Input { distribution, ..input }, 1, "sink collect".to_owned())
            }
            Target::Table(table) => {
                let sink = connectors.sink(&table.definition, output.changelog)?;
                self.check_changelog(table, &input, nodes)?;
                notes.extend(sink.notes());
                let input = enforce_not_null(settings, table, query, input, nodes)?;
                let input = if self.materialize { materialized(table, query, input, nodes)? } else { input };
                self.add_table_sink(settings, table, sink.as_ref(), input, nodes)
            }
        }
    }

    fn add_table_sink(
        &self,
        settings: &PlannerSettings,
        table: &TableTarget,
        sink: &dyn Sink,
        input: Input,
        nodes: &mut Nodes,
    ) -> Result<()> {
        let output = nodes.plan().output(&input).clone();
        let upstream = nodes.plan().node(input.node).parallelism;
        let parallelism = sink.parallelism().unwrap_or(settings.parallelism.max(upstream)).max(1);
        let key = &table.definition.schema.primary_key;
        let key = (!key.is_empty()).then_some(key.as_slice());
        let distribution = distribution_of(nodes, &input, parallelism, &output, key);
        let operation = Operation::Sink(sluice_plan::Sink {
            target: SinkTarget::Table(Box::new(table.definition.clone())),
            changelog: output.changelog,
        });
        let id = nodes.unused(format!("sink {}", table.definition.name));
        add_sink(nodes, operation, Input { distribution, ..input }, parallelism, id)
    }

    /// Flink's message where a sink cannot take what the query produces.
    fn check_changelog(&self, table: &TableTarget, input: &Input, nodes: &Nodes) -> Result<()> {
        let output = nodes.plan().output(input);
        let taken = self.accepts.union(if self.accepts.is_append() { self.accepts } else { ChangelogMode::RETRACT });
        if output.changelog.is_subset_of(taken) {
            return Ok(());
        }
        let name = &table.definition.name;
        Err(nodes
            .changes_refused(&format!("table sink '{name}'"), input)
            .at_opt(self.target.position())
            .because(format!("the query produces [{}] and the sink takes [{}]", output.changelog, self.accepts))
            .with_hint(
                "write to a connector that goes by key, such as 'upsert-kafka' or 'jdbc', and declare its PRIMARY KEY",
            ))
    }
}

fn add_sink(nodes: &mut Nodes, operation: Operation, input: Input, parallelism: usize, state_id: String) -> Result<()> {
    nodes.add_node(Node { operation, inputs: vec![input], outputs: Vec::new(), parallelism, state_id })
}

/// Rows of one key must reach one writer, in their order.
fn distribution_of(
    nodes: &Nodes,
    input: &Input,
    parallelism: usize,
    output: &Output,
    sink_key: Option<&[usize]>,
) -> Distribution {
    let upstream = nodes.plan().node(input.node).parallelism;
    if upstream == parallelism && (parallelism == 1 || output.changelog.is_append() && sink_key.is_none()) {
        return Distribution::Forward;
    }
    match sink_key {
        _ if parallelism == 1 => Distribution::Single,
        Some(key) => Distribution::Hash(key.to_vec()),
        None if output.changelog.is_append() => Distribution::Rebalance,
        None => match output.keys.first() {
            Some(key) => Distribution::Hash(key.clone()),
            // Without any key a whole row is its own key: a deletion follows its insertion.
            None => Distribution::Hash((0..output.schema.fields().len()).collect()),
        },
    }
}

/// A sink that goes by a key needs a query whose rows are identified by that key; otherwise the
/// newest row of a key is not the one that comes last.
fn must_materialize(settings: &PlannerSettings, table: &TableTarget, output: &Output) -> bool {
    let sink_key = &table.definition.schema.primary_key;
    let is_sink_key = |key: &Vec<usize>| key.len() == sink_key.len() && key.iter().all(|at| sink_key.contains(at));
    if sink_key.is_empty() || output.changelog.is_append() {
        return false;
    }
    match settings.upsert_materialize {
        Materialize::Never => false,
        Materialize::Always => true,
        Materialize::Auto => !output.keys.iter().any(is_sink_key),
    }
}

/// Keeps the rows that share a key of the sink; the newest one shows.
fn materialized(table: &TableTarget, query: &LogicalPlan, input: Input, nodes: &mut Nodes) -> Result<Input> {
    let output = nodes.plan().output(&input).clone();
    let key = table.definition.schema.primary_key.clone();
    let (input, parallelism) = nodes.dealt_by(input, &key);
    let unique_key = output.keys.first().filter(|_| is_in_order(query)).cloned();
    let operation = Operation::UpsertMaterialize(UpsertMaterialize { key: key.clone(), unique_key });
    let output = Output { changelog: ChangelogMode::UPSERT, keys: vec![key], ..output };
    let id = nodes.unused(format!("materialize {}", table.definition.name));
    nodes.add(operation, vec![input], output, parallelism, id)
}

/// Checks rows where the query may deliver NULL and the sink's column does not allow it.
fn enforce_not_null(
    settings: &PlannerSettings,
    table: &TableTarget,
    query: &LogicalPlan,
    input: Input,
    nodes: &mut Nodes,
) -> Result<Input> {
    let definition = &table.definition;
    let output = nodes.plan().output(&input).clone();
    let columns: Vec<usize> = definition
        .schema
        .columns
        .iter()
        .enumerate()
        .filter(|(index, column)| !column.nullable && output.schema.field(*index).is_nullable())
        .map(|(index, _)| index)
        .collect();
    if columns.is_empty() {
        return Ok(input);
    }
    let operation = Operation::NotNull(NotNull { table: definition.name.clone(), columns, drop: settings.drop_nulls });
    let parallelism = nodes.plan().node(input.node).parallelism;
    let id = nodes.state_id("not-null", query);
    nodes.add(operation, vec![input], output, parallelism, id)
}
