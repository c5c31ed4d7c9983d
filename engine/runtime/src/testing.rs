//! Plans for tests, and their graphs as text.

use sluice_model::{ChangelogMode, TableDefinition, from_pretty};
use sluice_plan::{
    Calc, Distribution, Input, JoinKind, LookupJoin, Node, NodeId, Operation, Output, Sink, SinkTarget, Source,
    SourceTable, StreamPlan,
};
use std::fmt::Write;

use crate::graph::{Graph, Role, Target};

/// Builds plans over rows of `id BIGINT, v BIGINT`.
#[derive(Default)]
pub(crate) struct PlanBuilder(StreamPlan);

fn output() -> Output {
    let schema = from_pretty("id BIGINT, v BIGINT", "").schema();
    Output { schema, changelog: ChangelogMode::RETRACT, keys: vec![vec![0]] }
}

fn table(name: &str) -> TableDefinition {
    TableDefinition { name: name.to_owned(), ..TableDefinition::default() }
}

impl PlanBuilder {
    fn add(&mut self, operation: Operation, inputs: Vec<Input>, id: &str, parallelism: usize) -> NodeId {
        let outputs = if matches!(operation, Operation::Sink(_)) { vec![] } else { vec![output()] };
        self.0.add(Node { operation, inputs, outputs, parallelism, state_id: id.to_owned() }).unwrap()
    }

    pub(crate) fn source(&mut self, name: &str, parallelism: usize) -> NodeId {
        let tables = vec![SourceTable { definition: table(name), changelog: ChangelogMode::RETRACT }];
        self.add(Operation::Source(Source { tables, bounded: false }), vec![], name, parallelism)
    }

    pub(crate) fn identity(
        &mut self,
        from: NodeId,
        id: &str,
        distribution: Distribution,
        parallelism: usize,
    ) -> NodeId {
        let projection = vec![datafusion_expr::col("id"), datafusion_expr::col("v")];
        let input = Input { node: from, port: 0, distribution };
        self.add(Operation::Calc(Calc { filter: None, projection }), vec![input], id, parallelism)
    }

    /// Keeps rows whose `v` is above a bound.
    pub(crate) fn filter(&mut self, from: NodeId, id: &str, above: i64) -> NodeId {
        let projection = vec![datafusion_expr::col("id"), datafusion_expr::col("v")];
        let filter = Some(datafusion_expr::col("v").gt(datafusion_expr::lit(above)));
        let input = Input { node: from, port: 0, distribution: Distribution::Forward };
        self.add(Operation::Calc(Calc { filter, projection }), vec![input], id, 1)
    }

    pub(crate) fn union(&mut self, from: &[NodeId], id: &str, parallelism: usize) -> NodeId {
        let input = |node: &NodeId| Input { node: *node, port: 0, distribution: Distribution::Forward };
        self.add(Operation::Union, from.iter().map(input).collect(), id, parallelism)
    }

    /// Looks rows up in a table.
    pub(crate) fn lookup(&mut self, from: NodeId, id: &str) -> NodeId {
        let kind = JoinKind::Inner;
        let join = LookupJoin { kind, table: table(id), keys: vec![(0, 0)], condition: None, retry: None };
        let input = Input { node: from, port: 0, distribution: Distribution::Forward };
        self.add(Operation::LookupJoin(Box::new(join)), vec![input], id, 1)
    }

    pub(crate) fn sink(&mut self, from: NodeId, name: &str, distribution: Distribution, parallelism: usize) {
        let target = SinkTarget::Table(Box::new(table(name)));
        let sink = Sink { target, changelog: ChangelogMode::RETRACT };
        let input = Input { node: from, port: 0, distribution };
        self.add(Operation::Sink(sink), vec![input], name, parallelism);
    }

    pub(crate) fn build(self) -> StreamPlan {
        self.0
    }
}

/// `number role xparallelism [fused steps] => consumer/input distribution`.
pub(crate) fn describe(graph: &Graph) -> String {
    let mut text = String::new();
    for (number, vertex) in graph.vertices.iter().enumerate() {
        let role = match vertex.role {
            Role::Source => "source",
            Role::Operators => "operators",
            Role::Batch => "batch",
            Role::Sink => "sink",
        };
        let _ = write!(text, "{number} {role} x{}", vertex.parallelism);
        if vertex.role != Role::Sink {
            let _ = write!(text, " {:?}", (0..vertex.steps.len()).collect::<Vec<_>>());
        }
        for (index, edge) in vertex.outputs.iter().enumerate() {
            let sign = if index == 0 { " =>" } else { "," };
            let _ = write!(text, "{sign} {}/{} {:?}", edge.to, edge.input, edge.distribution);
        }
        text.push('\n');
        let targets = vertex.entries.iter().chain(vertex.steps.iter().map(|step| &step.targets)).flatten();
        let outputs = targets.filter(|target| matches!(target, Target::Output(_))).count();
        assert_eq!(outputs, vertex.outputs.len(), "every output has one origin");
    }
    text
}
