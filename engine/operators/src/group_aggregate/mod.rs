//! `GROUP BY`: one row per group, with the results of aggregate functions.
//!
//! ```text
//! SELECT id, SUM(qty) FROM t GROUP BY id
//!
//! batch of the input   groups (slot, rows, sum)   output
//! +I 1 5               0  1  5
//! +I 2 3               1  1  3
//! +I 1 2               0  2  7                    +I 1 7, +I 2 3
//! ------
//! -D 2 3               1  0  0
//! -U 1 2               0  1  5
//! +U 1 4               0  2  9                    -D 2 3, -U 1 7, +U 1 9
//! ```
//!
//! Everything lies in arrays: [`KeyIndex`] numbers the groups, an accumulator is a few vectors by
//! that number, and a batch goes through it in one loop with a weight per row (`marks`, `multiset`
//! and `list` say how changes are remembered for a checkpoint). A group whose result a batch has
//! changed is put out once per batch.
//!
//! As in Flink a row that is taken back from a group that has none is ignored: its state may have
//! expired. A group that has no rows left is deleted and forgotten.
//!
//! Without group columns there is one row. It appears with the first row of the input, as in Flink:
//! over an input that never had a row there is no result, where a batch engine has a `COUNT` of 0.
//! Unlike Flink's, which is deleted with the last row of the input, it stays from then on, with the
//! results over no rows, which is what a batch engine has.

mod accumulator;
mod call;
mod codec;
mod distinct;
mod emission;
mod extreme;
mod in_order;
mod kept;
mod list;
mod marks;
mod moments;
mod multiset;
mod side;
mod snapshot;
mod sum;
#[cfg(test)]
mod tests;
mod text;
mod window;

use std::time::Duration;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use sluice_model::{ChangelogBatch, Error, Result, RowKind, RowKinds};

pub(crate) use self::call::Calls;
use self::emission::Emission;
use self::marks::{LIVE, Marks};
use self::window::Windows;
use crate::key_index::{KeyIndex, Slot};
use crate::state::{Scope, StateOutput, StateTable};
use crate::ttl::{self, Ttl};
use crate::{Operator, Output, memory};

/// An operator for a [`sluice_plan::GroupAggregate`].
pub struct GroupAggregate {
    group: Vec<usize>,
    retracts: bool,
    update_before: bool,
    index: KeyIndex,
    /// Rows of each group, by slot.
    rows: Vec<i64>,
    marks: Marks,
    calls: Calls,
    tables: Vec<StateTable>,
    output: SchemaRef,
    /// By slot: the place among the touched groups of a batch; [`UNTOUCHED`] between batches.
    places: Vec<u32>,
    /// State was restored since the last batch.
    restored: bool,
    /// Set if groups are put out when their window is over.
    windows: Option<Windows>,
    /// The column that says how many rows a row stands for.
    row_count: Option<usize>,
    /// Set if groups expire.
    ttl: Option<Ttl>,
}

const UNTOUCHED: u32 = u32::MAX;

/// The groups that a batch touches, in the order in which they first appear.
#[derive(Debug, Default)]
struct Touched {
    slots: Vec<Slot>,
    /// The first row of each.
    rows: Vec<u32>,
    /// Whether it was there before the batch.
    was: Vec<bool>,
}

impl GroupAggregate {
    /// An operator for a plan node over rows of schema `input`; its result has the columns of the group,
    /// then those of the calls.
    ///
    /// # Errors
    /// An aggregate that is not supported; a bug in the planner.
    pub fn new(node: &sluice_plan::GroupAggregate, input: &SchemaRef, output: &SchemaRef) -> Result<Self> {
        if node.group.iter().any(|column| *column >= input.fields().len()) {
            return Err(Error::bug("a group column that is not there"));
        }
        let types: Vec<DataType> = node.group.iter().map(|column| input.field(*column).data_type().clone()).collect();
        let calls = Calls::new(&node.calls, input, node.retracts)?;
        let mut operator = Self {
            group: node.group.clone(),
            retracts: node.retracts,
            update_before: node.update_before,
            index: KeyIndex::new(&types)?,
            rows: Vec::new(),
            marks: Marks::default(),
            calls,
            tables: Vec::new(),
            output: SchemaRef::clone(output),
            places: Vec::new(),
            restored: false,
            windows: node.window_end.map(Windows::new),
            row_count: node.row_count,
            ttl: None,
        };
        operator.tables = operator.describe_tables(&node.calls, &types)?;
        Ok(operator)
    }

