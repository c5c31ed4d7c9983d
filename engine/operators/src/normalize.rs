//! Finds the old content of updated rows.
//!
//! Keeps the last row of every key and compares what comes with it. Of several changes of a key in
//! one batch only the net effect is put out.
//!
//! | input `id, v` | result |
//! |---|---|
//! | `+I 1 a` | `+I 1 a` |
//! | `+U 1 b` | `-U 1 a`, `+U 1 b` |
//! | `-D 1 NULL` | `-D 1 b` |
//!
//! As in Flink's `ChangelogNormalize`, `-U` removes the row as `-D` does, and a deletion puts out the
//! row that is kept: the one that arrives may hold nothing but its key.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow_schema::{Schema, SchemaRef};
use arrow_select::interleave::interleave;
use arrow_select::take::take;
use sluice_model::{ChangelogBatch, Error, Result, RowKind, RowKinds};

use crate::bit_set::BitSet;
use crate::key_index::{KeyIndex, Slot};
use crate::row_codec::{EncodedRows, RowCodec};
use crate::row_store::{NO_ROW, RowId, RowStore};
use crate::state::{BATCH_ROWS, nullable};
use crate::ttl::{self, Ttl, read_column};
use crate::{Operator, Output, Scope, StateOutput, StateTable, memory};

/// The operator of [`sluice_plan::Normalize`].
#[derive(Debug)]
pub struct Normalize {
    node: sluice_plan::Normalize,
    schema: SchemaRef,
    keys: KeyIndex,
    /// The columns that are not part of the key.
    rest: RowCodec,
    store: RowStore<()>,
    /// By slot of the key.
    slots: Vec<Kept>,
    /// Slots that the last snapshot does not know as they are.
    dirty: BitSet,
    /// The row that the current batch holds last for a slot, in the order of first touch.
    touched: Vec<(Slot, u32)>,
    tables: [StateTable; 1],
    /// Set if rows expire; by slot.
    ttl: Option<Ttl>,
}

/// What is known of a key.
#[derive(Debug, Clone, Copy)]
struct Kept {
    row: RowId,
    /// Position in `touched`, `u32::MAX` if the current batch has not touched it.
    touched: u32,
    /// The last snapshot has this key.
    saved: bool,
}

const UNKNOWN: Kept = Kept { row: NO_ROW, touched: u32::MAX, saved: false };

/// Rows to put out: kind, and where the row's content is.
#[derive(Default)]
struct Changes {
    kinds: Vec<u8>,
    /// Row of the input that has the key.
    input: Vec<u32>,
    /// Old rows: positions in the result and numbers.
    old: Vec<(usize, RowId)>,
}

impl Normalize {
    /// For rows of this schema.
    ///
    /// # Errors
    /// A key of a type that cannot be one.
    pub fn new(node: sluice_plan::Normalize, schema: &SchemaRef) -> Result<Self> {
        let types: Vec<_> = node.key.iter().map(|column| schema.field(*column).data_type().clone()).collect();
        let rest: Vec<usize> = (0..schema.fields().len()).filter(|column| !node.key.contains(column)).collect();
        let keys = node.key.iter().map(|column| Arc::clone(&schema.fields()[*column]));
        let fields: Vec<_> = keys.chain(rest.iter().map(|column| nullable(&schema.fields()[*column]))).collect();
        let key = node.key.len();
        let table =
            StateTable { name: "rows".to_owned(), schema: Arc::new(Schema::new(fields)), key, distribution: key };
        Ok(Self {
            schema: Arc::clone(schema),
            keys: KeyIndex::new(&types)?,
            rest: RowCodec::new(schema, &rest)?,
            node,
            store: RowStore::new(),
            slots: Vec::new(),
            dirty: BitSet::default(),
            touched: Vec::new(),
            tables: [table],
            ttl: None,
        })
    }

    /// Notes the last row of every key of a batch.
    fn touch(&mut self, slots: &[Slot]) {
        if self.slots.len() < self.keys.capacity() {
            self.slots.resize(self.keys.capacity(), UNKNOWN);
        }
        self.touched.clear();
        for (row, slot) in slots.iter().enumerate() {
            let kept = &mut self.slots[*slot as usize];
            if kept.touched == u32::MAX {
                kept.touched = self.touched.len() as u32;
                self.touched.push((*slot, row as u32));
            } else {
                self.touched[kept.touched as usize].1 = row as u32;
            }
        }
    }

