//! From a [`Fault`] of one cell to an error a reader can act on.

use crate::column::TargetColumn;
use crate::error::{DecodeError, ErrorKind};
use crate::value::Fault;

/// The error for `fault` in `column`.
pub(crate) fn explain(fault: Fault, column: &TargetColumn) -> DecodeError {
    let source = column.source.type_text();
    let target = &column.target;
    let value = |what: String| DecodeError::new(ErrorKind::Value, what);
    let error = match fault {
        Fault::Truncated => DecodeError::malformed(format!("the row ends in the middle of a {source} value")),
        Fault::Malformed => DecodeError::malformed(format!("the bytes of a {source} value are not one")),
        Fault::Null => value("the value is NULL, but the column is declared NOT NULL".into())
            .with_hint("declare the column without NOT NULL"),
        Fault::Range => value(format!("a {source} value does not fit into {target}")).with_hint("declare a wider type"),
        Fault::ZeroDate => value(format!("a {source} value is a zero or partial date, and the column is NOT NULL"))
            .with_hint(
                "declare the column without NOT NULL (such dates become NULL), or as STRING (they stay as they are)",
            ),
        Fault::NotTimeOfDay => value(format!("a {source} value is not between 00:00:00 and 24:00:00"))
            .with_hint("TIME in MySQL is an interval of up to ±838 hours; declare the column as STRING"),
        Fault::Label => DecodeError::schema(format!("a {source} value has no label in the declared list"))
            .with_hint("the table has changed; read its columns again"),
        Fault::Nanoseconds => value(format!("a {source} value is outside 1677 to 2262, the range of nanoseconds"))
            .with_hint("declare a precision of at most 6"),
        Fault::BatchFull => DecodeError::new(ErrorKind::Limit, "the text of one batch is larger than 2 GiB")
            .with_hint("finish batches earlier, see `RowBatchBuilder::byte_size`"),
        Fault::Absent => DecodeError::new(ErrorKind::MissingColumn, "the row image lacks the column")
            .with_hint("set binlog_row_image=FULL globally and in every session that writes"),
        Fault::Mismatch => DecodeError::schema("the batch builder was made for other columns than the decoder"),
    };
    error.in_column(column.source.name.clone())
}

/// The error for bytes that are no text, with the bytes.
pub(crate) fn invalid_text(bytes: &[u8], column: &TargetColumn) -> DecodeError {
    let mut hex: String = bytes.iter().take(32).map(|byte| format!("{byte:02x}")).collect();
    if bytes.len() > 32 {
        hex.push('…');
    }
    let what = format!(
        "a {} value is not valid in character set {}: 0x{hex}",
        column.source.type_text(),
        column.source.charset.name()
    );
    DecodeError::new(ErrorKind::Value, what)
        .in_column(column.source.name.clone())
        .with_hint("the server stored bytes that are no text; store them in a VARBINARY column and declare BYTES")
}
