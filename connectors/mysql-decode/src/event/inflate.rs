//! MariaDB's compressed events: one header byte, the length, then a zlib stream.

use std::io::Read;

use flate2::read::ZlibDecoder;

use crate::cursor::Cursor;
use crate::error::{DecodeError, ErrorKind, Result};

/// The most a byte of zlib input can yield.
const MAX_RATIO: usize = 1032;

/// Inflates `compressed`: bits 0–2 of the first byte are the number of length bytes (big-endian), bits 4–6 the
/// algorithm (0 is zlib), bit 7 is set. Source: `binlog_buf_compress` of MariaDB.
pub(crate) fn inflate(compressed: &[u8], limit: usize) -> Result<Vec<u8>> {
    let mut cursor = Cursor::new(compressed);
    let head = cursor.u8()?;
    if head & 0x80 == 0 || head & 0x70 != 0 {
        return Err(DecodeError::unsupported(format!("compression header {head:#04x} is not known")));
    }
    let len = cursor.uint_be((head & 0x07).into())?;
    let len = usize::try_from(len).ok().filter(|len| *len <= limit).ok_or_else(|| too_large(len, limit))?;
    let stream = cursor.take_rest();
    let mut out = Vec::with_capacity(len.min(stream.len().saturating_mul(MAX_RATIO)));
    let read = ZlibDecoder::new(stream).take(len as u64 + 1).read_to_end(&mut out);
    read.map_err(|error| DecodeError::malformed(format!("compressed event does not inflate: {error}")))?;
    if out.len() != len {
        return Err(DecodeError::malformed(format!("compressed event has {} bytes instead of {len}", out.len())));
    }
    Ok(out)
}

pub(crate) fn too_large(len: u64, limit: usize) -> DecodeError {
    DecodeError::new(ErrorKind::Limit, format!("compressed event of {len} bytes is larger than the limit of {limit}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::ZlibEncoder};
    use std::io::Write;

    fn compressed(content: &[u8], len: u32) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        [&[0x84][..], &len.to_be_bytes(), &encoder.finish().unwrap()].concat()
    }

    #[test]
    fn inflates_what_it_announces() {
        assert_eq!(inflate(&compressed(b"hello", 5), 100).unwrap(), b"hello");
        assert!(inflate(&compressed(b"hello", 4), 100).is_err());
        assert!(inflate(&compressed(b"hello", 6), 100).is_err());
        assert!(inflate(&compressed(b"hello", 5)[..9], 100).is_err());
        assert_eq!(inflate(&compressed(b"hello", 5), 4).unwrap_err().kind(), ErrorKind::Limit);
        assert!(inflate(&[], 4).is_err() && inflate(&[0x94, 0, 0, 0, 0], 4).is_err());
    }
}
