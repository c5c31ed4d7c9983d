//! The rows of one side, by window, in the batches in which they came.
//!
//! | side `window_end, k, v`, join key `(window_end, k)` | state table | key |
//! |---|---|---|
//! | rows in their order of arrival | `k0`, `k1`, `$sequence`, `c2` | 3 |
//!
//! A number of arrival tells rows of one key apart, so that a checkpoint can say which are gone.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow_row::{OwnedRow, RowConverter, SortField};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use sluice_model::{ChangelogBatch, Error, Result, RowKind, RowKinds};

use crate::state::Scope;
use crate::time::millis;
use crate::{StateTable, memory};

/// See the module.
#[derive(Debug)]
pub(super) struct Buffer {
    input: SchemaRef,
    /// Input columns in the order of the state table, without the number of arrival.
    columns: Vec<usize>,
    num_keys: usize,
    windows: BTreeMap<i64, Vec<Part>>,
    /// Memory of their rows.
    bytes: usize,
    next_sequence: i64,
    /// Rows of windows that are over and that the last snapshot has.
    gone: Vec<Part>,
    /// Rows of a snapshot, in the order in which they were handed back.
    restored: Vec<ChangelogBatch>,
}

/// Rows of one window that came together.
#[derive(Debug)]
struct Part {
    rows: RecordBatch,
    sequence: Int64Array,
    is_saved: bool,
}

impl Part {
    /// Memory of its rows.
    fn bytes(&self) -> usize {
        memory::of_columns(self.rows.columns()) + self.sequence.len() * size_of::<i64>()
    }
}

impl Buffer {
    /// Without rows. `keys` are the columns that the input is dealt by.
    ///
    /// # Errors
    /// A bug in the planner: a key that is no column.
    pub(super) fn new(input: &SchemaRef, keys: &[usize]) -> Result<Self> {
        if keys.iter().any(|key| *key >= input.fields().len()) {
            return Err(Error::bug("a join key is not a column of the input"));
        }
        let rest = (0..input.fields().len()).filter(|column| !keys.contains(column));
        Ok(Self {
            input: SchemaRef::clone(input),
            columns: keys.iter().copied().chain(rest).collect(),
            num_keys: keys.len(),
            windows: BTreeMap::new(),
            bytes: 0,
            next_sequence: 0,
            gone: Vec::new(),
            restored: Vec::new(),
        })
    }