    /// Slots of the groups of rows; groups that are new get one.
    fn slots_of(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Vec<Slot>> {
        let slots = self.index.insert(columns, rows)?;
        let capacity = self.index.capacity();
        if capacity > self.rows.len() {
            self.rows.resize(capacity, 0);
            self.marks.resize(capacity);
            self.places.resize(capacity, UNTOUCHED);
            self.calls.resize(capacity);
        }
        Ok(slots)
    }

    fn touched(&mut self, slots: &[Slot]) -> Touched {
        let mut touched = Touched::default();
        for (row, slot) in (0..).zip(slots) {
            let place = &mut self.places[*slot as usize];
            if *place == UNTOUCHED {
                *place = 0;
                touched.slots.push(*slot);
                touched.rows.push(row);
                touched.was.push(self.marks.is(*slot, LIVE));
            }
        }
        for slot in &touched.slots {
            self.places[*slot as usize] = UNTOUCHED;
        }
        touched
    }

    /// +1 for rows that are added, -1 for those that are taken back, 0 for those that are taken back
    /// from a group without rows. Counts the rows of the groups.
    fn weigh(&mut self, slots: &[Slot], kinds: Option<&RowKinds>) -> Result<Vec<i8>> {
        let Some(kinds) = kinds else {
            for slot in slots {
                self.rows[*slot as usize] += 1;
                self.marks.changed(*slot);
            }
            return Ok(vec![1; slots.len()]);
        };
        let mut ignored = 0;
        let mut weights = Vec::with_capacity(slots.len());
        for (slot, kind) in slots.iter().zip(kinds.iter()) {
            let rows = &mut self.rows[*slot as usize];
            let weight = if RowKind::from_byte(*kind).is_some_and(RowKind::is_addition) { 1 } else { -1 };
            if weight < 0 && *rows == 0 {
                ignored += 1;
                weights.push(0);
                continue;
            }
            *rows += i64::from(weight);
            self.marks.changed(*slot);
            weights.push(weight);
        }
        if weights.contains(&-1) && !self.retracts {
            return Err(Error::bug("rows are taken back from an aggregate that was planned without"));
        }
        if ignored > 0 {
            tracing::debug!(rows = ignored, "rows taken back from groups without rows were ignored");
        }
        Ok(weights)
    }

    /// Whether groups are there after a batch; those that are not any more are forgotten.
    fn settle(&mut self, touched: &Touched) -> Vec<bool> {
        let lives = |(slot, was): (&Slot, &bool)| {
            // The row of an aggregate without group columns stays when it is there.
            self.rows[*slot as usize] > 0 || self.group.is_empty() && (*was || self.marks.is(*slot, LIVE))
        };
        let is: Vec<bool> = touched.slots.iter().zip(&touched.was).map(lives).collect();
        for (slot, _) in touched.slots.iter().zip(&is).filter(|(_, is)| !**is) {
            self.forget(*slot);
        }
        is
    }

    /// Starts anew where no rows are left, whatever the input has failed to take back.
    fn clear_empty(&mut self, slots: &[Slot]) -> Result<()> {
        let empty: Vec<Slot> = slots.iter().copied().filter(|slot| self.rows[*slot as usize] == 0).collect();
        self.calls.clear(&empty)
    }

    /// Forgets the groups whose time is over.
    fn expire(&mut self) -> Result<()> {
        let Some(ttl) = &self.ttl else { return Ok(()) };
        let expired: Vec<Slot> =
            self.index.slots().filter(|slot| self.marks.is(*slot, LIVE) && ttl.is_expired(*slot)).collect();
        self.calls.clear(&expired)?;
        for slot in expired {
            self.rows[slot as usize] = 0;
            self.forget(slot);
        }
        Ok(())
    }

    /// Forgets a group without rows, at the latest with the next snapshot.
    fn forget(&mut self, slot: Slot) {
        self.marks.dead(slot);
        if self.marks.release(slot) {
            self.index.remove(slot);
        }
    }

    /// Counts rows in and out, and puts nothing out: the place of every row's group among those that the
    /// batch touches, and the results of these groups.
    ///
    /// # Errors
    /// As [`Operator::on_batch`].
    pub(crate) fn fold(&mut self, batch: &ChangelogBatch) -> Result<(Vec<u32>, Vec<ArrayRef>)> {
        self.settle_restored()?;
        let group = self.group_columns(batch.rows());
        let slots = self.slots_of(&group, batch.num_rows())?;
        let touched = self.touched(&slots);
        let weights = self.weigh(&slots, batch.kinds())?;
        self.calls.update(batch.rows(), &slots, &weights)?;
        self.clear_empty(&touched.slots)?;
        let results = self.calls.evaluate(&touched.slots)?;
        for (place, slot) in (0..).zip(&touched.slots) {
            self.places[*slot as usize] = place;
        }
        let places = slots.iter().map(|slot| self.places[*slot as usize]).collect();
        for slot in &touched.slots {
            self.places[*slot as usize] = UNTOUCHED;
        }
        self.settle(&touched);
        Ok((places, results))
    }

    fn group_columns(&self, rows: &RecordBatch) -> Vec<ArrayRef> {
        self.group.iter().map(|column| ArrayRef::clone(rows.column(*column))).collect()
    }
}

impl Operator for GroupAggregate {
    fn on_batch(&mut self, _input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        self.settle_restored()?;
        let batch = self.without_late(batch)?;
        if batch.is_empty() {
            return Ok(());
        }
        let group = self.group_columns(batch.rows());
        let slots = self.slots_of(&group, batch.num_rows())?;
        let touched = self.touched(&slots);
        let is_windowed = self.windows.is_some();
        let before = if is_windowed { Vec::new() } else { self.calls.evaluate(&touched.slots)? };
        let weights = self.weigh(&slots, batch.kinds())?;
        if let Some(ttl) = &mut self.ttl {
            for slot in &touched.slots {
                ttl.write(*slot);
            }
        }
        self.calls.update(batch.rows(), &slots, &weights)?;
        self.clear_empty(&touched.slots)?;
        if is_windowed {
            self.open_windows(&group, &touched)?;
            self.settle(&touched);
            return Ok(());
        }
        let after = self.calls.evaluate(&touched.slots)?;
        let is = self.settle(&touched);
        let emission = Emission {
            rows: &touched.rows,
            group: &group,
            was: &touched.was,
            is: &is,
            before: &before,
            after: &after,
            update_before: self.update_before,
            repeats: self.ttl.is_some(),
        };
        emission.batch(&self.output)?.map_or(Ok(()), output)
    }

