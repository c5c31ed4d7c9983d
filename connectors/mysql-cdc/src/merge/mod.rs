//! One point where the snapshot of a table and its changes meet.
//!
//! The table is divided by its chunk key into segments. Chunks are read while the log is read, and the log is consumed
//! in order, here and nowhere else. What becomes of a change depends on the segment of its key:
//!
//! ```text
//! segment     … | finished | in flight | in flight | to do | waiting …
//! change          emitted    kept with   kept with   dropped dropped
//!                            its chunk   its chunk
//! ```
//!
//! A chunk is *registered* (becomes in flight) before it is read, and its rows are read only when every change that
//! was consumed before is visible to the reader. When the rows are here, the log is consumed up to the *high
//! watermark*, a place behind everything the rows can show. Then the changes that were kept replace the rows of their
//! keys, and the chunk is emitted whole. It equals the table as of the consumed place, because for each key of it
//! - with a change kept, the last one is the newest consumed state of the row, and
//! - without one, every consumed change came before the registration, so the read shows it; and whatever else the
//!   read shows lies before the high watermark, so it would have been consumed and kept.
//!
//! A dropped change needs no memory, for the chunk of its key is registered later. Changes of a chunk that is finished
//! flow on while others are read. What has to be remembered across restarts is one place in the log and the finished
//! ranges: no watermark per chunk, and no log older than the place consumed.
//!
//! This module does no I/O and compares no keys: callers say in which segment a row lies.

mod key;
mod overlay;

use sluice_model::{ChangelogBatch, Error, Result};

use arrow_array::{BooleanArray, RecordBatch};

pub(crate) use key::{byte_keys, integer_keys};
pub(crate) use overlay::overlay;

use crate::chunk::{Bound, ChunkId, Range};
use crate::position::Place;

/// A part of a table between two bounds.
#[derive(Debug)]
struct Segment {
    /// First key; the next segment's start is the end.
    start: Option<Bound>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Not yet divided into chunks.
    Waiting,
    /// A chunk that nobody reads yet.
    ToDo,
    /// A chunk that is being read.
    InFlight(Chunk),
    /// Emitted.
    Finished,
}

/// A chunk in flight.
#[derive(Debug)]
struct Chunk {
    id: ChunkId,
    /// Changes of its keys since it was registered.
    kept: Vec<ChangelogBatch>,
    /// Its rows, and the place that the log must reach before they are emitted.
    read: Option<(RecordBatch, Place)>,
}

/// Snapshot of one table in the making.
#[derive(Debug)]
pub(crate) struct TableMerge {
    segments: Vec<Segment>,
    /// Columns of decoded rows that tell one row from another.
    identity: Vec<usize>,
}

/// A finished chunk.
#[derive(Debug)]
pub(crate) struct Emitted {
    /// Its rows as of the consumed place, all of them.
    pub(crate) rows: RecordBatch,
    /// Everything that has been emitted with it.
    pub(crate) finished: Vec<Range>,
}

impl TableMerge {
    /// A table of which `finished` has been emitted before. `order` sorts and joins bounds the way the server does:
    /// the ranges must be disjoint and come in ascending order, as [`finished`](Self::finished) gives them.
    pub(crate) fn new(finished: &[Range], identity: Vec<usize>) -> Self {
        let mut segments: Vec<Segment> = Vec::new();
        let mut open = Some(None);
        for range in finished {
            if open.as_ref() != Some(&range.start)
                && let Some(start) = open.take()
            {
                segments.push(Segment { start, state: State::Waiting });
            }
            segments.push(Segment { start: range.start.clone(), state: State::Finished });
            open = range.end.clone().map(Some);
        }
        if let Some(start) = open {
            segments.push(Segment { start, state: State::Waiting });
        }
        Self { segments, identity }
    }

    /// The bounds between segments, ascending. Segment `i` lies between bounds `i - 1` and `i`.
    pub(crate) fn bounds(&self) -> impl Iterator<Item = &Bound> {
        self.segments.iter().skip(1).filter_map(|segment| segment.start.as_ref())
    }

    /// Whether all of the table has been emitted.
    pub(crate) fn is_complete(&self) -> bool {
        self.segments.iter().all(|segment| matches!(segment.state, State::Finished))
    }

    /// What has been emitted, ascending and joined.
    pub(crate) fn finished(&self) -> Vec<Range> {
        (0..self.segments.len())
            .filter(|index| matches!(self.segments[*index].state, State::Finished))
            .map(|index| self.range(index))
            .collect()
    }

    fn range(&self, index: usize) -> Range {
        let end = self.segments.get(index + 1).and_then(|next| next.start.clone());
        Range { start: self.segments[index].start.clone(), end }
    }

    /// The first part that is not yet divided into chunks.
    pub(crate) fn next_undivided(&self) -> Option<Range> {
        let index = self.segments.iter().position(|segment| matches!(segment.state, State::Waiting))?;
        Some(self.range(index))
    }

