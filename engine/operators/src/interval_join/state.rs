//! The sides of an interval join as state tables.
//!
//! ```text
//! left (k0, $number, c1, $time, $matched)     since the last checkpoint        snapshot(Changes)
//!   a  0  00:10  10000  false                 0 has got a partner, 1 is gone   +U a 0 00:10 10000 true
//!   a  1  00:11  11000  false                                                  -D a 1 NULL NULL NULL
//! ```

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, new_null_array};
use arrow_schema::{DataType, Field, Schema};
use sluice_model::{ChangelogBatch, Error, Result, RowKind, RowKinds};

use super::IntervalJoin;
use super::side::{Entry, Side};
use crate::join::rows::{Place, RowId};
use crate::key_index::Slot;
use crate::state::{BATCH_ROWS, Scope, StateOutput, StateTable};

impl Side {
    /// Types of the join key.
    pub(super) fn key_types(&self) -> Vec<DataType> {
        self.keys.iter().map(|key| self.input.field(*key).data_type().clone()).collect()
    }

    /// Columns that are not of the key.
    fn rest(&self) -> impl Iterator<Item = usize> {
        (0..self.input.fields().len()).filter(|column| !self.keys.contains(column))
    }

    /// The state table of this side.
    pub(super) fn table(&self, name: &str) -> StateTable {
        // Nullable: a row that is gone has NULL outside its key.
        let field = |column: usize, name: String| self.input.field(column).clone().with_name(name).with_nullable(true);
        let keys = self.keys.iter().enumerate().map(|(place, column)| field(*column, format!("k{place}")));
        let number = Field::new("$number", DataType::Int64, false);
        let rest = self.rest().map(|column| field(column, format!("c{column}")));
        let time = Field::new("$time", DataType::Int64, true);
        let matched = Field::new("$matched", DataType::Boolean, true);
        let fields: Vec<_> = keys.chain([number]).chain(rest).chain([time, matched]).collect();
        let distribution = self.keys.len();
        StateTable { name: name.to_owned(), schema: Arc::new(Schema::new(fields)), key: distribution + 1, distribution }
    }

    /// The input's columns from those of a batch of state.
    fn content(&self, state: &[ArrayRef]) -> Vec<ArrayRef> {
        let mut rest = state[self.keys.len() + 1..].iter();
        let place = |column: &usize| self.keys.iter().position(|key| key == column);
        let column = |column: usize| match place(&column) {
            Some(key) => state.get(key),
            None => rest.next(),
        };
        (0..self.input.fields().len()).map_while(column).cloned().collect()
    }
}

impl IntervalJoin {
    /// Hands out the rows of a side.
    pub(super) fn save(&mut self, table: usize, scope: Scope, output: StateOutput<'_>) -> Result<()> {
        let dirty = self.sides[table].dirty.take();
        let gone = std::mem::take(&mut self.sides[table].gone);
        match scope {
            Scope::All => {
                let all: Vec<RowId> = self.sides[table].rows.owners().collect();
                self.save_rows(table, &all, RowKind::Insert, output)?;
            }
            Scope::Changes => {
                let is_saved = |id: &RowId| self.sides[table].entries[*id as usize].is_saved;
                let (updated, new): (Vec<RowId>, Vec<RowId>) = dirty.iter().copied().partition(is_saved);
                self.save_ends(table, &gone, output)?;
                self.save_rows(table, &updated, RowKind::UpdateAfter, output)?;
                self.save_rows(table, &new, RowKind::Insert, output)?;
            }
        }
        dirty.into_iter().for_each(|id| self.sides[table].entries[id as usize].is_saved = true);
        gone.into_iter().for_each(|(slot, _)| self.keys.release(slot));
        Ok(())
    }

