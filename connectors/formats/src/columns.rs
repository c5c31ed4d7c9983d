//! Texts to typed columns, for formats that read text.

use std::borrow::Cow;
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
            let has_exponent = |text: &str| text.contains(['e', 'E']);
            let plain = match data_type {
                DataType::Decimal128(..) if texts.iter().flatten().any(has_exponent) => {
                    &texts.iter().map(|text| text.map(plain_decimal)).collect::<StringArray>()
                }
                _ => texts,
            };
            match cast_with_options(plain, data_type, &options) {
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

/// A decimal without its exponent, as it is written by default: `1.5E+3` is `1500`. Any other text stays.
fn plain_decimal(text: &str) -> Cow<'_, str> {
    let plain = || {
        let (mantissa, exponent) = text.split_once(['e', 'E'])?;
        let exponent: i64 = exponent.parse().ok().filter(|exponent: &i64| exponent.abs() < 100)?;
        let unsigned = mantissa.trim_start_matches(['-', '+']);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = format!("{whole}{fraction}");
        let sign = if mantissa.starts_with('-') { "-" } else { "" };
        let point = whole.len() as i64 + exponent;
        Some(match usize::try_from(point) {
            Ok(point) if point < digits.len() => format!("{sign}{}.{}", &digits[..point], &digits[point..]),
            Ok(point) => format!("{sign}{digits}{}", "0".repeat(point - digits.len())),
            Err(_) => format!("{sign}0.{}{digits}", "0".repeat(point.unsigned_abs() as usize)),
        })
    };
    plain().map_or(Cow::Borrowed(text), Cow::Owned)
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

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Decimal128Type;

    use super::*;

    #[test]
    fn decimals_may_have_exponents() {
        let texts = ["1E+2", "-1.25e1", "15E-1", "0E-2", "7", "1.5E-3", "12.5E+1"];
        let column =
            into_column(&StringArray::from(texts.to_vec()), &Field::new("d", DataType::Decimal128(7, 2), true), false)
                .unwrap();
        let values: Vec<_> = column.as_primitive::<Decimal128Type>().values().to_vec();
        assert_eq!(values, [10_000, -1_250, 150, 0, 700, 0, 12_500]);
        let wrong = StringArray::from(vec!["1E+2", "1Ex"]);
        assert!(into_column(&wrong, &Field::new("d", DataType::Decimal128(7, 2), true), false).is_err());
    }
}
