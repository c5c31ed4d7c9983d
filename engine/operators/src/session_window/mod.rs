//! Sessions: rows of a partition that follow each other within a gap, put out when the session is
//! over, with its borders.
//!
//! ```text
//! SESSION(TABLE clicks PARTITION BY k, DESCRIPTOR(ts), INTERVAL '10' SECONDS)
//!
//! rows                        sessions of a
//! +I 00:00:01 a               00:01–00:11
//! +I 00:00:25 a               00:01–00:11, 00:25–00:35
//! +I 00:00:15 a               00:01–00:11, 00:15–00:35
//! +I 00:00:11 a               00:01–00:35                  a row at the end of a session extends it
//! watermark 00:00:35          four rows with window_start 00:01 and window_end 00:35
//! ```
//!
//! Rows keep their kind and, within a session, their order: what takes a row back belongs to the
//! session of its time, as in Flink.
//!
//! By processing time the time of a row is when it comes by, and the operator tells how far this time
//! has come, as [`AssignWindow`](crate::AssignWindow) does.

mod rows;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use sluice_functions::WallClock;
use sluice_model::{ChangelogBatch, Error, Result, RowKind, RowKinds};

use self::rows::{Rows, Session};
use crate::assign_window::{is_window_column, window_columns};
use crate::key_index::Slot;
use crate::open_windows::OpenWindows;
use crate::row_codec::RowCodec;
use crate::row_store::RowId;
use crate::state::{BATCH_ROWS, Scope, StateOutput, StateTable};
use crate::time::wall_millis;
use crate::{Operator, Output};

/// The operator of a [`sluice_plan::SessionWindow`].
#[derive(Debug)]
pub struct SessionWindow {
    input: SchemaRef,
    partition: Vec<usize>,
    time: usize,
    codec: RowCodec,
    rows: Rows,
    /// Partitions that have sessions, by the end that these had when they were noted.
    open: OpenWindows<Slot>,
    output: SchemaRef,
    tables: [StateTable; 2],
    is_restored: bool,
    /// Shows the wall-clock times that sessions lie between.
    wall: WallClock,
    /// Set if the rows' time is that of the clock.
    clock: Option<Clock>,
}

/// How far the clock has come.
#[derive(Debug)]
struct Clock {
    now: i64,
    /// When the time is told the next time, whether sessions end or not.
    next_tick: i64,
    watermark: Option<i64>,
    is_ended: bool,
}

impl SessionWindow {
    /// `output` is the schema of the input with the three columns of the window behind it.
    ///
    /// # Errors
    /// A column of a type that cannot be kept; a bug in the planner.
    pub fn new(node: &sluice_plan::SessionWindow, input: &SchemaRef, output: &SchemaRef) -> Result<Self> {
        let width = input.fields().len();
        let windows = output.fields().get(width..).unwrap_or_default();
        if windows.len() != 3 || !windows.iter().all(is_window_column) {
            return Err(Error::bug("the columns of a session are no TIMESTAMP(3)"));
        }
        if node.partition.iter().chain([&node.time]).any(|column| *column >= width) {
            return Err(Error::bug("a column of a session that is not there"));
        }
        let types: Vec<_> = node.partition.iter().map(|column| input.field(*column).data_type().clone()).collect();
        let clock = Clock { now: i64::MIN, next_tick: i64::MIN, watermark: None, is_ended: false };
        Ok(Self {
            codec: RowCodec::new(input, &(0..width).collect::<Vec<_>>())?,
            rows: Rows::new(&types, node.gap)?,
            open: OpenWindows::new(node.zone),
            wall: WallClock::new(node.zone),
            tables: [state::table(input, &node.partition), OpenWindows::<Slot>::state_table()],
            input: Arc::clone(input),
            partition: node.partition.clone(),
            time: node.time,
            output: Arc::clone(output),
            is_restored: false,
            clock: node.processing_time.then_some(clock),
        })
    }

    /// The times of rows, as the wall clock shows them.
    fn times(&mut self, rows: &RecordBatch) -> Result<Vec<i64>> {
        if let Some(clock) = &self.clock {
            return Ok(vec![self.wall.at(clock.now); rows.num_rows()]);
        }
        let times =
            wall_millis(rows.column(self.time).as_ref(), &mut self.wall)?.into_iter().collect::<Option<Vec<_>>>();
        times.ok_or_else(|| {
            Error::fix("a row has NULL as its time, so it belongs to no session")
                .with_hint("leave such rows out: WHERE the column IS NOT NULL")
        })
    }

    /// Takes the sessions that are over out and puts their rows out. True if there were any.
    fn close(&mut self, watermark: i64, output: Output<'_>) -> Result<bool> {
        self.open.advance(watermark);
        let mut closed = Vec::new();
        while let Some((_, slots)) = self.open.pop_over() {
            for slot in slots {
                for session in self.rows.take_over(slot, |end| self.open.is_over(end)) {
                    closed.push(session);
                }
                // The others have grown since they were noted.
                for end in self.rows.unnoted(slot) {
                    self.open.open(end, slot);
                }
            }
        }
        let is_any = !closed.is_empty();
        for sessions in in_batches(&closed) {
            self.put_out(sessions, output)?;
        }
        closed.iter().for_each(|session| self.rows.forget(session));
        Ok(is_any)
    }

