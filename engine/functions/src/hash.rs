//! Digests of texts, as lower-case hexadecimal digits.
//!
//! `MD5('test')` is `098f6bcd4621d373cade4e832627b4f6`.

use arrow_array::ArrayRef;
use arrow_array::types::Int32Type;
use datafusion_common::Result;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use sluice_model::SqlType;

use crate::error::fix;
use crate::function::{Call, Definition, Kind};
use crate::text::write_hex;

pub(crate) fn definitions() -> Vec<Definition> {
    use Kind::{Binary, Integer, String};
    let digest = |name, length, kernel| Definition::new(name, &[String], SqlType::Char(length), kernel).or(&[Binary]);
    vec![
        digest("md5", 32, |call| digests(call, |bytes, out| write_hex(&md5(bytes), out))),
        digest("sha1", 40, |call| digests(call, |bytes, out| write_hex(&sha1(bytes), out))),
        digest("sha224", 56, |call| digests(call, write_digest::<Sha224>)),
        digest("sha256", 64, |call| digests(call, write_digest::<Sha256>)),
        digest("sha384", 96, |call| digests(call, write_digest::<Sha384>)),
        digest("sha512", 128, |call| digests(call, write_digest::<Sha512>)),
        Definition::new("hash_code", &[Kind::Any], SqlType::Int, hash_code),
        Definition::new("sha2", &[String, Integer], SqlType::VarChar(128), sha2).or(&[Binary, Integer]).fallible(),
    ]
}

fn write_digest<D: Digest>(text: &[u8], out: &mut String) {
    write_hex(&D::digest(text), out);
}

fn digests(call: &Call<'_>, write: impl Fn(&[u8], &mut String)) -> Result<ArrayRef> {
    let values = call.bytes(0)?;
    call.write_strings(|row, out| {
        let Some(bytes) = values.get(row) else { return Ok(false) };
        write(bytes, out);
        Ok(true)
    })
}

/// Java's `String.hashCode`.
pub(crate) fn of_string(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// What Java's classes for these types hash to; of texts without the sign.
fn hash_code(call: &Call<'_>) -> Result<ArrayRef> {
    let sql_type = call.sql_type(0);
    let of_long = |value: i64| (value ^ ((value as u64 >> 32) as i64)) as i32;
    match sql_type {
        SqlType::Char(_) | SqlType::VarChar(_) => {
            let texts = call.strings(0)?;
            call.primitive::<Int32Type>(|row| Ok(texts.get(row).map(|text| of_string(text).wrapping_abs())))
        }
        SqlType::TinyInt | SqlType::SmallInt | SqlType::Int => {
            let values = call.widened(0)?;
            call.primitive::<Int32Type>(|row| Ok(values.get(row).map(|value| value as i32)))
        }
        SqlType::BigInt => {
            let values = call.widened(0)?;
            call.primitive::<Int32Type>(|row| Ok(values.get(row).map(of_long)))
        }
        SqlType::Double => {
            let values = call.doubles(0)?;
            call.primitive::<Int32Type>(|row| Ok(values.get(row).map(|value| of_long(value.to_bits() as i64))))
        }
        SqlType::Boolean => {
            let values = call.booleans(0)?;
            call.primitive::<Int32Type>(|row| Ok(values.get(row).map(|value| if value { 1231 } else { 1237 })))
        }
        other => Err(fix(format!("HASH_CODE takes texts, integers, DOUBLE and BOOLEAN, not {other}"))),
    }
}

fn sha2(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, lengths) = (call.bytes(0)?, call.integers(1)?);
    call.write_strings(|row, out| {
        let (Some(bytes), Some(length)) = (values.get(row), lengths.get(row)) else { return Ok(false) };
        match length {
            224 => write_digest::<Sha224>(bytes, out),
            256 => write_digest::<Sha256>(bytes, out),
            384 => write_digest::<Sha384>(bytes, out),
            512 => write_digest::<Sha512>(bytes, out),
            other => return Err(fix(format!("SHA2 makes 224, 256, 384 or 512 bits, not {other}"))),
        }
        Ok(true)
    })
}

