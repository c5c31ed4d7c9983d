//! Reading one value of a row image into its column.

use crate::batch::ColumnBuffer;
use crate::column::MySqlColumn;
use crate::cursor::{Cursor, Read};
use crate::rows::options::UtcOffset;
use crate::rows::plan::Op;
use crate::value::{Clock, Date, DateTime, Fault, Put, Span, inet4_text, inet6_text, uuid_text};

/// What decoding a value may need besides its bytes.
#[derive(Clone, Copy)]
pub(crate) struct CellContext<'c> {
    pub(crate) source: &'c MySqlColumn,
    pub(crate) utc_offset: &'c UtcOffset,
}

/// Reads the value at `cursor` and appends it to `column`.
#[inline]
pub(crate) fn decode(op: Op, cursor: &mut Cursor<'_>, column: &mut ColumnBuffer, context: CellContext<'_>) -> Put {
    match op {
        Op::I64 => column.put_i64(cursor.u64_le()? as i64),
        Op::I32 => column.put_i64(i64::from(cursor.u32_le()? as i32)),
        Op::Text { prefix: 1 } => {
            let len = usize::from(cursor.u8()?);
            put_text(cursor, len, column)
        }
        Op::Decimal(layout) => {
            let source = cursor.rest();
            cursor.skip(layout.bytes.into())?;
            column.put_declared_decimal(layout.unpack(source)?, layout)
        }
        Op::DateTime2 { digits } => column.put_datetime(datetime2(cursor, digits)?, digits),
        Op::I8 => column.put_i64(i64::from(cursor.u8()? as i8)),
        Op::U8 => column.put_i64(i64::from(cursor.u8()?)),
        Op::I16 => column.put_i64(i64::from(cursor.u16_le()? as i16)),
        Op::U16 => column.put_i64(i64::from(cursor.u16_le()?)),
        Op::I24 => column.put_i64(i64::from(cursor.i24_le()?)),
        Op::U24 => column.put_i64(i64::from(cursor.u24_le()?)),
        Op::U32 => column.put_i64(i64::from(cursor.u32_le()?)),
        Op::U64 => column.put_u64(cursor.u64_le()?),
        Op::F32 => column.put_f32(f32::from_bits(cursor.u32_le()?)),
        Op::F64 => column.put_f64(f64::from_bits(cursor.u64_le()?)),
        Op::Text { prefix } => {
            let len = length(cursor, prefix)?;
            put_text(cursor, len, column)
        }
        Op::Bytes { prefix, width } => column.put_bytes(prefixed(cursor, prefix)?, width.into()),
        Op::Skip { .. } | Op::SkipPrefixed { .. } => Ok(skip(op, cursor)?),
        _ => decode_rare(op, cursor, column, context),
    }
}

/// The types that are not worth a place in the loop.
#[inline(never)]
fn decode_rare(op: Op, cursor: &mut Cursor<'_>, column: &mut ColumnBuffer, context: CellContext<'_>) -> Put {
    let labels = &context.source.labels;
    let offset = |utc| context.utc_offset.at(utc);
    match op {
        Op::DecimalText(layout) => column.put_packed_decimal_text(layout, cursor.take(layout.bytes.into())?),
        Op::Year => column.put_year_byte(cursor.u8()?),
        Op::Bits { bytes } => column.put_bits(cursor.take(bytes.into())?),
        Op::Date => column.put_date(date(cursor)?),
        Op::Timestamp2 { digits } => column.put_timestamp(timestamp2(cursor, digits)?, offset, digits),
        Op::Time2 { digits } => column.put_time(time2(cursor, digits)?, digits),
        Op::OldDateTime => column.put_datetime(old_datetime(cursor.u64_le()?)?, 0),
        Op::OldTimestamp => column.put_timestamp(seconds_to_micros(cursor.u32_le()?, 0), offset, 0),
        Op::OldTime => column.put_time(old_time(cursor.i24_le()?)?, 0),
        Op::Latin1 { prefix } => column.put_latin1(prefixed(cursor, prefix)?),
        Op::Json { prefix } => column.put_json(prefixed(cursor, prefix)?),
        Op::Enum { bytes } => column.put_label(labels, cursor.uint_le(bytes.into())?),
        Op::Set { bytes } => column.put_label_bits(labels, cursor.uint_le(bytes.into())?),
        Op::Uuid => put_address(cursor, column, uuid_text),
        Op::Inet4 => put_address(cursor, column, inet4_text),
        Op::Inet6 => put_address(cursor, column, inet6_text),
        _ => Err(Fault::Mismatch),
    }
}

/// Passes over the value at `cursor`.
#[inline]
pub(crate) fn skip(op: Op, cursor: &mut Cursor<'_>) -> Read<()> {
    match op {
        Op::Skip { bytes } => cursor.skip(bytes as usize),
        Op::SkipPrefixed { prefix } => {
            let len = length(cursor, prefix)?;
            cursor.skip(len)
        }
        _ => Ok(()),
    }
}

