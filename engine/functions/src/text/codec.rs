//! Texts as bytes, in other alphabets and character sets.

use std::fmt::Write;
use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use datafusion_common::Result;
use sluice_model::{Error, SqlType};

use crate::error::{external, fix};
use crate::function::{Call, Definition, Kind};

pub(super) fn definitions() -> Vec<Definition> {
    use Kind::{Binary, Integer, String};
    vec![
        Definition::new("to_base64", &[String], SqlType::STRING, |call| {
            let values = call.bytes(0)?;
            call.write_strings(|row, out| {
                let Some(bytes) = values.get(row) else { return Ok(false) };
                STANDARD.encode_string(bytes, out);
                Ok(true)
            })
        })
        .or(&[Binary]),
        Definition::new("from_base64", &[String], SqlType::STRING, from_base64).or(&[Binary]).fallible(),
        Definition::new("hex", &[String], SqlType::STRING, hex).or(&[Integer]).or(&[Binary]),
        Definition::new("unhex", &[String], SqlType::BYTES, unhex).nullable(),
        Definition::new("bin", &[Integer], SqlType::STRING, |call| {
            let numbers = call.integers(0)?;
            call.write_strings(|row, out| {
                let Some(number) = numbers.get(row) else { return Ok(false) };
                let _ = write!(out, "{number:b}");
                Ok(true)
            })
        }),
        Definition::new("encode", &[String, String], SqlType::BYTES, encode).fallible(),
        Definition::new("decode", &[Binary, String], SqlType::STRING, decode).fallible(),
        Definition::new("is_valid_utf8", &[Binary], SqlType::Boolean, |call| {
            let values = call.binaries(0)?;
            call.truths(|row| values.get(row).map(|bytes| std::str::from_utf8(bytes).is_ok()))
        }),
        Definition::new("make_valid_utf8", &[Binary], SqlType::STRING, |call| {
            let values = call.binaries(0)?;
            call.write_strings(|row, out| {
                let Some(bytes) = values.get(row) else { return Ok(false) };
                out.push_str(&std::string::String::from_utf8_lossy(bytes));
                Ok(true)
            })
        }),
    ]
}

fn from_base64(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.bytes(0)?;
    let mut bytes = Vec::new();
    call.write_strings(|row, out| {
        let Some(encoded) = values.get(row) else { return Ok(false) };
        bytes.clear();
        STANDARD.decode_vec(encoded, &mut bytes).map_err(|error| {
            let text = String::from_utf8_lossy(encoded);
            external(Error::fix(format!("'{text}' is not base64")).because(error.to_string()))
        })?;
        out.push_str(&String::from_utf8_lossy(&bytes));
        Ok(true)
    })
}

/// Hexadecimal digits of bytes, of the UTF-8 bytes of a text, or of a number, in capitals.
fn hex(call: &Call<'_>) -> Result<ArrayRef> {
    if call.cells_of_any(0)?.array().data_type() == &DataType::Int64 {
        let numbers = call.integers(0)?;
        return call.write_strings(|row, out| {
            let Some(number) = numbers.get(row) else { return Ok(false) };
            let _ = write!(out, "{number:X}");
            Ok(true)
        });
    }
    let values = call.bytes(0)?;
    call.write_strings(|row, out| {
        let Some(bytes) = values.get(row) else { return Ok(false) };
        for byte in bytes {
            let _ = write!(out, "{byte:02X}");
        }
        Ok(true)
    })
}

fn binary(call: &Call<'_>, mut write: impl FnMut(usize, &mut Vec<u8>) -> Result<bool>) -> Result<ArrayRef> {
    let mut builder = BinaryBuilder::with_capacity(call.rows, call.rows * 16);
    let mut bytes = Vec::new();
    for row in 0..call.rows {
        bytes.clear();
        builder.append_option(write(row, &mut bytes)?.then_some(bytes.as_slice()));
    }
    Ok(Arc::new(builder.finish()))
}

