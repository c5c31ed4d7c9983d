//! The inputs of a task: one channel per producing subtask, made into one stream of events.
//!
//! Barriers are aligned: a channel whose barrier has come is not read until all have it, so that
//! what is before the barrier, and nothing else, is in the checkpoint (Carbone et al. 2015,
//! "Lightweight Asynchronous Snapshots for Distributed Dataflows"). In at-least-once mode channels
//! are never held up; rows that overtake a barrier are then repeated after a restart.
//!
//! ```text
//! channel 0:  a  b  |1  c           events:  a  d  b  e  |1  c  f
//! channel 1:  d  e     |1  f        (c waits in its channel until channel 1 has |1)
//! ```
//!
//! [`StreamElement::End`] says that no rows follow; barriers still do, so that checkpoints go on
//! when some sources have ended.

use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::Instant;

use sluice_model::{Barrier, ChangelogBatch, CheckpointId, Error, Result, StreamElement};

use crate::channel::{Closed, Receiver, Taken};
use crate::pace::Meter;

/// What a task is to do next.
#[derive(Debug)]
pub(crate) enum GateEvent {
    /// Rows of an input of the task (an edge of the graph).
    Batch { input: usize, batch: ChangelogBatch },
    /// Event time has moved on in all channels.
    Watermark(i64),
    /// All channels have become idle, or one of them is active again.
    Idle(bool),
    /// All channels have the barrier.
    Barrier(Barrier),
    /// All channels have ended. Comes once.
    End,
    /// All producers are gone.
    Closed,
}

/// All input channels of a task.
#[derive(Debug)]
pub(crate) struct Gate {
    channels: Vec<Channel>,
    /// Where the next look begins, so that no channel starves the others.
    next: usize,
    /// Barriers that have come on some channels but not on all, and when the first came; oldest first.
    waiting: VecDeque<(Barrier, Instant)>,
    /// When the barrier that was passed on last came first.
    arrived: Instant,
    watermark: i64,
    is_idle: bool,
    /// Behind the watermark that comes of the same element.
    next_idle: Option<bool>,
    is_ended: bool,
    at_least_once: bool,
    meter: Meter,
}

#[derive(Debug)]
struct Channel {
    receiver: Receiver,
    input: usize,
    /// Number of the newest barrier that has come.
    barrier: CheckpointId,
    watermark: i64,
    /// Nobody waits for its watermark.
    is_idle: bool,
    is_ended: bool,
    is_closed: bool,
}

impl Gate {
    /// A gate over channels, each with the input it belongs to. The meter sees how fast its task is.
    pub(crate) fn new(channels: Vec<(usize, Receiver)>, at_least_once: bool, meter: Meter) -> Self {
        let channel = |(input, receiver)| Channel {
            receiver,
            input,
            barrier: 0,
            watermark: i64::MIN,
            is_idle: false,
            is_ended: false,
            is_closed: false,
        };
        Self {
            channels: channels.into_iter().map(channel).collect(),
            next: 0,
            waiting: VecDeque::new(),
            arrived: Instant::now(),
            watermark: i64::MIN,
            is_idle: false,
            next_idle: None,
            is_ended: false,
            at_least_once,
            meter,
        }
    }

    /// Waits for the next event. Cancel-safe.
    ///
    /// # Errors
    /// A bug: barriers out of order.
    pub(crate) async fn next(&mut self) -> Result<GateEvent> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    /// When the barrier that has just come on all channels came on the first of them.
    pub(crate) fn arrived(&self) -> Instant {
        self.arrived
    }

