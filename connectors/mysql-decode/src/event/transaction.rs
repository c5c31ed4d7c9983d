//! Events that begin a transaction: `GTID_EVENT`, `ANONYMOUS_GTID_EVENT` and MariaDB's `GTID_EVENT`.

use crate::cursor::Cursor;
use crate::error::Result;
use crate::event::control::Xid;
use crate::gtid::{Gtid, MariaGtid, ServerUuid};

/// Begin of a MySQL transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GtidEvent {
    /// The id. Number 0 and a nil uuid in anonymous transactions.
    pub gtid: Gtid,
    /// Bit 0: part of the transaction may be logged as statements.
    pub flags: u8,
    /// Sequence number of the youngest transaction this one may depend on.
    pub last_committed: u64,
    /// Sequence number in the file.
    pub sequence_number: u64,
    /// When the server being read committed it, microseconds since 1970; 0 before MySQL 8.0.1.
    pub immediate_commit_micros: u64,
    /// When the server of the uuid committed it, microseconds since 1970; 0 before MySQL 8.0.1.
    pub original_commit_micros: u64,
    /// Bytes of the transaction in the log, this event included; 0 before MySQL 8.0.2.
    pub transaction_len: u64,
}

/// The logical-clock marker that introduces everything behind the number (MySQL 5.7.6 and later).
const LOGICAL_CLOCK: u8 = 2;
/// Set in a commit timestamp that is followed by the original one.
const HAS_ORIGINAL: u64 = 1 << 55;

impl GtidEvent {
    /// Reads flags 1, uuid 16, number 8, marker 1, last committed 8, sequence number 8, commit timestamps 7 (+7),
    /// transaction length (length-encoded), server versions 4 (+4). What older servers do not write reads as 0.
    pub(crate) fn parse(body: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(body);
        let flags = cursor.u8()?;
        let uuid = ServerUuid(cursor.array()?);
        let mut event = Self::new(Gtid::new(uuid, cursor.u64_le()?));
        event.flags = flags;
        if cursor.rest().first() != Some(&LOGICAL_CLOCK) {
            return Ok(event);
        }
        cursor.skip(1)?;
        event.last_committed = cursor.u64_le()?;
        event.sequence_number = cursor.u64_le()?;
        if cursor.len() < 7 {
            return Ok(event);
        }
        let immediate = cursor.uint_le(7)?;
        event.immediate_commit_micros = immediate & !HAS_ORIGINAL;
        event.original_commit_micros = match immediate & HAS_ORIGINAL {
            0 => event.immediate_commit_micros,
            _ => cursor.uint_le(7)?,
        };
        if !cursor.is_empty() {
            event.transaction_len = cursor.lenenc()?;
        }
        Ok(event)
    }

    pub(crate) fn new(gtid: Gtid) -> Self {
        Self {
            gtid,
            flags: 0,
            last_committed: 0,
            sequence_number: 0,
            immediate_commit_micros: 0,
            original_commit_micros: 0,
            transaction_len: 0,
        }
    }
}

/// Begin of a MariaDB event group (MariaDB KB, "GTID_EVENT"): sequence 8, domain 4, flags 1, then the group
/// commit id and the XA branch if the flags say so, then filling. The server id stands in the event header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MariaGtidEvent<'a> {
    /// The id.
    pub gtid: MariaGtid,
    /// Flag bits.
    pub flags: u8,
    /// Transactions with the same id were committed together.
    pub commit_id: Option<u64>,
    /// The branch, in XA PREPARE, XA COMMIT and XA ROLLBACK groups.
    pub xid: Option<Xid<'a>>,
}

impl<'a> MariaGtidEvent<'a> {
    const STANDALONE: u8 = 0x01;
    const GROUP_COMMIT_ID: u8 = 0x02;
    const TRANSACTIONAL: u8 = 0x04;
    const DDL: u8 = 0x20;
    const PREPARED_XA: u8 = 0x40;
    const COMPLETED_XA: u8 = 0x80;

