//! Packets of results, and small results as text.

use super::{WireError, WireResult};

/// One row of a text result; `None` is NULL.
pub(crate) type TextRow = Vec<Option<Vec<u8>>>;

/// A result held whole: for control statements only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TextResult {
    /// Names of the columns.
    pub(crate) columns: Vec<String>,
    /// The rows.
    pub(crate) rows: Vec<TextRow>,
}

impl TextResult {
    /// Cell of row `row` in the column called `name`, without regard to case; `None` for NULL and what is not there.
    pub(crate) fn named(&self, row: usize, name: &str) -> Option<String> {
        let column = self.columns.iter().position(|column| column.eq_ignore_ascii_case(name))?;
        self.cell(row, column)
    }

    /// Cell by position.
    pub(crate) fn cell(&self, row: usize, column: usize) -> Option<String> {
        let bytes = self.rows.get(row)?.get(column)?.as_ref()?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    /// First cell of the first row.
    pub(crate) fn first(&self) -> Option<String> {
        self.cell(0, 0)
    }
}

/// The error of an error packet (first byte `0xFF`).
pub(super) fn server_error(packet: &[u8]) -> WireError {
    let code = packet.get(1..3).map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
    let mut text = packet.get(3..).unwrap_or_default();
    if text.first() == Some(&b'#') {
        text = text.get(6..).unwrap_or_default();
    }
    WireError::Server { code, message: String::from_utf8_lossy(text).into_owned() }
}

/// Whether a packet ends a list of columns or rows.
#[inline]
pub(super) fn is_eof(packet: &[u8]) -> bool {
    packet.first() == Some(&0xfe) && packet.len() < 9
}

/// Takes a length-encoded integer from the front.
pub(super) fn take_lenenc(bytes: &mut &[u8]) -> WireResult<u64> {
    let cut = || WireError::protocol("a packet ends inside a number");
    let (&first, rest) = bytes.split_first().ok_or_else(cut)?;
    let width = match first {
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        0xfb | 0xff => return Err(WireError::protocol("a number was expected")),
        small => {
            *bytes = rest;
            return Ok(u64::from(small));
        }
    };
    let (number, rest) = rest.split_at_checked(width).ok_or_else(cut)?;
    *bytes = rest;
    Ok(number.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// Takes a length-encoded byte string from the front.
pub(super) fn take_string<'a>(bytes: &mut &'a [u8]) -> WireResult<&'a [u8]> {
    let length = usize::try_from(take_lenenc(bytes)?).unwrap_or(usize::MAX);
    let (text, rest) =
        bytes.split_at_checked(length).ok_or_else(|| WireError::protocol("a packet ends inside a string"))?;
    *bytes = rest;
    Ok(text)
}

/// Name in a column definition packet.
pub(super) fn column_name(mut packet: &[u8]) -> WireResult<String> {
    // Catalog, schema, table and original table come first.
    for _ in 0..4 {
        take_string(&mut packet)?;
    }
    Ok(String::from_utf8_lossy(take_string(&mut packet)?).into_owned())
}

/// A row of a text result.
pub(super) fn text_row(mut packet: &[u8], columns: usize) -> WireResult<TextRow> {
    let mut row = Vec::with_capacity(columns.min(4096));
    for _ in 0..columns {
        if packet.first() == Some(&0xfb) {
            packet = &packet[1..];
            row.push(None);
        } else {
            row.push(Some(take_string(&mut packet)?.to_vec()));
        }
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_text_row_with_null() {
        let row = text_row(b"\x03abc\xfb\x00", 3).unwrap();
        assert_eq!(row, [Some(b"abc".to_vec()), None, Some(Vec::new())]);
        assert!(text_row(b"\x09abc", 1).is_err());
    }

    #[test]
    fn reads_an_error_packet() {
        let error = server_error(b"\xff\x15\x04#28000Access denied");
        assert_eq!(error.code(), Some(1045));
        assert_eq!(error.to_string(), "server error 1045: Access denied");
    }

    #[test]
    fn a_cut_number_is_an_error() {
        assert!(take_lenenc(&mut &b"\xfd\x01"[..]).is_err());
        assert_eq!(take_lenenc(&mut &b"\xfd\x01\x00\x01"[..]).unwrap(), 65537);
    }
}
