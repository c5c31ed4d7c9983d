//! Plans over rows of `id BIGINT, v BIGINT`.

use sluice_model::{ChangelogMode, TableDefinition, TableOptions, from_pretty};
use sluice_plan::{
    Calc, Distribution, Input, Node, NodeId, Normalize, Operation, Output, Sink, SinkTarget, Source, SourceTable,
    StreamPlan, Values,
};

/// Builds plans.
#[derive(Default)]
pub(crate) struct PlanBuilder(StreamPlan);

fn table(name: &str, options: &[(&str, &str)]) -> TableDefinition {
    let mut pairs = vec![("connector", "memory")];
    pairs.extend(options);
    TableDefinition { name: name.to_owned(), options: TableOptions::from_pairs(pairs), ..TableDefinition::default() }
}

fn columns() -> Vec<datafusion_expr::Expr> {
    vec![datafusion_expr::col("id"), datafusion_expr::col("v")]
}

impl PlanBuilder {
    fn add(&mut self, operation: Operation, inputs: Vec<Input>, id: &str, parallelism: usize) -> NodeId {
        let schema = from_pretty("id BIGINT, v BIGINT", "").schema();
        let output = Output { schema, changelog: ChangelogMode::RETRACT, keys: vec![vec![0]] };
        let outputs = if matches!(operation, Operation::Sink(_)) { vec![] } else { vec![output] };
        self.0.add(Node { operation, inputs, outputs, parallelism, state_id: id.to_owned() }).unwrap()
    }

    pub(crate) fn source(&mut self, name: &str, options: &[(&str, &str)], parallelism: usize) -> NodeId {
        let bounded = !options.contains(&("bounded", "false"));
        let tables = vec![SourceTable { definition: table(name, options), changelog: ChangelogMode::RETRACT }];
        self.add(Operation::Source(Source { tables, bounded }), vec![], name, parallelism)
    }

    pub(crate) fn values(&mut self, rows: &str, parallelism: usize) -> NodeId {
        let rows = from_pretty("id BIGINT, v BIGINT", rows).rows().clone();
        self.add(Operation::Values(Values { rows }), vec![], "values", parallelism)
    }

    /// Passes rows on; with `above`, those whose `v` is above it.
    pub(crate) fn calc(
        &mut self,
        from: NodeId,
        id: &str,
        above: Option<i64>,
        distribution: Distribution,
        parallelism: usize,
    ) -> NodeId {
        let filter = above.map(|above| datafusion_expr::col("v").gt(datafusion_expr::lit(above)));
        let calc = Operation::Calc(Calc { filter, projection: columns() });
        self.add(calc, vec![Input { node: from, port: 0, distribution }], id, parallelism)
    }

    /// Keeps the last row of every `id`.
    pub(crate) fn normalize(&mut self, from: NodeId, id: &str, parallelism: usize) -> NodeId {
        let normalize = Operation::Normalize(Normalize { key: vec![0], update_before: true });
        let input = Input { node: from, port: 0, distribution: Distribution::Hash(vec![0]) };
        self.add(normalize, vec![input], id, parallelism)
    }

    pub(crate) fn union(&mut self, from: &[NodeId], id: &str) -> NodeId {
        let input = |node: &NodeId| Input { node: *node, port: 0, distribution: Distribution::Single };
        self.add(Operation::Union, from.iter().map(input).collect(), id, 1)
    }

    pub(crate) fn sink(
        &mut self,
        from: NodeId,
        name: &str,
        options: &[(&str, &str)],
        distribution: Distribution,
        parallelism: usize,
    ) {
        let target = SinkTarget::Table(Box::new(table(name, options)));
        let sink = Operation::Sink(Sink { target, changelog: ChangelogMode::RETRACT });
        self.add(sink, vec![Input { node: from, port: 0, distribution }], name, parallelism);
    }

    pub(crate) fn collect(&mut self, from: NodeId) {
        let sink = Operation::Sink(Sink { target: SinkTarget::Collect, changelog: ChangelogMode::RETRACT });
        let input = Input { node: from, port: 0, distribution: Distribution::Forward };
        self.add(sink, vec![input], "collect", 1);
    }

    pub(crate) fn build(self) -> StreamPlan {
        self.0
    }

    /// One source, one sink, one subtask each.
    pub(crate) fn copy(source_options: &[(&str, &str)], sink_options: &[(&str, &str)]) -> StreamPlan {
        let mut plan = Self::default();
        let source = plan.source("in", source_options, 1);
        plan.sink(source, "out", sink_options, Distribution::Forward, 1);
        plan.build()
    }
}
