//! What a chain has to do with the source that drives it: splits, watermarks, and being held back.
//!
//! ```text
//! split 3: rows ─► Calc ─► AssignWatermark: split 3 is at 12:07, split 4 at 12:04 ─► rows, watermark 12:04
//! ```
//!
//! Splits are known up to the operator that makes the watermark, as long as no row is kept on the way there.

use std::collections::VecDeque;

use sluice_model::{ChangelogBatch, Error, Result, SplitId, SplitStatus};
use sluice_plan::{Operation, StreamPlan, WatermarkAlignment};

use super::{Chain, Moving, Sent, Step, enqueue};
use crate::graph::{Target, Vertex};

/// What an operator has said about time of its own accord.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Made {
    /// The last watermark.
    watermark: Option<i64>,
    is_idle: bool,
    /// Other sources wait for it.
    is_aligned: bool,
}

impl Made {
    pub(super) fn new(operation: &Operation) -> Self {
        let is_aligned = matches!(operation, Operation::AssignWatermark(assign) if assign.alignment.is_some());
        Self { is_aligned, ..Self::default() }
    }
}

/// For each entry of a vertex, the steps that make watermarks of rows as they come.
pub(super) fn assigners(plan: &StreamPlan, vertex: &Vertex) -> Vec<Vec<usize>> {
    let of_entry = |entry: &Vec<Target>| {
        let (mut targets, mut found) = (entry.clone(), Vec::new());
        while let Some(target) = targets.pop() {
            let Target::Step { step, .. } = target else { continue };
            match &plan.node(vertex.steps[step].node).operation {
                Operation::AssignWatermark(_) => found.push(step),
                Operation::Calc(_) => targets.extend(&vertex.steps[step].targets),
                _ => {}
            }
        }
        found
    };
    vertex.entries.iter().map(of_entry).collect()
}

/// The group whose sources the source of a vertex waits for.
pub(crate) fn alignment<'a>(plan: &'a StreamPlan, vertex: &Vertex) -> Option<&'a WatermarkAlignment> {
    let mut steps = assigners(plan, vertex).into_iter().flatten();
    steps.find_map(|step| match &plan.node(vertex.steps[step].node).operation {
        Operation::AssignWatermark(assign) => assign.alignment.as_ref(),
        _ => None,
    })
}

impl Chain {
    /// As [`push`](Self::push), with rows of one split.
    ///
    /// # Errors
    /// An operator failed.
    pub(crate) fn push_split(
        &mut self,
        entry: usize,
        split: SplitId,
        batch: ChangelogBatch,
        sent: &mut Sent,
    ) -> Result<()> {
        self.on_split(entry, split, SplitStatus::Read, sent)?;
        self.push(entry, batch, sent)
    }

    /// Something is about a split; what leaves the task is appended to `sent`.
    ///
    /// # Errors
    /// An operator failed.
    pub(crate) fn on_split(
        &mut self,
        entry: usize,
        split: SplitId,
        status: SplitStatus,
        sent: &mut Sent,
    ) -> Result<()> {
        self.tell_time(sent)?;
        let assigners = self.assigners.get(entry).ok_or_else(|| Error::bug(format!("there is no input {entry}")))?;
        for step in assigners {
            let step = &mut self.steps[*step];
            if let Some(operator) = &mut step.operator {
                operator.on_split(split, status);
            }
            // Whose rows come is no news for those behind.
            if status != SplitStatus::Read {
                step.tell_of_time(&mut self.work);
            }
        }
        self.work_off(sent)
    }

    /// The source is held back, or goes on.
    pub(crate) fn set_held(&mut self, is_held: bool) {
        for step in self.assigners.iter().flatten() {
            if let Some(operator) = &mut self.steps[*step].operator {
                operator.on_held(is_held);
            }
        }
    }

    /// How far the source's rows are, those of the slowest table that others wait for; `None` if there is none.
    pub(crate) fn source_watermark(&self) -> Option<i64> {
        let steps = self.assigners.iter().flatten().map(|step| &self.steps[*step].made);
        steps.filter(|made| made.is_aligned && !made.is_idle).filter_map(|made| made.watermark).min()
    }
}

impl Step {
    /// Passes on what the operator says about time of its own accord.
    pub(super) fn tell_of_time(&mut self, work: &mut VecDeque<(Target, Moving)>) {
        let Self { operator: Some(operator), targets, made, .. } = self else { return };
        let idleness = operator.new_idleness();
        made.is_idle = idleness.unwrap_or(made.is_idle);
        if idleness == Some(false) {
            enqueue(work, targets, Moving::Idle(false));
        }
        if let Some(watermark) = operator.new_watermark() {
            made.watermark = Some(watermark);
            enqueue(work, targets, Moving::Watermark(watermark));
        }
        if idleness == Some(true) {
            enqueue(work, targets, Moving::Idle(true));
        }
    }
}