    fn on_watermark(&mut self, watermark: i64, output: Output<'_>) -> Result<()> {
        self.settle_restored()?;
        self.close_windows(watermark, output)
    }

    fn next_timer(&self) -> Option<i64> {
        self.ttl.as_ref().map(Ttl::next_timer)
    }

    fn on_processing_time(&mut self, now_millis: i64, _output: Output<'_>) -> Result<()> {
        if self.ttl.as_mut().is_some_and(|ttl| ttl.advance(now_millis)) {
            self.settle_restored()?;
            self.expire()?;
        }
        Ok(())
    }

    fn expire_after(&mut self, ttl: &[Option<Duration>]) {
        // A window is forgotten when it is over.
        self.ttl = if self.windows.is_some() { None } else { Ttl::new(ttl.first().copied().flatten()) };
        if self.ttl.is_some() {
            self.tables.iter_mut().take(1).for_each(ttl::add_column);
        }
    }

    fn take_late_rows(&mut self) -> u64 {
        self.windows.as_mut().map_or(0, |windows| windows.open.take_late())
    }

    fn state_bytes(&self) -> usize {
        let own = memory::of_vec(&self.rows) + memory::of_vec(&self.places) + self.marks.bytes();
        self.index.bytes() + own + self.calls.bytes() + self.ttl.as_ref().map_or(0, Ttl::bytes)
    }

    fn state_tables(&self) -> &[StateTable] {
        &self.tables
    }

    fn snapshot(&mut self, scope: Scope, output: StateOutput<'_>) -> Result<()> {
        self.write_snapshot(scope, output)
    }

    fn restore(&mut self, table: usize, rows: ChangelogBatch) -> Result<()> {
        self.read_snapshot(table, &rows)
    }
}
