//! `ESTIMATED_COST`: how many rows each node has to handle, by rules of thumb.
//!
//! Sources of streams have no statistics, so every table counts as 100 million rows, as in Flink, and
//! the rest follows from Flink's default selectivities. The figures compare plans; they promise nothing.

use crate::{JoinKind, NodeId, Operation, StreamPlan};

/// Rows of a table of which nothing is known (Flink's default).
const TABLE_ROWS: f64 = 1e8;
/// Share of rows that a filter keeps.
const FILTER: f64 = 0.25;
/// Groups, or distinct keys, as a share of rows.
const DISTINCT: f64 = 0.1;
/// Bytes of a column.
const COLUMN_BYTES: f64 = 12.0;

/// What a node costs, with everything below it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Cost {
    /// Rows that come out of the node.
    pub(super) rows: f64,
    /// Rows handled.
    handled: f64,
    /// Bytes that change subtask.
    network: f64,
    /// Bytes of state.
    memory: f64,
}

impl Cost {
    /// The costs of all nodes of a plan.
    pub(super) fn of_plan(plan: &StreamPlan) -> Vec<Self> {
        let mut costs: Vec<Self> = Vec::with_capacity(plan.nodes().len());
        for index in 0..plan.nodes().len() {
            let cost = Self::of_node(plan, NodeId(index), &costs);
            costs.push(cost);
        }
        costs
    }

    fn of_node(plan: &StreamPlan, id: NodeId, below: &[Self]) -> Self {
        let node = plan.node(id);
        let inputs: Vec<Self> = node.inputs.iter().map(|input| below[input.node.0]).collect();
        let read: f64 = inputs.iter().map(|input| input.rows).sum();
        let rows = rows_of(&node.operation, &inputs);
        let width = |columns: usize| columns as f64 * COLUMN_BYTES;
        let dealt = node.inputs.iter().filter(|input| input.distribution != crate::Distribution::Forward);
        let dealt = dealt.map(|input| below[input.node.0].rows * width(plan.output(input).schema.fields().len()));
        let columns = node.inputs.iter().map(|input| plan.output(input).schema.fields().len()).max().unwrap_or(0);
        let kept = match &node.operation {
            Operation::Join(_) | Operation::IntervalJoin(_) | Operation::TemporalJoin(_) => read,
            operation if operation.is_stateful() => rows,
            _ => 0.0,
        };
        Self {
            rows,
            handled: inputs.iter().map(|input| input.handled).sum::<f64>() + read.max(rows),
            network: inputs.iter().map(|input| input.network).sum::<f64>() + dealt.sum::<f64>(),
            memory: inputs.iter().map(|input| input.memory).sum::<f64>() + kept * width(columns),
        }
    }

    /// `rowcount = 1.0E8, cumulative cost = {…}`, as Flink writes it.
    pub(super) fn text(&self) -> String {
        let Self { rows, handled, network, memory } = self;
        format!(
            "rowcount = {rows:E}, cumulative cost = {{{handled:E} rows, {network:E} bytes network, {memory:E} bytes state}}"
        )
    }
}

fn rows_of(operation: &Operation, inputs: &[Cost]) -> f64 {
    let rows = |input: usize| inputs.get(input).map_or(0.0, |input| input.rows);
    match operation {
        Operation::Source(_) => TABLE_ROWS,
        Operation::Values(values) => values.rows.num_rows() as f64,
        Operation::Calc(calc) if calc.filter.is_some() => rows(0) * FILTER,
        Operation::Union => inputs.iter().map(|input| input.rows).sum(),
        Operation::Expand(expand) => rows(0) * expand.sets.len() as f64,
        Operation::GroupAggregate(aggregate) if aggregate.group.is_empty() => 1.0,
        Operation::GroupAggregate(_) | Operation::LocalAggregate(_) => rows(0) * DISTINCT,
        Operation::Rank(rank) => match rank.last {
            Some(last) if rank.partition.is_empty() => rows(0).min(last as f64),
            _ => rows(0) * DISTINCT,
        },
        Operation::Join(join) => match join.kind {
            JoinKind::LeftSemi | JoinKind::LeftAnti => rows(0) * FILTER,
            JoinKind::LeftMark => rows(0),
            _ if join.keys.is_empty() => rows(0) * rows(1),
            _ => rows(0).max(rows(1)),
        },
        Operation::IntervalJoin(_) => rows(0).max(rows(1)),
        _ => rows(0),
    }
}
