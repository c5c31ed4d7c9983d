//! Small events: rotation, heartbeats, XA prepare, incidents.

use std::borrow::Cow;
use std::fmt;

use crate::cursor::{Cursor, Truncated};
use crate::error::{DecodeError, ErrorKind, Result};
use crate::event::header::EventHeader;

/// Where the log goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotate<'a> {
    /// Name of the next file, without a directory.
    pub file: Cow<'a, str>,
    /// Position of the next event in it.
    pub position: u64,
    /// The server made the event to say where the dump begins; no file ended. A transaction may be open.
    pub is_artificial: bool,
}

impl<'a> Rotate<'a> {
    /// Reads position 8, file name to the end.
    pub(crate) fn parse(body: &'a [u8], header: &EventHeader) -> Result<Self> {
        let mut cursor = Cursor::new(body);
        let position = cursor.u64_le()?;
        let file = String::from_utf8_lossy(cursor.take_rest());
        let is_artificial = header.is_artificial() || header.timestamp == 0 || header.next_position == 0;
        Ok(Self { file, position, is_artificial })
    }
}

/// The server is alive and has nothing to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat<'a> {
    /// File the server is sending.
    pub file: Cow<'a, str>,
    /// Position in it. Version 1 (before MySQL 8.0.26, and MariaDB) has only the low 32 bits.
    pub position: u64,
}

impl<'a> Heartbeat<'a> {
    /// Version 1: the body is the file name, the position stands in the header.
    pub(crate) fn parse(body: &'a [u8], header: &EventHeader) -> Self {
        Self { file: String::from_utf8_lossy(body), position: u64::from(header.next_position) }
    }

    /// Version 2: pairs of type, length (both length-encoded) and value; type 0 ends, 1 is the file, 2 the position.
    pub(crate) fn parse_v2(body: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(body);
        let mut heartbeat = Self { file: Cow::Borrowed(""), position: 0 };
        while !cursor.is_empty() {
            let field = cursor.lenenc()?;
            if field == 0 {
                break;
            }
            let mut value = Cursor::new(cursor.lenenc_bytes()?);
            match field {
                1 => heartbeat.file = String::from_utf8_lossy(value.take_rest()),
                2 => heartbeat.position = value.lenenc()?,
                _ => {}
            }
        }
        Ok(heartbeat)
    }
}

/// Id of an XA branch. Prints as the server logs it: `X'6162',X'63',1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Xid<'a> {
    /// Format id, by default 1.
    pub format_id: i32,
    /// Global transaction id, up to 64 bytes.
    pub gtrid: &'a [u8],
    /// Branch qualifier, up to 64 bytes.
    pub bqual: &'a [u8],
}

impl fmt::Display for Xid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("X'")?;
        self.gtrid.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("',X'")?;
        self.bqual.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, "',{}", self.format_id)
    }
}

/// `XA_PREPARE_LOG_EVENT`: ends the group of a prepared branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XaPrepare<'a> {
    /// `XA COMMIT … ONE PHASE`: the branch is committed at once.
    pub one_phase: bool,
    /// The branch.
    pub xid: Xid<'a>,
}

impl<'a> XaPrepare<'a> {
    /// Reads one-phase flag 1, format id 4, lengths 4 and 4, data.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(body);
        let one_phase = cursor.u8()? != 0;
        let format_id = cursor.u32_le()? as i32;
        let mut len = || cursor.u32_le().and_then(|len| usize::try_from(len).map_err(|_| Truncated));
        let (gtrid, bqual) = (len()?, len()?);
        Ok(Self { one_phase, xid: Xid { format_id, gtrid: cursor.take(gtrid)?, bqual: cursor.take(bqual)? } })
    }
}

/// `INCIDENT_EVENT` (incident 2 bytes, message with one length byte) is always an error: the log has a gap.
pub(crate) fn incident(body: &[u8]) -> DecodeError {
    let mut cursor = Cursor::new(body);
    let number = cursor.u16_le().unwrap_or(0);
    let len = cursor.u8().map_or(0, usize::from);
    let message = String::from_utf8_lossy(cursor.take(len).unwrap_or_default()).into_owned();
    DecodeError::new(ErrorKind::Incident, format!("the server reports incident {number}: {message}"))
        .with_hint("changes are missing from the binlog; take a new snapshot of the tables")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(timestamp: u32, flags: u16) -> EventHeader {
        EventHeader { timestamp, type_code: 4, server_id: 1, size: 0, next_position: 77, flags }
    }

    #[test]
    fn rotations_tell_whether_a_file_ended() {
        let body = [&4u64.to_le_bytes()[..], b"binlog.000002"].concat();
        let real = Rotate::parse(&body, &header(1, 0)).unwrap();
        assert_eq!((real.file.as_ref(), real.position, real.is_artificial), ("binlog.000002", 4, false));
        assert!(Rotate::parse(&body, &header(0, 0x20)).unwrap().is_artificial);
        assert!(Rotate::parse(&body[..7], &header(0, 0)).is_err());
    }

    #[test]
    fn heartbeats_of_both_versions() {
        let old = Heartbeat::parse(b"binlog.000001", &header(0, 0));
        assert_eq!((old.file.as_ref(), old.position), ("binlog.000001", 77));
        let new = Heartbeat::parse_v2(&[1, 2, b'b', b'1', 2, 4, 253, 0, 0, 1, 0]).unwrap();
        assert_eq!((new.file.as_ref(), new.position), ("b1", 65536));
        assert!(Heartbeat::parse_v2(&[1, 200, 0]).is_err());
    }

    #[test]
    fn xa_prepare_names_the_branch() {
        let body = [&[0][..], &1u32.to_le_bytes(), &2u32.to_le_bytes(), &1u32.to_le_bytes(), b"abc"].concat();
        let prepare = XaPrepare::parse(&body).unwrap();
        assert_eq!((prepare.one_phase, prepare.xid.to_string()), (false, "X'6162',X'63',1".into()));
        assert!(XaPrepare::parse(&body[..body.len() - 1]).is_err());
    }

    #[test]
    fn an_incident_is_an_error_with_its_message() {
        let error = incident(b"\x01\x00\x04lost");
        assert_eq!(error.kind(), ErrorKind::Incident);
        assert!(error.to_string().starts_with("the server reports incident 1: lost"));
    }
}