/// The blocks of a message of Merkle and Damgård: padded to 64 bytes, with its length in bits at the end.
fn blocks(message: &[u8], length: [u8; 8], mut each: impl FnMut(&[u8; 64])) {
    let (whole, rest) = message.as_chunks::<64>();
    whole.iter().for_each(&mut each);
    let mut last = [[0u8; 64]; 2];
    last[0][..rest.len()].copy_from_slice(rest);
    last[0][rest.len()] = 0x80;
    let used = if rest.len() < 56 { 1 } else { 2 };
    last[used - 1][56..].copy_from_slice(&length);
    last[..used].iter().for_each(each);
}

/// RFC 1321.
fn md5(message: &[u8]) -> [u8; 16] {
    const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    let mut state: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    let bits = (message.len() as u64).wrapping_mul(8);
    blocks(message, bits.to_le_bytes(), |block| {
        let words: [u32; 16] = std::array::from_fn(|i| u32::from_le_bytes(std::array::from_fn(|j| block[4 * i + j])));
        let [mut a, mut b, mut c, mut d] = state;
        for step in 0..64usize {
            let (mix, word) = match step / 16 {
                0 => ((b & c) | (!b & d), step),
                1 => ((d & b) | (!d & c), (5 * step + 1) % 16),
                2 => (b ^ c ^ d, (3 * step + 5) % 16),
                _ => (c ^ (b | !d), (7 * step) % 16),
            };
            let rotated = mix.wrapping_add(a).wrapping_add(MD5_SINES[step]).wrapping_add(words[word]);
            (a, d, c) = (d, c, b);
            b = b.wrapping_add(rotated.rotate_left(SHIFTS[step / 16][step % 4]));
        }
        for (total, part) in state.iter_mut().zip([a, b, c, d]) {
            *total = total.wrapping_add(part);
        }
    });
    std::array::from_fn(|i| state[i / 4].to_le_bytes()[i % 4])
}

/// `floor(2^32 * abs(sin(i + 1)))`.
static MD5_SINES: std::sync::LazyLock<[u32; 64]> =
    std::sync::LazyLock::new(|| std::array::from_fn(|i| ((i as f64 + 1.0).sin().abs() * 4_294_967_296.0) as u32));

/// RFC 3174.
fn sha1(message: &[u8]) -> [u8; 20] {
    let mut state: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let bits = (message.len() as u64).wrapping_mul(8);
    blocks(message, bits.to_be_bytes(), |block| {
        let mut words = [0u32; 80];
        for i in 0..16 {
            words[i] = u32::from_be_bytes(std::array::from_fn(|j| block[4 * i + j]));
        }
        for i in 16..80 {
            words[i] = (words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16]).rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (step, word) in words.iter().enumerate() {
            let (mix, constant) = match step / 20 {
                0 => ((b & c) | (!b & d), 0x5a82_7999),
                1 => (b ^ c ^ d, 0x6ed9_eba1),
                2 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let next = a.rotate_left(5).wrapping_add(mix).wrapping_add(e).wrapping_add(constant).wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (total, part) in state.iter_mut().zip([a, b, c, d, e]) {
            *total = total.wrapping_add(part);
        }
    });
    std::array::from_fn(|i| state[i / 4].to_be_bytes()[i % 4])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        let mut out = String::new();
        write_hex(bytes, &mut out);
        out
    }

    #[test]
    fn digests_of_the_rfcs() {
        assert_eq!(hex(&md5(b"")), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hex(&md5(b"message digest")), "f96b697d7cb7938d525a2f31aaf161d0");
        assert_eq!(
            hex(&md5(b"12345678901234567890123456789012345678901234567890123456789012345678901234567890")),
            "57edf4a22be3c955ac49da2e2107b67a"
        );
        assert_eq!(hex(&sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(
            hex(&sha1(b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
        );
    }
}
