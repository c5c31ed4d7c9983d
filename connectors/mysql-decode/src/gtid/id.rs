//! The parts of one MySQL GTID: server uuid, optional tag, number.

use std::fmt;
use std::str::FromStr;

use crate::error::{DecodeError, ErrorKind, Result};

/// `server_uuid` of a MySQL server. Prints in lower case with hyphens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ServerUuid(pub [u8; 16]);

impl ServerUuid {
    /// All zero: the uuid of an anonymous transaction.
    pub const NIL: Self = Self([0; 16]);
}

impl fmt::Display for ServerUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for ServerUuid {
    type Err = DecodeError;

    /// Accepts any case, with or without hyphens and braces, as the server does.
    fn from_str(text: &str) -> Result<Self> {
        let invalid = || DecodeError::malformed(format!("`{text}` is not a server uuid"));
        let inner = text.trim();
        let inner = inner.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(inner);
        let mut bytes = [0; 16];
        let mut digits = 0;
        for c in inner.chars().filter(|c| *c != '-') {
            let digit = c.to_digit(16).ok_or_else(invalid)?;
            let byte = bytes.get_mut(digits / 2).ok_or_else(invalid)?;
            *byte = *byte << 4 | digit as u8;
            digits += 1;
        }
        if digits == 32 { Ok(Self(bytes)) } else { Err(invalid()) }
    }
}

/// Tag of a GTID (MySQL 8.3 and later): up to 32 of `a-z`, `0-9` and `_`, not starting with a digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Box<str>);

impl Tag {
    /// Checks and lower-cases `text`.
    pub fn new(text: &str) -> Result<Self> {
        let tag = text.trim().to_ascii_lowercase();
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if tag.is_empty() || tag.len() > 32 || !tag.chars().all(valid) || tag.starts_with(|c: char| c.is_ascii_digit())
        {
            return Err(DecodeError::malformed(format!("`{text}` is not a gtid tag"))
                .with_hint("a tag has up to 32 letters, digits and underscores, and does not start with a digit"));
        }
        Ok(Self(tag.into_boxed_str()))
    }

    /// The tag in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who numbers the transactions: a server, or one tag of a server. Orders untagged before tagged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GtidSource {
    /// The server on which the transactions were first executed.
    pub uuid: ServerUuid,
    /// Tag, if any.
    pub tag: Option<Tag>,
}

/// One MySQL transaction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gtid {
    /// Who numbered it.
    pub source: GtidSource,
    /// Its number, from 1.
    pub number: u64,
}

impl Gtid {
    /// An untagged id.
    pub fn new(uuid: ServerUuid, number: u64) -> Self {
        Self { source: GtidSource { uuid, tag: None }, number }
    }
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.source.uuid)?;
        if let Some(tag) = &self.source.tag {
            write!(f, "{}:", tag.as_str())?;
        }
        write!(f, "{}", self.number)
    }
}

impl FromStr for Gtid {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || DecodeError::new(ErrorKind::Malformed, format!("`{text}` is not a gtid"));
        let mut parts = text.trim().split(':');
        let uuid = parts.next().ok_or_else(invalid)?.parse()?;
        let second = parts.next().ok_or_else(invalid)?;
        let (tag, number) = match parts.next() {
            Some(number) => (Some(Tag::new(second)?), number),
            None => (None, second),
        };
        let number: u64 = number.trim().parse().map_err(|_| invalid())?;
        if parts.next().is_some() || number == 0 {
            return Err(invalid());
        }
        Ok(Self { source: GtidSource { uuid, tag }, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_and_print_alike() {
        for text in ["3e11fa47-71ca-11e1-9e33-c80aa9429562:23", "3e11fa47-71ca-11e1-9e33-c80aa9429562:nightly_job:1"] {
            assert_eq!(text.parse::<Gtid>().unwrap().to_string(), text);
        }
        let loud: Gtid = " 3E11FA4771CA11E19E33C80AA9429562:Tag:7 ".parse().unwrap();
        assert_eq!(loud.to_string(), "3e11fa47-71ca-11e1-9e33-c80aa9429562:tag:7");
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        for text in ["", "1:2", &format!("{uuid}:0"), &format!("{uuid}:1-2"), &format!("{uuid}:1a:2"), uuid] {
            assert!(text.parse::<Gtid>().is_err(), "{text}");
        }
    }
}
