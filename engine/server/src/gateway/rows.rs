//! Rows in the gateway's JSON: `{"kind":"INSERT","fields":[1,"a",null]}`.
//!
//! With `rowFormat=JSON` values keep their types: numbers are numbers with all their digits,
//! timestamps ISO 8601, bytes Base64. With `PLAIN_TEXT` every field is the text that the client shows.

use std::fmt::Write;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float32Type, Float64Type};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono_tz::Tz;
use serde_json::Value;
use sluice_model::{ChangelogBatch, Column, Error, Result, RowKind, SqlType};

use crate::cells::{self, CellFormatter};

/// How fields are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowFormat {
    Json,
    PlainText,
}

impl RowFormat {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::PlainText => "PLAIN_TEXT",
        }
    }
}

fn kind_name(kind: RowKind) -> &'static str {
    match kind {
        RowKind::Insert => "INSERT",
        RowKind::UpdateBefore => "UPDATE_BEFORE",
        RowKind::UpdateAfter => "UPDATE_AFTER",
        RowKind::Delete => "DELETE",
    }
}

/// Appends the rows of a batch, separated by commas.
pub(super) fn push_batch(
    json: &mut String,
    batch: &ChangelogBatch,
    columns: &[Column],
    formatter: &CellFormatter,
    zone: &str,
    format: RowFormat,
) -> Result<()> {
    match format {
        RowFormat::PlainText => {
            for (row, text) in formatter.rows(batch)?.into_iter().enumerate() {
                begin(json, batch.kind(row));
                push_texts(json, &text.cells);
                json.push_str("]}");
            }
        }
        RowFormat::Json => {
            let zone = sluice_sql::time_zone(zone).unwrap_or(Tz::UTC);
            for row in 0..batch.num_rows() {
                begin(json, batch.kind(row));
                for (index, (array, column)) in batch.rows().columns().iter().zip(columns).enumerate() {
                    comma(json, index);
                    push_field(json, array.as_ref(), row, &column.data_type, zone)?;
                }
                json.push_str("]}");
            }
        }
    }
    Ok(())
}

/// Appends rows of text as insertions.
pub(super) fn push_text_rows(json: &mut String, rows: &[Vec<Option<String>>]) {
    for row in rows {
        begin(json, RowKind::Insert);
        push_texts(json, row);
        json.push_str("]}");
    }
}

fn begin(json: &mut String, kind: RowKind) {
    if !json.is_empty() {
        json.push(',');
    }
    let _ = write!(json, "{{\"kind\":\"{}\",\"fields\":[", kind_name(kind));
}

fn comma(json: &mut String, index: usize) {
    if index > 0 {
        json.push(',');
    }
}

fn push_texts(json: &mut String, cells: &[Option<String>]) {
    for (index, cell) in cells.iter().enumerate() {
        comma(json, index);
        match cell {
            None => json.push_str("null"),
            Some(text) => push_string(json, text),
        }
    }
}

fn push_string(json: &mut String, text: &str) {
    let _ = write!(json, "{}", Value::from(text));
}

fn push_field(json: &mut String, array: &dyn Array, row: usize, data_type: &SqlType, zone: Tz) -> Result<()> {
    if array.is_null(row) || *data_type == SqlType::Null {
        json.push_str("null");
        return Ok(());
    }
    let misfit = || Error::bug(format!("a column of type {data_type} holds {}", array.data_type()));
    match data_type {
        SqlType::Boolean => {
            let _ = write!(json, "{}", array.as_boolean_opt().ok_or_else(misfit)?.value(row));
        }
        SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt => {
            let _ = write!(json, "{}", cells::integer(array, row).ok_or_else(misfit)?);
        }
        SqlType::Decimal(..) => {
            json.push_str(&array.as_primitive_opt::<Decimal128Type>().ok_or_else(misfit)?.value_as_string(row));
        }
        SqlType::Float => {
            let value = array.as_primitive_opt::<Float32Type>().ok_or_else(misfit)?.value(row);
            push_number(json, value.is_finite(), |text| cells::push_float(text, value));
        }
        SqlType::Double => {
            let value = array.as_primitive_opt::<Float64Type>().ok_or_else(misfit)?.value(row);
            push_number(json, value.is_finite(), |text| cells::push_double(text, value));
        }
        SqlType::Char(_) | SqlType::VarChar(_) => push_string(json, cells::string(array, row).ok_or_else(misfit)?),
        SqlType::Binary(_) | SqlType::VarBinary(_) => {
            push_string(json, &STANDARD.encode(cells::binary(array, row).ok_or_else(misfit)?));
        }
        SqlType::Timestamp(precision) => {
            let text = cells::timestamp(array, row, *precision, None).ok_or_else(misfit)?;
            push_string(json, &text.replacen(' ', "T", 1));
        }
        SqlType::TimestampLtz(precision) => {
            let text = cells::timestamp(array, row, *precision, Some(Tz::UTC)).ok_or_else(misfit)?;
            push_string(json, &format!("{}Z", text.replacen(' ', "T", 1)));
        }
        SqlType::Array(_) | SqlType::Map(..) | SqlType::Row(_) => push_nested(json, array, row, data_type, zone)?,
        _ => {
            let mut text = String::new();
            cells::push_value(&mut text, array, row, data_type, zone)?;
            push_string(json, &text);
        }
    }
    Ok(())
}