    fn put_out(&self, sessions: &[Session], output: Output<'_>) -> Result<()> {
        let ids: Vec<RowId> = sessions.iter().flat_map(|session| session.rows.iter().copied()).collect();
        let each = |value: fn(&Session, i64) -> i64| -> Vec<i64> {
            let repeated = |session: &Session| std::iter::repeat_n(value(session, self.rows.gap()), session.rows.len());
            sessions.iter().flat_map(repeated).collect()
        };
        let (starts, ends) = (each(|session, _| session.start), each(|session, gap| session.end(gap)));
        let mut columns = self.codec.decode(ids.iter().map(|id| self.rows.content(*id)))?;
        let fields = &self.output.fields()[columns.len()..];
        columns.extend(window_columns(starts, ends, fields, &self.wall));
        let rows = RecordBatch::try_new(Arc::clone(&self.output), columns).map_err(Error::from_arrow)?;
        let kinds: Vec<u8> = ids.iter().map(|id| self.rows.kind(*id)).collect();
        let is_append = kinds.iter().all(|kind| *kind == RowKind::Insert as u8);
        output(ChangelogBatch::try_new(rows, (!is_append).then(|| RowKinds::from(kinds)))?)
    }
}

/// Sessions in groups of as many rows as a batch holds, or of one session that has more.
fn in_batches(mut sessions: &[Session]) -> impl Iterator<Item = &[Session]> {
    std::iter::from_fn(move || {
        let mut rows = 0;
        let fits = |session: &&Session| {
            rows += session.rows.len();
            rows <= BATCH_ROWS
        };
        let count = sessions.iter().take_while(fits).count().max(1);
        let (some, rest) = sessions.split_at_checked(count)?;
        sessions = rest;
        Some(some)
    })
}

impl Operator for SessionWindow {
    fn on_batch(&mut self, _input: usize, batch: ChangelogBatch, _output: Output<'_>) -> Result<()> {
        self.settle_restored()?;
        let times = self.times(batch.rows())?;
        let key: Vec<ArrayRef> = self.partition.iter().map(|column| Arc::clone(batch.rows().column(*column))).collect();
        let slots = self.rows.slots(&key, batch.num_rows())?;
        let encoded = self.codec.encode(batch.rows())?;
        let mut late = 0;
        for (row, (slot, time)) in slots.iter().zip(times).enumerate() {
            let is_over = |end| self.open.is_over(end);
            if self.rows.is_late(*slot, time, is_over) {
                late += 1;
                continue;
            }
            let id = self.rows.insert(*slot, encoded.row(row), time, batch.kind(row), None)?;
            if let Some(end) = self.rows.join(id) {
                self.open.open(end, *slot);
            }
        }
        if late > 0 {
            self.open.count_late(late);
            slots.into_iter().for_each(|slot| self.rows.release(slot));
        }
        Ok(())
    }

    fn on_watermark(&mut self, watermark: i64, output: Output<'_>) -> Result<()> {
        self.settle_restored()?;
        if let Some(clock) = &mut self.clock {
            if watermark != i64::MAX {
                return Ok(());
            }
            clock.is_ended = true;
        }
        self.close(watermark, output)?;
        Ok(())
    }

    /// The time of the input's columns says nothing about the clock. At the end of the input all
    /// sessions end, so that no row is lost.
    fn passed_watermark(&self, watermark: i64) -> Option<i64> {
        (self.clock.is_none() || watermark == i64::MAX).then_some(watermark)
    }

    fn on_processing_time(&mut self, now: i64, output: Output<'_>) -> Result<()> {
        self.settle_restored()?;
        let Some(clock) = &mut self.clock else { return Ok(()) };
        // A clock that is set back stands still for sessions.
        clock.now = clock.now.max(now);
        let (now, is_tick) = (clock.now, clock.now >= clock.next_tick);
        let is_any = self.close(now - 1, output)?;
        if let Some(clock) = self.clock.as_mut().filter(|_| is_any || is_tick) {
            clock.watermark = Some(now - 1);
            // Who gets rows of several subtasks waits for all of them, also those without sessions.
            clock.next_tick = now + self.rows.gap();
        }
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        let clock = self.clock.as_ref().filter(|clock| !clock.is_ended)?;
        Some(self.open.first_over().map_or(clock.next_tick, |over| over.min(clock.next_tick)))
    }

    fn new_watermark(&mut self) -> Option<i64> {
        self.clock.as_mut()?.watermark.take()
    }

    fn take_late_rows(&mut self) -> u64 {
        self.open.take_late()
    }

    fn state_bytes(&self) -> usize {
        self.rows.bytes()
    }

    fn state_tables(&self) -> &[StateTable] {
        &self.tables
    }

    fn snapshot(&mut self, scope: Scope, output: StateOutput<'_>) -> Result<()> {
        self.settle_restored()?;
        self.write_snapshot(scope, output)
    }

    fn restore(&mut self, table: usize, rows: ChangelogBatch) -> Result<()> {
        self.is_restored = true;
        if table == state::WATERMARK { self.open.restore(rows.rows()) } else { self.read_snapshot(&rows) }
    }
}
