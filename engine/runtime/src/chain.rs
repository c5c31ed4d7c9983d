//! The operators of one task, run without a channel in between.
//!
//! ```text
//! source port 0 ─► Calc ─┬─► output 0 (a sink)
//!                        └─► Calc ─► output 1 (an exchange)
//! ```
//!
//! A batch is pushed through all operators at once; what comes out at the other end is sent
//! afterwards, because operators do not wait and channels do.
//!
//! Operators have no clock of their own: the chain tells them the time in front of what comes in.
//! Where one wants to be told without anything coming in, the task waits for
//! [`Chain::next_timer`] beside its inputs; where none does, an idle task sleeps.

mod source;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sluice_model::{Barrier, BarrierKind, ChangelogBatch, Clock, Error, Result, StreamElement};
use sluice_operators::Operator;
use sluice_plan::StreamPlan;

use crate::graph::{Target, Vertex};
use crate::operator_state::{self, OperatorSnapshot, Saved, Share};
use crate::restore::States;
use crate::spill::{Account, Memory, Running};

pub(crate) use source::alignment;

/// The running operators of one subtask.
pub(crate) struct Chain {
    entries: Vec<Vec<Target>>,
    steps: Vec<Step>,
    /// For each entry, the steps that make watermarks of the source's rows as they come.
    assigners: Vec<Vec<usize>>,
    /// What is on its way; empty between calls.
    work: VecDeque<(Target, Moving)>,
    clock: Arc<dyn Clock>,
    /// The time that the operators have been told last.
    now: i64,
}

/// The longest wait for a timer. The machine's clock may be set, and a clock under test moves as it
/// likes: the wait says nothing about either.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Rows or time, on the way from operator to operator.
#[derive(Debug, Clone)]
enum Moving {
    Rows(ChangelogBatch),
    Watermark(i64),
    Idle(bool),
}

struct Step {
    /// Names the operator's state.
    state_id: String,
    /// `None` passes batches through: a union, whose merging is done by then.
    operator: Option<Running>,
    /// What its state takes of the budget; `None` if there is none, or the operator sees to it itself.
    account: Option<Account>,
    targets: Vec<Target>,
    /// How far event time has come on each input.
    watermarks: Vec<i64>,
    /// The inputs whose watermarks nobody waits for.
    idle: Vec<bool>,
    /// How far event time has come.
    watermark: i64,
    /// What the operator itself has said about time last, if it makes watermarks.
    made: source::Made,
    /// What was last handed out of its state.
    saved: Saved,
}

/// What leaves a task: the output, and rows or a watermark.
pub(crate) type Sent = Vec<(usize, StreamElement)>;

impl Chain {
    /// Compiles the operators of a vertex.
    ///
    /// # Errors
    /// A bug in the planner: an expression that does not fit its input.
    pub(crate) fn new(
        plan: &StreamPlan,
        vertex: &Vertex,
        clock: Arc<dyn Clock>,
        memory: Option<&Memory>,
    ) -> Result<Self> {
        let step = |step: &crate::graph::Step| {
            let node = plan.node(step.node);
            let inputs: Vec<_> = node.inputs.iter().map(|input| plan.schema(input)).collect();
            let (watermarks, idle) = (vec![i64::MIN; inputs.len()], vec![false; inputs.len()]);
            let (ttl, mini_batch) = (plan.state_ttl(step.node), plan.mini_batch(step.node));
            let (operator, account) = Running::new(node, inputs, ttl, mini_batch, memory)?.unzip();
            Ok(Step {
                state_id: node.state_id.clone(),
                operator,
                account: account.flatten(),
                targets: step.targets.clone(),
                watermarks,
                idle,
                watermark: i64::MIN,
                made: source::Made::new(&node.operation),
                saved: Saved::default(),
            })
        };
        let steps = vertex.steps.iter().map(step).collect::<Result<_>>()?;
        let (entries, assigners) = (vertex.entries.clone(), source::assigners(plan, vertex));
        Ok(Self { entries, assigners, steps, work: VecDeque::new(), clock, now: i64::MIN })
    }

    /// States of fewer bytes are handed out as a whole at every checkpoint.
    pub(crate) fn with_inline_threshold(mut self, bytes: u64) -> Self {
        self.steps.iter_mut().for_each(|step| step.saved = Saved::new(bytes));
        self
    }

    /// Pushes a batch through; what leaves the task is appended to `sent`.
    ///
    /// # Errors
    /// An operator failed.
    pub(crate) fn push(&mut self, entry: usize, batch: ChangelogBatch, sent: &mut Sent) -> Result<()> {
        self.tell_time(sent)?;
        let targets = self.entries.get(entry).ok_or_else(|| Error::bug(format!("there is no input {entry}")))?;
        enqueue(&mut self.work, targets, Moving::Rows(batch));
        self.work_off(sent)
    }

