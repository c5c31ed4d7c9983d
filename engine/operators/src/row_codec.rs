//! Some columns of a batch as bytes per row, and back.
//!
//! Where their order matters, bytes of rows compare as the rows do (`arrow-row`), so that order is
//! `memcmp`; where only equality does, they are shorter (`compact_rows`).

use arrow_array::{ArrayRef, RecordBatch};
use arrow_row::{RowConverter, RowParser, Rows, SortField};
use arrow_schema::{Schema, SortOptions};
use sluice_model::{Error, Result};

use crate::compact_rows::{CompactCodec, CompactRows};

/// Turns certain columns into bytes, and bytes into columns.
#[derive(Debug)]
pub(crate) struct RowCodec {
    columns: Vec<usize>,
    format: Format,
}

#[derive(Debug)]
enum Format {
    Ordered { converter: RowConverter, parser: RowParser },
    Compact(CompactCodec),
}

/// Rows of a batch as bytes; without columns they are empty.
#[derive(Debug)]
pub(crate) struct EncodedRows(Encoded);

#[derive(Debug)]
enum Encoded {
    Empty,
    Ordered(Rows),
    Compact(CompactRows),
}

impl RowCodec {
    /// For columns whose order does not matter.
    ///
    /// # Errors
    /// A type that has no such form.
    pub(crate) fn new(schema: &Schema, columns: &[usize]) -> Result<Self> {
        let types = columns.iter().map(|column| schema.field(*column).data_type().clone());
        if let Some(codec) = CompactCodec::new(types) {
            return Ok(Self { columns: columns.to_vec(), format: Format::Compact(codec) });
        }
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
        let format = Format::Ordered { parser: converter.parser(), converter };
        Ok(Self { columns: columns.iter().map(|(column, _)| *column).collect(), format })
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
            return Ok(EncodedRows(Encoded::Empty));
        }
        let columns: Vec<ArrayRef> = self.columns.iter().map(|column| rows.column(*column).clone()).collect();
        Ok(EncodedRows(match &self.format {
            Format::Ordered { converter, .. } => {
                Encoded::Ordered(converter.convert_columns(&columns).map_err(Error::from_arrow)?)
            }
            Format::Compact(codec) => Encoded::Compact(codec.encode(&columns)?),
        }))
    }

    /// The columns of rows.
    ///
    /// # Errors
    /// A bug: bytes that are not of this codec.
    pub(crate) fn decode<'a>(&self, rows: impl Iterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        let rows: Vec<&[u8]> = rows.collect();
        match &self.format {
            // The parser outlives the rows that it makes.
            Format::Ordered { converter, parser } => {
                converter.convert_rows(rows.iter().map(|row| parser.parse(row))).map_err(Error::from_arrow)
            }
            Format::Compact(codec) => codec.decode(&rows),
        }
    }
}

impl EncodedRows {
    /// The bytes of a row.
    pub(crate) fn row(&self, row: usize) -> &[u8] {
        match &self.0 {
            Encoded::Empty => &[],
            Encoded::Ordered(rows) => rows.row(row).data(),
            Encoded::Compact(rows) => rows.row(row),
        }
    }
}
