//! The 19 bytes every event begins with, and the event types.

use crate::cursor::Cursor;
use crate::error::{DecodeError, Result};

/// Bytes of an event header since MySQL 5.0.
pub const HEADER_LEN: usize = 19;

/// The artificial flag: the server made the event for this connection, it is in no file.
const ARTIFICIAL: u16 = 0x20;
/// The ignorable flag: a reader that does not know the type may skip the event.
const IGNORABLE: u16 = 0x80;

/// Header of an event ("Event Header" of the MySQL internals manual), all little-endian:
/// timestamp 4, type 1, server id 4, event size 4, next position 4, flags 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventHeader {
    /// When the statement began, in seconds since 1970. 0 in events the server made up.
    pub timestamp: u32,
    /// Type of the event, see [`event_type`].
    pub type_code: u8,
    /// Server that wrote the event first.
    pub server_id: u32,
    /// Bytes of the whole event, with header and checksum.
    pub size: u32,
    /// Low 32 bits of the position behind the event in its file; 0 when the event is in no file.
    pub next_position: u32,
    /// Flag bits.
    pub flags: u16,
}

impl EventHeader {
    /// Reads a header and checks that it covers exactly `event`.
    pub fn parse(event: &[u8]) -> Result<Self> {
        let header = Self::read(event)?;
        if header.size as usize != event.len() {
            let what = format!("event of type {} says it has {} bytes", header.type_code, header.size);
            return Err(DecodeError::malformed(format!("{what}, but {} arrived", event.len())));
        }
        Ok(header)
    }

    /// Reads a header whose event may not be complete yet.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        let header = Self {
            timestamp: cursor.u32_le()?,
            type_code: cursor.u8()?,
            server_id: cursor.u32_le()?,
            size: cursor.u32_le()?,
            next_position: cursor.u32_le()?,
            flags: cursor.u16_le()?,
        };
        if (header.size as usize) < HEADER_LEN {
            return Err(DecodeError::malformed(format!("event size {} is smaller than a header", header.size)));
        }
        Ok(header)
    }

    /// Whether the server made the event for this connection; it is in no file.
    pub fn is_artificial(&self) -> bool {
        self.flags & ARTIFICIAL != 0
    }

    /// Whether a reader that does not know the type may skip it.
    pub fn is_ignorable(&self) -> bool {
        self.flags & IGNORABLE != 0
    }

    /// Position of the event's first byte. `None` in events without a position (artificial ones, those inside a
    /// compressed transaction) and behind 4 GiB, where the 32 bits have wrapped.
    pub fn start_position(&self) -> Option<u64> {
        self.next_position.checked_sub(self.size).filter(|_| self.next_position != 0).map(u64::from)
    }
}

/// Event type numbers (`Log_event_type` of the MySQL source, `log_event.h` of MariaDB).
pub mod event_type {
    #![expect(missing_docs, reason = "the names are the documentation")]
    pub const QUERY: u8 = 2;
    pub const STOP: u8 = 3;
    pub const ROTATE: u8 = 4;
    pub const INTVAR: u8 = 5;
    pub const APPEND_BLOCK: u8 = 9;
    pub const DELETE_FILE: u8 = 11;
    pub const RAND: u8 = 13;
    pub const USER_VAR: u8 = 14;
    pub const FORMAT_DESCRIPTION: u8 = 15;
    pub const XID: u8 = 16;
    pub const BEGIN_LOAD_QUERY: u8 = 17;
    pub const EXECUTE_LOAD_QUERY: u8 = 18;
    pub const TABLE_MAP: u8 = 19;
    pub const WRITE_ROWS_V1: u8 = 23;
    pub const UPDATE_ROWS_V1: u8 = 24;
    pub const DELETE_ROWS_V1: u8 = 25;
    pub const INCIDENT: u8 = 26;
    pub const HEARTBEAT: u8 = 27;
    pub const IGNORABLE: u8 = 28;
    pub const ROWS_QUERY: u8 = 29;
    pub const WRITE_ROWS: u8 = 30;
    pub const UPDATE_ROWS: u8 = 31;
    pub const DELETE_ROWS: u8 = 32;
    pub const GTID: u8 = 33;
    pub const ANONYMOUS_GTID: u8 = 34;
    pub const PREVIOUS_GTIDS: u8 = 35;
    pub const TRANSACTION_CONTEXT: u8 = 36;
    pub const VIEW_CHANGE: u8 = 37;
    pub const XA_PREPARE: u8 = 38;
    pub const PARTIAL_UPDATE_ROWS: u8 = 39;
    pub const TRANSACTION_PAYLOAD: u8 = 40;
    pub const HEARTBEAT_V2: u8 = 41;
    pub const GTID_TAGGED: u8 = 42;
    pub const MARIA_ANNOTATE_ROWS: u8 = 160;
    pub const MARIA_BINLOG_CHECKPOINT: u8 = 161;
    pub const MARIA_GTID: u8 = 162;
    pub const MARIA_GTID_LIST: u8 = 163;
    pub const MARIA_START_ENCRYPTION: u8 = 164;
    pub const MARIA_QUERY_COMPRESSED: u8 = 165;
    pub const MARIA_WRITE_ROWS_COMPRESSED_V1: u8 = 166;
    pub const MARIA_UPDATE_ROWS_COMPRESSED_V1: u8 = 167;
    pub const MARIA_DELETE_ROWS_COMPRESSED_V1: u8 = 168;
    pub const MARIA_WRITE_ROWS_COMPRESSED: u8 = 169;
    pub const MARIA_UPDATE_ROWS_COMPRESSED: u8 = 170;
    pub const MARIA_DELETE_ROWS_COMPRESSED: u8 = 171;
}
