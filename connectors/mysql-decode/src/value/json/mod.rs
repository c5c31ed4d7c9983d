//! MySQL's binary JSON, printed as `SELECT` prints it.
//!
//! A value is a type byte followed by its content (`json_binary.h` of the MySQL source):
//!
//! | type | content |
//! |---|---|
//! | 0, 2 small; 1, 3 large: object, array | count, bytes, (key entries,) value entries, (keys,) values |
//! | 4 literal | 0 null, 1 true, 2 false |
//! | 5, 6, 7, 8, 9, 10 | int16, uint16, int32, uint32, int64, uint64 |
//! | 11 | double |
//! | 12 | length (7 bits per byte), utf8mb4 text |
//! | 15 | MySQL type byte, length, a value of that type |
//!
//! Offsets count from the first byte of the object or array; they have 2 bytes in small ones and 4 in large ones.

mod container;
mod opaque;
mod scalar;

use container::Container;

use crate::cursor::Cursor;
use crate::value::fault::{Fault, Put};

/// Deeper documents are refused by the server too (`JSON_DOCUMENT_MAX_DEPTH`).
const MAX_DEPTH: usize = 100;
/// Text may be this much longer than its document; hostile offsets, which share values, would exceed it.
const MAX_GROWTH: usize = 16;

/// Appends the text of `document`. An empty document is a JSON null.
pub(crate) fn write_text(out: &mut Vec<u8>, document: &[u8]) -> Put {
    let Some((type_code, content)) = document.split_first() else {
        out.extend_from_slice(b"null");
        return Ok(());
    };
    let limit = out.len() + document.len().saturating_mul(MAX_GROWTH) + 64;
    Printer { out, limit }.value(*type_code, content, 0)
}

struct Printer<'o> {
    out: &'o mut Vec<u8>,
    limit: usize,
}

impl Printer<'_> {
    fn value(&mut self, type_code: u8, content: &[u8], depth: usize) -> Put {
        if depth > MAX_DEPTH || self.out.len() > self.limit {
            return Err(Fault::Malformed);
        }
        match type_code {
            0 | 1 => self.object(Container::object(content, type_code == 1)?, depth),
            2 | 3 => self.array(Container::array(content, type_code == 3)?, depth),
            15 => opaque::write(self.out, content),
            _ => scalar::write(self.out, type_code, &mut Cursor::new(content)),
        }
    }

    fn object(&mut self, container: Container<'_>, depth: usize) -> Put {
        self.out.push(b'{');
        for index in 0..container.count() {
            self.separate(index);
            scalar::write_string(self.out, container.key(index)?)?;
            self.out.extend_from_slice(b": ");
            self.entry(container, index, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn array(&mut self, container: Container<'_>, depth: usize) -> Put {
        self.out.push(b'[');
        for index in 0..container.count() {
            self.separate(index);
            self.entry(container, index, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn entry(&mut self, container: Container<'_>, index: usize, depth: usize) -> Put {
        let (type_code, content) = container.value(index)?;
        self.value(type_code, content, depth + 1)
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.extend_from_slice(b", ");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(document: &[u8]) -> Result<String, Fault> {
        let mut out = Vec::new();
        write_text(&mut out, document)?;
        Ok(String::from_utf8(out).unwrap())
    }

    /// `{"a": 1, "b": [true, null]}` as MySQL stores it.
    const DOCUMENT: &[u8] = &[
        0, // small object
        2, 0, 30, 0, // two members, 30 bytes
        18, 0, 1, 0, 19, 0, 1, 0, // keys at 18 and 19, one byte each
        5, 1, 0, // int16 1, inlined
        2, 20, 0, // small array at 20
        b'a', b'b', //
        2, 0, 10, 0, 4, 1, 0, 4, 0, 0, // two literals, inlined
    ];

    #[test]
    fn prints_with_the_servers_separators() {
        assert_eq!(text(DOCUMENT).unwrap(), r#"{"a": 1, "b": [true, null]}"#);
        assert_eq!(text(&[]).unwrap(), "null");
        assert_eq!(text(&[4, 2]).unwrap(), "false");
        assert_eq!(text(&[0, 0, 0, 4, 0]).unwrap(), "{}");
        assert_eq!(text(b"\x0c\x04a\"\n\x01").unwrap(), r#""a\"\n\u0001""#);
        assert_eq!(text(&[9, 0xfe, 255, 255, 255, 255, 255, 255, 255]).unwrap(), "-2");
        assert_eq!(text(&[10, 255, 255, 255, 255, 255, 255, 255, 255]).unwrap(), "18446744073709551615");
    }

    #[test]
    fn large_containers_inline_32_bits() {
        let document = [&[3][..], &[1, 0, 0, 0, 13, 0, 0, 0], &[7, 0xff, 0xff, 0xff, 0xff]].concat();
        assert_eq!(text(&document).unwrap(), "[-1]");
    }

    #[test]
    fn every_cut_is_an_error() {
        for len in 1..DOCUMENT.len() {
            assert!(text(&DOCUMENT[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn offsets_that_loop_or_share_end() {
        // An array whose only element is itself.
        assert!(text(&[2, 1, 0, 7, 0, 2, 0, 0]).is_err());
        // Forty levels of two elements that are the same next level: 2^40 values in 400 bytes.
        let level =
            |index: u16| [&[2, 0, 255, 255][..], &[2], &[10, 0], &[2], &[10, 0], &(index).to_le_bytes()[..0]].concat();
        let bomb: Vec<u8> = std::iter::once(2).chain((0..40).flat_map(level)).collect();
        assert!(text(&bomb).is_err());
    }
}
