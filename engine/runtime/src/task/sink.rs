//! A task that writes: barriers become prepared commits here, and durable checkpoints commits.
//!
//! Batching is natural: whatever has piled up while the writer was busy is written before it is
//! told that nothing waits. A fast stream gives large batches to the target, a slow one is flushed
//! row by row without a timer in between.

use std::time::Duration;

use sluice_connector_api::SinkWriter;
use sluice_model::{Barrier, ChangelogBatch, CheckpointId, Result};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Command, TaskLink, Timing};
use crate::gate::{Gate, GateEvent};
use crate::metrics::Activity;
use crate::tokens::PendingCommits;

/// A writer that holds rows back for a while is reminded of them after 100 ms, 200 ms, 400 ms, …
const FIRST_REMINDER: Duration = Duration::from_millis(100);
/// … until it has been quiet for so long; the next barrier flushes in any case.
const LAST_REMINDER: Duration = Duration::from_secs(15);

/// One subtask of a sink.
pub(crate) struct SinkTask {
    pub(crate) writer: Box<dyn SinkWriter>,
    pub(crate) gate: Gate,
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
    pub(crate) link: TaskLink,
    pub(crate) pending: PendingCommits,
    pub(crate) reminder: Reminder,
}

/// When to tell a writer again that nothing waits.
#[derive(Debug, Default)]
pub(crate) struct Reminder {
    /// The writer got rows since it was last told.
    is_due: bool,
    next: Option<(Instant, Duration)>,
}

enum Wake {
    Event(GateEvent),
    Command(Option<Command>),
    Remind,
}

impl SinkTask {
    /// Writes until the job is done.
    pub(crate) async fn run(mut self) -> Result<()> {
        loop {
            self.link.breathe().await;
            let wake = match self.commands.try_recv() {
                Ok(command) => Wake::Command(Some(command)),
                Err(_) => match self.gate.try_next()? {
                    Some(event) => Wake::Event(event),
                    None => {
                        self.tell_idle().await?;
                        self.wait().await?
                    }
                },
            };
            self.link.metrics.clock.enter(Activity::Busy);
            match wake {
                Wake::Command(None | Some(Command::Finish)) => return Ok(()),
                Wake::Command(Some(Command::Completed(checkpoint))) => self.commit(checkpoint).await?,
                Wake::Command(Some(Command::Barrier { .. } | Command::Resume)) => {}
                Wake::Remind => self.writer.idle().await?,
                Wake::Event(GateEvent::Batch { batch, .. }) => self.write(batch).await?,
                Wake::Event(GateEvent::Barrier(barrier)) => self.prepare(barrier).await?,
                Wake::Event(GateEvent::End) => {
                    self.writer.flush().await?;
                    self.link.ended();
                }
                Wake::Event(GateEvent::Watermark(watermark)) => self.writer.watermark(watermark).await?,
                // Producers that are gone have failed, or are done before this task.
                Wake::Event(GateEvent::Idle(_) | GateEvent::Closed) => {}
            }
        }
    }

    async fn write(&mut self, batch: ChangelogBatch) -> Result<()> {
        let metrics = &self.link.metrics;
        let rows = batch.num_rows() as u64;
        let bytes = batch.memory_size() as u64;
        metrics.records_in.add(rows);
        metrics.bytes_in.add(bytes);
        self.writer.write(batch).await?;
        metrics.records_out.add(rows);
        metrics.bytes_out.add(bytes);
        self.reminder.is_due = true;
        Ok(())
    }

    async fn tell_idle(&mut self) -> Result<()> {
        if self.reminder.is_due {
            self.writer.idle().await?;
            self.reminder.is_due = false;
            self.reminder.next = Some((Instant::now() + FIRST_REMINDER, FIRST_REMINDER));
        }
        Ok(())
    }

    async fn wait(&mut self) -> Result<Wake> {
        self.link.metrics.clock.enter(Activity::Idle);
        let reminder = self.reminder.next;
        let remind = async {
            match reminder {
                Some((at, _)) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            command = self.commands.recv() => Ok(Wake::Command(command)),
            event = self.gate.next_open() => Ok(Wake::Event(event?)),
            () = remind => {
                self.reminder.next = reminder
                    .map(|(at, pause)| (at + pause * 2, pause * 2))
                    .filter(|(_, pause)| *pause < LAST_REMINDER);
                Ok(Wake::Remind)
            }
        }
    }

    async fn prepare(&mut self, barrier: Barrier) -> Result<()> {
        let timing = Timing::aligned(self.gate.arrived());
        let token = self.writer.prepare(barrier.checkpoint).await?;
        self.pending.add(barrier.checkpoint, token);
        self.reminder = Reminder::default();
        self.link.acknowledge(barrier.checkpoint, self.pending.encode(), Vec::new(), timing);
        Ok(())
    }

    async fn commit(&mut self, checkpoint: CheckpointId) -> Result<()> {
        while let Some((prepared, token)) = self.pending.pop_up_to(checkpoint) {
            self.writer.commit(prepared, &token).await?;
        }
        Ok(())
    }
}
