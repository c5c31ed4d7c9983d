//! The operators of one task, run without a channel in between.
//!
//! ```text
//! source port 0 ─► Calc ─┬─► output 0 (a sink)
//!                        └─► Calc ─► output 1 (an exchange)
//! ```
//!
//! A batch is pushed through all operators at once; what comes out at the other end is sent
//! afterwards, because operators do not wait and channels do.

use std::collections::VecDeque;

use sluice_model::{ChangelogBatch, Error, Result};
use sluice_operators::Operator;
use sluice_plan::StreamPlan;

use crate::graph::{Target, Vertex};
use crate::launch::States;
use crate::operator_state::{self, OperatorSnapshot, Share};

/// The running operators of one subtask.
pub(crate) struct Chain {
    entries: Vec<Vec<Target>>,
    steps: Vec<Step>,
    /// Batches on their way; empty between calls.
    work: VecDeque<(Target, ChangelogBatch)>,
}

struct Step {
    /// Names the operator's state.
    state_id: String,
    /// `None` passes batches through: a union, whose merging is done by then.
    operator: Option<Box<dyn Operator>>,
    targets: Vec<Target>,
}

impl Chain {
    /// Compiles the operators of a vertex.
    ///
    /// # Errors
    /// A bug in the planner: an expression that does not fit its input.
    pub(crate) fn new(plan: &StreamPlan, vertex: &Vertex) -> Result<Self> {
        let step = |step: &crate::graph::Step| {
            let node = plan.node(step.node);
            let inputs: Vec<_> = node.inputs.iter().map(|input| plan.schema(input)).collect();
            let operator = sluice_operators::operator(node, &inputs)?;
            Ok(Step { state_id: node.state_id.clone(), operator, targets: step.targets.clone() })
        };
        let steps = vertex.steps.iter().map(step).collect::<Result<_>>()?;
        Ok(Self { entries: vertex.entries.clone(), steps, work: VecDeque::new() })
    }

    /// Pushes a batch through; what leaves the task is appended to `sent` with its output.
    ///
    /// # Errors
    /// An operator failed.
    pub(crate) fn push(
        &mut self,
        entry: usize,
        batch: ChangelogBatch,
        sent: &mut Vec<(usize, ChangelogBatch)>,
    ) -> Result<()> {
        let targets = self.entries.get(entry).ok_or_else(|| Error::bug(format!("there is no input {entry}")))?;
        enqueue(&mut self.work, targets, batch);
        self.work_off(sent)
    }

    /// Tells the operators that event time has moved on; what they put out is appended to `sent`.
    ///
    /// # Errors
    /// An operator failed.
    pub(crate) fn advance(&mut self, watermark: i64, sent: &mut Vec<(usize, ChangelogBatch)>) -> Result<()> {
        // Producers come before consumers, so that a consumer has the last rows before the watermark.
        for index in 0..self.steps.len() {
            let Step { operator, targets, .. } = &mut self.steps[index];
            let work = &mut self.work;
            if let Some(operator) = operator {
                operator.on_watermark(watermark, &mut |result| {
                    enqueue(work, targets, result);
                    Ok(())
                })?;
            }
            self.work_off(sent)?;
        }
        Ok(())
    }

    fn work_off(&mut self, sent: &mut Vec<(usize, ChangelogBatch)>) -> Result<()> {
        while let Some((target, batch)) = self.work.pop_front() {
            match target {
                Target::Output(output) => sent.push((output, batch)),
                Target::Step { step, input } => {
                    let Step { operator, targets, .. } = &mut self.steps[step];
                    let work = &mut self.work;
                    match operator {
                        None => enqueue(work, targets, batch),
                        Some(operator) => operator.on_batch(input, batch, &mut |result| {
                            enqueue(work, targets, result);
                            Ok(())
                        })?,
                    }
                }
            }
        }
        Ok(())
    }

    /// The state of all operators.
    ///
    /// # Errors
    /// An operator failed.
    pub(crate) fn snapshot(&mut self, subtask: usize) -> Result<Vec<OperatorSnapshot>> {
        let mut snapshots = Vec::new();
        for Step { state_id, operator, .. } in &mut self.steps {
            if let Some(operator) = operator {
                snapshots.extend(OperatorSnapshot::take(operator.as_mut(), state_id, subtask)?);
            }
        }
        Ok(snapshots)
    }

    /// Hands the operators their part of the states of a checkpoint.
    ///
    /// # Errors
    /// State that cannot be read, or does not fit.
    pub(crate) fn restore(&mut self, states: &States, share: Share) -> Result<()> {
        for Step { state_id, operator, .. } in &mut self.steps {
            if let (Some(operator), Some(states)) = (operator, states.get(state_id)) {
                operator_state::restore(operator.as_mut(), states, share)?;
            }
        }
        Ok(())
    }
}

/// A copy of a batch shares its columns.
fn enqueue(work: &mut VecDeque<(Target, ChangelogBatch)>, targets: &[Target], batch: ChangelogBatch) {
    if let Some((last, others)) = targets.split_last() {
        work.extend(others.iter().map(|target| (*target, batch.clone())));
        work.push_back((*last, batch));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;
    use crate::testing::PlanBuilder;
    use sluice_model::{from_pretty, to_pretty};
    use sluice_plan::Distribution;

    #[test]
    fn every_consumer_gets_every_batch() {
        let mut plan = PlanBuilder::default();
        let source = plan.source("sales", 1);
        let positive = plan.filter(source, "positive", 0);
        plan.sink(source, "all", Distribution::Forward, 1);
        plan.sink(positive, "some", Distribution::Forward, 1);
        let plan = plan.build();
        let graph = Graph::build(&plan).unwrap();
        let mut chain = Chain::new(&plan, &graph.vertices[0]).unwrap();
        let mut sent = Vec::new();
        chain.push(0, from_pretty("id BIGINT, v BIGINT", "+I 1 -1 / +I 2 5"), &mut sent).unwrap();
        let mut sent: Vec<_> = sent.iter().map(|(output, batch)| format!("{output}: {}", to_pretty(batch))).collect();
        sent.sort();
        assert_eq!(sent, ["0: +I 1 -1 / +I 2 5", "1: +I 2 5"]);
    }
}