/// A finite number as it is; what JSON has no number for as a string.
fn push_number(json: &mut String, finite: bool, push: impl FnOnce(&mut String)) {
    if finite {
        push(json);
    } else {
        json.push('"');
        push(json);
        json.push('"');
    }
}

fn push_nested(json: &mut String, array: &dyn Array, row: usize, data_type: &SqlType, zone: Tz) -> Result<()> {
    let misfit = || Error::bug(format!("a column of type {data_type} holds {}", array.data_type()));
    match data_type {
        SqlType::Array(element) => {
            let items = array.as_list_opt::<i32>().ok_or_else(misfit)?.value(row);
            json.push('[');
            for item in 0..items.len() {
                comma(json, item);
                push_field(json, items.as_ref(), item, element, zone)?;
            }
            json.push(']');
        }
        SqlType::Map(key, value) => {
            let entries = array.as_map_opt().ok_or_else(misfit)?.value(row);
            json.push('{');
            for entry in 0..entries.len() {
                comma(json, entry);
                let mut name = String::new();
                cells::push_value(&mut name, entries.column(0).as_ref(), entry, key, zone)?;
                push_string(json, &name);
                json.push(':');
                push_field(json, entries.column(1).as_ref(), entry, value, zone)?;
            }
            json.push('}');
        }
        SqlType::Row(fields) => {
            let record = array.as_struct_opt().ok_or_else(misfit)?;
            json.push('{');
            for (index, ((name, field), column)) in fields.iter().zip(record.columns()).enumerate() {
                comma(json, index);
                push_string(json, name);
                json.push(':');
                push_field(json, column.as_ref(), row, field, zone)?;
            }
            json.push('}');
        }
        _ => return Err(misfit()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sluice_model::from_pretty;

    use super::*;

    fn json(columns: &[Column], batch: &ChangelogBatch, format: RowFormat) -> String {
        let mut json = String::new();
        let formatter = CellFormatter::new(columns, "UTC");
        push_batch(&mut json, batch, columns, &formatter, "UTC", format).unwrap();
        json
    }

    #[test]
    fn values_keep_their_types() {
        let batch = from_pretty(
            "id BIGINT, name STRING, price DECIMAL(38,2), x DOUBLE, t TIMESTAMP",
            "-U 1 'a\"b' 123456789012345678901234567890123456.78 1e300 '2021-04-13 20:12:11.5' / +U 2 NULL 0.10 1 NULL",
        );
        let columns = [
            Column::new("id", SqlType::BigInt),
            Column::new("name", SqlType::STRING),
            Column::new("price", SqlType::Decimal(38, 2)),
            Column::new("x", SqlType::Double),
            Column::new("t", SqlType::Timestamp(6)),
        ];
        assert_eq!(
            json(&columns, &batch, RowFormat::Json),
            concat!(
                r#"{"kind":"UPDATE_BEFORE","fields":[1,"a\"b",123456789012345678901234567890123456.78,1.0E300,"#,
                r#""2021-04-13T20:12:11.500000"]},"#,
                r#"{"kind":"UPDATE_AFTER","fields":[2,null,0.10,1.0,null]}"#
            )
        );
        let plain = json(&columns[..1], &batch.project(&[0]).unwrap(), RowFormat::PlainText);
        assert_eq!(plain, r#"{"kind":"UPDATE_BEFORE","fields":["1"]},{"kind":"UPDATE_AFTER","fields":["2"]}"#);
    }
}
