//! Rows by key and time as a state table.
//!
//! ```text
//! (k0, $number, c1, $time, $mark)   since the last checkpoint        snapshot(Changes)
//!   a  0  00:10  10000  0           0 has another mark, 1 is gone    +U a 0 00:10 10000 1
//!   a  1  00:11  11000  0                                            -D a 1 NULL NULL NULL
//! ```

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt8Type};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, UInt8Array, new_null_array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use sluice_model::{ChangelogBatch, Error, Result, RowKind, RowKinds};

use super::{Entry, Keys, RowsByTime};
use crate::join::rows::{Place, RowId};
use crate::key_index::Slot;
use crate::state::{BATCH_ROWS, Scope, StateTable};

/// Takes rows of a snapshot.
type Rows<'a> = &'a mut dyn FnMut(ChangelogBatch) -> Result<()>;

impl RowsByTime {
    /// Types of the join key.
    pub(crate) fn key_types(&self) -> Vec<DataType> {
        self.keys.iter().map(|key| self.input.field(*key).data_type().clone()).collect()
    }

    /// Columns that are not of the key.
    fn rest(&self) -> impl Iterator<Item = usize> {
        (0..self.input.fields().len()).filter(|column| !self.keys.contains(column))
    }

    /// The state table.
    pub(crate) fn table(&self, name: &str) -> StateTable {
        // Nullable: a row that is gone has NULL outside its key.
        let field = |column: usize, name: String| self.input.field(column).clone().with_name(name).with_nullable(true);
        let keys = self.keys.iter().enumerate().map(|(place, column)| field(*column, format!("k{place}")));
        let number = Field::new("$number", DataType::Int64, false);
        let rest = self.rest().map(|column| field(column, format!("c{column}")));
        let time = Field::new("$time", DataType::Int64, true);
        let mark = Field::new("$mark", DataType::UInt8, true);
        let fields: Vec<_> = keys.chain([number]).chain(rest).chain([time, mark]).collect();
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

    /// Hands out rows of the state table.
    ///
    /// # Errors
    /// Whatever `output` returns.
    pub(crate) fn snapshot(
        &mut self,
        keys: &mut Keys,
        schema: &SchemaRef,
        scope: Scope,
        output: Rows<'_>,
    ) -> Result<()> {
        let dirty = self.dirty.take();
        let gone = std::mem::take(&mut self.gone);
        match scope {
            Scope::All => {
                let all: Vec<RowId> = self.rows.owners().collect();
                self.hand_out(&all, RowKind::Insert, schema, output)?;
            }
            Scope::Changes => {
                let (updated, new): (Vec<RowId>, Vec<RowId>) =
                    dirty.iter().copied().partition(|id| self.entry(*id).is_saved);
                hand_out_ends(keys, &gone, schema, output)?;
                self.hand_out(&updated, RowKind::UpdateAfter, schema, output)?;
                self.hand_out(&new, RowKind::Insert, schema, output)?;
            }
        }
        dirty.into_iter().for_each(|id| self.entries[id as usize].is_saved = true);
        gone.into_iter().for_each(|(slot, _)| keys.release(slot));
        Ok(())
    }

    fn hand_out(&self, ids: &[RowId], kind: RowKind, schema: &SchemaRef, output: Rows<'_>) -> Result<()> {
        for ids in ids.chunks(BATCH_ROWS) {
            let entries = || ids.iter().map(|id| self.entry(*id));
            let places: Vec<Place> = entries().map(|entry| entry.place).collect();
            let mut columns = self.rows.gather(&places, self.keys.iter().copied())?;
            columns.push(Arc::new(entries().map(|entry| entry.number).collect::<Int64Array>()));
            columns.extend(self.rows.gather(&places, self.rest())?);
            columns.push(Arc::new(entries().map(|entry| entry.time).collect::<Int64Array>()));
            columns.push(Arc::new(entries().map(|entry| Some(entry.mark)).collect::<UInt8Array>()));
            output(state_batch(schema, columns, kind)?)?;
        }
        Ok(())
    }

    /// Takes rows of the state table back.
    ///
    /// # Errors
    /// Rows of another table.
    pub(crate) fn restore(&mut self, keys: &mut Keys, batch: &ChangelogBatch) -> Result<()> {
        let lost = || Error::bug("state of a join by time with other columns");
        let (columns, num_rows) = (batch.rows().columns(), batch.num_rows());
        let [.., times, marks] = columns else { return Err(lost()) };
        let num_keys = self.keys.len();
        if columns.len() != num_keys + self.rest().count() + 3 {
            return Err(lost());
        }
        let numbers = columns[num_keys].as_primitive_opt::<Int64Type>().ok_or_else(lost)?;
        let times = times.as_primitive_opt::<Int64Type>().ok_or_else(lost)?;
        let marks = marks.as_primitive_opt::<UInt8Type>().ok_or_else(lost)?;
        let slots = keys.hold_all(&columns[..num_keys], num_rows)?;
        let chunk = self.rows.push(self.content(columns), num_rows)?;
        for (row, slot) in (0..).zip(&slots) {
            let at = row as usize;
            let number = numbers.value(at);
            if let Some(id) = self.restored.remove(&(*slot, number)) {
                // It does not count as gone.
                self.entries[id as usize].is_saved = false;
                self.give_up(id, keys);
            }
            if batch.kind(at).is_addition() {
                let (place, time, mark) = (Place { chunk, row }, times.value(at), marks.value(at));
                let id = self.insert(Entry { place, slot: *slot, time, number, mark, is_saved: true })?;
                self.restored.insert((*slot, number), id);
                keys.hold(*slot);
            }
            self.next_number = self.next_number.max(number.saturating_add(1));
        }
        slots.into_iter().for_each(|slot| keys.release(slot));
        self.tidy()
    }

    /// Sorts restored rows into their places.
    pub(crate) fn settle_restored(&mut self, keys: &Keys) {
        if self.restored.is_empty() {
            return;
        }
        self.grow(keys.capacity());
        let mut rows: Vec<RowId> = std::mem::take(&mut self.restored).into_values().collect();
        rows.sort_unstable_by_key(|id| (self.entry(*id).time, self.entry(*id).number));
        rows.into_iter().for_each(|id| self.link(id));
    }
}

fn hand_out_ends(keys: &Keys, gone: &[(Slot, i64)], schema: &SchemaRef, output: Rows<'_>) -> Result<()> {
    for gone in gone.chunks(BATCH_ROWS) {
        let mut columns = keys.columns(gone.iter().map(|(slot, _)| *slot))?;
        columns.push(Arc::new(gone.iter().map(|(_, number)| *number).collect::<Int64Array>()));
        let rest = &schema.fields()[columns.len()..];
        columns.extend(rest.iter().map(|field| new_null_array(field.data_type(), gone.len())));
        output(state_batch(schema, columns, RowKind::Delete)?)?;
    }
    Ok(())
}

fn state_batch(schema: &SchemaRef, columns: Vec<ArrayRef>, kind: RowKind) -> Result<ChangelogBatch> {
    let rows = RecordBatch::try_new(Arc::clone(schema), columns).map_err(Error::from_arrow)?;
    let kinds = (kind != RowKind::Insert).then(|| RowKinds::from(vec![kind as u8; rows.num_rows()]));
    ChangelogBatch::try_new(rows, kinds)
}
