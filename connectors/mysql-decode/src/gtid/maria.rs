//! MariaDB GTIDs: `domain-server-sequence`, and a position in every domain.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{DecodeError, Result};

/// One MariaDB transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MariaGtid {
    /// The independent stream it belongs to.
    pub domain: u32,
    /// The server that executed it first.
    pub server: u32,
    /// Its number, ascending in the domain whichever server executed it.
    pub sequence: u64,
}

impl fmt::Display for MariaGtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.domain, self.server, self.sequence)
    }
}

impl FromStr for MariaGtid {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || DecodeError::malformed(format!("`{text}` is not a MariaDB gtid"));
        let mut parts = text.trim().split('-');
        let mut next = || parts.next().ok_or_else(invalid);
        let (domain, server, sequence) = (next()?, next()?, next()?);
        if parts.next().is_some() {
            return Err(invalid());
        }
        Ok(Self {
            domain: domain.parse().map_err(|_| invalid())?,
            server: server.parse().map_err(|_| invalid())?,
            sequence: sequence.parse().map_err(|_| invalid())?,
        })
    }
}

/// How far every domain has been executed: `gtid_binlog_pos`, `gtid_current_pos`, `@slave_connect_state`.
///
/// Domains are independent, and inside one only the sequence number orders transactions; the server id does not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MariaGtidPos {
    domains: BTreeMap<u32, (u32, u64)>,
}

impl MariaGtidPos {
    /// The position before every transaction.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the domain of `gtid` forward to it; never backward.
    pub fn add(&mut self, gtid: MariaGtid) {
        let position = self.domains.entry(gtid.domain).or_insert((gtid.server, gtid.sequence));
        if gtid.sequence >= position.1 {
            *position = (gtid.server, gtid.sequence);
        }
    }

    /// Whether `gtid` was executed at this position.
    pub fn contains(&self, gtid: MariaGtid) -> bool {
        self.domains.get(&gtid.domain).is_some_and(|(_, sequence)| gtid.sequence <= *sequence)
    }

    /// Whether every transaction of this position was executed at `other` too.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|gtid| gtid.sequence == 0 || other.contains(gtid))
    }

    /// Moves every domain forward to `other`.
    pub fn union(&mut self, other: &Self) {
        other.iter().for_each(|gtid| self.add(gtid));
    }

    /// The last transaction of one domain.
    pub fn get(&self, domain: u32) -> Option<MariaGtid> {
        self.domains.get(&domain).map(|(server, sequence)| MariaGtid { domain, server: *server, sequence: *sequence })
    }

    /// The last transaction of every domain, ordered by domain.
    pub fn iter(&self) -> impl Iterator<Item = MariaGtid> {
        self.domains.iter().map(|(domain, (server, sequence))| MariaGtid {
            domain: *domain,
            server: *server,
            sequence: *sequence,
        })
    }

    /// Whether no domain has a transaction.
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty()
    }
}

impl fmt::Display for MariaGtidPos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, gtid) in self.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{gtid}")?;
        }
        Ok(())
    }
}

impl FromStr for MariaGtidPos {
    type Err = DecodeError;

    /// Accepts `gtid_binlog_state` too, which lists every server of a domain: the highest sequence counts.
    fn from_str(text: &str) -> Result<Self> {
        let mut position = Self::new();
        for gtid in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            position.add(gtid.parse()?);
        }
        Ok(position)
    }
}

impl Serialize for MariaGtidPos {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MariaGtidPos {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(text: &str) -> MariaGtidPos {
        text.parse().unwrap()
    }

    #[test]
    fn domains_compare_by_sequence_whatever_the_server() {
        let executed = position("0-1-100,2-7-5");
        assert!(executed.contains("0-9-100".parse().unwrap()));
        assert!(!executed.contains("0-1-101".parse().unwrap()));
        assert!(!executed.contains("1-1-1".parse().unwrap()));
        assert!(position("0-5-99").is_subset(&executed) && !position("1-1-1").is_subset(&executed));
    }

    #[test]
    fn positions_only_move_forward() {
        let mut executed = position("0-1-100");
        executed.add("0-2-50".parse().unwrap());
        executed.add("0-3-101".parse().unwrap());
        executed.add("4-1-1".parse().unwrap());
        assert_eq!(executed.to_string(), "0-3-101,4-1-1");
        assert_eq!(position("0-1-7, 0-2-9\n,0-3-8").to_string(), "0-2-9");
    }

    #[test]
    fn serialises_as_a_string() {
        let json = serde_json::to_string(&position("0-1-5,1-2-7")).unwrap();
        assert_eq!(json, "\"0-1-5,1-2-7\"");
        assert_eq!(serde_json::from_str::<MariaGtidPos>(&json).unwrap(), position("0-1-5,1-2-7"));
        assert!("0-1".parse::<MariaGtidPos>().is_err());
    }
}
