//! Values without the quotes that JSON puts around them, for formats that write the same text.

use arrow_array::ArrayRef;
use arrow_schema::{DataType, FieldRef};
use sluice_connector_api::{OptionReader, OptionSet, TableOptions};
use sluice_model::{Error, Result};

use super::bind::Row;
use super::options::JsonOptions;
use super::program::Program;

/// How the values of some columns are written.
#[derive(Debug, Clone)]
pub(crate) struct ScalarTexts {
    program: Program,
    is_text: Vec<bool>,
}

/// The same, bound to the columns of a batch.
pub(crate) struct BoundTexts<'a> {
    row: Row<'a>,
    is_text: &'a [bool],
}

impl ScalarTexts {
    /// # Errors
    /// A type without a text.
    pub(crate) fn new(fields: &[FieldRef], plain_decimals: bool) -> Result<Self> {
        let none = TableOptions::default();
        let options = JsonOptions::read(&mut OptionReader::new("format 'json'", None, &none));
        let mut options = options.ok_or_else(|| Error::bug("the json format has no defaults"))?;
        options.decimal_as_plain_number = plain_decimals;
        let is_text = |field: &FieldRef| {
            matches!(
                field.data_type(),
                DataType::Utf8 | DataType::Binary | DataType::Date32 | DataType::Time64(_) | DataType::Timestamp(_, _)
            )
        };
        Ok(Self { program: Program::of_fields(fields, &options)?, is_text: fields.iter().map(is_text).collect() })
    }

    /// # Errors
    /// A bug: columns of other types.
    pub(crate) fn bind<'a>(&'a self, columns: &'a [ArrayRef]) -> Result<BoundTexts<'a>> {
        let Program::Row { members, skip_nulls } = &self.program else {
            return Err(Error::bug("a program of columns that is no row"));
        };
        Ok(BoundTexts { row: Row::bind(members, *skip_nulls, columns)?, is_text: &self.is_text })
    }
}

impl BoundTexts<'_> {
    pub(crate) fn is_null(&self, row: usize, column: usize) -> bool {
        self.row.column(column).is_none_or(|column| column.is_null(row))
    }

    /// Whether the column's values are texts, which may need quotes.
    pub(crate) fn is_text(&self, column: usize) -> bool {
        self.is_text.get(column).copied().unwrap_or(false)
    }

    /// Appends a value that is not NULL.
    ///
    /// # Errors
    /// A value without a text.
    pub(crate) fn write(&self, row: usize, column: usize, out: &mut Vec<u8>) -> Result<()> {
        let Some(column) = self.row.column(column) else { return Ok(()) };
        if let Some(text) = column.text(row) {
            out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        let start = out.len();
        column.write(row, out)?;
        if out.get(start) == Some(&b'"') {
            out.remove(start);
            out.pop();
        }
        Ok(())
    }
}
