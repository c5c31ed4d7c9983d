//! A task that reads: rows and barriers begin here.

use std::collections::VecDeque;

use sluice_connector_api::{SourceEvent, SourceReader};
use sluice_model::{Barrier, ChangelogBatch, CheckpointId, Result, SplitId, StreamElement};
use tokio::sync::mpsc;

use super::{Command, TaskLink, Timing};
use crate::alignment::Member;
use crate::chain::{Chain, Sent};
use crate::metrics::Activity;
use crate::output::Outputs;

/// One subtask of a source.
pub(crate) struct SourceTask {
    pub(crate) reader: Box<dyn SourceReader>,
    pub(crate) chain: Chain,
    pub(crate) outputs: Outputs,
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
    pub(crate) link: TaskLink,
    /// Positions of checkpoints that are not known to be durable, oldest first.
    pub(crate) positions: VecDeque<(CheckpointId, Vec<u8>)>,
    pub(crate) phase: Phase,
    /// The sources that it waits for, if there are any.
    pub(crate) alignment: Option<Member>,
    /// It waits.
    pub(crate) is_held: bool,
}

/// Whether the source reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not yet: the place where a new job begins is not durable. A crash would let the next run begin
    /// at a later place, and changes in between would never reach sinks that have rows from before.
    New,
    Reading,
    /// Between a barrier that stops the job and the end.
    Stopped,
    /// There is nothing more to read.
    Ended,
}

impl Phase {
    fn stopped(self) -> Self {
        if self == Self::Ended { self } else { Self::Stopped }
    }

    fn resumed(self) -> Self {
        if self == Self::Stopped { Self::Reading } else { self }
    }
}

impl SourceTask {
    /// Reads until the job is done.
    pub(crate) async fn run(mut self) -> Result<()> {
        let mut sent = Vec::new();
        let mut has_begun = false;
        loop {
            self.link.breathe().await;
            let is_reading = self.phase == Phase::Reading;
            if is_reading && !has_begun {
                has_begun = true;
                // Operators that wait for rows count from here, whether any come or not.
                self.tell_time(&mut sent).await?;
            }
            let timer = self.chain.next_timer();
            let is_held = is_reading && self.waits_for_others();
            let clock = &self.link.metrics.clock;
            let look = self.alignment.as_ref().filter(|_| is_held).map(Member::next_look);
            if !is_reading || is_held {
                clock.enter(Activity::Idle);
            }
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    None | Some(Command::Finish) => return Ok(()),
                    Some(command) => self.on_command(command).await?,
                },
                event = clock.during(Activity::Idle, self.reader.next()), if is_reading && !is_held => {
                    self.on_event(event?, &mut sent).await?;
                }
                () = async { if let Some(look) = look { look.await } }, if is_held => {}
                () = timer, if is_reading => {
                    self.link.metrics.clock.enter(Activity::Busy);
                    self.tell_time(&mut sent).await?;
                }
            }
        }
    }

    async fn tell_time(&mut self, sent: &mut Sent) -> Result<()> {
        self.chain.tell_time(sent)?;
        self.outputs.send_all(sent).await
    }

    /// Whether other sources of its group have to catch up first.
    fn waits_for_others(&mut self) -> bool {
        let Some(member) = &mut self.alignment else { return false };
        member.tell(self.chain.source_watermark());
        let is_held = member.is_ahead();
        if std::mem::replace(&mut self.is_held, is_held) != is_held {
            self.chain.set_held(is_held);
        }
        is_held
    }

    async fn on_event(&mut self, event: SourceEvent, sent: &mut Sent) -> Result<()> {
        match event {
            SourceEvent::Batch { table, batch } => self.on_rows(table, None, batch, sent).await?,
            SourceEvent::SplitBatch { table, split, batch } => self.on_rows(table, Some(split), batch, sent).await?,
            SourceEvent::Split { table, split, status } => {
                self.chain.on_split(table, split, status, sent)?;
                self.outputs.send_all(sent).await?;
            }
            SourceEvent::End => {
                self.phase = Phase::Ended;
                self.alignment = None;
                self.end_time().await?;
                self.outputs.broadcast(StreamElement::End).await;
                self.link.ended();
            }
        }
        Ok(())
    }

    async fn on_rows(
        &mut self,
        table: usize,
        split: Option<SplitId>,
        batch: ChangelogBatch,
        sent: &mut Sent,
    ) -> Result<()> {
        let metrics = &self.link.metrics;
        metrics.clock.enter(Activity::Busy);
        metrics.records_in.add(batch.num_rows() as u64);
        metrics.bytes_in.add(batch.memory_size() as u64);
        match split {
            Some(split) => self.chain.push_split(table, split, batch, sent)?,
            None => self.chain.push(table, batch, sent)?,
        }
        metrics.late_records.add(self.chain.take_late_rows());
        self.outputs.send_all(sent).await
    }

    /// No further rows will come: event time is at its end.
    async fn end_time(&mut self) -> Result<()> {
        let mut sent = Vec::new();
        self.catch_up().await?;
        self.chain.advance(i64::MAX, &mut sent)?;
        self.outputs.send_all(&mut sent).await?;
        self.catch_up().await
    }

    /// Works off what operators have put off.
    async fn catch_up(&mut self) -> Result<()> {
        let mut sent = Vec::new();
        while self.chain.catch_up(&mut sent)? {
            self.outputs.send_all(&mut sent).await?;
            self.link.breathe().await;
        }
        Ok(())
    }

    async fn on_command(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Barrier { barrier, drain } => self.on_barrier(barrier, drain).await,
            Command::Resume => {
                self.phase = self.phase.resumed();
                Ok(())
            }
            Command::Completed(checkpoint) => self.on_completed(checkpoint).await,
            Command::Finish => Ok(()),
        }
    }

    async fn on_barrier(&mut self, barrier: Barrier, drain: bool) -> Result<()> {
        let timing = Timing::of_source();
        let position = self.reader.position()?;
        if drain {
            self.end_time().await?;
        }
        let mut sent = Vec::new();
        self.chain.put_out(&mut sent)?;
        self.outputs.send_all(&mut sent).await?;
        self.catch_up().await?;
        let state = self.chain.snapshot(barrier, self.link.subtask)?;
        self.outputs.broadcast(StreamElement::Barrier(barrier)).await;
        if barrier.kind.is_last() {
            self.phase = self.phase.stopped();
        }
        self.positions.push_back((barrier.checkpoint, position.clone()));
        self.link.acknowledge(barrier.checkpoint, Some(position), state, timing);
        Ok(())
    }

    async fn on_completed(&mut self, checkpoint: CheckpointId) -> Result<()> {
        if self.phase == Phase::New {
            self.phase = Phase::Reading;
        }
        while let Some((completed, position)) = self.positions.pop_front_if(|(taken, _)| *taken <= checkpoint) {
            if completed == checkpoint {
                self.reader.checkpoint_completed(&position).await?;
            }
        }
        Ok(())
    }
}
