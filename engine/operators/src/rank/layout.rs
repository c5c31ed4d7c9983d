//! Where the columns of a row lie in its bytes, and in the state table.
//!
//! ```text
//! columns a, b, c, d      PARTITION BY b ORDER BY d, unique key (a, b)
//! index of partitions     b
//! bytes of a row          d | a | c         order | rest of the unique key | all others
//! state table             b, a | c, d, $sequence
//! ```

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef, SortOptions};
use arrow_select::take::take_arrays;
use sluice_model::{Error, Result};

use crate::key_index::{KeyIndex, Slot};
use crate::row_codec::{EncodedRows, RowCodec};
use crate::state::nullable;
use crate::{StateTable, row_store::RowId};

use super::rows::Rows;

/// The parts of a row.
#[derive(Debug)]
pub(super) struct Layout {
    schema: SchemaRef,
    partition: Vec<usize>,
    order: RowCodec,
    key: RowCodec,
    rest: RowCodec,
    /// By input column: its position among the columns of the partition and of the three codecs.
    positions: Vec<usize>,
    /// Input columns in the order of the state table.
    state_columns: Vec<usize>,
    /// Column of the state table with the sequence number.
    sequence: usize,
    /// Rows are known by the unique key, not by the sequence number.
    keyed: bool,
}

/// Rows of a batch, in parts.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) slots: Vec<Slot>,
    pub(super) order: EncodedRows,
    pub(super) key: EncodedRows,
    pub(super) rest: EncodedRows,
}

impl Layout {
    /// `unique_key` if rows are to be known by it.
    pub(super) fn new(node: &sluice_plan::Rank, schema: &SchemaRef, unique_key: Option<&[usize]>) -> Result<Self> {
        let partition = &node.partition;
        let mut order: Vec<(usize, SortOptions)> = Vec::new();
        for sort in &node.order {
            // Within a partition its columns order nothing, nor does a column that comes again.
            if !partition.contains(&sort.column) && order.iter().all(|(column, _)| *column != sort.column) {
                order.push((sort.column, SortOptions { descending: sort.descending, nulls_first: sort.nulls_first }));
            }
        }
        let key: Vec<usize> =
            unique_key.unwrap_or_default().iter().copied().filter(|column| !partition.contains(column)).collect();
        let all = 0..schema.fields().len();
        let is_ordered = |column: &usize| order.iter().any(|(ordered, _)| ordered == column);
        let in_parts = |column: &usize| partition.contains(column) || key.contains(column) || is_ordered(column);
        let rest: Vec<usize> = all.clone().filter(|column| !in_parts(column)).collect();
        let places: Vec<usize> =
            partition.iter().chain(order.iter().map(|(column, _)| column)).chain(&key).chain(&rest).copied().collect();
        let position = |column| places.iter().position(|place| *place == column).unwrap_or_default();
        let mut state_columns: Vec<usize> = partition.iter().chain(&key).copied().collect();
        state_columns.extend(all.clone().filter(|column| !partition.contains(column) && !key.contains(column)));
        let sequence = if unique_key.is_some() { state_columns.len() } else { partition.len() };
        Ok(Self {
            positions: all.map(position).collect(),
            order: RowCodec::sorted(schema, &order)?,
            key: RowCodec::new(schema, &key)?,
            rest: RowCodec::new(schema, &rest)?,
            schema: Arc::clone(schema),
            partition: partition.clone(),
            keyed: unique_key.is_some(),
            state_columns,
            sequence,
        })
    }

    /// An index of partitions.
    pub(super) fn index(&self) -> Result<KeyIndex> {
        let types = self.partition.iter().map(|column| self.schema.field(*column).data_type().clone());
        KeyIndex::new(&types.collect::<Vec<_>>())
    }

    pub(super) fn slots(&self, index: &mut KeyIndex, rows: &RecordBatch) -> Result<Vec<Slot>> {
        let columns: Vec<ArrayRef> = self.partition.iter().map(|column| Arc::clone(rows.column(*column))).collect();
        index.insert(&columns, rows.num_rows())
    }

    pub(super) fn order(&self, rows: &RecordBatch) -> Result<EncodedRows> {
        self.order.encode(rows)
    }

