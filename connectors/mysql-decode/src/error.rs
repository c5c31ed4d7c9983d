//! The one error of this crate: what happened, where, and what the reader can do about it.

use std::fmt;

/// Shorthand used throughout the crate.
pub type Result<T> = std::result::Result<T, DecodeError>;

/// Why decoding stopped, in the terms of the reaction it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The bytes contradict their own layout: cut off, or a length points outside. Reading them again may help.
    Malformed,
    /// The CRC32 trailer of an event does not match its bytes. Reading them again may help.
    Checksum,
    /// Valid in the protocol, but not decoded by this crate. The job must change, or the server's settings.
    Unsupported,
    /// The declared columns and the table the rows were written for differ.
    Schema,
    /// A needed column is missing from the row image, because the server logs partial images.
    MissingColumn,
    /// One value cannot be held by the declared target column.
    Value,
    /// An input is larger than its limit.
    Limit,
    /// The server itself says that its log has a gap.
    Incident,
}

/// An input that cannot be decoded.
///
/// Prints as `<what> (table `db.t`, column `c`, binlog position 4711); hint: <fix>`, leaving out what is not known.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(Box<Report>);

#[derive(Debug)]
struct Report {
    kind: ErrorKind,
    what: String,
    table: Option<String>,
    column: Option<String>,
    position: Option<u64>,
    hint: Option<String>,
}

impl DecodeError {
    /// A new error; `what` is a lower-case sentence without a full stop.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        let report = Report { kind, what: what.into(), table: None, column: None, position: None, hint: None };
        Self(Box::new(report))
    }

    pub(crate) fn malformed(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Malformed, what)
    }

    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, what)
    }

    pub(crate) fn schema(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Schema, what)
    }

    /// Names the table, unless an inner error already did.
    pub fn in_table(mut self, table: impl Into<String>) -> Self {
        self.0.table.get_or_insert_with(|| table.into());
        self
    }

    /// Names the column, unless an inner error already did.
    pub fn in_column(mut self, column: impl Into<String>) -> Self {
        self.0.column.get_or_insert_with(|| column.into());
        self
    }

    /// Adds the position in the binlog file of the event's first byte, unless it is already known.
    pub fn at_position(mut self, position: Option<u64>) -> Self {
        self.0.position = self.0.position.or(position);
        self
    }

    /// Adds what the reader can do about it.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// `database.table`, when the error belongs to one.
    pub fn table(&self) -> Option<&str> {
        self.0.table.as_deref()
    }

    /// The column, when the error belongs to one.
    pub fn column(&self) -> Option<&str> {
        self.0.column.as_deref()
    }

    /// Position of the event in its binlog file, when the event header told it.
    pub fn position(&self) -> Option<u64> {
        self.0.position
    }

    /// The fix, when there is one to suggest.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut separator = " (";
        if let Some(table) = &self.table {
            write!(f, "{separator}table `{table}`")?;
            separator = ", ";
        }
        if let Some(column) = &self.column {
            write!(f, "{separator}column `{column}`")?;
            separator = ", ";
        }
        if let Some(position) = self.position {
            write!(f, "{separator}binlog position {position}")?;
            separator = ", ";
        }
        if separator == ", " {
            f.write_str(")")?;
        }
        match &self.hint {
            Some(hint) => write!(f, "; hint: {hint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_where_and_the_fix() {
        let error = DecodeError::schema("the row has 3 columns, the table has 4")
            .in_table("shop.orders")
            .at_position(Some(4711))
            .with_hint("restart the job");
        assert_eq!(
            error.to_string(),
            "the row has 3 columns, the table has 4 (table `shop.orders`, binlog position 4711); hint: restart the job"
        );
        assert_eq!(DecodeError::malformed("cut off").to_string(), "cut off");
    }

    #[test]
    fn the_innermost_place_wins() {
        let error = DecodeError::malformed("cut off").in_column("a").in_column("b").at_position(Some(1));
        assert_eq!(error.column(), Some("a"));
        assert_eq!(error.at_position(Some(9)).position(), Some(1));
    }
}
