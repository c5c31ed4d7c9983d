//! A plan with everything it needs to run: its graph, its planned sources and sinks.
//!
//! Made when a job is submitted, so that wrong options are told at once, and used by every attempt.

use std::sync::Arc;

use arrow_array::RecordBatch;
use sluice_connector_api::{Connectors, Sink, Source};
use sluice_model::{Error, Result, SystemClock};
use sluice_operators::LookupJoin;
use sluice_plan::{Batch, Node, Operation, SinkTarget, StreamPlan};

use crate::chain::Chain;
use crate::graph::{Graph, Role, Vertex};
use crate::task::lookup::PlannedLookup;

/// A plan that is ready to run.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) plan: StreamPlan,
    pub(crate) graph: Graph,
    /// What drives each vertex.
    pub(crate) heads: Vec<Head>,
}

/// What drives a task.
#[derive(Debug, Clone)]
pub(crate) enum Head {
    /// A connector's source.
    Source(Arc<dyn Source>),
    /// Constant rows.
    Values(RecordBatch),
    /// The gate in front of operators.
    Operators,
    /// A query over rows that end.
    Batch(Arc<Batch>),
    /// The gate in front of a lookup join, and of operators behind it.
    Lookup(PlannedLookup),
    /// A connector's sink.
    Sink(Arc<dyn Sink>),
    /// The client that asked for the result.
    Collect,
}

impl Program {
    /// Plans the sources and sinks, and compiles every operator once.
    ///
    /// # Errors
    /// Wrong options, or a plan that cannot run.
    pub(crate) fn build(plan: StreamPlan, connectors: &Connectors) -> Result<Self> {
        let graph = Graph::build(&plan)?;
        if !graph.vertices.iter().any(|vertex| vertex.role == Role::Sink) {
            return Err(Error::bug("a job without a sink"));
        }
        let mut heads = Vec::with_capacity(graph.vertices.len());
        for vertex in &graph.vertices {
            Chain::new(&plan, vertex, SystemClock::shared(), None)?;
            heads.push(Head::of(&plan, plan.node(vertex.head), connectors)?);
        }
        Ok(Self { plan, graph, heads })
    }

    /// The state id of a vertex: that of its head.
    pub(crate) fn state_id(&self, vertex: &Vertex) -> &str {
        &self.plan.node(vertex.head).state_id
    }

    /// Whether rows lie in queries that no checkpoint holds.
    pub(crate) fn is_batch(&self) -> bool {
        self.heads.iter().any(|head| matches!(head, Head::Batch(_)))
    }

    /// Whether a client gets the rows.
    pub(crate) fn is_collected(&self) -> bool {
        self.heads.iter().any(|head| matches!(head, Head::Collect))
    }
}

impl Head {
    fn of(plan: &StreamPlan, node: &Node, connectors: &Connectors) -> Result<Self> {
        match &node.operation {
            Operation::Source(source) => {
                let tables = source.tables.iter().map(|table| (table.definition.clone(), table.changelog)).collect();
                let planned = connectors.source(tables)?;
                check_parallelism(node, planned.as_ref())?;
                Ok(Self::Source(planned))
            }
            Operation::Batch(batch) => Ok(Self::Batch(Arc::new(batch.as_ref().clone()))),
            Operation::LookupJoin(join) => Ok(Self::Lookup(planned_lookup(plan, node, join, connectors)?)),
            Operation::Values(values) => Ok(Self::Values(values.rows.clone())),
            Operation::Sink(sink) => match &sink.target {
                SinkTarget::Table(table) => Ok(Self::Sink(connectors.sink(table, sink.changelog)?)),
                SinkTarget::Collect => Ok(Self::Collect),
            },
            _ => Ok(Self::Operators),
        }
    }
}

fn planned_lookup(
    plan: &StreamPlan,
    node: &Node,
    join: &sluice_plan::LookupJoin,
    connectors: &Connectors,
) -> Result<PlannedLookup> {
    let ([input], [output]) = (node.inputs.as_slice(), node.outputs.as_slice()) else {
        return Err(Error::bug("a lookup join has one input and one output"));
    };
    let source = connectors.lookup(&join.table, join.keys.iter().map(|(_, column)| *column).collect())?;
    let rules = LookupJoin::new(join, &plan.schema(input), &output.schema)?;
    Ok(PlannedLookup { source, join: Arc::new(rules), retry: join.retry })
}

fn check_parallelism(node: &Node, source: &dyn Source) -> Result<()> {
    match source.max_parallelism() {
        Some(max) if node.parallelism > max => Err(Error::fix(format!(
            "'{}' cannot be read by {} subtasks, {max} at most",
            node.operation.label(),
            node.parallelism
        ))),
        _ => Ok(()),
    }
}
