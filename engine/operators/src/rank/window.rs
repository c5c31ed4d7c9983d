//! Partitions that are windows of time: put out once, when their time is over.
//!
//! ```text
//! ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY price DESC) <= 1
//!
//! +I 00:00:10 5 / +I 00:00:10 7      open: 00:00:10 → 7
//! watermark 00:00:10                 +I 00:00:10 7
//! +I 00:00:10 9                      late: dropped and counted
//! ```

use sluice_model::{ChangelogBatch, Error, Result, RowKind};
use sluice_plan::WindowEnd;

use super::Rank;
use super::difference::Changes;
use crate::Output;
use crate::key_index::Slot;
use crate::open_windows::OpenWindows;
use crate::time::millis;

/// The state table of the watermark.
pub(super) const WATERMARK: usize = 1;

/// The windows that are open.
#[derive(Debug)]
pub(super) struct Windows {
    /// Which input column, and which column of the partition, is the end of the window.
    column: usize,
    end: usize,
    /// Partitions of each window. A slot may have been given to another partition since, so its key
    /// has the last word.
    pub(super) open: OpenWindows<Slot>,
    /// Partitions that the batch has begun.
    begun: Vec<Slot>,
    /// State was restored since the last batch.
    pub(super) is_restored: bool,
}

impl Windows {
    pub(super) fn new(node: &sluice_plan::Rank, WindowEnd { column, zone }: WindowEnd) -> Result<Self> {
        let end = node.partition.iter().position(|partition| *partition == column);
        let end = end.ok_or_else(|| Error::bug("a rank of windows that is not partitioned by them"))?;
        Ok(Self { column, end, open: OpenWindows::new(zone), begun: Vec::new(), is_restored: false })
    }

    /// Notes that a batch touches a partition.
    pub(super) fn touched(&mut self, slot: Slot, is_new: bool) {
        if is_new {
            self.begun.push(slot);
        }
    }
}

impl Rank {
    /// Leaves out rows whose window is over.
    pub(super) fn without_late(&mut self, batch: ChangelogBatch) -> Result<ChangelogBatch> {
        match &mut self.windows {
            Some(windows) => windows.open.without_late(windows.column, None, batch),
            None => Ok(batch),
        }
    }

    /// Notes the partitions that a batch has begun.
    pub(super) fn open_windows(&mut self) -> Result<()> {
        let Some(windows) = &mut self.windows else { return Ok(()) };
        let begun = std::mem::take(&mut windows.begun);
        let key = self.rows.index.columns(begun.iter().copied())?;
        for (slot, end) in begun.into_iter().zip(millis(key[windows.end].as_ref())?) {
            windows.open.open(end.unwrap_or(i64::MAX), slot);
        }
        Ok(())
    }

    /// Gets ready to work after rows were restored.
    pub(super) fn settle_restored(&mut self) -> Result<()> {
        self.rows.finish_restoring();
        let Some(windows) = &mut self.windows else { return Ok(()) };
        if std::mem::take(&mut windows.is_restored) {
            windows.open.clear();
            windows.begun = self.rows.index.slots().collect();
            self.open_windows()?;
        }
        Ok(())
    }

    /// Puts out the partitions whose windows are over, and forgets them.
    pub(super) fn close_windows(&mut self, watermark: i64, output: Output<'_>) -> Result<()> {
        let Some(windows) = &mut self.windows else { return Ok(()) };
        windows.open.advance(watermark);
        while let Some((end, slots)) = self.windows.as_mut().and_then(|windows| windows.open.pop_over()) {
            let slots = self.still_open(end, slots)?;
            let mut result = Changes::default();
            for slot in &slots {
                let partition = &self.rows.partitions[*slot as usize];
                partition.rows.window(self.window.0, self.window.1, &mut result.rows);
                let kept = result.rows.len() - result.ranks.len();
                result.ranks.extend((self.comparison.first..).take(kept));
            }
            result.kinds.resize(result.rows.len(), RowKind::Insert as u8);
            self.put_out(&result, None, output)?;
            slots.iter().for_each(|slot| self.rows.remove_all(*slot));
            self.rows.settle(slots);
        }
        Ok(())
    }

    /// The slots that still hold a partition of a window that ends here, each once.
    fn still_open(&self, end: i64, mut slots: Vec<Slot>) -> Result<Vec<Slot>> {
        let Some(windows) = &self.windows else { return Ok(Vec::new()) };
        slots.sort_unstable();
        slots.dedup();
        slots.retain(|slot| !self.rows.partitions[*slot as usize].rows.is_empty());
        let key = self.rows.index.columns(slots.iter().copied())?;
        let ends = millis(key[windows.end].as_ref())?;
        let same = slots.into_iter().zip(ends).filter(|(_, own)| own.unwrap_or(i64::MAX) == end);
        Ok(same.map(|(slot, _)| slot).collect())
    }
}