    /// Event time has moved on at all entries; what leaves the task is appended to `sent`.
    ///
    /// # Errors
    /// An operator failed.
    pub(crate) fn advance(&mut self, watermark: i64, sent: &mut Sent) -> Result<()> {
        self.tell_time(sent)?;
        for targets in &self.entries {
            enqueue(&mut self.work, targets, Moving::Watermark(watermark));
        }
        self.work_off(sent)
    }

    /// All entries have become idle, or are active again; what leaves the task is appended to `sent`.
    ///
    /// # Errors
    /// An operator failed.
    pub(crate) fn set_idle(&mut self, is_idle: bool, sent: &mut Sent) -> Result<()> {
        self.tell_time(sent)?;
        for targets in &self.entries {
            enqueue(&mut self.work, targets, Moving::Idle(is_idle));
        }
        self.work_off(sent)
    }

    /// Tells the operators what time it is, if that is news; what leaves the task is appended to `sent`.
    ///
    /// # Errors
    /// An operator failed.
    pub(crate) fn tell_time(&mut self, sent: &mut Sent) -> Result<()> {
        let now = self.clock.now_millis();
        if now == self.now {
            return Ok(());
        }
        self.now = now;
        // What a step puts out reaches those behind it before they are told themselves.
        for step in 0..self.steps.len() {
            self.steps[step].on_processing_time(now, &mut self.work)?;
            self.work_off(sent)?;
        }
        Ok(())
    }

    /// Waits until an operator wants to be told the time; for ever if none does. Cancel-safe.
    pub(crate) fn next_timer(&self) -> impl Future<Output = ()> + Send + use<> {
        let timer = self.steps.iter().filter_map(|step| step.operator.as_ref()?.next_timer()).min();
        let waiting = timer.map(|timer| (timer, Arc::clone(&self.clock)));
        async move {
            let Some((timer, clock)) = waiting else { return std::future::pending().await };
            loop {
                let millis = timer.saturating_sub(clock.now_millis());
                let Some(millis) = u64::try_from(millis).ok().filter(|millis| *millis > 0) else { return };
                tokio::time::sleep(Duration::from_millis(millis).min(LONGEST_WAIT)).await;
            }
        }
    }

