//! How far event time has come, as a state table of one row.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use sluice_model::{ChangelogBatch, Error, Result};

use crate::state::{StateOutput, StateTable};

/// The largest watermark so far, in milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventTime(i64);

impl EventTime {
    /// Time has not begun.
    pub(crate) fn new() -> Self {
        Self(i64::MIN)
    }

    /// Time has come to `watermark`.
    pub(crate) fn advance(&mut self, watermark: i64) {
        self.0 = self.0.max(watermark);
    }

    /// How far time has come.
    pub(crate) fn now(self) -> i64 {
        self.0
    }

    /// The table of the watermark: one row in each subtask, of which the largest counts.
    pub(crate) fn table() -> StateTable {
        let schema = Arc::new(Schema::new(vec![Field::new("watermark", DataType::Int64, false)]));
        StateTable { name: "watermark".to_owned(), schema, key: 0, distribution: 0 }
    }

    /// Hands out the watermark; `table` is the number of its table.
    pub(crate) fn snapshot(self, table: usize, output: StateOutput<'_>) -> Result<()> {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![self.0]));
        let rows = RecordBatch::try_new(Self::table().schema, vec![column]).map_err(Error::from_arrow)?;
        output(table, ChangelogBatch::append(rows))
    }

    /// Takes a watermark back.
    ///
    /// # Errors
    /// A bug: rows of another table.
    pub(crate) fn restore(&mut self, rows: &RecordBatch) -> Result<()> {
        let column = rows.columns().first().and_then(|column| column.as_any().downcast_ref::<Int64Array>());
        let column = column.ok_or_else(|| Error::bug("a watermark that is no number"))?;
        column.iter().flatten().for_each(|watermark| self.advance(watermark));
        Ok(())
    }
}