    /// The state table of this side.
    pub(super) fn table(&self, name: &str) -> StateTable {
        let field = |(place, column): (usize, &usize)| {
            let name = if place < self.num_keys { format!("k{place}") } else { format!("c{column}") };
            // Nullable: a row that is gone has NULL outside its key.
            self.input.field(*column).clone().with_name(name).with_nullable(true)
        };
        let mut fields: Vec<_> = self.columns.iter().enumerate().map(field).collect();
        fields.insert(self.num_keys, Field::new("$sequence", DataType::Int64, false));
        let schema = Arc::new(Schema::new(fields));
        StateTable { name: name.to_owned(), schema, key: self.num_keys + 1, distribution: self.num_keys }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes rows in; the ends of windows that have rows now and had none before.
    ///
    /// # Errors
    /// A bug: rows of another schema.
    pub(super) fn add(&mut self, rows: &RecordBatch, end: usize) -> Result<Vec<i64>> {
        let sequence: Int64Array = (self.next_sequence..).take(rows.num_rows()).collect::<Vec<_>>().into();
        self.next_sequence += rows.num_rows() as i64;
        self.add_numbered(rows, sequence, end, false)
    }

    fn add_numbered(
        &mut self,
        rows: &RecordBatch,
        sequence: Int64Array,
        end: usize,
        is_saved: bool,
    ) -> Result<Vec<i64>> {
        // A row whose window has no end waits for the end of the stream.
        let ends = millis(rows.column(end).as_ref())?.into_iter().map(|end| end.unwrap_or(i64::MAX));
        let mut by_end = BTreeMap::<i64, Vec<u32>>::new();
        for (row, end) in (0..).zip(ends) {
            by_end.entry(end).or_default().push(row);
        }
        let is_one = by_end.len() == 1;
        let mut begun = Vec::new();
        for (end, indices) in by_end {
            let part = if is_one {
                Part { rows: rows.clone(), sequence: sequence.clone(), is_saved }
            } else {
                let indices = UInt32Array::from(indices);
                let rows = take_record_batch(rows, &indices).map_err(Error::from_arrow)?;
                let sequence = arrow_select::take::take(&sequence, &indices, None).map_err(Error::from_arrow)?;
                Part { rows, sequence: sequence.as_primitive::<Int64Type>().clone(), is_saved }
            };
            let parts = self.windows.entry(end).or_default();
            if parts.is_empty() {
                begun.push(end);
            }
            self.bytes += part.bytes();
            parts.push(part);
        }
        Ok(begun)
    }

    /// Ends of the windows that have rows.
    pub(super) fn ends(&self) -> impl Iterator<Item = i64> {
        self.windows.keys().copied()
    }

    /// Takes the rows of a window out, in their order of arrival; `None` if there are none.
    ///
    /// # Errors
    /// More than 2 GiB of text in one column.
    pub(super) fn take(&mut self, end: i64) -> Result<Option<RecordBatch>> {
        let Some(parts) = self.windows.remove(&end) else { return Ok(None) };
        self.bytes -= parts.iter().map(Part::bytes).sum::<usize>();
        let rows = concat_batches(&self.input, parts.iter().map(|part| &part.rows)).map_err(Error::from_arrow)?;
        self.gone.extend(parts.into_iter().filter(|part| part.is_saved));
        Ok(Some(rows))
    }

    /// Hands out rows of the state table.
    ///
    /// # Errors
    /// Whatever `output` returns.
    pub(super) fn snapshot(
        &mut self,
        scope: Scope,
        schema: &SchemaRef,
        output: &mut dyn FnMut(ChangelogBatch) -> Result<()>,
    ) -> Result<()> {
        for part in std::mem::take(&mut self.gone) {
            if scope == Scope::Changes {
                output(self.state_rows(schema, &part, RowKind::Delete)?)?;
            }
        }
        let Self { windows, columns, num_keys, .. } = self;
        for part in windows.values_mut().flatten() {
            if scope == Scope::All || !part.is_saved {
                output(state_rows(columns, *num_keys, schema, part, RowKind::Insert)?)?;
            }
            part.is_saved = true;
        }
        Ok(())
    }

    fn state_rows(&self, schema: &SchemaRef, part: &Part, kind: RowKind) -> Result<ChangelogBatch> {
        state_rows(&self.columns, self.num_keys, schema, part, kind)
    }

    /// Takes rows of the state table back.
    ///
    /// # Errors
    /// Rows of another table.
    pub(super) fn restore(&mut self, rows: &ChangelogBatch) -> Result<()> {
        if rows.rows().num_columns() != self.columns.len() + 1 {
            return Err(Error::bug("the state of a window join has other columns"));
        }
        self.restored.push(rows.clone());
        Ok(())
    }

    /// Finds the windows of the rows that were restored; those that are gone again are left out.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub(super) fn settle_restored(&mut self, end: usize) -> Result<()> {
        let restored = std::mem::take(&mut self.restored);
        let kept = self.kept(&restored)?;
        for (batch, kept) in restored.into_iter().zip(kept) {
            let state = match kept {
                None => batch.rows().clone(),
                Some(kept) => take_record_batch(batch.rows(), &UInt32Array::from(kept)).map_err(Error::from_arrow)?,
            };
            if state.num_rows() == 0 {
                continue;
            }
            let sequence = state.column(self.num_keys).as_primitive_opt::<Int64Type>();
            let sequence = sequence.ok_or_else(|| Error::bug("a sequence of another type"))?.clone();
            self.next_sequence = sequence.iter().flatten().fold(self.next_sequence, |next, own| next.max(own + 1));
            let place = |column: usize| self.columns.iter().position(|own| *own == column).unwrap_or_default();
            let place = |column: usize| place(column) + usize::from(place(column) >= self.num_keys);
            let columns: Vec<ArrayRef> =
                (0..self.input.fields().len()).map(|column| Arc::clone(state.column(place(column)))).collect();
            let rows = RecordBatch::try_new(SchemaRef::clone(&self.input), columns).map_err(Error::from_arrow)?;
            self.add_numbered(&rows, sequence, end, true)?;
        }
        Ok(())
    }

    /// The rows of each batch that are not taken back later; `None`: all.
    fn kept(&self, restored: &[ChangelogBatch]) -> Result<Vec<Option<Vec<u32>>>> {
        if restored.iter().all(|batch| batch.kinds().is_none()) {
            return Ok(vec![None; restored.len()]);
        }
        let key = 0..=self.num_keys;
        let mut alive = HashMap::<OwnedRow, (usize, u32)>::new();
        for (number, batch) in restored.iter().enumerate() {
            let columns: Vec<ArrayRef> = key.clone().map(|column| Arc::clone(batch.rows().column(column))).collect();
            let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
            let converter = RowConverter::new(fields).map_err(Error::from_arrow)?;
            let rows = converter.convert_columns(&columns).map_err(Error::from_arrow)?;
            for (place, row) in (0..).zip(rows.iter()) {
                if batch.kind(place as usize).is_addition() {
                    alive.insert(row.owned(), (number, place));
                } else {
                    alive.remove(&row.owned());
                }
            }
        }
        let mut kept = vec![Vec::new(); restored.len()];
        alive.into_values().for_each(|(number, place): (usize, u32)| kept[number].push(place));
        kept.iter_mut().for_each(|places| places.sort_unstable());
        Ok(kept.into_iter().map(Some).collect())
    }
}

fn state_rows(
    columns: &[usize],
    num_keys: usize,
    schema: &SchemaRef,
    part: &Part,
    kind: RowKind,
) -> Result<ChangelogBatch> {
    let mut arrays: Vec<ArrayRef> = columns.iter().map(|column| Arc::clone(part.rows.column(*column))).collect();
    arrays.insert(num_keys, Arc::new(part.sequence.clone()));
    let rows = RecordBatch::try_new(SchemaRef::clone(schema), arrays).map_err(Error::from_arrow)?;
    let kinds = (kind != RowKind::Insert).then(|| RowKinds::from(vec![kind as u8; part.sequence.len()]));
    ChangelogBatch::try_new(rows, kinds)
}