    /// Compares the last row of every touched key with the one that is kept.
    fn changes(&self, kind: impl Fn(usize) -> RowKind, rest: &EncodedRows) -> Changes {
        let mut changes = Changes::default();
        for &(slot, row) in &self.touched {
            let old = self.slots[slot as usize].row;
            match (old != NO_ROW, kind(row as usize).is_addition()) {
                (false, true) => changes.push(RowKind::Insert, row, None),
                // Consumers whose state expires as well have to hear of it.
                (true, true) if self.ttl.is_none() && self.store.get(old) == rest.row(row as usize) => {}
                (true, true) => {
                    if self.node.update_before {
                        changes.push(RowKind::UpdateBefore, row, Some(old));
                    }
                    changes.push(RowKind::UpdateAfter, row, None);
                }
                (true, false) => changes.push(RowKind::Delete, row, Some(old)),
                (false, false) => {}
            }
        }
        changes
    }

    /// Keeps the last row of every touched key.
    fn keep(&mut self, kind: impl Fn(usize) -> RowKind, rest: &EncodedRows) -> Result<()> {
        for &(slot, row) in &self.touched {
            let kept = &mut self.slots[slot as usize];
            kept.touched = u32::MAX;
            let bytes = rest.row(row as usize);
            let lives_longer = self.ttl.as_mut().is_some_and(|ttl| ttl.write(slot));
            match (kept.row != NO_ROW, kind(row as usize).is_addition()) {
                (true, true) if self.store.get(kept.row) == bytes => {
                    if !lives_longer {
                        continue;
                    }
                }
                (true, true) => self.store.replace(kept.row, bytes)?,
                (false, true) => kept.row = self.store.insert(bytes, ())?,
                (known, false) => {
                    if known {
                        self.store.remove(kept.row);
                        kept.row = NO_ROW;
                    }
                    if !kept.saved {
                        self.keys.remove(slot);
                        self.dirty.remove(slot);
                        continue;
                    }
                }
            }
            self.dirty.insert(slot);
        }
        Ok(())
    }

    /// Forgets the rows whose time is over.
    fn expire(&mut self) {
        let Some(ttl) = &self.ttl else { return };
        let is_expired = |slot: &Slot| self.slots[*slot as usize].row != NO_ROW && ttl.is_expired(*slot);
        let expired: Vec<Slot> = self.keys.slots().filter(is_expired).collect();
        for slot in expired {
            let kept = &mut self.slots[slot as usize];
            self.store.remove(kept.row);
            kept.row = NO_ROW;
            if kept.saved {
                self.dirty.insert(slot);
            } else {
                self.dirty.remove(slot);
                self.keys.remove(slot);
            }
        }
    }

    /// The rows of changes, in the schema of the input.
    fn rows(&self, input: &RecordBatch, changes: &Changes) -> Result<RecordBatch> {
        let indices = UInt32Array::from(changes.input.clone());
        let mut columns = input
            .columns()
            .iter()
            .map(|column| take(column, &indices, None).map_err(Error::from_arrow))
            .collect::<Result<Vec<_>>>()?;
        if !changes.old.is_empty() {
            let old = self.rest.decode(changes.old.iter().map(|(_, row)| self.store.get(*row)))?;
            let mut sources: Vec<(usize, usize)> = (0..changes.input.len()).map(|row| (0, row)).collect();
            for (row, (position, _)) in changes.old.iter().enumerate() {
                sources[*position] = (1, row);
            }
            for (old, column) in old.iter().zip(self.rest.columns()) {
                columns[*column] = interleave(&[&columns[*column], old], &sources).map_err(Error::from_arrow)?;
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(changes.input.len()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).map_err(Error::from_arrow)
    }

    fn apply(&mut self, batch: &ChangelogBatch, key: &[usize], rest: &EncodedRows) -> Result<Changes> {
        let key: Vec<ArrayRef> = key.iter().map(|column| Arc::clone(batch.rows().column(*column))).collect();
        let slots = self.keys.insert(&key, batch.num_rows())?;
        self.touch(&slots);
        Ok(self.changes(|row| batch.kind(row), rest))
    }

    /// Puts out keys, with their rows if they have one.
    fn hand_out(&self, slots: &[Slot], kind: RowKind, output: StateOutput<'_>) -> Result<()> {
        let schema = &self.tables[0].schema;
        for slots in slots.chunks(BATCH_ROWS) {
            let mut columns = self.keys.columns(slots.iter().copied())?;
            if kind == RowKind::Delete {
                let rest = &schema.fields()[columns.len()..];
                columns.extend(rest.iter().map(|field| arrow_array::new_null_array(field.data_type(), slots.len())));
            } else {
                let rows = slots.iter().map(|slot| self.store.get(self.slots[*slot as usize].row));
                columns.extend(self.rest.decode(rows)?);
                columns.extend(self.ttl.as_ref().map(|ttl| ttl.column(slots.iter().copied())));
            }
            let options = RecordBatchOptions::new().with_row_count(Some(slots.len()));
            let rows = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options);
            let kinds = (kind != RowKind::Insert).then(|| RowKinds::from(vec![kind as u8; slots.len()]));
            output(0, ChangelogBatch::try_new(rows.map_err(Error::from_arrow)?, kinds)?)?;
        }
        Ok(())
    }
}

impl Changes {
    fn push(&mut self, kind: RowKind, input: u32, old: Option<RowId>) {
        self.old.extend(old.map(|row| (self.input.len(), row)));
        self.kinds.push(kind as u8);
        self.input.push(input);
    }
}

impl Operator for Normalize {
    fn on_batch(&mut self, _input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        let rest = self.rest.encode(batch.rows())?;
        let key = self.node.key.clone();
        let mut changes = self.apply(&batch, &key, &rest)?;
        let rows = if changes.input.is_empty() { None } else { Some(self.rows(batch.rows(), &changes)?) };
        self.keep(|row| batch.kind(row), &rest)?;
        let Some(rows) = rows else { return Ok(()) };
        let insertions = changes.kinds.iter().all(|kind| *kind == RowKind::Insert as u8);
        let kinds = std::mem::take(&mut changes.kinds);
        output(ChangelogBatch::try_new(rows, (!insertions).then(|| kinds.into()))?)
    }

