//! How far event time has come, as state.
//!
//! ```text
//! subtask 0 at 00:05, subtask 1 at 00:05      +I 300000 / +I 300000
//! restored in 3 subtasks                      all three are at 00:05
//! ```
//!
//! Every subtask writes one row, and after a restore at another parallelism each gets those of all: what
//! was put out before must not be put out again, wherever its key lies now.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use sluice_model::{ChangelogBatch, Error, Result};

use crate::state::StateTable;

/// The table of the watermark: one row in each subtask, of which the largest counts.
pub(crate) fn table() -> StateTable {
    let schema = Arc::new(Schema::new(vec![Field::new("watermark", DataType::Int64, false)]));
    StateTable { name: "watermark".to_owned(), schema, key: 0, distribution: StateTable::BROADCAST }
}

/// Its row.
///
/// # Errors
/// None in practice.
pub(crate) fn row(watermark: i64) -> Result<ChangelogBatch> {
    let rows = RecordBatch::try_new(table().schema, vec![Arc::new(Int64Array::from(vec![watermark]))]);
    rows.map(ChangelogBatch::append).map_err(Error::from_arrow)
}

/// The largest watermark of these rows.
///
/// # Errors
/// A bug: rows of another table.
pub(crate) fn largest(rows: &RecordBatch) -> Result<i64> {
    let column = rows.columns().first().and_then(|column| column.as_primitive_opt::<Int64Type>());
    let column = column.ok_or_else(|| Error::bug("a watermark that is no number"))?;
    Ok(column.iter().flatten().max().unwrap_or(i64::MIN))
}
