//! The four kinds of a changelog row, with Flink's byte values.

use std::fmt;

use arrow_buffer::ScalarBuffer;

/// What one row of a changelog does to the table it describes.
///
/// The byte values are Flink's (`org.apache.flink.types.RowKind`), so that they can be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum RowKind {
    /// `+I`: a new row.
    Insert = 0,
    /// `-U`: the old content of a row that is being updated.
    UpdateBefore = 1,
    /// `+U`: the new content of an updated row.
    UpdateAfter = 2,
    /// `-D`: the content of a row that is gone.
    Delete = 3,
}

impl RowKind {
    /// The kind of a byte of [`RowKinds`]; `None` above 3.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Insert),
            1 => Some(Self::UpdateBefore),
            2 => Some(Self::UpdateAfter),
            3 => Some(Self::Delete),
            _ => None,
        }
    }

    /// True for `+I` and `+U`: the row is in the table afterwards.
    pub const fn is_addition(self) -> bool {
        matches!(self, Self::Insert | Self::UpdateAfter)
    }

    /// Flink's two-character form: `+I`, `-U`, `+U`, `-D`.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Insert => "+I",
            Self::UpdateBefore => "-U",
            Self::UpdateAfter => "+U",
            Self::Delete => "-D",
        }
    }

    /// The reverse of [`RowKind::symbol`].
    pub fn from_symbol(symbol: &str) -> Option<Self> {
        match symbol {
            "+I" => Some(Self::Insert),
            "-U" => Some(Self::UpdateBefore),
            "+U" => Some(Self::UpdateAfter),
            "-D" => Some(Self::Delete),
            _ => None,
        }
    }
}

impl fmt::Display for RowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol())
    }
}

/// One [`RowKind`] byte per row of a batch, shared and sliced without copying.
pub type RowKinds = ScalarBuffer<u8>;
