//! Why one value could not be decoded. Small, because every cell returns one on the hot path.

use crate::cursor::Truncated;

/// Result of putting one value into a column.
pub(crate) type Put = std::result::Result<(), Fault>;

/// Result of reading one value.
pub(crate) type Decoded<T> = std::result::Result<T, Fault>;

/// What is wrong with one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The row ends in the middle of the value.
    Truncated,
    /// The bytes are not a value of the type.
    Malformed,
    /// NULL for a column that is declared NOT NULL.
    Null,
    /// The number is outside the range of the target type.
    Range,
    /// A zero or partial date for a column that is declared NOT NULL.
    ZeroDate,
    /// A TIME that is not a time of day.
    NotTimeOfDay,
    /// An ENUM index or SET bit without a label.
    Label,
    /// The timestamp does not fit into nanoseconds.
    Nanoseconds,
    /// The column's text of one batch is larger than 2 GiB.
    BatchFull,
    /// The row image lacks the column.
    Absent,
    /// The batch builder was made for other columns.
    Mismatch,
}

impl From<Truncated> for Fault {
    #[inline]
    fn from(_: Truncated) -> Self {
        Self::Truncated
    }
}
