//! The stream plan: what the planner hands to the runtime, as plain data.
//!
//! A plan is a list of nodes in topological order. Each node knows what its rows look like, which
//! row kinds they carry, which columns identify a row, and how its inputs must be dealt to its
//! subtasks. No node holds anything alive: no connection, no channel, no operator.
//!
//! ```text
//! [0] Source: store_sales           I,UA,D   key (ss_item_sk, ss_ticket_number)
//! [1] └─ Calc: WHERE qty > 0        I,UA,D
//! [2]    ├─ Sink: kafka             forward
//! [3]    └─ Sink: warehouse         hash (ss_item_sk, ss_ticket_number), parallelism 2
//! ```
//!
//! Expressions stay logical (DataFusion's `Expr` over the input's columns); operators compile them.

mod explain;
mod node;

use std::collections::BTreeMap;
use std::time::Duration;

use std::sync::Arc;

use arrow_schema::SchemaRef;
use sluice_model::{ChangelogMode, Error, Result};

pub use explain::ExplainDetails;
pub use node::{
    AggregateCall, AssignWatermark, AssignWindow, Batch, Calc, Expand, Frame, GroupAggregate, GroupingSet,
    IntervalJoin, Join, JoinKind, LocalAggregate, LookupJoin, LookupRetry, Normalize, NotNull, Operation,
    OverAggregate, Rank, SessionWindow, Sink, SinkTarget, SortColumn, Source, SourceTable, TemporalJoin, TemporalSort,
    Unnest, UpsertMaterialize, Values, WatermarkAlignment, WatermarkEmit, WindowEnd, WindowKind,
};

/// Position of a node in [`StreamPlan::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// How rows of an input are dealt to the subtasks of their consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distribution {
    /// Subtask i gets the rows of subtask i; both have the same parallelism.
    Forward,
    /// By the key group of these columns: rows of one key stay in one subtask, in their order.
    Hash(Vec<usize>),
    /// All rows to subtask 0, in their order.
    Single,
    /// In turn: for rows whose order does not matter, that is, insert-only ones.
    Rebalance,
}

/// Where a node gets rows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The producing node.
    pub node: NodeId,
    /// Which of the producer's outputs: the table of a source that reads several, else 0.
    pub port: usize,
    /// How rows are dealt.
    pub distribution: Distribution,
}

/// What is known about the rows that a node puts out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Columns.
    pub schema: SchemaRef,
    /// Row kinds.
    pub changelog: ChangelogMode,
    /// Each is a set of columns that identifies a row at any time; may be empty.
    pub keys: Vec<Vec<usize>>,
}

/// One node.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it does.
    pub operation: Operation,
    /// Where its rows come from.
    pub inputs: Vec<Input>,
    /// What it puts out, one per port; a sink has none.
    pub outputs: Vec<Output>,
    /// Number of subtasks.
    pub parallelism: usize,
    /// Names its state in a checkpoint. Comes from what the node means (the user's names and the
    /// shape of the query), never from its position: adding a sink leaves the ids of others alone.
    pub state_id: String,
}

/// A whole job.
#[derive(Debug, Clone, Default)]
pub struct StreamPlan {
    nodes: Vec<Node>,
    /// How long operators keep what they were last told, if not for ever.
    state_ttl: Option<Duration>,
    /// Exceptions to that, one per input of a node.
    state_ttl_of: BTreeMap<usize, Vec<Option<Duration>>>,
    /// How rows are gathered in front of operators, if they are.
    mini_batch: Option<MiniBatch>,
}

/// How rows are gathered in front of operators that have a result for each batch of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MiniBatch {
    /// How long rows wait at most.
    pub latency: Duration,
    /// How many wait at most, in each subtask of an operator.
    pub size: usize,
}

impl StreamPlan {
    /// Adds a node behind its inputs.
    ///
    /// # Errors
    /// A bug in the planner: an input that is not there yet, or a state id used twice.
    pub fn add(&mut self, node: Node) -> Result<NodeId> {
        for input in &node.inputs {
            let producer = self.nodes.get(input.node.0);
            if producer.is_none_or(|producer| input.port >= producer.outputs.len()) {
                return Err(Error::bug(format!("node '{}' reads an output that is not there", node.state_id)));
            }
        }
        if self.nodes.iter().any(|other| other.state_id == node.state_id) {
            return Err(Error::bug(format!("two nodes have the state id '{}'", node.state_id)));
        }
        self.nodes.push(node);
        Ok(NodeId(self.nodes.len() - 1))
    }

    /// Lets the state of all operators expire so long after it was last written; `None`: never.
    pub fn set_state_ttl(&mut self, ttl: Option<Duration>) {
        self.state_ttl = ttl;
    }

    /// Lets what a node keeps of one of its inputs expire at another time than the rest.
    pub fn set_state_ttl_of(&mut self, node: NodeId, input: usize, ttl: Option<Duration>) {
        let all = self.nodes.get(node.0).map_or(0, |node| node.inputs.len());
        let ttls = self.state_ttl_of.entry(node.0).or_insert_with(|| vec![self.state_ttl; all]);
        if let Some(place) = ttls.get_mut(input) {
            *place = ttl;
        }
    }

    /// When what a node keeps of each of its inputs expires.
    pub fn state_ttl(&self, node: NodeId) -> Vec<Option<Duration>> {
        let all = self.nodes.get(node.0).map_or(0, |node| node.inputs.len());
        self.state_ttl_of.get(&node.0).cloned().unwrap_or_else(|| vec![self.state_ttl; all])
    }

    /// Gathers rows in front of the operators whose results of many rows are fewer than those of each.
    pub fn set_mini_batch(&mut self, mini_batch: Option<MiniBatch>) {
        self.mini_batch = mini_batch;
    }

    /// How rows are gathered in front of a node, if they are.
    pub fn mini_batch(&self, node: NodeId) -> Option<MiniBatch> {
        self.mini_batch.filter(|_| self.node(node).operation.gains_by_batches())
    }

    /// All nodes, inputs before their consumers.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A node by its id.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// What an input delivers.
    pub fn output(&self, input: &Input) -> &Output {
        &self.nodes[input.node.0].outputs[input.port]
    }

    /// The schema that an input delivers.
    pub fn schema(&self, input: &Input) -> SchemaRef {
        Arc::clone(&self.output(input).schema)
    }

    /// True if every source ends by itself, so that the job does.
    pub fn is_bounded(&self) -> bool {
        self.nodes.iter().all(|node| match &node.operation {
            Operation::Source(source) => source.bounded,
            _ => true,
        })
    }

    /// True if an operator that keeps state gets rows of a node, directly or not.
    pub fn feeds_state(&self, id: NodeId) -> bool {
        let mut fed = vec![false; self.nodes.len()];
        fed[id.0] = true;
        for (index, node) in self.nodes.iter().enumerate() {
            if node.inputs.iter().any(|input| fed[input.node.0]) {
                if node.operation.is_stateful() {
                    return true;
                }
                fed[index] = true;
            }
        }
        false
    }

    /// The text of `EXPLAIN`.
    pub fn explain(&self, details: ExplainDetails) -> String {
        explain::explain(self, details)
    }
}