/// Of an odd number of digits the first one becomes a byte of 0; what is not hexadecimal is `NULL`.
fn unhex(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.strings(0)?;
    binary(call, |row, out| {
        let Some(text) = texts.get(row) else { return Ok(false) };
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(false);
        }
        let odd = text.len() % 2;
        out.extend(std::iter::repeat_n(0, odd));
        for pair in text.as_bytes()[odd..].chunks_exact(2) {
            out.push(hex_byte(pair[0], pair[1])?);
        }
        Ok(true)
    })
}

/// The character sets that Java promises.
#[derive(Clone, Copy)]
enum Charset {
    Ascii,
    Latin1,
    Utf8,
    Utf16 { little_endian: bool, mark: bool },
}

impl Charset {
    fn of(name: &str) -> Result<Self> {
        Ok(match name.to_ascii_uppercase().as_str() {
            "US-ASCII" | "ASCII" => Self::Ascii,
            "ISO-8859-1" | "LATIN1" => Self::Latin1,
            "UTF-8" | "UTF8" => Self::Utf8,
            "UTF-16" => Self::Utf16 { little_endian: false, mark: true },
            "UTF-16BE" => Self::Utf16 { little_endian: false, mark: false },
            "UTF-16LE" => Self::Utf16 { little_endian: true, mark: false },
            _ => {
                return Err(external(
                    Error::fix(format!("unknown character set '{name}'"))
                        .with_hint("US-ASCII, ISO-8859-1, UTF-8, UTF-16BE, UTF-16LE and UTF-16 are known"),
                ));
            }
        })
    }

    /// Characters that the set does not have become `?`.
    fn encode(self, text: &str, out: &mut Vec<u8>) {
        let limited = |limit: u32| move |char: char| if u32::from(char) < limit { char as u8 } else { b'?' };
        match self {
            Self::Ascii => out.extend(text.chars().map(limited(0x80))),
            Self::Latin1 => out.extend(text.chars().map(limited(0x100))),
            Self::Utf8 => out.extend_from_slice(text.as_bytes()),
            Self::Utf16 { little_endian, mark } => {
                let units = (mark && !text.is_empty()).then_some(0xFEFF).into_iter().chain(text.encode_utf16());
                out.extend(
                    units.flat_map(|unit: u16| if little_endian { unit.to_le_bytes() } else { unit.to_be_bytes() }),
                );
            }
        }
    }

    fn decode(self, bytes: &[u8], out: &mut String) {
        match self {
            Self::Ascii => {
                out.extend(bytes.iter().map(|byte| if byte.is_ascii() { *byte as char } else { '\u{FFFD}' }))
            }
            Self::Latin1 => out.extend(bytes.iter().map(|byte| *byte as char)),
            Self::Utf8 => out.push_str(&String::from_utf8_lossy(bytes)),
            Self::Utf16 { little_endian, mark } => {
                let (little_endian, bytes) = match (mark, bytes) {
                    (true, [0xFF, 0xFE, rest @ ..]) => (true, rest),
                    (true, [0xFE, 0xFF, rest @ ..]) => (false, rest),
                    _ => (little_endian, bytes),
                };
                let units = bytes.chunks_exact(2).map(|pair| {
                    let pair = [pair[0], pair[1]];
                    if little_endian { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }
                });
                out.extend(char::decode_utf16(units).map(|char| char.unwrap_or('\u{FFFD}')));
            }
        }
    }
}

fn encode(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, charsets) = (call.strings(0)?, call.strings(1)?);
    binary(call, |row, out| {
        let (Some(text), Some(charset)) = (texts.get(row), charsets.get(row)) else { return Ok(false) };
        Charset::of(charset)?.encode(text, out);
        Ok(true)
    })
}

fn decode(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, charsets) = (call.binaries(0)?, call.strings(1)?);
    call.write_strings(|row, out| {
        let (Some(bytes), Some(charset)) = (values.get(row), charsets.get(row)) else { return Ok(false) };
        Charset::of(charset)?.decode(bytes, out);
        Ok(true)
    })
}

/// Lower-case hexadecimal digits.
pub(crate) fn write_hex(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
}

/// Bytes of two hexadecimal digits.
pub(super) fn hex_byte(high: u8, low: u8) -> Result<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    match (digit(high), digit(low)) {
        (Some(high), Some(low)) => Ok((high << 4 | low) as u8),
        _ => Err(fix("not a hexadecimal digit")),
    }
}