    /// Makes the beginning of an undivided part a chunk: up to `at`, or all of it.
    ///
    /// # Errors
    /// A bug: no undivided part begins at `start`.
    pub(crate) fn divide(&mut self, start: Option<&Bound>, at: Option<Bound>) -> Result<()> {
        let index = self
            .segments
            .iter()
            .position(|segment| segment.start.as_ref() == start && matches!(segment.state, State::Waiting))
            .ok_or_else(|| Error::bug("a chunk bound for a part that is not waiting"))?;
        self.segments[index].state = State::ToDo;
        if let Some(bound) = at {
            self.segments.insert(index + 1, Segment { start: Some(bound), state: State::Waiting });
        }
        Ok(())
    }

    /// Chunks that could be started.
    pub(crate) fn to_do(&self) -> usize {
        self.segments.iter().filter(|segment| matches!(segment.state, State::ToDo)).count()
    }

    /// Registers the next chunk under `id`: from now on changes of its keys are kept.
    pub(crate) fn register(&mut self, id: ChunkId) -> Option<Range> {
        let index = self.segments.iter().position(|segment| matches!(segment.state, State::ToDo))?;
        self.segments[index].state = State::InFlight(Chunk { id, kept: Vec::new(), read: None });
        Some(self.range(index))
    }

    /// Takes changes in, each in the segment that `segment_of` says; returns those that are to be emitted.
    ///
    /// # Errors
    /// A bug: a segment that does not exist.
    pub(crate) fn route(&mut self, batch: ChangelogBatch, segment_of: &[u32]) -> Result<Option<ChangelogBatch>> {
        if segment_of.len() != batch.num_rows() {
            return Err(Error::bug("a change without a segment"));
        }
        let mut emitted = None;
        for (index, segment) in self.segments.iter_mut().enumerate() {
            if matches!(segment.state, State::Waiting | State::ToDo) {
                continue;
            }
            let rows = rows_of(&batch, segment_of, |of| of as usize == index)?;
            if let (State::InFlight(chunk), Some(rows)) = (&mut segment.state, rows) {
                chunk.kept.push(rows);
            }
        }
        let is_finished = |of: u32| matches!(self.segments.get(of as usize).map(|s| &s.state), Some(State::Finished));
        if segment_of.iter().any(|of| is_finished(*of)) {
            emitted = rows_of(&batch, segment_of, is_finished)?;
        }
        Ok(emitted)
    }

    /// The rows of a chunk have been read; they show nothing behind `high`.
    ///
    /// # Errors
    /// A bug: a chunk that is not in flight.
    pub(crate) fn deliver(&mut self, id: ChunkId, rows: RecordBatch, high: Place) -> Result<()> {
        let chunk = self.segments.iter_mut().find_map(|segment| match &mut segment.state {
            State::InFlight(chunk) if chunk.id == id => Some(chunk),
            _ => None,
        });
        let chunk = chunk.ok_or_else(|| Error::bug("rows of a chunk that is not in flight"))?;
        chunk.read = Some((rows, high));
        Ok(())
    }

    /// Finishes a chunk whose high watermark the log has reached, if there is one.
    ///
    /// # Errors
    /// A bug: rows that do not fit the changes.
    pub(crate) fn finish_next(&mut self, consumed: Place) -> Result<Option<Emitted>> {
        let ready = self.segments.iter().position(|segment| match &segment.state {
            State::InFlight(Chunk { read: Some((_, high)), .. }) => *high <= consumed,
            _ => false,
        });
        let Some(index) = ready else {
            return Ok(None);
        };
        let State::InFlight(chunk) = std::mem::replace(&mut self.segments[index].state, State::Finished) else {
            return Err(Error::bug("a chunk vanished"));
        };
        self.join_finished();
        let Some((rows, _)) = chunk.read else {
            return Err(Error::bug("a chunk without rows"));
        };
        let rows = overlay(rows, &chunk.kept, &self.identity)?;
        Ok(Some(Emitted { rows, finished: self.finished() }))
    }

    fn join_finished(&mut self) {
        let mut previous_finished = false;
        self.segments.retain(|segment| {
            let finished = matches!(segment.state, State::Finished);
            let keep = !(finished && previous_finished);
            previous_finished = finished;
            keep
        });
    }
}

/// The rows whose segment is wanted; `None` without any.
fn rows_of(batch: &ChangelogBatch, segment_of: &[u32], wanted: impl Fn(u32) -> bool) -> Result<Option<ChangelogBatch>> {
    let count = segment_of.iter().filter(|of| wanted(**of)).count();
    if count == 0 {
        return Ok(None);
    }
    if count == batch.num_rows() {
        return Ok(Some(batch.clone()));
    }
    let mask: BooleanArray = segment_of.iter().map(|of| Some(wanted(*of))).collect();
    batch.filter(&mask).map(Some)
}

#[cfg(test)]
mod tests;
