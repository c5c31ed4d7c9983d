//! `PLAN_ADVICE`: state that grows for as long as the job runs.

use crate::{Operation, StreamPlan};

/// One line for each node whose state nothing bounds.
pub(super) fn advice(plan: &StreamPlan) -> Vec<String> {
    plan.nodes().iter().filter_map(|node| unbounded(&node.operation)).collect()
}

/// Why the state of an operator grows, and what bounds it.
fn unbounded(operation: &Operation) -> Option<String> {
    let label = operation.label();
    let ttl = "SET 'table.exec.state.ttl' bounds it, if rows may be forgotten that have not changed for that long";
    let why = match operation {
        Operation::Join(join) if join.keys.is_empty() => {
            "keeps every row of both inputs, and compares each new row with all of the other input; \
             an equality between the inputs in its condition would spare that"
                .to_owned()
        }
        Operation::Join(_) => format!("keeps every row of both inputs; {ttl}"),
        Operation::GroupAggregate(aggregate) if aggregate.window_end.is_some() || aggregate.group.is_empty() => {
            return None;
        }
        Operation::GroupAggregate(_) => {
            format!("keeps every group; grouping by a window frees groups when their window ends, and {ttl}")
        }
        Operation::Rank(rank) if rank.retracts => format!("keeps every row, since rows may be taken back; {ttl}"),
        Operation::Rank(rank) if rank.partition.is_empty() => return None,
        Operation::Rank(_) => format!("keeps the first rows of every partition; {ttl}"),
        Operation::Normalize(_) => {
            format!("keeps every row, since its source does not tell the old content of updated rows; {ttl}")
        }
        Operation::UpsertMaterialize(_) => "keeps every row, since the primary key of the sink is not the key of the \
             query; make them the same, or SET 'table.exec.sink.upsert-materialize' = 'NONE' if the sink's key is unique \
             all the same"
            .to_owned(),
        _ => return None,
    };
    Some(format!("[ADVICE] {label} {why}."))
}
