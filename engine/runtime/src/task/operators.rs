//! A task of operators behind an exchange.

use sluice_model::{Result, StreamElement};

use super::lookup::LookupStep;
use super::{TaskLink, Timing};
use crate::chain::{Chain, Sent};
use crate::gate::{Gate, GateEvent};
use crate::metrics::Activity;
use crate::output::Outputs;

/// One subtask of a chain of operators.
pub(crate) struct OperatorTask {
    pub(crate) gate: Gate,
    /// In front of the chain.
    pub(crate) lookup: Option<LookupStep>,
    pub(crate) chain: Chain,
    pub(crate) outputs: Outputs,
    pub(crate) link: TaskLink,
}

impl OperatorTask {
    /// Works until all producers are gone.
    pub(crate) async fn run(mut self) -> Result<()> {
        let mut sent = Vec::new();
        // Behind a barrier that stops the job nothing may follow until the job goes on.
        let mut has_timers = true;
        // Operators that wait for rows count from here, whether any come or not.
        self.chain.tell_time(&mut sent)?;
        self.outputs.send_all(&mut sent).await?;
        loop {
            let metrics = &self.link.metrics;
            let timer = self.chain.next_timer();
            let next = async {
                tokio::select! {
                    biased;
                    event = self.gate.next() => event.map(Some),
                    () = timer, if has_timers => Ok(None),
                }
            };
            let Some(event) = metrics.clock.during(Activity::Idle, next).await? else {
                metrics.clock.enter(Activity::Busy);
                self.chain.tell_time(&mut sent)?;
                self.outputs.send_all(&mut sent).await?;
                continue;
            };
            match event {
                GateEvent::Batch { input, batch } => {
                    metrics.clock.enter(Activity::Busy);
                    has_timers = true;
                    metrics.records_in.add(batch.num_rows() as u64);
                    metrics.bytes_in.add(batch.memory_size() as u64);
                    let batch = match &mut self.lookup {
                        Some(lookup) => lookup.join(batch).await?,
                        None => batch,
                    };
                    if batch.is_empty() {
                        continue;
                    }
                    self.chain.push(input, batch, &mut sent)?;
                    metrics.late_records.add(self.chain.take_late_rows());
                    self.outputs.send_all(&mut sent).await?;
                }
                GateEvent::Watermark(watermark) => {
                    metrics.clock.enter(Activity::Busy);
                    self.chain.advance(watermark, &mut sent)?;
                    self.outputs.send_all(&mut sent).await?;
                }
                GateEvent::Idle(is_idle) => {
                    self.chain.set_idle(is_idle, &mut sent)?;
                    self.outputs.send_all(&mut sent).await?;
                }
                GateEvent::Barrier(barrier) => {
                    let timing = Timing::aligned(self.gate.arrived());
                    has_timers &= !barrier.kind.is_last();
                    self.chain.put_out(&mut sent)?;
                    self.outputs.send_all(&mut sent).await?;
                    self.catch_up(&mut sent).await?;
                    let state = self.chain.snapshot(barrier, self.link.subtask)?;
                    self.outputs.broadcast(StreamElement::Barrier(barrier)).await;
                    self.link.acknowledge(barrier.checkpoint, None, state, timing);
                }
                GateEvent::End => {
                    has_timers = false;
                    self.end(&mut sent).await?;
                }
                GateEvent::Closed => return Ok(()),
            }
        }
    }

    /// No further rows will come: event time is at its end.
    async fn end(&mut self, sent: &mut Sent) -> Result<()> {
        self.catch_up(sent).await?;
        self.chain.advance(i64::MAX, sent)?;
        self.outputs.send_all(sent).await?;
        self.catch_up(sent).await?;
        self.outputs.broadcast(StreamElement::End).await;
        self.link.ended();
        Ok(())
    }

    /// Works off what operators have put off.
    async fn catch_up(&mut self, sent: &mut Sent) -> Result<()> {
        self.link.metrics.clock.enter(Activity::Busy);
        while self.chain.catch_up(sent)? {
            self.outputs.send_all(sent).await?;
            self.link.breathe().await;
        }
        Ok(())
    }
}