#[inline]
fn put_text(cursor: &mut Cursor<'_>, len: usize, column: &mut ColumnBuffer) -> Put {
    let source = cursor.rest();
    cursor.skip(len)?;
    column.put_text_within(source, len)
}

fn put_address(cursor: &mut Cursor<'_>, column: &mut ColumnBuffer, write: impl Fn(&mut Vec<u8>, &[u8]) -> Put) -> Put {
    let stored = prefixed(cursor, 1)?;
    column.put_written(|out| write(out, stored))
}

#[inline]
fn length(cursor: &mut Cursor<'_>, prefix: u8) -> Read<usize> {
    cursor.uint_le(prefix.into()).map(|len| len as usize)
}

#[inline]
fn prefixed<'a>(cursor: &mut Cursor<'a>, prefix: u8) -> Read<&'a [u8]> {
    let len = length(cursor, prefix)?;
    cursor.take(len)
}

/// Three bytes, little-endian: day 5 bits, month 4, year 15.
fn date(cursor: &mut Cursor<'_>) -> Read<Date> {
    let bits = cursor.u24_le()?;
    Ok(Date { year: bits >> 9, month: bits >> 5 & 15, day: bits & 31 })
}

/// Five bytes, big-endian: sign 1 bit (set), year × 13 + month 17, day 5, hour 5, minute 6, second 6; then the
/// fraction.
#[inline]
fn datetime2(cursor: &mut Cursor<'_>, digits: u8) -> Result<DateTime, Fault> {
    let bits = cursor.u40_be()?;
    let micros = fraction(cursor, digits)?;
    if bits >> 39 != 1 {
        return Err(Fault::Malformed);
    }
    let year_month = (bits >> 22 & 0x1_ffff) as u32;
    let year = year_month / 13;
    if year > 9999 {
        return Err(Fault::Malformed);
    }
    let date = Date { year, month: year_month % 13, day: (bits >> 17 & 31) as u32 };
    let clock = Clock::new((bits >> 12 & 31) as u32, (bits >> 6 & 63) as u32, (bits & 63) as u32, micros)?;
    Ok(DateTime { date, clock })
}

/// Big-endian fraction of one byte per two digits, in microseconds.
#[inline]
fn fraction(cursor: &mut Cursor<'_>, digits: u8) -> Read<u32> {
    match digits {
        0 => Ok(0),
        1 | 2 => Ok(u32::from(cursor.u8()?) * 10_000),
        3 | 4 => Ok(cursor.uint_be(2)? as u32 * 100),
        _ => Ok(cursor.uint_be(3)? as u32),
    }
}

/// Four bytes of seconds since 1970 in UTC, big-endian, then the fraction. All zero is the zero timestamp.
fn timestamp2(cursor: &mut Cursor<'_>, digits: u8) -> Result<Option<i64>, Fault> {
    let seconds = u32::from_be_bytes(cursor.array()?);
    let micros = fraction(cursor, digits)?;
    if micros > 999_999 {
        return Err(Fault::Malformed);
    }
    Ok(seconds_to_micros(seconds, micros))
}

fn seconds_to_micros(seconds: u32, micros: u32) -> Option<i64> {
    (seconds != 0 || micros != 0).then(|| i64::from(seconds) * 1_000_000 + i64::from(micros))
}

/// Three bytes and the fraction as one big-endian number around its middle: hour 10 bits, minute 6, second 6 and the
/// fraction. The sign belongs to the whole number, fraction included.
fn time2(cursor: &mut Cursor<'_>, digits: u8) -> Result<Span, Fault> {
    let fraction_bytes = usize::from(digits.div_ceil(2));
    let bits = 8 * (3 + fraction_bytes);
    let raw = cursor.uint_be(3 + fraction_bytes)? as i64 - (1 << (bits - 1));
    let value = raw.unsigned_abs();
    let clock = value >> (8 * fraction_bytes);
    let fraction = (value & ((1 << (8 * fraction_bytes)) - 1)) as u32;
    let micros = match fraction_bytes {
        1 => fraction * 10_000,
        2 => fraction * 100,
        _ => fraction,
    };
    let (minutes, seconds) = ((clock >> 6 & 63) as u32, (clock & 63) as u32);
    Span::new(raw < 0, (clock >> 12) as u32, minutes, seconds, micros)
}

/// The decimal digits YYYYMMDDhhmmss.
fn old_datetime(value: u64) -> Result<DateTime, Fault> {
    let (date, clock) = (value / 1_000_000, value % 1_000_000);
    let year = u32::try_from(date / 10_000).ok().filter(|year| *year <= 9999).ok_or(Fault::Malformed)?;
    let date = Date { year, month: (date / 100 % 100) as u32, day: (date % 100) as u32 };
    let clock = Clock::new((clock / 10_000) as u32, (clock / 100 % 100) as u32, (clock % 100) as u32, 0)?;
    Ok(DateTime { date, clock })
}

/// The decimal digits hhmmss, negative as a whole.
fn old_time(value: i32) -> Result<Span, Fault> {
    let digits = value.unsigned_abs();
    Span::new(value < 0, digits / 10_000, digits / 100 % 100, digits % 100, 0)
}
