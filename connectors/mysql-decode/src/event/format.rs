//! `FORMAT_DESCRIPTION_EVENT`: the first event of a file.

use crate::cursor::Cursor;
use crate::error::{DecodeError, Result};
use crate::event::checksum::Checksum;
use crate::event::header::{HEADER_LEN, event_type};

/// Start of a file: binlog version 2 bytes, server version 50, creation time 4, header length 1, then one post-header
/// length per event type, and since MySQL 5.6.1 and MariaDB 5.3 one byte naming the checksum algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatDescription {
    /// As `SELECT version()` would print it.
    pub server_version: String,
    /// When the server started, seconds since 1970; 0 in files that continue a run of the server.
    pub created: u32,
    /// How the events of the file end.
    pub checksum: Checksum,
    /// Bytes of fixed fields in the body of each event type, the first for type 1.
    pub(crate) post_header_lengths: Vec<u8>,
}

impl FormatDescription {
    /// Reads the body. `content` is the whole event including the four checksum bytes that follow a body which
    /// names an algorithm, whichever it names.
    pub(crate) fn parse(content: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(content);
        cursor.skip(HEADER_LEN)?;
        let binlog_version = cursor.u16_le()?;
        if binlog_version != 4 {
            return Err(DecodeError::unsupported(format!("binlog version {binlog_version} is not supported"))
                .with_hint("versions before MySQL 5.0 wrote it"));
        }
        let version = cursor.take(50)?;
        let version = version.split(|byte| *byte == 0).next().unwrap_or_default();
        let server_version = String::from_utf8_lossy(version).into_owned();
        let created = cursor.u32_le()?;
        let header_len = cursor.u8()?;
        if usize::from(header_len) != HEADER_LEN {
            return Err(DecodeError::unsupported(format!("event headers of {header_len} bytes are not supported")));
        }
        let rest = cursor.rest();
        let (post_header_lengths, checksum) = match names_checksum(&server_version) {
            false => (rest, Checksum::None),
            true => split_algorithm(rest)?,
        };
        Ok(Self { server_version, created, checksum, post_header_lengths: post_header_lengths.to_vec() })
    }

    /// Whether a MariaDB server wrote the file.
    pub fn is_mariadb(&self) -> bool {
        self.server_version.contains("MariaDB")
    }

    /// Fixed-field bytes of an event type; `None` when the server does not know the type.
    pub(crate) fn post_header_len(&self, type_code: u8) -> Option<usize> {
        let index = usize::from(type_code).checked_sub(1)?;
        self.post_header_lengths.get(index).map(|len| usize::from(*len))
    }

    /// What to assume before the first format description: the lengths of every server since MySQL 5.6.
    pub(crate) fn assumed_post_header_len(type_code: u8) -> usize {
        match type_code {
            event_type::QUERY | event_type::MARIA_QUERY_COMPRESSED => 13,
            event_type::ROTATE | event_type::TABLE_MAP => 8,
            event_type::EXECUTE_LOAD_QUERY => 26,
            event_type::WRITE_ROWS | event_type::UPDATE_ROWS | event_type::DELETE_ROWS => 10,
            _ => 8,
        }
    }
}

/// Splits the algorithm byte and the four checksum bytes behind it off.
fn split_algorithm(rest: &[u8]) -> Result<(&[u8], Checksum)> {
    let cut_off = || DecodeError::malformed("the format description has no checksum algorithm");
    let (content, _trailer) = rest.split_last_chunk::<4>().ok_or_else(cut_off)?;
    let (algorithm, lengths) = content.split_last().ok_or_else(cut_off)?;
    match algorithm {
        0 => Ok((lengths, Checksum::None)),
        1 => Ok((lengths, Checksum::Crc32)),
        other => Err(DecodeError::unsupported(format!("binlog checksum algorithm {other} is not supported"))),
    }
}

/// Whether a server of this version ends its format description with an algorithm: MySQL 5.6.1, MariaDB 5.3.
fn names_checksum(server_version: &str) -> bool {
    let mut numbers = server_version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let version = (next(), next(), next());
    if server_version.contains("MariaDB") { version >= (5, 3, 0) } else { version >= (5, 6, 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_name_a_checksum() {
        for (version, expected) in
            [("5.5.62-log", false), ("5.6.0", false), ("5.6.1", true), ("8.4.3", true), ("10.11.6-MariaDB-log", true)]
        {
            assert_eq!(names_checksum(version), expected, "{version}");
        }
    }
}