    fn save_rows(&self, table: usize, ids: &[RowId], kind: RowKind, output: StateOutput<'_>) -> Result<()> {
        let side = &self.sides[table];
        for ids in ids.chunks(BATCH_ROWS) {
            let entries = || ids.iter().map(|id| &side.entries[*id as usize]);
            let places: Vec<Place> = entries().map(|entry| entry.place).collect();
            let mut columns = side.rows.gather(&places, side.keys.iter().copied())?;
            columns.push(Arc::new(entries().map(|entry| entry.number).collect::<Int64Array>()));
            columns.extend(side.rows.gather(&places, side.rest())?);
            columns.push(Arc::new(entries().map(|entry| entry.time).collect::<Int64Array>()));
            columns.push(Arc::new(entries().map(|entry| Some(entry.is_matched)).collect::<BooleanArray>()));
            output(table, self.state_batch(table, columns, kind)?)?;
        }
        Ok(())
    }

    fn save_ends(&self, table: usize, gone: &[(Slot, i64)], output: StateOutput<'_>) -> Result<()> {
        for gone in gone.chunks(BATCH_ROWS) {
            let mut columns = self.keys.columns(gone.iter().map(|(slot, _)| *slot))?;
            columns.push(Arc::new(gone.iter().map(|(_, number)| *number).collect::<Int64Array>()));
            let rest = &self.tables[table].schema.fields()[columns.len()..];
            columns.extend(rest.iter().map(|field| new_null_array(field.data_type(), gone.len())));
            output(table, self.state_batch(table, columns, RowKind::Delete)?)?;
        }
        Ok(())
    }

    fn state_batch(&self, table: usize, columns: Vec<ArrayRef>, kind: RowKind) -> Result<ChangelogBatch> {
        let rows = RecordBatch::try_new(Arc::clone(&self.tables[table].schema), columns).map_err(Error::from_arrow)?;
        let kinds = (kind != RowKind::Insert).then(|| RowKinds::from(vec![kind as u8; rows.num_rows()]));
        ChangelogBatch::try_new(rows, kinds)
    }

    /// Takes rows of a side back.
    pub(super) fn load(&mut self, table: usize, batch: &ChangelogBatch) -> Result<()> {
        let lost = || Error::bug("state of an interval join with other columns");
        let (columns, num_rows) = (batch.rows().columns(), batch.num_rows());
        let expected = self.tables.get(table).map_or(0, |table| table.schema.fields().len());
        let [.., times, matched] = columns else { return Err(lost()) };
        if columns.len() != expected {
            return Err(lost());
        }
        let num_keys = self.sides[table].keys.len();
        let numbers = columns[num_keys].as_primitive_opt::<Int64Type>().ok_or_else(lost)?;
        let times = times.as_primitive_opt::<Int64Type>().ok_or_else(lost)?;
        let matched = matched.as_boolean_opt().ok_or_else(lost)?;
        let slots = self.keys.hold_all(&columns[..num_keys], num_rows)?;
        let side = &mut self.sides[table];
        let chunk = side.rows.push(side.content(columns), num_rows)?;
        for (row, slot) in (0..).zip(&slots) {
            let at = row as usize;
            let number = numbers.value(at);
            if let Some(id) = side.restored.remove(&(*slot, number)) {
                side.entries[id as usize].is_saved = false;
                if let Some(slot) = side.forget(id) {
                    self.keys.release(slot);
                }
            }
            if batch.kind(at).is_addition() {
                let (place, time) = (Place { chunk, row }, times.value(at));
                let is_matched = matched.is_valid(at) && matched.value(at);
                let id = side.insert(Entry { place, slot: *slot, time, number, is_matched, is_saved: true })?;
                side.restored.insert((*slot, number), id);
                self.keys.hold(*slot);
            }
            side.next_number = side.next_number.max(number.saturating_add(1));
        }
        slots.into_iter().for_each(|slot| self.keys.release(slot));
        side.tidy()
    }

    /// Sorts restored rows into their places.
    pub(super) fn settle_restored(&mut self) {
        for side in &mut self.sides {
            if side.restored.is_empty() {
                continue;
            }
            side.grow(self.keys.capacity());
            let mut rows: Vec<RowId> = std::mem::take(&mut side.restored).into_values().collect();
            rows.sort_unstable_by_key(|id| {
                let entry = &side.entries[*id as usize];
                (entry.time, entry.number)
            });
            rows.into_iter().for_each(|id| side.link(id));
        }
    }
}