    fn next_timer(&self) -> Option<i64> {
        self.ttl.as_ref().map(Ttl::next_timer)
    }

    fn on_processing_time(&mut self, now_millis: i64, _output: Output<'_>) -> Result<()> {
        if self.ttl.as_mut().is_some_and(|ttl| ttl.advance(now_millis)) {
            self.expire();
        }
        Ok(())
    }

    fn expire_after(&mut self, ttl: &[Option<Duration>]) {
        self.ttl = Ttl::new(ttl.first().copied().flatten());
        if self.ttl.is_some() {
            self.tables.iter_mut().for_each(ttl::add_column);
        }
    }

    fn state_bytes(&self) -> usize {
        let expiry = self.ttl.as_ref().map_or(0, Ttl::bytes);
        self.keys.bytes() + self.store.bytes() + memory::of_vec(&self.slots) + self.dirty.bytes() + expiry
    }

    fn state_tables(&self) -> &[StateTable] {
        &self.tables
    }

    fn snapshot(&mut self, scope: Scope, output: StateOutput<'_>) -> Result<()> {
        let dirty = self.dirty.take();
        let (present, gone): (Vec<Slot>, Vec<Slot>) =
            dirty.into_iter().partition(|slot| self.slots[*slot as usize].row != NO_ROW);
        match scope {
            Scope::All => {
                let has_row = |slot: &Slot| self.slots[*slot as usize].row != NO_ROW;
                let all: Vec<Slot> = self.keys.slots().filter(has_row).collect();
                self.hand_out(&all, RowKind::Insert, output)?;
            }
            Scope::Changes => {
                let (updated, new): (Vec<Slot>, Vec<Slot>) =
                    present.iter().partition(|slot| self.slots[**slot as usize].saved);
                self.hand_out(&gone, RowKind::Delete, output)?;
                self.hand_out(&updated, RowKind::UpdateAfter, output)?;
                self.hand_out(&new, RowKind::Insert, output)?;
            }
        }
        for slot in present {
            self.slots[slot as usize].saved = true;
        }
        for slot in gone {
            self.slots[slot as usize].saved = false;
            self.keys.remove(slot);
        }
        Ok(())
    }

    fn restore(&mut self, _table: usize, rows: ChangelogBatch) -> Result<()> {
        // The columns of the table are those of the input in another order.
        let key: Vec<usize> = (0..self.node.key.len()).collect();
        let columns = self.node.key.iter().chain(self.rest.columns());
        let mut order = vec![0; self.schema.fields().len()];
        for (position, column) in columns.enumerate() {
            order[*column] = position;
        }
        let rest = self.rest.encode(&rows.rows().project(&order).map_err(Error::from_arrow)?)?;
        self.apply(&rows, &key, &rest)?;
        self.keep(|row| rows.kind(row), &rest)?;
        if let Some(ttl) = &mut self.ttl {
            let written = read_column(rows.rows().columns())?;
            self.touched.iter().for_each(|(slot, row)| ttl.restore(*slot, written(*row as usize)));
        }
        for slot in self.dirty.take() {
            let kept = &mut self.slots[slot as usize];
            kept.saved = kept.row != NO_ROW;
            if !kept.saved {
                self.keys.remove(slot);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
