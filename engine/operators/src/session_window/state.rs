//! The state of sessions as tables.
//!
//! | table | key | columns |
//! |---|---|---|
//! | `rows` | the partition, number of arrival | the other columns, the kind |
//! | `watermark` | | how far time has come |
//!
//! Sessions are made of their rows again after a restart.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt8Type};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, UInt8Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use sluice_model::{ChangelogBatch, Error, Result, RowKind, RowKinds};

use super::SessionWindow;
use crate::row_store::RowId;
use crate::state::{BATCH_ROWS, Scope, StateOutput, StateTable};

const ROWS: usize = 0;
/// The table of the watermark.
pub(super) const WATERMARK: usize = 1;

/// The table of rows.
pub(super) fn table(input: &SchemaRef, partition: &[usize]) -> StateTable {
    // Nullable: a row that is gone has NULL outside its key.
    let nullable = |column: usize, name: String| input.field(column).clone().with_name(name).with_nullable(true);
    let mut fields: Vec<Field> =
        partition.iter().enumerate().map(|(place, column)| nullable(*column, format!("k{place}"))).collect();
    fields.push(Field::new("$sequence", DataType::Int64, false));
    fields.extend((0..input.fields().len()).map(|column| nullable(column, format!("c{column}"))));
    fields.push(Field::new("$kind", DataType::UInt8, true));
    fields.push(Field::new("$time", DataType::Int64, true));
    let (key, distribution) = (partition.len() + 1, partition.len());
    StateTable { name: "rows".to_owned(), schema: Arc::new(Schema::new(fields)), key, distribution }
}

impl SessionWindow {
    pub(super) fn write_snapshot(&mut self, scope: Scope, output: StateOutput<'_>) -> Result<()> {
        let (gone, fresh) = self.rows.take_changes();
        match scope {
            Scope::All => self.hand_out(&self.rows.all(), RowKind::Insert, output)?,
            Scope::Changes => {
                self.hand_out(&gone, RowKind::Delete, output)?;
                self.hand_out(&fresh, RowKind::Insert, output)?;
            }
        }
        self.rows.free(&gone);
        self.open.snapshot(WATERMARK, output)
    }

    fn hand_out(&self, ids: &[RowId], kind: RowKind, output: StateOutput<'_>) -> Result<()> {
        for ids in ids.chunks(BATCH_ROWS) {
            let mut columns = self.rows.index.columns(ids.iter().map(|id| self.rows.slot(*id)))?;
            columns.push(Arc::new(ids.iter().map(|id| Some(self.rows.sequence(*id))).collect::<Int64Array>()));
            columns.extend(self.codec.decode(ids.iter().map(|id| self.rows.content(*id)))?);
            columns.push(Arc::new(ids.iter().map(|id| Some(self.rows.kind(*id))).collect::<UInt8Array>()));
            columns.push(Arc::new(ids.iter().map(|id| Some(self.rows.time(*id))).collect::<Int64Array>()));
            let schema = SchemaRef::clone(&self.tables[ROWS].schema);
            let rows = RecordBatch::try_new(schema, columns).map_err(Error::from_arrow)?;
            let kinds = (kind != RowKind::Insert).then(|| RowKinds::from(vec![kind as u8; ids.len()]));
            output(ROWS, ChangelogBatch::try_new(rows, kinds)?)?;
        }
        Ok(())
    }

    pub(super) fn read_snapshot(&mut self, state: &ChangelogBatch) -> Result<()> {
        let columns = state.rows().columns();
        let partition = self.partition.len();
        let width = self.input.fields().len();
        let (Some(sequence), Some(kinds), Some(times)) = (
            columns.get(partition).and_then(|column| column.as_primitive_opt::<Int64Type>()),
            columns.get(partition + 1 + width).and_then(|column| column.as_primitive_opt::<UInt8Type>()),
            columns.get(partition + 2 + width).and_then(|column| column.as_primitive_opt::<Int64Type>()),
        ) else {
            return Err(Error::bug("the state of sessions has other columns"));
        };
        let slots = self.rows.slots(&columns[..partition], state.num_rows())?;
        let content: Vec<ArrayRef> = columns[partition + 1..=partition + width].to_vec();
        // Rows that are gone have NULLs where the input has none.
        let fields: Vec<Field> =
            self.input.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
        let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), content).map_err(Error::from_arrow)?;
        let encoded = self.codec.encode(&rows)?;
        for (row, slot) in slots.into_iter().enumerate() {
            let number = sequence.value(row);
            if state.kind(row).is_addition() {
                let kind = Some(kinds).filter(|kinds| kinds.is_valid(row)).map(|kinds| kinds.value(row));
                let kind = kind.and_then(RowKind::from_byte).ok_or_else(|| Error::bug("a row of no kind"))?;
                self.rows.insert(slot, encoded.row(row), times.value(row), kind, Some(number))?;
            } else {
                self.rows.remove_restored(slot, number);
            }
        }
        Ok(())
    }

    /// Makes sessions of the rows that were restored.
    pub(super) fn settle_restored(&mut self) -> Result<()> {
        if std::mem::take(&mut self.is_restored) {
            self.open.clear();
            for (end, slot) in self.rows.finish_restoring() {
                self.open.open(end, slot);
            }
        }
        Ok(())
    }
}
