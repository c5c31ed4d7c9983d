//! Windows of time that are open: what belongs to them, and how far event time has come.
//!
//! ```text
//! open(10 s, a), open(20 s, b)      10 s → a     20 s → b
//! advance(10 s), pop_over()         10 s → a             20 s is still open
//! rows of 10 s                      late: dropped and counted
//! ```
//!
//! Ends are times of a wall clock, and event time is compared with them as that clock shows it: once for
//! a watermark, not for every row.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{BooleanArray, RecordBatch};
use chrono_tz::Tz;
use sluice_functions::WallClock;
use sluice_model::{ChangelogBatch, Error, Result};

use crate::state::{StateOutput, StateTable};
use crate::time::millis;
use crate::watermark;

/// What is open, by the end of its window in milliseconds.
#[derive(Debug)]
pub(crate) struct OpenWindows<T> {
    open: BTreeMap<i64, Vec<T>>,
    watermark: i64,
    clock: WallClock,
    /// The latest time of the clock that event time has left behind.
    passed: i64,
    /// Rows that were dropped since [`Self::take_late`].
    late: u64,
}

impl<T> OpenWindows<T> {
    /// Nothing is open. Windows end at times of the wall clock of `zone`.
    pub(crate) fn new(zone: Tz) -> Self {
        let clock = WallClock::new(zone);
        Self { open: BTreeMap::new(), watermark: i64::MIN, clock, passed: i64::MIN, late: 0 }
    }

    /// Whether nothing is expected any more for a window that ends here (exclusive).
    pub(crate) fn is_over(&self, end: i64) -> bool {
        end.saturating_sub(1) <= self.passed
    }

    /// Event time has come to `watermark`.
    pub(crate) fn advance(&mut self, watermark: i64) {
        if watermark > self.watermark {
            self.watermark = watermark;
            // A clock that is set back shows times again that are not over before.
            self.passed = self.passed.max(self.clock.passed(watermark));
        }
    }

    /// Notes something that belongs to a window.
    pub(crate) fn open(&mut self, end: i64, item: T) {
        self.open.entry(end).or_default().push(item);
    }

    /// Forgets what is open, but not how far event time has come.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
    }

    /// Takes out the earliest window that is over.
    pub(crate) fn pop_over(&mut self) -> Option<(i64, Vec<T>)> {
        let (end, _) = self.open.first_key_value()?;
        if self.is_over(*end) { self.open.pop_first() } else { None }
    }

    /// The watermark, plus one millisecond, at which the first window is over that is open.
    pub(crate) fn first_over(&self) -> Option<i64> {
        let (end, _) = self.open.first_key_value()?;
        Some(self.clock.passed_at(end.saturating_sub(1)).saturating_add(1))
    }

    /// Leaves out rows whose window is over; `ends` is the column of the ends of their windows, `counts`
    /// that of the number of rows that a row stands for, if it is not one.
    ///
    /// # Errors
    /// A bug: a column that holds no timestamps, or no numbers.
    pub(crate) fn without_late(
        &mut self,
        ends: usize,
        counts: Option<usize>,
        batch: ChangelogBatch,
    ) -> Result<ChangelogBatch> {
        let ends = millis(batch.rows().column(ends).as_ref())?;
        let is_late = |end: &Option<i64>| end.is_some_and(|end| self.is_over(end));
        if !ends.iter().any(is_late) {
            return Ok(batch);
        }
        let in_time = ends.iter().map(|end| Some(!is_late(end))).collect::<BooleanArray>();
        let late = ends.iter().enumerate().filter(|(_, end)| is_late(end)).map(|(row, _)| row);
        let late = match counts {
            None => late.count(),
            Some(column) => {
                let counts = batch.rows().column(column).as_primitive_opt::<Int64Type>();
                let counts = counts.ok_or_else(|| Error::bug("a number of rows that is no number"))?;
                late.map(|row| usize::try_from(counts.value(row)).unwrap_or_default()).sum()
            }
        };
        self.count_late(late);
        batch.filter(&in_time)
    }

    /// Notes rows that came too late.
    pub(crate) fn count_late(&mut self, rows: usize) {
        self.late += rows as u64;
        tracing::debug!(rows, "rows that came too late for their windows were dropped");
    }

    /// Number of rows that came too late since the last call.
    pub(crate) fn take_late(&mut self) -> u64 {
        std::mem::take(&mut self.late)
    }

    /// The table of the watermark: one row in each subtask, of which the largest counts.
    pub(crate) fn state_table() -> StateTable {
        watermark::table()
    }

    /// Hands out the watermark; `table` is the number of its table.
    pub(crate) fn snapshot(&self, table: usize, output: StateOutput<'_>) -> Result<()> {
        output(table, watermark::row(self.watermark)?)
    }

    /// Takes a watermark back.
    ///
    /// # Errors
    /// A bug: rows of another table.
    pub(crate) fn restore(&mut self, rows: &RecordBatch) -> Result<()> {
        self.advance(watermark::largest(rows)?);
        Ok(())
    }
}
