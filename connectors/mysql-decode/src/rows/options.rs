//! What decoding depends on besides the columns.

use std::fmt;
use std::sync::Arc;

/// Options of the decoders.
#[derive(Debug, Clone, Default)]
pub struct DecodeOptions {
    /// Local time of the server, for TIMESTAMP columns whose target has no time zone. UTC by default.
    pub utc_offset: UtcOffset,
}

/// What a time zone adds to UTC.
#[derive(Clone)]
pub enum UtcOffset {
    /// Always the same number of microseconds.
    Fixed(i64),
    /// A function from microseconds since 1970 in UTC to the offset in microseconds at that time.
    Zone(Arc<dyn Fn(i64) -> i64 + Send + Sync>),
}

impl UtcOffset {
    /// The offset, in microseconds, at `utc`, in microseconds since 1970.
    pub fn at(&self, utc: i64) -> i64 {
        match self {
            Self::Fixed(offset) => *offset,
            Self::Zone(offset) => offset(utc),
        }
    }
}

impl Default for UtcOffset {
    fn default() -> Self {
        Self::Fixed(0)
    }
}

impl fmt::Debug for UtcOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(offset) => write!(f, "Fixed({offset})"),
            Self::Zone(_) => f.write_str("Zone(…)"),
        }
    }
}
