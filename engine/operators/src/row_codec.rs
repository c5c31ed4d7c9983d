//! Some columns of a batch as bytes per row, and back.
//!
//! Bytes of rows compare as the rows do (`arrow-row`), so that equality and order are `memcmp`.

use arrow_array::{ArrayRef, RecordBatch};
use arrow_row::{RowConverter, RowParser, Rows, SortField};
use arrow_schema::{Schema, SortOptions};
use sluice_model::{Error, Result};

/// Turns certain columns into bytes, and bytes into columns.
#[derive(Debug)]
pub(crate) struct RowCodec {
    columns: Vec<usize>,
    converter: RowConverter,
    parser: RowParser,
}

/// Rows of a batch as bytes; without columns they are empty.
#[derive(Debug)]
pub(crate) struct EncodedRows(Option<Rows>);

impl RowCodec {
    /// For columns whose order does not matter.
    ///
    /// # Errors
    /// A type that has no such form.
    pub(crate) fn new(schema: &Schema, columns: &[usize]) -> Result<Self> {
        let columns: Vec<_> = columns.iter().map(|column| (*column, SortOptions::default())).collect();
        Self::sorted(schema, &columns)
    }

    /// For columns of which each has an order.
    ///
    /// # Errors
    /// A type that has no such form.
    pub(crate) fn sorted(schema: &Schema, columns: &[(usize, SortOptions)]) -> Result<Self> {
        let field = |(column, options): &(usize, SortOptions)| {
            SortField::new_with_options(schema.field(*column).data_type().clone(), *options)
        };
        let converter = RowConverter::new(columns.iter().map(field).collect()).map_err(Error::from_arrow)?;
        let parser = converter.parser();
        Ok(Self { columns: columns.iter().map(|(column, _)| *column).collect(), converter, parser })
    }

    /// The columns, in the order of [`decode`](Self::decode).
    pub(crate) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The rows of a batch.
    ///
    /// # Errors
    /// A bug: a batch of another schema.
    pub(crate) fn encode(&self, rows: &RecordBatch) -> Result<EncodedRows> {
        if self.columns.is_empty() {
            return Ok(EncodedRows(None));
        }
        let columns: Vec<ArrayRef> = self.columns.iter().map(|column| rows.column(*column).clone()).collect();
        self.converter.convert_columns(&columns).map(|rows| EncodedRows(Some(rows))).map_err(Error::from_arrow)
    }

    /// The columns of rows.
    ///
    /// # Errors
    /// A bug: bytes that are not of this codec.
    pub(crate) fn decode<'a>(&self, rows: impl Iterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        // The parser outlives the rows that it makes.
        let parser = &self.parser;
        let rows: Vec<&[u8]> = rows.collect();
        self.converter.convert_rows(rows.iter().map(|row| parser.parse(row))).map_err(Error::from_arrow)
    }
}

impl EncodedRows {
    /// The bytes of a row.
    pub(crate) fn row(&self, row: usize) -> &[u8] {
        self.0.as_ref().map_or(&[], |rows| rows.row(row).data())
    }
}
