//! Literals, numbers and strings of binary JSON.

use crate::cursor::{Cursor, Read, Truncated};
use crate::value::fault::{Fault, Put};
use crate::value::float_text::write_f64;

pub(super) fn write(out: &mut Vec<u8>, type_code: u8, content: &mut Cursor<'_>) -> Put {
    match type_code {
        4 => write_literal(out, content.u8()?)?,
        5 => write_int(out, content.u16_le()? as i16),
        6 => write_int(out, content.u16_le()?),
        7 => write_int(out, content.u32_le()? as i32),
        8 => write_int(out, content.u32_le()?),
        9 => write_int(out, content.u64_le()? as i64),
        10 => write_int(out, content.u64_le()?),
        11 => write_double(out, f64::from_bits(content.u64_le()?)),
        12 => {
            let len = string_len(content)?;
            write_string(out, content.take(len)?)?;
        }
        _ => return Err(Fault::Malformed),
    }
    Ok(())
}

fn write_literal(out: &mut Vec<u8>, literal: u8) -> Put {
    out.extend_from_slice(match literal {
        0 => b"null",
        1 => b"true",
        2 => b"false",
        _ => return Err(Fault::Malformed),
    });
    Ok(())
}

fn write_int(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A double that looks like an integer gets `.0`, so that it stays a double when it is read.
fn write_double(out: &mut Vec<u8>, value: f64) {
    let start = out.len();
    write_f64(out, value);
    if out.iter().skip(start).all(|byte| byte.is_ascii_digit() || *byte == b'-') {
        out.extend_from_slice(b".0");
    }
}

/// Length of a string: seven bits per byte, the lowest first, the top bit set in all but the last; at most five bytes.
pub(super) fn string_len(content: &mut Cursor<'_>) -> Read<usize> {
    let mut len = 0u64;
    for shift in (0..35).step_by(7) {
        let byte = content.u8()?;
        len |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return usize::try_from(len).map_err(|_| Truncated);
        }
    }
    Err(Truncated)
}

/// A quoted string with the escapes the server uses.
pub(super) fn write_string(out: &mut Vec<u8>, text: &[u8]) -> Put {
    out.push(b'"');
    let mut plain = 0;
    for (index, byte) in text.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            0x08 => b"\\b",
            0x0c => b"\\f",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..0x20 => &[],
            _ => continue,
        };
        out.extend_from_slice(text.get(plain..index).ok_or(Fault::Malformed)?);
        plain = index + 1;
        if escape.is_empty() {
            let hex = |nibble: u8| char::from_digit(nibble.into(), 16).map_or(b'0', |digit| digit as u8);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]);
        } else {
            out.extend_from_slice(escape);
        }
    }
    out.extend_from_slice(text.get(plain..).ok_or(Fault::Malformed)?);
    out.push(b'"');
    Ok(())
}
