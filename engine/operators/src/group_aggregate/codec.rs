//! Values of any type as bytes.

use arrow_array::ArrayRef;
use arrow_row::{RowConverter, RowParser, Rows, SortField};
use arrow_schema::DataType;
use sluice_model::{Error, Result, SqlType};

/// Encodes values of one type; the order of the bytes is the order of the values.
#[derive(Debug)]
pub(super) struct Codec {
    converter: RowConverter,
    parser: RowParser,
    /// The encoded NULL.
    null: Box<[u8]>,
}

impl Codec {
    /// # Errors
    /// A type that has no encoding.
    pub(super) fn new(data_type: &DataType) -> Result<Self> {
        let converter = RowConverter::new(vec![SortField::new(data_type.clone())])
            .map_err(|_| Error::fix(format!("an aggregate cannot keep values of {}", SqlType::of_arrow(data_type))))?;
        let parser = converter.parser();
        let null = arrow_array::new_null_array(data_type, 1);
        let null = converter.convert_columns(&[null]).map_err(Error::from_arrow)?;
        let null = null.row(0).data().into();
        Ok(Self { converter, parser, null })
    }

    pub(super) fn encode(&self, column: &ArrayRef) -> Result<Rows> {
        self.converter.convert_columns(std::slice::from_ref(column)).map_err(Error::from_arrow)
    }

    /// Bytes back to values; `None` is NULL.
    pub(super) fn decode<'a>(&'a self, values: impl Iterator<Item = Option<&'a [u8]>>) -> Result<ArrayRef> {
        let rows = values.map(|value| self.parser.parse(value.unwrap_or(&self.null)));
        let mut columns = self.converter.convert_rows(rows).map_err(Error::from_arrow)?;
        columns.pop().ok_or_else(|| Error::bug("values without a column"))
    }
}
