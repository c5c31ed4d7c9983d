//! Top-N: the first rows of every partition; with N = 1 the removal of duplicates; without an order
//! the first to arrive (`LIMIT`).
//!
//! What a batch does to a partition is put out as the difference between the rows that were kept
//! before and those that are kept after it. Flink puts out every step between; the last row of each
//! is the same.
//!
//! | input `k, v` | first 2 by `v` descending | with rank |
//! |---|---|---|
//! | `+I a 1` | `+I a 1` | `+I a 1 1` |
//! | `+I a 3` | `+I a 3` | `-U a 1 1`, `+U a 3 1`, `+I a 1 2` |
//! | `+I a 2` | `-D a 1`, `+I a 2` | `-U a 1 2`, `+U a 2 2` |
//!
//! A partition that is a window of time is put out once, when its time is over (`window`).

mod arrived;
mod difference;
mod layout;
mod rows;
mod sorted;
mod window;

use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow_schema::SchemaRef;
use arrow_select::take::take_record_batch;
use sluice_model::{ChangelogBatch, Error, Result, RowKind, RowKinds};

use crate::key_index::Slot;
use crate::open_windows::OpenWindows;
use crate::row_store::RowId;
use crate::state::BATCH_ROWS;
use crate::ttl::{self, Ttl, read_column};
use crate::{Operator, Output, Scope, StateOutput, StateTable};

use arrived::Arrived;
use difference::{Changes, Comparison};
use layout::Layout;
use rows::{Identity, Rows};
use window::{WATERMARK, Windows};

/// The operator of [`sluice_plan::Rank`].
#[derive(Debug)]
pub struct Rank {
    layout: Layout,
    rows: Rows,
    comparison: Comparison,
    /// Rows may be taken back.
    retracts: bool,
    rank_column: bool,
    /// Ranks that are kept, from 0: how many are skipped, and how many are not.
    window: (usize, usize),
    output: SchemaRef,
    tables: Vec<StateTable>,
    /// Number of the batch.
    batch: u64,
    /// Partitions that the batch has touched, and where their rows end in `before`.
    touched: Vec<(Slot, usize)>,
    /// What the touched partitions kept before.
    before: Vec<RowId>,
    /// Set if partitions expire: each as a whole, so that ranks stay what was put out.
    ttl: Option<Ttl>,
    /// Set if partitions are put out when their window is over.
    windows: Option<Windows>,
}

impl Rank {
    /// For rows of this schema.
    ///
    /// # Errors
    /// A column of a type that cannot be ordered, or be kept.
    pub fn new(node: &sluice_plan::Rank, input: &SchemaRef, output: &SchemaRef) -> Result<Self> {
        let unique_key = node.unique_key.as_deref().filter(|_| node.retracts);
        let identity = match (node.retracts, unique_key) {
            (false, _) => Identity::None,
            (true, Some(_)) => Identity::Key,
            (true, None) => Identity::Content,
        };
        let layout = Layout::new(node, input, unique_key)?;
        let skip = usize::try_from(node.first.saturating_sub(1)).unwrap_or(usize::MAX);
        let end = node.last.map_or(usize::MAX, |last| usize::try_from(last).unwrap_or(usize::MAX));
        let comparison = Comparison {
            first: i64::try_from(node.first.max(1)).unwrap_or(i64::MAX),
            update_before: node.update_before,
            by_rank: node.rank_column || node.last == Some(node.first),
            identified: identity != Identity::None,
        };
        let windows = node.window_end.map(|end| Windows::new(node, end)).transpose()?;
        let watermark = windows.is_some().then(OpenWindows::<Slot>::state_table);
        Ok(Self {
            rows: Rows::new(layout.index()?, identity, node.newest_first),
            comparison,
            retracts: node.retracts,
            rank_column: node.rank_column,
            window: (skip, end.saturating_sub(skip)),
            output: Arc::clone(output),
            tables: std::iter::once(layout.state_table()).chain(watermark).collect(),
            layout,
            batch: 0,
            touched: Vec::new(),
            before: Vec::new(),
            ttl: None,
            windows,
        })
    }

    /// Notes what a partition keeps before the batch does anything to it.
    fn touch(&mut self, slot: Slot) {
        let partition = &mut self.rows.partitions[slot as usize];
        if partition.touched != self.batch {
            partition.touched = self.batch;
            if let Some(ttl) = &mut self.ttl {
                ttl.write(slot);
            }
            match &mut self.windows {
                // What was kept before does not matter to what is put out at the end.
                Some(windows) => windows.touched(slot, partition.rows.is_empty()),
                None => partition.rows.window(self.window.0, self.window.1, &mut self.before),
            }
            self.touched.push((slot, self.before.len()));
        }
    }

