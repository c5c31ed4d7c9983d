//! Changelogs as text, for tests that read like changelogs.
//!
//! ```
//! use sluice_model::{from_pretty, to_pretty};
//! let batch = from_pretty("id INT, name STRING", "+I 1 a / -D 1 a / +I 2 NULL");
//! assert_eq!(to_pretty(&batch), "+I 1 a / -D 1 a / +I 2 NULL");
//! ```
//!
//! Values are separated by blanks and rows by ` / ` or new lines; a value with blanks is written
//! in single quotes.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};

use crate::{ChangelogBatch, Column, RowKind, RowKinds, SqlType, TableSchema};

/// Reads a batch. `columns` is `name TYPE, …` with the simple types; kinds may be left out (`+I`).
///
/// # Panics
/// On text that is not of this form: it is for tests.
#[allow(clippy::expect_used, clippy::panic, reason = "a test helper reports by panicking")]
pub fn from_pretty(columns: &str, rows: &str) -> ChangelogBatch {
    let schema = parse_columns(columns).to_arrow();
    let mut kinds = Vec::new();
    let mut cells: Vec<Vec<Option<String>>> = vec![Vec::new(); schema.fields().len()];
    for line in rows.split('\n').flat_map(|line| line.split(" / ")).map(str::trim).filter(|line| !line.is_empty()) {
        let mut values = split_values(line);
        let kind = values.first().and_then(|first| RowKind::from_symbol(first.as_deref()?));
        if kind.is_some() {
            values.remove(0);
        }
        kinds.push(kind.unwrap_or(RowKind::Insert) as u8);
        assert_eq!(values.len(), cells.len(), "row '{line}' does not fit columns '{columns}'");
        for (column, value) in cells.iter_mut().zip(values) {
            column.push(value);
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(kinds.len()));
    let arrays = cells
        .into_iter()
        .zip(schema.fields())
        .map(|(values, field)| {
            let text: ArrayRef = Arc::new(StringArray::from(values));
            let strict = arrow_cast::CastOptions { safe: false, ..Default::default() };
            arrow_cast::cast_with_options(&text, field.data_type(), &strict).expect("a value of its column's type")
        })
        .collect();
    let record_batch = RecordBatch::try_new_with_options(schema, arrays, &options).expect("columns of one length");
    let is_append = kinds.iter().all(|kind| *kind == RowKind::Insert as u8);
    ChangelogBatch::try_new(record_batch, (!is_append).then(|| RowKinds::from(kinds))).expect("one kind a row")
}

/// Prints a batch in the form that [`from_pretty`] reads.
#[allow(clippy::expect_used, reason = "a test helper reports by panicking")]
pub fn to_pretty(batch: &ChangelogBatch) -> String {
    let options = FormatOptions::new().with_null("NULL");
    let columns: Vec<_> = batch
        .rows()
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).expect("a printable type"))
        .collect();
    let rows: Vec<String> = (0..batch.num_rows())
        .map(|row| {
            let mut line = batch.kind(row).to_string();
            for column in &columns {
                let value = column.value(row).to_string();
                let quote = if value.contains(' ') || value.is_empty() { "'" } else { "" };
                line.push_str(&format!(" {quote}{value}{quote}"));
            }
            line
        })
        .collect();
    rows.join(" / ")
}

#[allow(clippy::panic, reason = "a test helper reports by panicking")]
fn parse_columns(columns: &str) -> TableSchema {
    let columns = columns
        .split(", ")
        .map(|column| {
            let (name, data_type) = column.trim().split_once(' ').unwrap_or_else(|| panic!("'{column}' has no type"));
            Column::new(name, parse_type(data_type))
        })
        .collect();
    TableSchema::new(columns)
}

#[allow(clippy::panic, reason = "a test helper reports by panicking")]
fn parse_type(text: &str) -> SqlType {
    match text {
        "BOOLEAN" => SqlType::Boolean,
        "TINYINT" => SqlType::TinyInt,
        "SMALLINT" => SqlType::SmallInt,
        "INT" => SqlType::Int,
        "BIGINT" => SqlType::BigInt,
        "FLOAT" => SqlType::Float,
        "DOUBLE" => SqlType::Double,
        "STRING" => SqlType::STRING,
        "DATE" => SqlType::Date,
        "TIMESTAMP" => SqlType::Timestamp(6),
        "TIMESTAMP(3)" => SqlType::Timestamp(3),
        "TIMESTAMP_LTZ" => SqlType::TimestampLtz(6),
        decimal if decimal.starts_with("DECIMAL(") => {
            let inner = decimal.trim_start_matches("DECIMAL(").trim_end_matches(')');
            let (precision, scale) = inner.split_once(',').unwrap_or((inner, "0"));
            let number = |text: &str| text.trim().parse().unwrap_or_else(|_| panic!("'{decimal}' is not a type"));
            SqlType::Decimal(number(precision), number(scale))
        }
        other => panic!("'{other}' is not a type that tests can write"),
    }
}

fn split_values(line: &str) -> Vec<Option<String>> {
    let mut values = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (value, quoted, tail) = match rest.strip_prefix('\'') {
            Some(inner) => {
                let end = inner.find('\'').unwrap_or(inner.len());
                (&inner[..end], true, inner.get(end + 1..).unwrap_or(""))
            }
            None => {
                let end = rest.find(' ').unwrap_or(rest.len());
                (&rest[..end], false, &rest[end..])
            }
        };
        values.push((quoted || value != "NULL").then(|| value.to_owned()));
        rest = tail.trim_start();
    }
    values
}
