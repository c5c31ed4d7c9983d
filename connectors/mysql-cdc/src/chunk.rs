//! Chunks of a table: ranges of its chunk key, with bounds that the server chose.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A value of the chunk key, as the server writes it.
///
/// ```text
/// INT         8097
/// VARCHAR     the text in UTF-8
/// VARBINARY   the bytes
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Bound(Vec<u8>);

impl Bound {
    /// A bound from the bytes of a text result.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// An integer bound.
    pub(crate) fn of_int(value: i128) -> Self {
        Self(value.to_string().into_bytes())
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The number of an integer key.
    pub(crate) fn to_int(&self) -> Option<i128> {
        std::str::from_utf8(&self.0).ok()?.parse().ok()
    }
}

impl Serialize for Bound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) if !text.starts_with("\\x") => serializer.serialize_str(text),
            _ => serializer.serialize_str(&format!("\\x{}", hex(&self.0))),
        }
    }
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let Some(digits) = text.strip_prefix("\\x") else {
            return Ok(Self(text.into_bytes()));
        };
        let byte = |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
        bytes.map(Self).ok_or_else(|| de::Error::custom("a bound is not hexadecimal"))
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Keys from `start` (inclusive) to `end` (exclusive); `None` is open.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Range {
    /// First key.
    pub(crate) start: Option<Bound>,
    /// First key behind.
    pub(crate) end: Option<Bound>,
}

impl Range {
    /// All keys.
    pub(crate) const ALL: Self = Self { start: None, end: None };
}

/// Names a chunk that is being read.
pub(crate) type ChunkId = u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_survive_json_whatever_their_bytes() {
        for bytes in [&b"8097"[..], b"", "é".as_bytes(), &[0xff, 0x00, 0x80], b"\\x41"] {
            let bound = Bound::new(bytes.to_vec());
            let json = serde_json::to_string(&bound).unwrap();
            assert_eq!(serde_json::from_str::<Bound>(&json).unwrap(), bound, "{json}");
        }
        assert!(serde_json::from_str::<Bound>("\"\\\\xzz\"").is_err());
    }

    #[test]
    fn integers_are_exact() {
        assert_eq!(Bound::of_int(i128::from(u64::MAX)).to_int(), Some(i128::from(u64::MAX)));
        assert_eq!(Bound::new(b"x".to_vec()).to_int(), None);
    }
}