    /// Takes in rows of a stream of insertions: those that come before the last that is kept. Rows of the
    /// batch that were added, in the order in which they were.
    fn append(&mut self, batch: &RecordBatch) -> Result<Vec<u32>> {
        let capacity = self.window.0.saturating_add(self.window.1);
        let slots = self.layout.slots(&mut self.rows.index, batch)?;
        let order = self.layout.order(batch)?;
        self.rows.grow();
        let enters = |rows: &Rows, row: usize| {
            rows.partitions[slots[row] as usize].rows.len() < capacity || !rows.is_last(slots[row], order.row(row))
        };
        // Most rows do not enter: the others are worth a copy, and only they are encoded.
        let entering: Vec<u32> =
            (0..batch.num_rows()).filter(|row| enters(&self.rows, *row)).map(|row| row as u32).collect();
        if entering.is_empty() {
            return Ok(entering);
        }
        let rest = if entering.len() == batch.num_rows() {
            self.layout.rest(batch)?
        } else {
            let indices = UInt32Array::from(entering.clone());
            self.layout.rest(&take_record_batch(batch, &indices).map_err(Error::from_arrow)?)?
        };
        let mut added = Vec::with_capacity(entering.len());
        for (position, source) in entering.into_iter().enumerate() {
            let (row, slot) = (source as usize, slots[source as usize]);
            if enters(&self.rows, row) {
                self.touch(slot);
                if self.rows.partitions[slot as usize].rows.len() == capacity {
                    self.rows.remove_last(slot);
                }
                self.rows.add(slot, [order.row(row), &[], rest.row(position)], None)?;
                added.push(source);
            }
        }
        Ok(added)
    }

    /// Takes in rows of a stream that takes rows back.
    fn retract(&mut self, batch: &ChangelogBatch) -> Result<()> {
        let encoded = self.layout.encode(&mut self.rows.index, batch.rows())?;
        self.rows.grow();
        for row in 0..batch.num_rows() {
            let slot = encoded.slots[row];
            self.touch(slot);
            let parts = [encoded.order.row(row), encoded.key.row(row), encoded.rest.row(row)];
            if batch.kind(row).is_addition() {
                self.rows.add(slot, parts, None)?;
            } else {
                self.rows.remove(slot, parts);
            }
        }
        Ok(())
    }

    /// What the batch has done to the partitions that it touched.
    fn changes(&self) -> Changes {
        let mut changes = Changes::default();
        let mut after = Vec::new();
        let mut start = 0;
        for (slot, end) in &self.touched {
            after.clear();
            self.rows.partitions[*slot as usize].rows.window(self.window.0, self.window.1, &mut after);
            self.comparison.compare(&self.rows, &self.before[start..*end], &after, &mut changes);
            start = *end;
        }
        changes
    }

    /// `arrived` are rows that the batch brought: they need not be read back.
    fn put_out(&self, changes: &Changes, arrived: Option<&Arrived<'_>>, output: Output<'_>) -> Result<()> {
        for start in (0..changes.rows.len()).step_by(BATCH_ROWS) {
            let range = start..changes.rows.len().min(start + BATCH_ROWS);
            let ids = &changes.rows[range.clone()];
            let mut columns = match arrived {
                Some(arrived) => arrived.columns(&self.layout, &self.rows, ids)?,
                None => self.layout.decode(&self.rows, ids)?,
            };
            if self.rank_column {
                columns.push(Arc::new(Int64Array::from(changes.ranks[range.clone()].to_vec())));
            }
            let options = RecordBatchOptions::new().with_row_count(Some(range.len()));
            let rows = RecordBatch::try_new_with_options(Arc::clone(&self.output), columns, &options);
            let kinds = &changes.kinds[range];
            let insertions = kinds.iter().all(|kind| *kind == RowKind::Insert as u8);
            let kinds = (!insertions).then(|| RowKinds::from(kinds.to_vec()));
            output(ChangelogBatch::try_new(rows.map_err(Error::from_arrow)?, kinds)?)?;
        }
        Ok(())
    }

    fn hand_out(&self, ids: &[RowId], kind: RowKind, output: StateOutput<'_>) -> Result<()> {
        for ids in ids.chunks(BATCH_ROWS) {
            let written = self.ttl.as_ref().map(|ttl| ttl.column(ids.iter().map(|id| self.rows.slot(*id))));
            let rows = self.layout.state_rows(&self.tables[0].schema, &self.rows, ids, written)?;
            let kinds = (kind != RowKind::Insert).then(|| RowKinds::from(vec![kind as u8; ids.len()]));
            output(0, ChangelogBatch::try_new(rows, kinds)?)?;
        }
        Ok(())
    }
}

