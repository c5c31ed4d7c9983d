//! The identity of rows, and the value of their chunk key.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::DataType;
use sluice_model::{Error, Result};

/// The identity of every row of a batch, as bytes: equal rows have equal bytes, and no others do.
pub(crate) struct RowKeys(Rows);

impl RowKeys {
    /// The identity that the columns at `indexes` give.
    ///
    /// # Errors
    /// A bug: a column that does not exist.
    pub(crate) fn of(batch: &RecordBatch, indexes: &[usize]) -> Result<Self> {
        let columns = batch.project(indexes).map_err(Error::from_arrow)?;
        let fields = columns.columns().iter().map(|column| SortField::new(column.data_type().clone())).collect();
        let converter = RowConverter::new(fields).map_err(Error::from_arrow)?;
        converter.convert_columns(columns.columns()).map(Self).map_err(Error::from_arrow)
    }

    /// The identity of row `row`.
    pub(crate) fn get(&self, row: usize) -> arrow_row::Row<'_> {
        self.0.row(row)
    }
}

/// Chunk keys that are whole numbers, of every row; `None` if the column holds something else or a NULL.
pub(crate) fn integer_keys(array: &dyn Array) -> Option<Vec<i128>> {
    if array.null_count() > 0 {
        return None;
    }
    Some(match array.data_type() {
        DataType::Int8 => array.as_primitive::<Int8Type>().values().iter().map(|v| i128::from(*v)).collect(),
        DataType::Int16 => array.as_primitive::<Int16Type>().values().iter().map(|v| i128::from(*v)).collect(),
        DataType::Int32 => array.as_primitive::<Int32Type>().values().iter().map(|v| i128::from(*v)).collect(),
        DataType::Int64 => array.as_primitive::<Int64Type>().values().iter().map(|v| i128::from(*v)).collect(),
        DataType::Decimal128(_, 0) => array.as_primitive::<Decimal128Type>().values().to_vec(),
        _ => return None,
    })
}

/// Chunk keys that are byte strings or texts, of every row; `None` if the column holds something else or a NULL.
pub(crate) fn byte_keys(array: &dyn Array) -> Option<Vec<&[u8]>> {
    if array.null_count() > 0 {
        return None;
    }
    let rows = 0..array.len();
    Some(match array.data_type() {
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            rows.map(|row| texts.value(row).as_bytes()).collect()
        }
        DataType::Binary => {
            let bytes = array.as_binary::<i32>();
            rows.map(|row| bytes.value(row)).collect()
        }
        _ => return None,
    })
}
