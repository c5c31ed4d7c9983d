//! The sides of a join as state tables.
//!
//! ```text
//! left (k0, c1, count, degree)   since the last checkpoint            snapshot(Changes)
//!   1  a  1  0                   1 a has a partner, 2 b is gone       +U 1 a 1 1
//!   2  b  1  2                                                        -D 2 b NULL NULL
//! ```

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, new_null_array};
use sluice_model::{ChangelogBatch, Error, Result, RowKind, RowKinds};

use super::Join;
use super::layout::Identity;
use super::rows::RowId;
use crate::ttl::read_column;
use crate::{Scope, StateOutput};

/// Rows of a batch of state.
const BATCH_ROWS: usize = 8192;

impl Join {
    /// Hands out the rows of a side.
    pub(super) fn save(&mut self, table: usize, scope: Scope, output: StateOutput<'_>) -> Result<()> {
        let (changed, gone) = self.sides[table].book.changed();
        let rows = match scope {
            Scope::Changes => changed,
            Scope::All => self.sides[table].rows.owners().collect(),
        };
        for rows in rows.chunks(BATCH_ROWS) {
            output(table, self.saved_rows(table, rows, scope)?)?;
        }
        if scope == Scope::Changes {
            for gone in gone.chunks(BATCH_ROWS) {
                output(table, self.saved_ends(table, gone)?)?;
            }
        }
        let side = &mut self.sides[table];
        rows.iter().for_each(|row| side.book.set_saved(*row));
        side.saved(&gone);
        if self.sides[table].layout.identity() == Identity::Key {
            self.release_keys(&gone);
        }
        Ok(())
    }

    fn saved_rows(&self, table: usize, rows: &[RowId], scope: Scope) -> Result<ChangelogBatch> {
        let side = &self.sides[table];
        let places: Vec<_> = rows.iter().map(|row| side.book.place(*row)).collect();
        let mut columns = side.rows.gather(&places, side.layout.columns().iter().copied())?;
        if let Some((place, arrivals)) = side.arrivals(rows) {
            columns.insert(place, arrivals);
        }
        if side.layout.is_multiset() {
            columns.push(numbers(rows.iter().map(|row| side.book.count(*row))));
        }
        if side.layout.tracks_degree() {
            columns.push(numbers(rows.iter().map(|row| side.book.degree(*row))));
        }
        columns.extend(side.book.ttl().map(|ttl| ttl.column(rows.iter().copied())));
        let kind = |row: &RowId| if side.book.is_saved(*row) { RowKind::UpdateAfter } else { RowKind::Insert };
        let kinds = (scope == Scope::Changes).then(|| rows.iter().map(|row| kind(row) as u8).collect());
        self.state_batch(table, columns, rows.len(), kinds)
    }

    fn saved_ends(&self, table: usize, rows: &[RowId]) -> Result<ChangelogBatch> {
        let mut columns = self.sides[table].identities(rows, &self.keys)?;
        for field in &self.tables[table].schema.fields()[columns.len()..] {
            columns.push(new_null_array(field.data_type(), rows.len()));
        }
        self.state_batch(table, columns, rows.len(), Some(vec![RowKind::Delete as u8; rows.len()]))
    }

    fn state_batch(
        &self,
        table: usize,
        columns: Vec<ArrayRef>,
        rows: usize,
        kinds: Option<Vec<u8>>,
    ) -> Result<ChangelogBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let rows = RecordBatch::try_new_with_options(self.tables[table].schema.clone(), columns, &options)
            .map_err(Error::from_arrow)?;
        ChangelogBatch::try_new(rows, kinds.map(RowKinds::from))
    }

    /// Takes rows of a side back.
    pub(super) fn load(&mut self, table: usize, batch: &ChangelogBatch) -> Result<()> {
        let expected = self.tables.get(table).map_or(0, |table| table.schema.fields().len());
        if batch.rows().num_columns() != expected {
            return Err(Error::bug("state of a join with other columns"));
        }
        let num_rows = batch.num_rows();
        let layout = &self.sides[table].layout;
        let mut stored = batch.rows().columns().to_vec();
        let arrivals = layout.arrival().map(|place| stored.remove(place));
        let mut columns = vec![None; layout.types().count()];
        for (position, column) in layout.columns().iter().enumerate() {
            columns[*column] = Some(stored[position].clone());
        }
        let columns: Option<Vec<_>> = columns.into_iter().collect();
        let columns = columns.ok_or_else(|| Error::bug("a column of a join is not in its state"))?;
        let mut further = stored[layout.columns().len()..].iter();
        let counts = layout.is_multiset().then(|| further.next()).flatten();
        let degrees = layout.tracks_degree().then(|| further.next()).flatten();

        let expires = self.sides[table].book.ttl().is_some();
        let written = if expires { Some(read_column(batch.rows().columns())?) } else { None };
        let keys = self.key_slots(table, &columns, num_rows)?;
        let side = &mut self.sides[table];
        let ids = side.numbered(&columns, &keys, arrivals.as_ref(), self.keys.capacity())?;
        let chunk = side.rows.push(columns, num_rows)?;
        for row in 0..num_rows {
            let is_there = batch.kind(row).is_addition();
            let count = if is_there { number(counts, row, 1)? } else { 0 };
            let degree = if is_there { number(degrees, row, 0)? } else { 0 };
            // Fits: the store has taken in the batch.
            let place = super::rows::Place { chunk, row: row as u32 };
            side.set(ids[row], keys[row], place, count, degree);
            if let Some(written) = &written {
                side.book.set_written(ids[row], written(row));
            }
        }
        if side.release(&ids)? {
            self.release_keys(&keys);
        }
        Ok(())
    }
}

fn numbers(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(values.map(u64::cast_signed).collect::<Int64Array>())
}

fn number(column: Option<&ArrayRef>, row: usize, default: u64) -> Result<u64> {
    let Some(column) = column else { return Ok(default) };
    let column = column.as_primitive_opt::<Int64Type>().filter(|column| column.is_valid(row));
    let number = column.and_then(|column| u64::try_from(column.value(row)).ok());
    number.ok_or_else(|| Error::bug("a count in the state of a join is not a number"))
}