impl Operator for Rank {
    fn on_batch(&mut self, _input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        if self.window.1 == 0 {
            return Ok(());
        }
        self.settle_restored()?;
        let batch = self.without_late(batch)?;
        self.batch += 1;
        self.touched.clear();
        self.before.clear();
        let mut arrived = None;
        if self.retracts {
            self.retract(&batch)?;
        } else if batch.kinds().is_none() {
            let first = self.rows.next_sequence();
            arrived = Some(Arrived { batch: batch.rows(), first, places: self.append(batch.rows())? });
        } else {
            return Err(Error::bug("a rank over insertions got a row that is not one"));
        }
        if self.windows.is_some() {
            self.open_windows()?;
        } else {
            let changes = self.changes();
            self.put_out(&changes, arrived.as_ref(), output)?;
        }
        self.rows.settle(self.touched.iter().map(|(slot, _)| *slot));
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        self.ttl.as_ref().map(Ttl::next_timer)
    }

    fn on_processing_time(&mut self, now_millis: i64, _output: Output<'_>) -> Result<()> {
        let Some(ttl) = &mut self.ttl else { return Ok(()) };
        if ttl.advance(now_millis) {
            self.rows.finish_restoring();
            let expired: Vec<Slot> = self.rows.index.slots().filter(|slot| ttl.is_expired(*slot)).collect();
            for slot in expired {
                self.rows.clear(slot);
            }
        }
        Ok(())
    }

    fn expire_after(&mut self, ttl: &[Option<Duration>]) {
        // Windows free their partitions themselves.
        self.ttl = Ttl::new(ttl.first().copied().flatten()).filter(|_| self.windows.is_none());
        if self.ttl.is_some() {
            self.tables.iter_mut().for_each(ttl::add_column);
        }
    }

    fn on_watermark(&mut self, watermark: i64, output: Output<'_>) -> Result<()> {
        if self.windows.is_none() {
            return Ok(());
        }
        self.settle_restored()?;
        self.close_windows(watermark, output)
    }

    fn take_late_rows(&mut self) -> u64 {
        self.windows.as_mut().map_or(0, |windows| windows.open.take_late())
    }

    fn state_bytes(&self) -> usize {
        self.rows.bytes() + self.ttl.as_ref().map_or(0, Ttl::bytes)
    }

    fn state_tables(&self) -> &[StateTable] {
        &self.tables
    }

    fn snapshot(&mut self, scope: Scope, output: StateOutput<'_>) -> Result<()> {
        if let Some(windows) = &self.windows {
            windows.open.snapshot(WATERMARK, output)?;
        }
        let (gone, updated, new) = self.rows.take_changes();
        match scope {
            Scope::All => self.hand_out(&self.rows.all(), RowKind::Insert, output)?,
            Scope::Changes => {
                self.hand_out(&gone, RowKind::Delete, output)?;
                self.hand_out(&updated, RowKind::UpdateAfter, output)?;
                self.hand_out(&new, RowKind::Insert, output)?;
            }
        }
        self.rows.forget(&gone);
        Ok(())
    }

    fn restore(&mut self, table: usize, state: ChangelogBatch) -> Result<()> {
        if let Some(windows) = &mut self.windows {
            windows.is_restored = true;
            if table == WATERMARK {
                return windows.open.restore(state.rows());
            }
        }
        self.rows.start_restoring();
        let (rows, sequence): (_, ArrayRef) = self.layout.input_rows(state.rows())?;
        let sequence =
            sequence.as_primitive_opt::<Int64Type>().ok_or_else(|| Error::bug("a sequence of another type"))?;
        let encoded = self.layout.encode(&mut self.rows.index, &rows)?;
        self.rows.grow();
        for row in 0..rows.num_rows() {
            let parts = [encoded.order.row(row), encoded.key.row(row), encoded.rest.row(row)];
            let number = sequence.is_valid(row).then(|| sequence.value(row));
            if state.kind(row).is_addition() {
                self.rows.add(encoded.slots[row], parts, number)?;
            } else {
                self.rows.remove_restored(encoded.slots[row], parts, number);
            }
        }
        if let Some(ttl) = &mut self.ttl {
            let written = read_column(state.rows().columns())?;
            encoded.slots.iter().enumerate().for_each(|(row, slot)| ttl.restore_latest(*slot, written(row)));
        }
        self.rows.settle(encoded.slots);
        let (gone, ..) = self.rows.take_changes();
        self.rows.forget(&gone);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
