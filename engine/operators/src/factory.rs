//! From a plan node to its operator.

use arrow_schema::SchemaRef;
use sluice_model::{Error, Result};
use sluice_plan::{Node, Operation};

use crate::{
    AssignWatermark, AssignWindow, Calc, DropUpdateBefore, Expand, GroupAggregate, IntervalJoin, Join, LocalAggregate,
    Normalize, NotNull, Operator, OverAggregate, Rank, SessionWindow, TemporalJoin, TemporalSort, Unnest,
    UpsertMaterialize, WindowJoin,
};

/// The operator of a node that runs inside a task; `None` for those that are the ends of tasks
/// (sources, sinks, lookups, batch queries) or only merge channels (unions).
///
/// # Errors
/// A bug in the planner: an expression that does not fit the input.
pub fn operator(node: &Node, inputs: &[SchemaRef]) -> Result<Option<Box<dyn Operator>>> {
    let input = inputs.first().ok_or_else(|| Error::bug("an operator without an input"));
    let output = node.outputs.first().ok_or_else(|| Error::bug("an operator without an output"));
    match &node.operation {
        Operation::Calc(calc) => Ok(Some(Box::new(Calc::compile(calc, input?, &output?.schema)?))),
        Operation::AssignWatermark(assign) => Ok(Some(Box::new(AssignWatermark::compile(assign, input?)?))),
        Operation::AssignWindow(assign) => Ok(Some(Box::new(AssignWindow::new(assign, &output?.schema)?))),
        Operation::SessionWindow(session) => Ok(Some(Box::new(SessionWindow::new(session, input?, &output?.schema)?))),
        Operation::Expand(expand) => Ok(Some(Box::new(Expand::new(expand, &output?.schema)?))),
        Operation::Unnest(unnest) => Ok(Some(Box::new(Unnest::new(unnest, &output?.schema)))),
        Operation::NotNull(check) => Ok(Some(Box::new(NotNull::new(check.clone())))),
        Operation::DropUpdateBefore => Ok(Some(Box::new(DropUpdateBefore))),
        Operation::LocalAggregate(aggregate) => {
            Ok(Some(Box::new(LocalAggregate::new(aggregate, input?, &output?.schema)?)))
        }
        Operation::GroupAggregate(aggregate) => {
            Ok(Some(Box::new(GroupAggregate::new(aggregate, input?, &output?.schema)?)))
        }
        Operation::OverAggregate(over) => Ok(Some(Box::new(OverAggregate::new(over, input?, &output?.schema)?))),
        Operation::TemporalSort(sort) => Ok(Some(Box::new(TemporalSort::new(sort, input?)?))),
        Operation::Join(join) => Ok(Some(match join.window_ends {
            Some(ends) => Box::new(WindowJoin::new(join, ends, both(inputs)?, &output?.schema)?),
            None => Box::new(Join::new(join, both(inputs)?, &output?.schema)?),
        })),
        Operation::IntervalJoin(join) => Ok(Some(Box::new(IntervalJoin::new(join, both(inputs)?, &output?.schema)?))),
        Operation::TemporalJoin(join) => Ok(Some(Box::new(TemporalJoin::new(join, both(inputs)?, &output?.schema)?))),
        Operation::Rank(rank) => Ok(Some(Box::new(Rank::new(rank, input?, &output?.schema)?))),
        Operation::Normalize(normalize) => Ok(Some(Box::new(Normalize::new(normalize.clone(), input?)?))),
        Operation::UpsertMaterialize(node) => Ok(Some(Box::new(UpsertMaterialize::new(node, input?)?))),
        Operation::Source(_)
        | Operation::Values(_)
        | Operation::Union
        | Operation::Batch(_)
        | Operation::LookupJoin(_)
        | Operation::Sink(_) => Ok(None),
    }
}

fn both(inputs: &[SchemaRef]) -> Result<[&SchemaRef; 2]> {
    let [left, right] = inputs else {
        return Err(Error::bug("a join has two inputs"));
    };
    Ok([left, right])
}
