//! The state of the operator as tables.
//!
//! | table | key | columns |
//! |---|---|---|
//! | `groups` | the group | `rows`, what the accumulators keep in one row, and when it was written if it expires |
//! | `n.distinct` | the group, values | how often they occur, for `DISTINCT` in call `n` |
//! | `n.values` | the group, values | the same for `MIN` and `MAX` with rows taken back |
//! | `n.values` | the group, number | the values in order of arrival, for `LISTAGG` and its like |
//! | `watermark` | | how far event time has come, where groups are windows |

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use sluice_model::{ChangelogBatch, Error, Result, RowKind, RowKinds};
use sluice_plan::AggregateCall;

use super::GroupAggregate;
use super::marks::LIVE;
use super::side::BATCH_ROWS;
use super::sum::{gather, lost, scatter};
use crate::key_index::Slot;
use crate::open_windows::OpenWindows;
use crate::state::{Scope, StateOutput, StateTable};
use crate::ttl::read_column;

/// The table of groups; those of the calls follow.
const GROUPS: usize = 0;

impl GroupAggregate {
    pub(super) fn describe_tables(&mut self, calls: &[AggregateCall], group: &[DataType]) -> Result<Vec<StateTable>> {
        let key: Vec<Field> = (0..)
            .zip(group)
            .map(|(n, data_type): (u32, _)| Field::new(format!("group{n}"), data_type.clone(), true))
            .collect();
        let table = |name: String, further: Vec<Field>, key_columns: usize| {
            let fields: Vec<Field> = key.iter().cloned().chain(further).collect();
            let (key, distribution) = (key.len() + key_columns, key.len());
            StateTable { name, schema: Arc::new(Schema::new(fields)), key, distribution }
        };
        let mut columns = vec![Field::new("rows", DataType::Int64, false)];
        for (n, (own, call)) in self.calls.state_columns().zip(calls).enumerate() {
            let named = |(name, data_type)| Field::new(format!("{n}.{}.{name}", call.function), data_type, true);
            columns.extend(own.into_iter().map(named));
        }
        let mut sides = Vec::new();
        self.calls.visit_sides(|n, name, side| {
            let (columns, key_columns) = side.columns();
            let columns = columns.into_iter().map(|(name, data_type)| Field::new(name, data_type, true));
            sides.push(table(format!("{n}.{name}"), columns.collect(), key_columns));
            Ok(())
        })?;
        let watermark = self.windows.is_some().then(OpenWindows::<Slot>::state_table);
        Ok(std::iter::once(table("groups".to_owned(), columns, 0)).chain(sides).chain(watermark).collect())
    }

    pub(super) fn write_snapshot(&mut self, scope: Scope, output: StateOutput<'_>) -> Result<()> {
        self.settle_restored()?;
        if let (Some(windows), Some(last)) = (&self.windows, self.tables.len().checked_sub(1)) {
            windows.open.snapshot(last, output)?;
        }
        let Self { calls, tables, index, .. } = self;
        let mut tables = tables.iter().enumerate().skip(GROUPS + 1);
        calls.visit_sides(|_, _, side| {
            let (table, described) = tables.next().ok_or_else(lost)?;
            side.snapshot(scope, &mut |kind, groups, columns| {
                let key = index.columns(groups.iter().copied())?;
                output(table, rows(&described.schema, kind, groups.len(), key.into_iter().chain(columns))?)
            })
        })?;
        self.write_groups(scope, output)
    }

    fn write_groups(&mut self, scope: Scope, output: StateOutput<'_>) -> Result<()> {
        let delta = self.marks.take_delta(scope);
        let written = if scope == Scope::All { RowKind::Insert } else { RowKind::UpdateAfter };
        for (kind, slots) in [(written, &delta.written), (RowKind::Delete, &delta.deleted)] {
            for slots in slots.chunks(BATCH_ROWS) {
                let mut columns = self.index.columns(slots.iter().copied())?;
                columns.push(gather(&self.rows, slots));
                columns.extend(self.calls.state(slots)?);
                columns.extend(self.ttl.as_ref().map(|ttl| ttl.column(slots.iter().copied())));
                output(GROUPS, rows(&self.tables[GROUPS].schema, kind, slots.len(), columns)?)?;
            }
        }
        for slot in delta.freed {
            self.index.remove(slot);
        }
        Ok(())
    }

    pub(super) fn read_snapshot(&mut self, table: usize, rows: &ChangelogBatch) -> Result<()> {
        self.restored = true;
        if let Some(windows) = &mut self.windows
            && table + 1 == self.tables.len()
        {
            return windows.open.restore(rows.rows());
        }
        let mut start = 0;
        while start < rows.num_rows() {
            let live = rows.kind(start).is_addition();
            let length = (start..rows.num_rows()).take_while(|row| rows.kind(*row).is_addition() == live).count();
            self.read_rows(table, rows.slice(start, length).rows(), live)?;
            start += length;
        }
        Ok(())
    }

    /// Rows that are all added, or all taken away.
    fn read_rows(&mut self, table: usize, rows: &RecordBatch, live: bool) -> Result<()> {
        if rows.num_columns() < self.group.len() {
            return Err(lost());
        }
        let (group, columns) = rows.columns().split_at(self.group.len());
        let slots = self.slots_of(group, rows.num_rows())?;
        if table == GROUPS {
            return self.read_groups(&slots, columns, live);
        }
        let (mut number, mut is_there) = (GROUPS, false);
        self.calls.visit_sides(|_, _, side| {
            number += 1;
            is_there |= number == table;
            if number == table { side.restore(&slots, columns, live) } else { Ok(()) }
        })?;
        if is_there { Ok(()) } else { Err(Error::bug(format!("an aggregate has no state table {table}"))) }
    }

    fn read_groups(&mut self, slots: &[Slot], columns: &[ArrayRef], live: bool) -> Result<()> {
        for slot in slots {
            self.marks.restored(*slot, live);
        }
        if !live {
            slots.iter().for_each(|slot| self.rows[*slot as usize] = 0);
            return Ok(());
        }
        scatter(&mut self.rows, slots, columns.first())?;
        if let Some(ttl) = &mut self.ttl {
            let written = read_column(columns)?;
            slots.iter().enumerate().for_each(|(row, slot)| ttl.restore(*slot, written(row)));
        }
        self.calls.restore(slots, columns.get(1..).unwrap_or_default())
    }

    /// Forgets groups that were deleted in the course of what was restored. The next snapshot says so
    /// once more: then nothing that may be left of them can come back.
    pub(super) fn settle_restored(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.restored) {
            return Ok(());
        }
        let dead: Vec<Slot> = self.index.slots().filter(|slot| !self.marks.is(*slot, LIVE)).collect();
        self.calls.clear(&dead)?;
        dead.into_iter().for_each(|slot| self.marks.keep(slot));
        self.reopen_windows()
    }
}

fn rows(
    schema: &SchemaRef,
    kind: RowKind,
    rows: usize,
    columns: impl IntoIterator<Item = ArrayRef>,
) -> Result<ChangelogBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(SchemaRef::clone(schema), columns.into_iter().collect(), &options);
    let kinds = (kind != RowKind::Insert).then(|| RowKinds::from(vec![kind as u8; rows]));
    ChangelogBatch::try_new(batch.map_err(Error::from_arrow)?, kinds)
}