    /// Works off a part of what operators have put off; false if there is nothing left of it. In front of
    /// a barrier, and of the end, it is called until then, so that nothing is left behind. What leaves the
    /// task is appended to `sent`.
    ///
    /// # Errors
    /// An operator failed.
    pub(crate) fn catch_up(&mut self, sent: &mut Sent) -> Result<bool> {
        // What one puts out may have to wait for one behind it.
        for step in 0..self.steps.len() {
            if self.steps[step].catch_up(&mut self.work)? {
                self.work_off(sent)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn work_off(&mut self, sent: &mut Sent) -> Result<()> {
        while let Some((target, moving)) = self.work.pop_front() {
            match (target, moving) {
                (Target::Output(output), Moving::Rows(batch)) => sent.push((output, StreamElement::Batch(batch))),
                (Target::Output(output), Moving::Watermark(time)) => {
                    sent.push((output, StreamElement::Watermark(time)))
                }
                (Target::Output(output), Moving::Idle(is_idle)) => sent.push((output, StreamElement::Idle(is_idle))),
                (Target::Step { step, input }, Moving::Idle(is_idle)) => {
                    self.steps[step].on_idle(input, is_idle, &mut self.work)?;
                }
                (Target::Step { step, input }, Moving::Rows(batch)) => {
                    self.steps[step].on_batch(input, batch, &mut self.work)?;
                }
                (Target::Step { step, input }, Moving::Watermark(time)) => {
                    self.steps[step].on_watermark(input, time, &mut self.work)?;
                }
            }
        }
        Ok(())
    }

    /// Number of rows that came too late for their windows since the last call.
    pub(crate) fn take_late_rows(&mut self) -> u64 {
        self.steps.iter_mut().filter_map(|step| step.operator.as_mut()).map(|operator| operator.take_late_rows()).sum()
    }

    /// A barrier is about to pass: what operators hold back is appended to `sent`.
    ///
    /// # Errors
    /// An operator failed.
    pub(crate) fn put_out(&mut self, sent: &mut Sent) -> Result<()> {
        // What a step puts out reaches those behind it before they are told themselves.
        for step in 0..self.steps.len() {
            self.steps[step].on_barrier(&mut self.work)?;
            self.work_off(sent)?;
        }
        Ok(())
    }

    /// The state of all operators at a barrier, or what has changed of it; none behind the end.
    ///
    /// # Errors
    /// An operator failed.
    pub(crate) fn snapshot(&mut self, barrier: Barrier, subtask: usize) -> Result<Vec<OperatorSnapshot>> {
        let mut snapshots = Vec::new();
        if barrier.kind == BarrierKind::End {
            return Ok(snapshots);
        }
        for Step { state_id, operator, saved, .. } in &mut self.steps {
            if let Some(operator) = operator {
                snapshots.extend(OperatorSnapshot::take(operator, barrier, saved, state_id, subtask)?);
            }
        }
        Ok(snapshots)
    }

    /// Whether any of the states is of one of the operators.
    pub(crate) fn has_state(&self, states: &States) -> bool {
        self.steps.iter().any(|step| step.operator.is_some() && states.contains_key(&step.state_id))
    }

    /// Hands the operators their part of the states of a checkpoint.
    ///
    /// # Errors
    /// State that cannot be read, or does not fit.
    pub(crate) fn restore(&mut self, states: &States, share: Share) -> Result<()> {
        for Step { state_id, operator, account, .. } in &mut self.steps {
            if let (Some(operator), Some(states)) = (operator, states.get(state_id)) {
                operator_state::restore(&mut **operator, states, share)?;
                measure(account, operator);
            }
        }
        Ok(())
    }
}

impl Step {
    fn on_batch(&mut self, input: usize, batch: ChangelogBatch, work: &mut VecDeque<(Target, Moving)>) -> Result<()> {
        let Some(operator) = &mut self.operator else {
            enqueue(work, &self.targets, Moving::Rows(batch));
            return Ok(());
        };
        let Some(ends) = operator.parts(&batch)? else { return self.handle(input, batch, work) };
        let mut start = 0;
        for end in ends {
            self.handle(input, batch.slice(start, end - start), work)?;
            start = end;
        }
        Ok(())
    }

    fn handle(&mut self, input: usize, batch: ChangelogBatch, work: &mut VecDeque<(Target, Moving)>) -> Result<()> {
        let Self { operator: Some(operator), account, targets, .. } = self else { return Ok(()) };
        operator.on_batch(input, batch, &mut |result| {
            enqueue(work, targets, Moving::Rows(result));
            Ok(())
        })?;
        measure(account, operator);
        self.tell_of_time(work);
        Ok(())
    }

    /// True if there was something to work off.
    fn catch_up(&mut self, work: &mut VecDeque<(Target, Moving)>) -> Result<bool> {
        let Self { operator: Some(Running::Spilling(operator)), targets, .. } = self else { return Ok(false) };
        let has_worked = operator.work_off(&mut |result| {
            enqueue(work, targets, Moving::Rows(result));
            Ok(())
        })?;
        if let Some(watermark) = operator.new_watermark() {
            enqueue(work, targets, Moving::Watermark(watermark));
        }
        Ok(has_worked)
    }

    fn on_barrier(&mut self, work: &mut VecDeque<(Target, Moving)>) -> Result<()> {
        let Self { operator: Some(operator), targets, .. } = self else { return Ok(()) };
        operator.on_barrier(&mut |result| {
            enqueue(work, targets, Moving::Rows(result));
            Ok(())
        })
    }

    fn on_processing_time(&mut self, now: i64, work: &mut VecDeque<(Target, Moving)>) -> Result<()> {
        let Self { operator: Some(operator), targets, .. } = self else { return Ok(()) };
        operator.on_processing_time(now, &mut |result| {
            enqueue(work, targets, Moving::Rows(result));
            Ok(())
        })?;
        self.tell_of_time(work);
        Ok(())
    }

    fn on_idle(&mut self, input: usize, is_idle: bool, work: &mut VecDeque<(Target, Moving)>) -> Result<()> {
        let are_all_idle = |idle: &[bool]| idle.iter().all(|is_idle| *is_idle);
        let before = are_all_idle(&self.idle);
        self.idle[input] = is_idle;
        let now = are_all_idle(&self.idle);
        self.advance(work)?;
        if now != before {
            enqueue(work, &self.targets, Moving::Idle(now));
        }
        Ok(())
    }

    /// The slowest input counts.
    fn on_watermark(&mut self, input: usize, watermark: i64, work: &mut VecDeque<(Target, Moving)>) -> Result<()> {
        self.watermarks[input] = self.watermarks[input].max(watermark);
        self.advance(work)
    }

    /// Idle inputs do not count, unless all are: then the fastest does.
    fn advance(&mut self, work: &mut VecDeque<(Target, Moving)>) -> Result<()> {
        let Self { operator, account, targets, watermarks, idle, .. } = self;
        let active = watermarks.iter().zip(idle.iter()).filter(|(_, is_idle)| !**is_idle).map(|(time, _)| *time).min();
        let now = active.or_else(|| watermarks.iter().copied().max()).unwrap_or(i64::MIN);
        if now <= self.watermark {
            return Ok(());
        }
        self.watermark = now;
        let Some(operator) = operator else {
            enqueue(work, targets, Moving::Watermark(now));
            return Ok(());
        };
        operator.on_watermark(now, &mut |result| {
            enqueue(work, targets, Moving::Rows(result));
            Ok(())
        })?;
        measure(account, operator);
        if let Some(watermark) = operator.passed_watermark(now) {
            enqueue(work, targets, Moving::Watermark(watermark));
        }
        Ok(())
    }
}

/// Tells the budget what an operator takes of it that cannot spill.
fn measure(account: &mut Option<Account>, operator: &Running) {
    if let Some(account) = account {
        account.set(operator.state_bytes());
    }
}

/// A copy of a batch shares its columns.
fn enqueue(work: &mut VecDeque<(Target, Moving)>, targets: &[Target], moving: Moving) {
    if let Some((last, others)) = targets.split_last() {
        work.extend(others.iter().map(|target| (*target, moving.clone())));
        work.push_back((*last, moving));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;
    use crate::testing::PlanBuilder;
    use sluice_model::{ManualClock, from_pretty, to_pretty};
    use sluice_operators::Output;
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
        let mut chain = Chain::new(&plan, &graph.vertices[0], Arc::new(ManualClock::at(0)), None).unwrap();
        let mut sent = Vec::new();
        chain.push(0, from_pretty("id BIGINT, v BIGINT", "+I 1 -1 / +I 2 5"), &mut sent).unwrap();
        let text = |element: &StreamElement| match element {
            StreamElement::Batch(batch) => to_pretty(batch),
            other => format!("{other:?}"),
        };
        let mut sent: Vec<_> = sent.iter().map(|(output, element)| format!("{output}: {}", text(element))).collect();
        sent.sort();
        assert_eq!(sent, ["0: +I 1 -1 / +I 2 5", "1: +I 2 5"]);
    }

    /// Puts out a row whenever the time is told, and wants to be told at 100.
    struct Teller(Option<i64>);

    impl Operator for Teller {
        fn on_batch(&mut self, _input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
            output(batch)
        }

        fn on_processing_time(&mut self, now: i64, output: Output<'_>) -> Result<()> {
            self.0 = self.0.filter(|timer| *timer > now);
            output(from_pretty("now BIGINT", &format!("+I {now}")))
        }

        fn next_timer(&self) -> Option<i64> {
            self.0
        }
    }

    #[tokio::test]
    async fn operators_are_told_the_time_when_it_moves() {
        let clock = Arc::new(ManualClock::at(7));
        let target = Target::Step { step: 0, input: 0 };
        let teller = Box::new(Teller(Some(100)));
        let step = Step {
            state_id: "teller".to_owned(),
            operator: Some(Running::Plain(teller)),
            account: None,
            targets: vec![Target::Output(0)],
            watermarks: vec![i64::MIN],
            idle: vec![false],
            watermark: i64::MIN,
            made: source::Made::default(),
            saved: Saved::default(),
        };
        let mut chain = Chain {
            entries: vec![vec![target]],
            assigners: vec![Vec::new()],
            steps: vec![step],
            work: VecDeque::new(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            now: i64::MIN,
        };
        let push = |chain: &mut Chain, row: &str| {
            let mut sent = Vec::new();
            chain.push(0, from_pretty("now BIGINT", row), &mut sent).unwrap();
            let rows = sent.into_iter().filter_map(|(_, element)| match element {
                StreamElement::Batch(batch) => Some(to_pretty(&batch)),
                _ => None,
            });
            rows.collect::<Vec<_>>().join(" / ")
        };
        assert_eq!(push(&mut chain, "+I 1"), "+I 7 / +I 1");
        assert_eq!(push(&mut chain, "+I 2"), "+I 2", "the clock stands still");
        clock.advance(1);
        assert_eq!(push(&mut chain, "+I 3"), "+I 8 / +I 3");

        let soon = tokio::time::timeout(Duration::from_millis(20), chain.next_timer());
        assert!(soon.await.is_err(), "the clock has not come to the timer");
        clock.advance(92);
        chain.next_timer().await;
        chain.tell_time(&mut Vec::new()).unwrap();
        let never = tokio::time::timeout(Duration::from_millis(20), chain.next_timer());
        assert!(never.await.is_err(), "nobody wants to be told the time any more");
    }
}
