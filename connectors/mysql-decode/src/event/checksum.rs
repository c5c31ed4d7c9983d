//! The CRC32 trailer of events.

use crate::error::{DecodeError, ErrorKind, Result};
use crate::event::header::{EventHeader, event_type};

/// Bytes of the trailer.
const LEN: usize = 4;
/// Offset of the low byte of the flags in the header, which holds the flag below.
const FLAGS_OFFSET: usize = 17;
/// Set in the format description of the file being written; the checksum was computed without it.
const BINLOG_IN_USE: u8 = 0x01;

/// What the events of the current file end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// No format description was read since the last rotation: a trailer is recognised by matching.
    Unknown,
    /// No trailer.
    None,
    /// Four bytes of CRC32, little-endian.
    Crc32,
}

/// Verifies the trailer and returns the event without it.
pub(crate) fn strip(checksum: Checksum, event: &[u8]) -> Result<&[u8]> {
    let Some((content, trailer)) = event.split_last_chunk::<LEN>() else {
        return Ok(event);
    };
    let expected = u32::from_le_bytes(*trailer);
    match checksum {
        Checksum::None => Ok(event),
        Checksum::Unknown if crc32(content) != expected => Ok(event),
        Checksum::Unknown => Ok(content),
        Checksum::Crc32 if crc32(content) == expected => Ok(content),
        Checksum::Crc32 => Err(mismatch(event, expected, crc32(content))),
    }
}

/// CRC32 of an event without its trailer.
pub(crate) fn crc32(content: &[u8]) -> u32 {
    let in_use = content.get(4) == Some(&event_type::FORMAT_DESCRIPTION)
        && content.get(FLAGS_OFFSET).is_some_and(|flags| flags & BINLOG_IN_USE != 0);
    if !in_use {
        return crc32fast::hash(content);
    }
    let mut hasher = crc32fast::Hasher::new();
    let (before, after) = content.split_at(FLAGS_OFFSET);
    hasher.update(before);
    hasher.update(&[after[0] & !BINLOG_IN_USE]);
    hasher.update(&after[1..]);
    hasher.finalize()
}

fn mismatch(event: &[u8], expected: u32, found: u32) -> DecodeError {
    let header = EventHeader::read(event).ok();
    let type_code = header.map_or(0, |header| header.type_code);
    DecodeError::new(
        ErrorKind::Checksum,
        format!("checksum of an event of type {type_code} is {expected:08x}, its bytes give {found:08x}"),
    )
    .at_position(header.and_then(|header| header.start_position()))
    .with_hint("the event was damaged on disk or on the way; reconnect, and check the binlog file if it happens again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_is_verified_and_taken_off() {
        let mut event = b"any event, long enough".to_vec();
        event.extend_from_slice(&crc32(b"any event, long enough").to_le_bytes());
        assert_eq!(strip(Checksum::Crc32, &event).unwrap(), b"any event, long enough");
        assert_eq!(strip(Checksum::Unknown, &event).unwrap(), b"any event, long enough");
        assert_eq!(strip(Checksum::None, &event).unwrap(), event);
        event[0] ^= 1;
        assert_eq!(strip(Checksum::Crc32, &event).unwrap_err().kind(), ErrorKind::Checksum);
        assert_eq!(strip(Checksum::Unknown, &event).unwrap(), event);
    }
}
