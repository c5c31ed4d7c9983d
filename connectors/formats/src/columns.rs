//! Texts to typed columns, for formats that read text.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BinaryArray, StringArray};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sluice_model::Error;

/// Rows of a batch that is read.
pub(crate) const BATCH_ROWS: usize = 8192;

/// A text that is no value of its column's type.
#[derive(Debug)]
pub(crate) struct Unfit {
    /// Its row.
    pub(crate) row: usize,
    pub(crate) text: String,
}

/// The column of texts in the type of `field`; with `ignore` a text that does not fit becomes NULL.
pub(crate) fn into_column(texts: &StringArray, field: &Field, ignore: bool) -> Result<ArrayRef, Unfit> {
    let column: ArrayRef = match field.data_type() {
        DataType::Utf8 => return Ok(Arc::new(texts.clone())),
        DataType::Binary => {
            let bytes = texts.iter().map(|text| text.and_then(|text| STANDARD.decode(text).ok()));
            Arc::new(bytes.collect::<BinaryArray>())
        }
        data_type => {
            let options = CastOptions { safe: true, ..CastOptions::default() };
            match cast_with_options(texts, data_type, &options) {
                Ok(column) => column,
                Err(_) => return Err(unfit(texts, 0)),
            }
        }
    };
    if !ignore && column.null_count() > texts.null_count() {
        let row = (0..texts.len()).find(|row| column.is_null(*row) && !texts.is_null(*row));
        return Err(unfit(texts, row.unwrap_or(0)));
    }
    Ok(column)
}

fn unfit(texts: &StringArray, row: usize) -> Unfit {
    let text = if row < texts.len() && texts.is_valid(row) { texts.value(row).to_owned() } else { String::new() };
    Unfit { row, text }
}

/// What a column is read as where bytes are written in Base64.
pub(crate) fn as_base64_text(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Binary => DataType::Utf8,
        other => other.clone(),
    }
}

pub(crate) fn unreadable(name: &str, error: &std::io::Error) -> Error {
    Error::fix(format!("file '{name}' cannot be read")).because(error.to_string())
}
