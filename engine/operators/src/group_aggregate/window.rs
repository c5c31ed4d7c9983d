//! Groups that are windows of time: put out once, when their time is over.
//!
//! ```text
//! SELECT window_end, COUNT(*) … GROUP BY window_start, window_end     windows of 10 seconds
//!
//! +I 00:00:03 / +I 00:00:07      open: 00:00:10 → 2 rows
//! watermark 00:00:10             +I 00:00:10 2
//! +I 00:00:08                    late: dropped and counted
//! ```

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use sluice_model::{ChangelogBatch, Error, Result};
use sluice_plan::WindowEnd;

use super::marks::LIVE;
use super::{GroupAggregate, Touched};
use crate::Output;
use crate::key_index::Slot;
use crate::open_windows::OpenWindows;
use crate::state::BATCH_ROWS;
use crate::time::millis;

/// The windows that are open.
#[derive(Debug)]
pub(super) struct Windows {
    /// Which of the group columns is the end of the window.
    end: usize,
    /// Groups of each window. A slot may have been given to another group since, so its key has the
    /// last word.
    pub(super) open: OpenWindows<Slot>,
}

impl Windows {
    pub(super) fn new(end: WindowEnd) -> Self {
        Self { end: end.column, open: OpenWindows::new(end.zone) }
    }
}

impl GroupAggregate {
    /// Leaves out rows whose window is over.
    pub(super) fn without_late(&mut self, batch: ChangelogBatch) -> Result<ChangelogBatch> {
        match &mut self.windows {
            Some(windows) => windows.open.without_late(self.group[windows.end], self.row_count, batch),
            None => Ok(batch),
        }
    }

    /// Notes the groups that a batch has begun.
    pub(super) fn open_windows(&mut self, group: &[ArrayRef], touched: &Touched) -> Result<()> {
        let Some(windows) = &mut self.windows else { return Ok(()) };
        let ends = millis(group[windows.end].as_ref())?;
        for ((slot, row), was) in touched.slots.iter().zip(&touched.rows).zip(&touched.was) {
            // A window without an end never ends.
            if let Some(end) = ends[*row as usize].filter(|_| !was) {
                windows.open.open(end, *slot);
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
            windows.open.open(end.unwrap_or(i64::MAX), *slot);
        }
        Ok(())
    }

    /// Puts out the groups whose windows are over, and forgets them.
    pub(super) fn close_windows(&mut self, watermark: i64, output: Output<'_>) -> Result<()> {
        let Some(windows) = &mut self.windows else { return Ok(()) };
        windows.open.advance(watermark);
        while let Some((end, slots)) = self.windows.as_mut().and_then(|windows| windows.open.pop_over()) {
            let slots = self.still_open(end, slots)?;
            for slots in slots.chunks(BATCH_ROWS) {
                output(self.results(slots)?)?;
            }
            self.calls.clear(&slots)?;
            for slot in slots {
                self.rows[slot as usize] = 0;
                self.forget(slot);
            }
        }
        Ok(())
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
        columns.extend(self.calls.evaluate(slots)?);
        let options = RecordBatchOptions::new().with_row_count(Some(slots.len()));
        let rows = RecordBatch::try_new_with_options(SchemaRef::clone(&self.output), columns, &options);
        Ok(ChangelogBatch::append(rows.map_err(Error::from_arrow)?))
    }
}