    pub(crate) fn parse(body: &'a [u8], server: u32) -> Result<Self> {
        let mut cursor = Cursor::new(body);
        let sequence = cursor.u64_le()?;
        let domain = cursor.u32_le()?;
        let flags = cursor.u8()?;
        let commit_id = match flags & Self::GROUP_COMMIT_ID {
            0 => None,
            _ => Some(cursor.u64_le()?),
        };
        let xid = match flags & (Self::PREPARED_XA | Self::COMPLETED_XA) {
            0 => None,
            _ => {
                let format_id = cursor.u32_le()? as i32;
                let (gtrid, bqual) = (cursor.u8()?, cursor.u8()?);
                Some(Xid { format_id, gtrid: cursor.take(gtrid.into())?, bqual: cursor.take(bqual.into())? })
            }
        };
        Ok(Self { gtid: MariaGtid { domain, server, sequence }, flags, commit_id, xid })
    }

    /// The group is one statement, without a commit at its end (DDL).
    pub fn is_standalone(&self) -> bool {
        self.flags & Self::STANDALONE != 0
    }

    /// Everything in the group can be rolled back.
    pub fn is_transactional(&self) -> bool {
        self.flags & Self::TRANSACTIONAL != 0
    }

    /// The group is DDL.
    pub fn is_ddl(&self) -> bool {
        self.flags & Self::DDL != 0
    }

    /// The group is the first phase of [`xid`](Self::xid): its rows are not committed yet.
    pub fn is_xa_prepare(&self) -> bool {
        self.flags & Self::PREPARED_XA != 0
    }

    /// The group is the XA COMMIT or XA ROLLBACK of [`xid`](Self::xid).
    pub fn is_xa_complete(&self) -> bool {
        self.flags & Self::COMPLETED_XA != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &[u8] =
        &[0x3e, 0x11, 0xfa, 0x47, 0x71, 0xca, 0x11, 0xe1, 0x9e, 0x33, 0xc8, 0x0a, 0xa9, 0x42, 0x95, 0x62];

    #[test]
    fn a_gtid_grew_with_the_server_version() {
        let mut bytes = [&[1], UUID, &7u64.to_le_bytes()].concat();
        let old = GtidEvent::parse(&bytes).unwrap();
        assert_eq!(old.gtid.to_string(), "3e11fa47-71ca-11e1-9e33-c80aa9429562:7");
        assert_eq!(old.sequence_number, 0);

        bytes.push(2);
        bytes.extend_from_slice(&[5u64, 6].map(u64::to_le_bytes).concat());
        assert_eq!(GtidEvent::parse(&bytes).unwrap().last_committed, 5);

        bytes.extend_from_slice(&(1_700_000_000_000_000u64 | HAS_ORIGINAL).to_le_bytes()[..7]);
        bytes.extend_from_slice(&1_600_000_000_000_000u64.to_le_bytes()[..7]);
        bytes.extend_from_slice(&[252, 0, 1]);
        let new = GtidEvent::parse(&bytes).unwrap();
        assert_eq!(
            (new.immediate_commit_micros, new.original_commit_micros),
            (1_700_000_000_000_000, 1_600_000_000_000_000)
        );
        assert_eq!(new.transaction_len, 256);
    }

    #[test]
    fn a_mariadb_gtid_may_carry_an_xa_branch() {
        let head = [&9u64.to_le_bytes()[..], &2u32.to_le_bytes(), &[0x44]].concat();
        let bytes = [&head[..], &1u32.to_le_bytes(), &[2, 1], b"abc"].concat();
        let event = MariaGtidEvent::parse(&bytes, 3).unwrap();
        assert_eq!(event.gtid.to_string(), "2-3-9");
        assert!(event.is_xa_prepare() && event.is_transactional() && !event.is_standalone());
        assert_eq!(event.xid.unwrap().to_string(), "X'6162',X'63',1");
        assert!(MariaGtidEvent::parse(&bytes[..bytes.len() - 1], 3).is_err());
    }
}