    pub(super) fn key(&self, rows: &RecordBatch) -> Result<EncodedRows> {
        self.key.encode(rows)
    }

    pub(super) fn rest(&self, rows: &RecordBatch) -> Result<EncodedRows> {
        self.rest.encode(rows)
    }

    pub(super) fn encode(&self, index: &mut KeyIndex, rows: &RecordBatch) -> Result<Encoded> {
        let slots = self.slots(index, rows)?;
        Ok(Encoded { slots, order: self.order(rows)?, key: self.key(rows)?, rest: self.rest(rows)? })
    }

    /// Rows as columns, in the order of the input.
    pub(super) fn decode(&self, rows: &Rows, ids: &[RowId]) -> Result<Vec<ArrayRef>> {
        let mut columns = Vec::with_capacity(self.positions.len());
        if !self.partition.is_empty() {
            columns = self.partitions(rows, ids)?;
        }
        columns.extend(self.order.decode(ids.iter().map(|id| rows.parts(*id).0))?);
        columns.extend(self.key.decode(ids.iter().map(|id| rows.parts(*id).1))?);
        columns.extend(self.rest.decode(ids.iter().map(|id| rows.parts(*id).2))?);
        Ok(self.positions.iter().map(|position| Arc::clone(&columns[*position])).collect())
    }

    /// The columns of the partition; rows of a partition mostly follow each other, and it is decoded
    /// once for them.
    fn partitions(&self, rows: &Rows, ids: &[RowId]) -> Result<Vec<ArrayRef>> {
        let (mut slots, mut indices) = (Vec::<Slot>::new(), Vec::with_capacity(ids.len()));
        for id in ids {
            let slot = rows.slot(*id);
            if slots.last() != Some(&slot) {
                slots.push(slot);
            }
            indices.push(slots.len() as u32 - 1);
        }
        let all_differ = slots.len() == ids.len();
        let columns = rows.index.columns(slots)?;
        if all_differ {
            return Ok(columns);
        }
        take_arrays(&columns, &UInt32Array::from(indices), None).map_err(Error::from_arrow)
    }

    /// The table of rows. The key is that of the rows if they have one; else they are numbered.
    pub(super) fn state_table(&self) -> StateTable {
        let partition = self.partition.len();
        let key = if self.keyed { partition + self.key.columns().len() } else { partition + 1 };
        let mut fields: Vec<_> =
            self.state_columns.iter().map(|column| Arc::clone(&self.schema.fields()[*column])).collect();
        fields.insert(self.sequence, Arc::new(Field::new("$sequence", DataType::Int64, self.keyed)));
        for field in &mut fields[key..] {
            *field = nullable(field);
        }
        let schema = Arc::new(Schema::new(fields));
        StateTable { name: "rows".to_owned(), schema, key, distribution: partition }
    }

    /// Rows as those of the state table, with the times at which they were written if they expire.
    pub(super) fn state_rows(
        &self,
        schema: &SchemaRef,
        rows: &Rows,
        ids: &[RowId],
        written: Option<ArrayRef>,
    ) -> Result<RecordBatch> {
        let columns = self.decode(rows, ids)?;
        let mut columns: Vec<_> = self.state_columns.iter().map(|column| Arc::clone(&columns[*column])).collect();
        let sequence: Int64Array = ids.iter().map(|id| rows.sequence(*id)).collect::<Vec<_>>().into();
        columns.insert(self.sequence, Arc::new(sequence));
        columns.extend(written);
        let options = RecordBatchOptions::new().with_row_count(Some(ids.len()));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(Error::from_arrow)
    }

    /// The reverse of [`state_rows`](Self::state_rows): rows as those of the input, and the column of
    /// sequence numbers.
    pub(super) fn input_rows(&self, state: &RecordBatch) -> Result<(RecordBatch, ArrayRef)> {
        let mut order = vec![0; self.state_columns.len()];
        for (position, column) in self.state_columns.iter().enumerate() {
            order[*column] = position + usize::from(position >= self.sequence);
        }
        let rows = state.project(&order).map_err(Error::from_arrow)?;
        Ok((rows, Arc::clone(state.column(self.sequence))))
    }
}