    /// As [`next`](Self::next), but waits for ever when all producers are gone.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(crate) async fn next_open(&mut self) -> Result<GateEvent> {
        match self.next().await? {
            GateEvent::Closed => std::future::pending().await,
            event => Ok(event),
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<GateEvent>> {
        if let Some(is_idle) = self.next_idle.take() {
            return Poll::Ready(Ok(GateEvent::Idle(is_idle)));
        }
        let mut quiet = 0;
        while quiet < self.channels.len() {
            let index = self.turn();
            if !self.is_readable(index) {
                quiet += 1;
                continue;
            }
            match self.channels[index].receiver.poll(context) {
                Poll::Pending => quiet += 1,
                Poll::Ready(element) => {
                    quiet = 0;
                    if let Some(event) = self.accept(index, element).transpose() {
                        return Poll::Ready(event);
                    }
                }
            }
        }
        self.meter.waits();
        if self.is_closed() { Poll::Ready(Ok(GateEvent::Closed)) } else { Poll::Pending }
    }

    /// The next event if it is there already.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(crate) fn try_next(&mut self) -> Result<Option<GateEvent>> {
        if let Some(is_idle) = self.next_idle.take() {
            return Ok(Some(GateEvent::Idle(is_idle)));
        }
        let mut quiet = 0;
        while quiet < self.channels.len() {
            let index = self.turn();
            let taken = if self.is_readable(index) { self.channels[index].receiver.try_take() } else { Ok(None) };
            let element = match taken {
                Ok(None) => {
                    quiet += 1;
                    continue;
                }
                Ok(Some(element)) => Some(element),
                Err(Closed) => None,
            };
            quiet = 0;
            if let Some(event) = self.accept(index, element)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn turn(&mut self) -> usize {
        let index = self.next;
        self.next = (index + 1) % self.channels.len();
        index
    }

    fn is_readable(&self, index: usize) -> bool {
        let channel = &self.channels[index];
        let is_held = self.waiting.front().is_some_and(|(barrier, _)| channel.barrier >= barrier.checkpoint);
        !channel.is_closed && (self.at_least_once || !is_held)
    }

    fn is_closed(&self) -> bool {
        self.channels.iter().all(|channel| channel.is_closed)
    }

    fn accept(&mut self, index: usize, taken: Option<Taken>) -> Result<Option<GateEvent>> {
        let channel = &mut self.channels[index];
        let (element, bytes) = taken.map_or((None, 0), |(element, bytes)| (Some(element), bytes));
        match element {
            Some(StreamElement::Batch(batch)) => {
                self.meter.takes(bytes);
                Ok(Some(GateEvent::Batch { input: channel.input, batch }))
            }
            Some(StreamElement::Barrier(barrier)) => {
                channel.barrier = barrier.checkpoint;
                self.align(barrier)
            }
            Some(StreamElement::Watermark(watermark)) => {
                channel.watermark = channel.watermark.max(watermark);
                Ok(self.advance_watermark())
            }
            Some(StreamElement::Idle(is_idle)) => {
                channel.is_idle = is_idle;
                Ok(self.settle_idle())
            }
            Some(StreamElement::End) => {
                channel.is_ended = true;
                channel.is_idle = false;
                channel.watermark = i64::MAX;
                self.is_ended = self.channels.iter().all(|channel| channel.is_ended);
                Ok(if self.is_ended { Some(GateEvent::End) } else { self.settle_idle() })
            }
            None => {
                channel.is_closed = true;
                Ok(None)
            }
        }
    }

    fn align(&mut self, barrier: Barrier) -> Result<Option<GateEvent>> {
        match self.waiting.back() {
            Some((last, _)) if last.checkpoint >= barrier.checkpoint => {}
            Some(_) if !self.at_least_once => {
                return Err(Error::bug(format!("barrier {} overtook another one", barrier.checkpoint)));
            }
            _ => self.waiting.push_back((barrier, Instant::now())),
        }
        let everywhere = self.channels.iter().map(|channel| channel.barrier).min().unwrap_or(0);
        let complete = self.waiting.pop_front_if(|(front, _)| front.checkpoint <= everywhere);
        Ok(complete.map(|(barrier, arrived)| {
            self.arrived = arrived;
            GateEvent::Barrier(barrier)
        }))
    }

    /// Channels that have ended are neither idle nor waited for.
    fn settle_idle(&mut self) -> Option<GateEvent> {
        let mut open = self.channels.iter().filter(|channel| !channel.is_ended).peekable();
        let is_idle = open.peek().is_some() && open.all(|channel| channel.is_idle);
        let watermark = self.advance_watermark();
        if is_idle == self.is_idle {
            return watermark;
        }
        self.is_idle = is_idle;
        if watermark.is_some() {
            self.next_idle = Some(is_idle);
            return watermark;
        }
        Some(GateEvent::Idle(is_idle))
    }

    /// The slowest channel counts that is neither idle nor over; where there is none, the fastest.
    fn advance_watermark(&mut self) -> Option<GateEvent> {
        let open = || self.channels.iter().filter(|channel| !channel.is_ended);
        let active = open().filter(|channel| !channel.is_idle).map(|channel| channel.watermark).min();
        let lowest = active.or_else(|| open().map(|channel| channel.watermark).max())?;
        if lowest <= self.watermark {
            return None;
        }
        self.watermark = lowest;
        Some(GateEvent::Watermark(lowest))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::channel::{Sender, channel};
    use sluice_model::{BarrierKind, Gauge, from_pretty, to_pretty};

    /// Puts `+I 1`-like rows, `|1` barriers, `W5` watermarks, `Z` (idle), `Y` (active) and `.` ends into a
    /// channel.
    async fn put(sender: &Sender, text: &str) {
        for word in text.split(' ') {
            let element = match word.split_at(1) {
                (".", _) => StreamElement::End,
                ("|", number) => {
                    let checkpoint = number.parse().unwrap();
                    StreamElement::Barrier(Barrier { checkpoint, kind: BarrierKind::Checkpoint, since: None })
                }
                ("Z", _) => StreamElement::Idle(true),
                ("Y", _) => StreamElement::Idle(false),
                ("W", number) => StreamElement::Watermark(number.parse().unwrap()),
                _ => StreamElement::Batch(from_pretty("v STRING", word)),
            };
            sender.send(element).await.unwrap();
        }
    }

    fn take(gate: &mut Gate) -> String {
        let mut events = Vec::new();
        while let Some(event) = gate.try_next().unwrap() {
            events.push(match event {
                GateEvent::Batch { input, batch } => format!("{}@{input}", to_pretty(&batch).replace("+I ", "")),
                GateEvent::Watermark(watermark) => format!("W{watermark}"),
                GateEvent::Idle(is_idle) => if is_idle { "idle" } else { "active" }.to_owned(),
                GateEvent::Barrier(barrier) => format!("|{}", barrier.checkpoint),
                GateEvent::End => ".".to_owned(),
                GateEvent::Closed => "closed".to_owned(),
            });
        }
        events.join(" ")
    }

    fn gate(at_least_once: bool) -> (Sender, Sender, Gate) {
        let (first, first_receiver) = channel(Arc::default(), Gauge::default());
        let (second, second_receiver) = channel(Arc::default(), Gauge::default());
        let meter = Meter::new(Arc::default(), 2, None);
        (first, second, Gate::new(vec![(0, first_receiver), (1, second_receiver)], at_least_once, meter))
    }

    #[tokio::test]
    async fn a_channel_with_its_barrier_waits_for_the_other() {
        let (first, second, mut gate) = gate(false);
        put(&first, "a |1 b |2").await;
        assert_eq!(take(&mut gate), "a@0");
        put(&second, "c").await;
        assert_eq!(take(&mut gate), "c@1");
        put(&second, "|1 d |2").await;
        assert_eq!(take(&mut gate), "|1 b@0 d@1 |2");
    }

    #[tokio::test]
    async fn at_least_once_holds_nobody_up() {
        let (first, second, mut gate) = gate(true);
        put(&first, "a |1 b |2 c").await;
        assert_eq!(take(&mut gate), "a@0 b@0 c@0");
        put(&second, "|1").await;
        assert_eq!(take(&mut gate), "|1");
        put(&second, "d |2").await;
        assert_eq!(take(&mut gate), "d@1 |2");
    }

    #[tokio::test]
    async fn barriers_follow_the_end() {
        let (first, second, mut gate) = gate(false);
        put(&first, ". |1").await;
        put(&second, "a |1 b .").await;
        assert_eq!(take(&mut gate), "a@1 |1 b@1 .");
        put(&first, "|2").await;
        put(&second, "|2").await;
        assert_eq!(take(&mut gate), "|2");
        drop((first, second));
        assert!(matches!(gate.next().await.unwrap(), GateEvent::Closed));
    }

    #[tokio::test]
    async fn the_slowest_watermark_counts() {
        let (first, second, mut gate) = gate(false);
        put(&first, "W5").await;
        put(&second, "W3 W4").await;
        assert_eq!(take(&mut gate), "W3 W4");
        put(&second, ".").await;
        assert_eq!(take(&mut gate), "W5");
    }

    #[tokio::test]
    async fn nobody_waits_for_an_idle_channel() {
        let (first, second, mut gate) = gate(false);
        put(&first, "W5").await;
        assert_eq!(take(&mut gate), "");
        put(&second, "Z").await;
        assert_eq!(take(&mut gate), "W5");
        put(&first, "W6 Z").await;
        assert_eq!(take(&mut gate), "W6 idle");
        put(&second, "Y W2").await;
        assert_eq!(take(&mut gate), "active", "time does not go back");
        put(&second, "W7").await;
        assert_eq!(take(&mut gate), "W7");
        put(&second, ".").await;
        assert_eq!(take(&mut gate), "idle");
    }

    #[tokio::test]
    async fn the_fastest_of_idle_channels_counts() {
        let (first, second, mut gate) = gate(false);
        put(&first, "W9 Z").await;
        put(&second, "W3").await;
        assert_eq!(take(&mut gate), "W3");
        put(&second, "Z").await;
        assert_eq!(take(&mut gate), "W9 idle");
    }
}
