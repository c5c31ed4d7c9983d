//! How a value stands in a cell.

use std::borrow::Cow;

use sluice_model::{Column, SqlType};

use crate::width;

/// What NULL is shown as in the rows of a query.
pub(super) const NULL: &str = "<NULL>";

/// Columns that hold any value of a type, by Flink's table; other types get `widest`.
///
/// Source: `PrintStyle.tableauWithTypeInferredColumnWidths`.
pub(super) fn column_width(column: &Column, widest: usize) -> usize {
    let of_type = match &column.data_type {
        SqlType::TinyInt => 4,
        SqlType::SmallInt => 6,
        SqlType::Int => 11,
        SqlType::BigInt => 20,
        SqlType::Decimal(precision, _) => usize::from(*precision) + 2,
        SqlType::Boolean => 5,
        SqlType::Date => 10,
        SqlType::Time(_) => 8,
        SqlType::Timestamp(precision) | SqlType::TimestampLtz(precision) => match precision {
            0 => 19,
            1..=3 => 23,
            4..=6 => 26,
            _ => 29,
        },
        _ => widest,
    };
    of_type.max(NULL.len()).max(width::of(&column.name))
}

/// The text of a cell: line breaks and other control characters would break the frame, or more than that.
pub(super) fn shown(cell: Option<&str>) -> Cow<'_, str> {
    match cell {
        None => Cow::Borrowed(NULL),
        Some(text) => printable(text),
    }
}

/// `text` without control characters; an escape sequence in a row must not reach the terminal.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => clean.push_str("\\n"),
            '\r' => clean.push_str("\\r"),
            '\t' => clean.push_str("\\t"),
            c if c.is_control() => clean.extend(c.escape_unicode()),
            c => clean.push(c),
        }
    }
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_flinks() {
        let width = |data_type| column_width(&Column::new("c", data_type), 30);
        assert_eq!(width(SqlType::TinyInt), 6);
        assert_eq!(width(SqlType::Int), 11);
        assert_eq!(width(SqlType::BigInt), 20);
        assert_eq!(width(SqlType::Decimal(10, 2)), 12);
        assert_eq!(width(SqlType::Timestamp(3)), 23);
        assert_eq!(width(SqlType::TimestampLtz(6)), 26);
        assert_eq!(width(SqlType::STRING), 30);
        assert_eq!(column_width(&Column::new("a_long_name_of_a_boolean", SqlType::Boolean), 30), 24);
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        assert_eq!(printable("a\nb\x1b[31mc"), "a\\nb\\u{1b}[31mc");
        assert_eq!(shown(None), "<NULL>");
    }
}
