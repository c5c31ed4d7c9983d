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
//! # After a crash
//!
//! What was emitted behind the last checkpoint is not known any more, but the consumer may hold it: perhaps chunks
//! that count as unfinished again. A row of them that is deleted before its chunk is read anew would never be spoken
//! of. So a snapshot that is [resumed](TableMerge::resume) passes on what the log takes back in unfinished segments,
//! as deletions; everything it takes back lies behind the checkpoint, so the log that is read again has it.
//!
//! ```text
//! log, read again   -U 21 a / +U 21 b / -D 22 c       segment of 21 and 22: to do
//! emitted           -D 21 a / -D 22 c                  and later, with the chunk: +I 21 b
//! ```
//!
//! Operators with state must not be told so: their state is that of the checkpoint, and has none of those rows.
//!
//! This module does no I/O and compares no keys: callers say in which segment a row lies.

mod key;
mod overlay;

use sluice_model::{ChangelogBatch, Error, Result, RowKind};

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
    /// The consumer may hold rows of unfinished segments, from before a crash.
    takes_back: bool,
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
    /// A table of which nothing has ever been emitted.
    pub(crate) fn new(identity: Vec<usize>) -> Self {
        Self { segments: vec![Segment { start: None, state: State::Waiting }], identity, takes_back: false }
    }

    /// A table of which `finished` was emitted before a checkpoint, and who knows what behind it: a consumer that
    /// replaces rows has to be told which of them are gone (`takes_back`). The ranges must be disjoint and ascending,
    /// as [`finished`](Self::finished) gives them.
    pub(crate) fn resume(finished: &[Range], identity: Vec<usize>, takes_back: bool) -> Self {
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
        Self { segments, identity, takes_back }
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
        for (index, segment) in self.segments.iter_mut().enumerate() {
            if let State::InFlight(chunk) = &mut segment.state {
                chunk.kept.extend(rows_of(&batch, |row| segment_of[row] as usize == index)?);
            }
        }
        let is_finished = |of: u32| matches!(self.segments.get(of as usize).map(|s| &s.state), Some(State::Finished));
        if !self.takes_back {
            return rows_of(&batch, |row| is_finished(segment_of[row]));
        }
        let is_live: Vec<bool> = segment_of.iter().map(|of| is_finished(*of)).collect();
        let batch = if is_live.iter().all(|live| *live) { batch } else { retractions_deleting(batch, &is_live)? };
        rows_of(&batch, |row| is_live[row] || batch.kind(row) == RowKind::Delete)
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

/// The wanted rows; `None` without any.
fn rows_of(batch: &ChangelogBatch, wanted: impl Fn(usize) -> bool) -> Result<Option<ChangelogBatch>> {
    let count = (0..batch.num_rows()).filter(|row| wanted(*row)).count();
    if count == 0 {
        return Ok(None);
    }
    if count == batch.num_rows() {
        return Ok(Some(batch.clone()));
    }
    let mask: BooleanArray = (0..batch.num_rows()).map(|row| Some(wanted(row))).collect();
    batch.filter(&mask).map(Some)
}

/// Makes `-U` a deletion where nothing follows it, because the `+U` waits for its chunk.
fn retractions_deleting(batch: ChangelogBatch, is_live: &[bool]) -> Result<ChangelogBatch> {
    let kinds = is_live.iter().enumerate().map(|(row, live)| match batch.kind(row) {
        RowKind::UpdateBefore if !live => RowKind::Delete,
        kind => kind,
    });
    let kinds = kinds.map(|kind| kind as u8).collect();
    ChangelogBatch::try_new(batch.into_parts().0, Some(kinds))
}

#[cfg(test)]
mod tests;
