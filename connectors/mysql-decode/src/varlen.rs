//! Variable-length integers of MySQL's serialization library, used by tagged GTIDs (MySQL 8.3 and later).
//!
//! The number of low one-bits of the first byte says how many bytes follow; the value stands above the zero bit after
//! them, little-endian. Nine bytes begin with 0xff. Signed numbers keep their sign in the lowest bit.
//! Source: `libs/mysql/serialization/variable_length_integers.h` of the MySQL server.

use crate::cursor::{Cursor, Read, Truncated};
use crate::error::{DecodeError, Result};

/// Reads an unsigned integer.
pub(crate) fn uint(cursor: &mut Cursor<'_>) -> Read<u64> {
    let first = *cursor.rest().first().ok_or(Truncated)?;
    match first.trailing_ones() as usize {
        8 => {
            cursor.skip(1)?;
            cursor.u64_le()
        }
        7 => Ok(cursor.u64_le()? >> 8),
        following => Ok(cursor.uint_le(following + 1)? >> (following + 1)),
    }
}

/// Reads a signed integer that must not be negative.
pub(crate) fn non_negative(cursor: &mut Cursor<'_>) -> Result<u64> {
    let value = uint(cursor)?;
    if value & 1 == 1 {
        return Err(DecodeError::malformed("a number of a gtid event is negative"));
    }
    Ok(value >> 1)
}

/// Reads a text preceded by its length.
pub(crate) fn text<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str> {
    let len = usize::try_from(uint(cursor)?).map_err(|_| Truncated)?;
    std::str::from_utf8(cursor.take(len)?).map_err(|_| DecodeError::malformed("a text of a gtid event is not UTF-8"))
}

/// Appends an unsigned integer.
pub(crate) fn write_uint(out: &mut Vec<u8>, value: u64) {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    let bytes = bits.div_ceil(7);
    if bytes > 8 {
        out.push(0xff);
        out.extend_from_slice(&value.to_le_bytes());
        return;
    }
    let marker = (1u64 << (bytes - 1)) - 1;
    let shifted = if bytes == 8 { value << 8 | marker } else { value << bytes | marker };
    out.extend_from_slice(&shifted.to_le_bytes()[..bytes]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_reads_back() {
        for (value, width) in
            [(0, 1), (127, 1), (128, 2), (1 << 14, 3), ((1 << 56) - 1, 8), (1 << 56, 9), (u64::MAX, 9)]
        {
            let mut bytes = Vec::new();
            write_uint(&mut bytes, value);
            assert_eq!(bytes.len(), width, "{value}");
            assert_eq!(uint(&mut Cursor::new(&bytes)), Ok(value));
        }
    }

    #[test]
    fn known_encodings() {
        assert_eq!(uint(&mut Cursor::new(&[0b0000_0010])), Ok(1));
        assert_eq!(uint(&mut Cursor::new(&[0b0000_0001, 0b0000_0010])), Ok(128));
        assert_eq!(uint(&mut Cursor::new(&[0xff, 1])), Err(Truncated));
        assert_eq!(uint(&mut Cursor::new(&[])), Err(Truncated));
    }
}
