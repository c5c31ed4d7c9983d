//! Values of MySQL types inside binary JSON: decimals, dates and times, and bytes.

use crate::cursor::Cursor;
use crate::value::decimal::DecimalLayout;
use crate::value::decimal_text;
use crate::value::fault::{Fault, Put};
use crate::value::json::scalar::string_len;
use crate::value::temporal::{Clock, Date, DateTime, Span};

/// Writes type byte, length and value. What has no JSON form becomes `"base64:type<type>:<bytes>"`.
pub(super) fn write(out: &mut Vec<u8>, content: &[u8]) -> Put {
    let mut cursor = Cursor::new(content);
    let type_code = cursor.u8()?;
    let len = string_len(&mut cursor)?;
    let value = cursor.take(len)?;
    match type_code {
        0 | 246 => write_decimal(out, value),
        7 | 10 | 12 | 17 | 18 => write_quoted(out, |out| write_datetime(out, type_code, packed(value)?)),
        11 | 19 => write_quoted(out, |out| write_time(out, packed(value)?)),
        _ => write_quoted(out, |out| {
            out.extend_from_slice(b"base64:type");
            out.extend_from_slice(itoa::Buffer::new().format(type_code).as_bytes());
            out.push(b':');
            write_base64(out, value);
            Ok(())
        }),
    }
}

fn write_quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Put) -> Put {
    out.push(b'"');
    write(out)?;
    out.push(b'"');
    Ok(())
}

/// Precision 1, scale 1, then the packed digits. A number, without quotes.
fn write_decimal(out: &mut Vec<u8>, value: &[u8]) -> Put {
    let mut cursor = Cursor::new(value);
    let layout = DecimalLayout::new(cursor.u8()?, cursor.u8()?).ok_or(Fault::Malformed)?;
    decimal_text::write_packed(out, layout, cursor.take(layout.bytes.into())?)
}

fn packed(value: &[u8]) -> Result<i64, Fault> {
    Ok(Cursor::new(value).u64_le()? as i64)
}

/// Bits from the top: year × 13 + month 17, day 5, hour 5, minute 6, second 6, microsecond 24.
fn write_datetime(out: &mut Vec<u8>, type_code: u8, packed: i64) -> Put {
    let value = packed.unsigned_abs();
    let (micros, seconds) = ((value & 0xff_ffff) as u32, value >> 24);
    let (clock, day_and_up) = (seconds & 0x1_ffff, seconds >> 17);
    let year_month = day_and_up >> 5;
    let year = u32::try_from(year_month / 13).ok().filter(|year| *year <= 9999).ok_or(Fault::Malformed)?;
    let date = Date { year, month: (year_month % 13) as u32, day: (day_and_up & 31) as u32 };
    if type_code == 10 {
        date.write(out);
        return Ok(());
    }
    let clock = Clock::new((clock >> 12) as u32, (clock >> 6 & 63) as u32, (clock & 63) as u32, micros)?;
    DateTime { date, clock }.write(out, 6);
    Ok(())
}

/// Bits from the top: sign, hour 10, minute 6, second 6, microsecond 24; negative values are negated as a whole.
fn write_time(out: &mut Vec<u8>, packed: i64) -> Put {
    let value = packed.unsigned_abs();
    let (micros, clock) = ((value & 0xff_ffff) as u32, value >> 24);
    let span = Span {
        negative: packed < 0,
        hours: (clock >> 12 & 0x3ff) as u32,
        minutes: (clock >> 6 & 63) as u32,
        seconds: (clock & 63) as u32,
        micros,
    };
    span.write(out, 6);
    Ok(())
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Input bytes of one line of base64 of 76 symbols; the server breaks lines, even inside JSON.
const LINE: usize = 57;

fn write_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    for (index, chunk) in bytes.chunks(3).enumerate() {
        if index > 0 && index % (LINE / 3) == 0 {
            out.extend_from_slice(b"\\n");
        }
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let symbol = ALPHABET[(bits >> (18 - 6 * digit) & 63) as usize];
            out.push(if digit <= chunk.len() { symbol } else { b'=' });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(type_code: u8, value: &[u8]) -> String {
        let mut out = Vec::new();
        write(&mut out, &[&[type_code, value.len() as u8], value].concat()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn mysql_values_inside_json() {
        assert_eq!(text(246, &[3, 2, 0x81, 50]), "1.50");
        let date = ((2015u64 * 13 + 1) << 5 | 15) << 17;
        let datetime = (date | 23 << 12 | 24 << 6 | 25) << 24;
        assert_eq!(text(12, &datetime.to_le_bytes()), "\"2015-01-15 23:24:25.000000\"");
        assert_eq!(text(10, &(date << 24).to_le_bytes()), "\"2015-01-15\"");
        let time = -(((1i64 << 12 | 2 << 6 | 3) << 24) + 500_000);
        assert_eq!(text(11, &time.to_le_bytes()), "\"-01:02:03.500000\"");
        assert_eq!(text(15, b"abcd"), "\"base64:type15:YWJjZA==\"");
        assert_eq!(text(16, &[5]), "\"base64:type16:BQ==\"");
    }
}
