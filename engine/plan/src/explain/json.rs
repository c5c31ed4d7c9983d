//! `JSON_EXECUTION_PLAN`: the plan in the form of Flink's job graphs.

use serde_json::{Value, json};

use crate::{Distribution, Node, Operation, StreamPlan};

/// All nodes with their predecessors.
pub(super) fn json(plan: &StreamPlan) -> String {
    let nodes: Vec<_> = plan.nodes().iter().enumerate().map(|(id, node)| node_json(id, node)).collect();
    format!("{:#}", json!({ "nodes": nodes }))
}

fn node_json(id: usize, node: &Node) -> Value {
    let label = node.operation.label();
    let pact = match node.operation {
        Operation::Source(_) | Operation::Values(_) => "Data Source",
        Operation::Sink(_) => "Data Sink",
        _ => "Operator",
    };
    let kind = label.split([':', '(']).next().unwrap_or(&label);
    let mut value = json!({
        "id": id,
        "type": format!("{kind}[{id}]"),
        "pact": pact,
        "contents": format!("[{id}]:{label}"),
        "parallelism": node.parallelism,
    });
    let predecessors = node.inputs.iter().enumerate().map(|(side, input)| {
        let strategy = match &input.distribution {
            Distribution::Forward => "FORWARD",
            Distribution::Hash(_) => "HASH",
            Distribution::Single => "GLOBAL",
            Distribution::Rebalance => "REBALANCE",
        };
        json!({ "id": input.node.0, "ship_strategy": strategy, "side": if side == 0 { "first" } else { "second" } })
    });
    let predecessors: Vec<_> = predecessors.collect();
    if !predecessors.is_empty() {
        value["predecessors"] = Value::Array(predecessors);
    }
    value
}
