//! Groups that are windows of time: put out once, when their time is over.
//!
//! ```text
//! SELECT window_end, COUNT(*) … GROUP BY window_start, window_end     windows of 10 seconds
//!
//! +I 00:00:03 / +I 00:00:07      open: 00:00:10 → 2 rows
//! watermark 00:00:10             +I 00:00:10 2
//! +I 00:00:08                    late: dropped and counted
//! ```

use std::collections::BTreeMap;

use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use sluice_model::{ChangelogBatch, Error, Result};

use super::marks::LIVE;
use super::{GroupAggregate, Touched};
use crate::Output;
use crate::key_index::Slot;
use crate::state::StateOutput;
use crate::time::millis;

/// Rows of a batch that is put out.
const BATCH_ROWS: usize = 8192;

/// The windows that are open.
#[derive(Debug)]
pub(super) struct Windows {
    /// Which of the group columns is the end of the window.
    end: usize,
    /// Groups by the end of their window, in milliseconds. A slot may have been given to another
    /// group since, so its key has the last word.
    open: BTreeMap<i64, Vec<Slot>>,
    watermark: i64,
}

impl Windows {
    pub(super) fn new(end: usize) -> Self {
        Self { end, open: BTreeMap::new(), watermark: i64::MIN }
    }

    /// Whether nothing is expected any more for a window that ends here.
    fn is_over(&self, end: i64) -> bool {
        end.saturating_sub(1) <= self.watermark
    }

    /// The watermark, as a row of state.
    pub(super) fn snapshot(&self, table: usize, schema: &SchemaRef, output: StateOutput<'_>) -> Result<()> {
        let column: ArrayRef = std::sync::Arc::new(Int64Array::from(vec![self.watermark]));
        let rows = RecordBatch::try_new(SchemaRef::clone(schema), vec![column]).map_err(Error::from_arrow)?;
        output(table, ChangelogBatch::append(rows))
    }

    pub(super) fn restore(&mut self, rows: &RecordBatch) -> Result<()> {
        let column = rows.columns().first().and_then(|column| column.as_any().downcast_ref::<Int64Array>());
        let column = column.ok_or_else(|| Error::bug("a watermark that is no number"))?;
        self.watermark = column.iter().flatten().fold(self.watermark, i64::max);
        Ok(())
    }
}

impl GroupAggregate {
    /// Leaves out rows whose window is over.
    pub(super) fn without_late(&self, windows: &Windows, batch: ChangelogBatch) -> Result<ChangelogBatch> {
        let ends = millis(batch.rows().column(self.group[windows.end]).as_ref())?;
        let is_late = |end: &Option<i64>| end.is_some_and(|end| windows.is_over(end));
        let late = ends.iter().filter(|end| is_late(end)).count();
        if late == 0 {
            return Ok(batch);
        }
        tracing::debug!(rows = late, "rows that came too late for their windows were dropped");
        batch.filter(&ends.iter().map(|end| Some(!is_late(end))).collect::<BooleanArray>())
    }

    /// Notes the groups that a batch has begun.
    pub(super) fn open_windows(&mut self, group: &[ArrayRef], touched: &Touched) -> Result<()> {
        let Some(windows) = &mut self.windows else { return Ok(()) };
        let ends = millis(group[windows.end].as_ref())?;
        for ((slot, row), was) in touched.slots.iter().zip(&touched.rows).zip(&touched.was) {
            // A window without an end never ends.
            if let Some(end) = ends[*row as usize].filter(|_| !was) {
                windows.open.entry(end).or_default().push(*slot);
            }
        }
        Ok(())
    }

    /// Finds the windows of groups that were restored.
    pub(super) fn reopen_windows(&mut self) -> Result<()> {
        let Some(windows) = &mut self.windows else { return Ok(()) };
        let live: Vec<Slot> = self.index.slots().filter(|slot| self.marks.is(*slot, LIVE)).collect();
        let key = self.index.columns(live.iter().copied())?;
        windows.open.clear();
        for (slot, end) in live.iter().zip(millis(key[windows.end].as_ref())?) {
            windows.open.entry(end.unwrap_or(i64::MAX)).or_default().push(*slot);
        }
        Ok(())
    }

    /// Puts out the groups whose windows are over, and forgets them.
    pub(super) fn close_windows(&mut self, watermark: i64, output: Output<'_>) -> Result<()> {
        let Some(windows) = &mut self.windows else { return Ok(()) };
        windows.watermark = windows.watermark.max(watermark);
        while let Some((end, slots)) = self.next_over() {
            let slots = self.still_open(end, slots)?;
            for slots in slots.chunks(BATCH_ROWS) {
                output(self.results(slots)?)?;
            }
            for slot in slots {
                self.rows[slot as usize] = 0;
                self.calls.iter_mut().for_each(|call| call.clear(slot));
                self.forget(slot);
            }
        }
        Ok(())
    }

    /// Takes out the earliest window that is over.
    fn next_over(&mut self) -> Option<(i64, Vec<Slot>)> {
        let windows = self.windows.as_mut()?;
        let (end, _) = windows.open.first_key_value()?;
        if windows.is_over(*end) { windows.open.pop_first() } else { None }
    }

    /// The slots that still hold a group of a window that ends here, each once.
    fn still_open(&self, end: i64, mut slots: Vec<Slot>) -> Result<Vec<Slot>> {
        let Some(windows) = &self.windows else { return Ok(Vec::new()) };
        slots.sort_unstable();
        slots.dedup();
        slots.retain(|slot| self.marks.is(*slot, LIVE) && self.rows[*slot as usize] > 0);
        let key = self.index.columns(slots.iter().copied())?;
        let ends = millis(key[windows.end].as_ref())?;
        let same = slots.into_iter().zip(ends).filter(|(_, own)| own.unwrap_or(i64::MAX) == end);
        Ok(same.map(|(slot, _)| slot).collect())
    }

    fn results(&self, slots: &[Slot]) -> Result<ChangelogBatch> {
        let mut columns = self.index.columns(slots.iter().copied())?;
        columns.extend(self.evaluate(slots)?);
        let options = RecordBatchOptions::new().with_row_count(Some(slots.len()));
        let rows = RecordBatch::try_new_with_options(SchemaRef::clone(&self.output), columns, &options);
        Ok(ChangelogBatch::append(rows.map_err(Error::from_arrow)?))
    }
}
