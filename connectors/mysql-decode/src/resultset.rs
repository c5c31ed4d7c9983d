//! Row packets of the binary protocol into batches.
//!
//! The response to `COM_STMT_EXECUTE` ("Binary Protocol Resultset Row" of the MySQL internals manual): a zero byte, a
//! bitmap of NULLs whose first column has bit 2, then the values of the columns that are not NULL. The caller's session
//! must have `character_set_results` utf8mb4, `time_zone` '+00:00' and no `PAD_CHAR_TO_FULL_LENGTH` in `sql_mode`;
//! then a row reads the same as from the log.

use crate::batch::{ColumnBuffer, RowBatchBuilder, kind};
use crate::cell_error::{explain, invalid_text};
use crate::column::{MySqlType, TargetColumn};
use crate::cursor::{Cursor, bit, bitmap_len};
use crate::error::{DecodeError, Result};
use crate::rows::{DecodeOptions, UtcOffset};
use crate::targets;
use crate::value::{Clock, Date, DateTime, Decoded, Fault, Put, Span, decimal_from_text, split_set};

/// Decodes the rows of `SELECT` over the source columns of the target columns, in their order.
#[derive(Debug)]
pub struct ResultRowDecoder {
    columns: Vec<TargetColumn>,
    options: DecodeOptions,
}

impl ResultRowDecoder {
    /// Checks that `columns` can be decoded.
    pub fn new(columns: &[TargetColumn]) -> Result<Self> {
        Self::with_options(columns, DecodeOptions::default())
    }

    /// The same with the server's time zone.
    pub fn with_options(columns: &[TargetColumn], options: DecodeOptions) -> Result<Self> {
        columns.iter().try_for_each(targets::check)?;
        Ok(Self { columns: columns.to_vec(), options })
    }

    /// Appends one row packet to `out`, as an insert.
    pub fn decode_row(&mut self, packet: &[u8], out: &mut RowBatchBuilder) -> Result<()> {
        let start = out.len();
        let decoded = self.decode_values(packet, out).and_then(|()| self.check_text(start, out));
        match decoded {
            Ok(()) => out.kinds.push(kind::INSERT),
            Err(_) => out.truncate(start),
        }
        decoded
    }

    fn decode_values(&self, packet: &[u8], out: &mut RowBatchBuilder) -> Result<()> {
        let mut cursor = Cursor::new(packet);
        let head = cursor.u8()?;
        if head != 0 {
            return Err(DecodeError::malformed(format!("a row packet begins with {head:#04x}")));
        }
        let nulls = cursor.take(bitmap_len(self.columns.len() + 2))?;
        if out.columns.len() != self.columns.len() {
            return Err(DecodeError::schema("the batch builder was made for other columns than the decoder"));
        }
        for (index, (target, column)) in self.columns.iter().zip(&mut out.columns).enumerate() {
            let put = match bit(nulls, index + 2) {
                true => column.put_null(),
                false => decode(target, &mut cursor, column, &self.options.utc_offset),
            };
            put.map_err(|fault| explain(fault, target))?;
        }
        if !cursor.is_empty() {
            let what = format!("a row packet has {} bytes behind its last column", cursor.len());
            return Err(DecodeError::schema(what).with_hint("the SELECT has more columns than were declared"));
        }
        Ok(())
    }

    fn check_text(&self, start: usize, out: &RowBatchBuilder) -> Result<()> {
        for (column, target) in out.columns.iter().zip(&self.columns) {
            if let Some((_, bytes)) = column.find_invalid_text(start) {
                return Err(invalid_text(bytes, target));
            }
        }
        Ok(())
    }
}

/// Reads one value. Integers have the width of their type (MEDIUMINT four bytes, YEAR two), dates and times begin with
/// their length, everything else is a length-encoded string.
fn decode(target: &TargetColumn, cursor: &mut Cursor<'_>, column: &mut ColumnBuffer, offset: &UtcOffset) -> Put {
    let source = &target.source;
    let digits = source.decimals;
    match (source.kind, source.unsigned) {
        (MySqlType::TinyInt, false) => column.put_i64(i64::from(cursor.u8()? as i8)),
        (MySqlType::TinyInt, true) => column.put_i64(i64::from(cursor.u8()?)),
        (MySqlType::SmallInt, false) => column.put_i64(i64::from(cursor.u16_le()? as i16)),
        (MySqlType::SmallInt, true) => column.put_i64(i64::from(cursor.u16_le()?)),
        (MySqlType::MediumInt | MySqlType::Int, false) => column.put_i64(i64::from(cursor.u32_le()? as i32)),
        (MySqlType::MediumInt | MySqlType::Int, true) => column.put_i64(i64::from(cursor.u32_le()?)),
        (MySqlType::BigInt, false) => column.put_i64(cursor.u64_le()? as i64),
        (MySqlType::BigInt, true) => column.put_u64(cursor.u64_le()?),
        (MySqlType::Float, _) => column.put_f32(f32::from_bits(cursor.u32_le()?)),
        (MySqlType::Double, _) => column.put_f64(f64::from_bits(cursor.u64_le()?)),
        (MySqlType::Year, _) => column.put_year(cursor.u16_le()?),
        (MySqlType::Date, _) => column.put_date(datetime(cursor)?.date),
        (MySqlType::DateTime, _) => column.put_datetime(datetime(cursor)?, digits),
        (MySqlType::Timestamp, _) => {
            let utc = datetime(cursor)?;
            let micros = if utc == DateTime::default() { None } else { Some(utc.micros().ok_or(Fault::Malformed)?) };
            column.put_timestamp(micros, |utc| offset.at(utc), digits)
        }
        (MySqlType::Time, _) => column.put_time(time(cursor)?, digits),
        _ => decode_string(target, cursor.lenenc_bytes()?, column),
    }
}

fn decode_string(target: &TargetColumn, value: &[u8], column: &mut ColumnBuffer) -> Put {
    match target.source.kind {
        MySqlType::Decimal if target.target == arrow_schema::DataType::Utf8 => column.put_decimal_text(value),
        MySqlType::Decimal => {
            let (unscaled, scale) = decimal_from_text(value)?;
            column.put_decimal(unscaled, scale)
        }
        MySqlType::Bit => column.put_bits(value),
        MySqlType::Binary => column.put_bytes(value, target.source.length.min(255) as usize),
        MySqlType::VarBinary | MySqlType::Blob | MySqlType::Vector => column.put_bytes(value, 0),
        MySqlType::Set => column.put_set(split_set(value)),
        _ => column.put_text(value),
    }
}

/// Length 0 (zero date), 4 (date), 7 (and time) or 11 (and microseconds): year 2 bytes, month 1, day 1, hour 1, minute
/// 1, second 1, microsecond 4.
fn datetime(cursor: &mut Cursor<'_>) -> Decoded<DateTime> {
    let len = cursor.u8()?;
    if !matches!(len, 0 | 4 | 7 | 11) {
        return Err(Fault::Malformed);
    }
    let mut datetime = DateTime::default();
    if len >= 4 {
        datetime.date = Date { year: cursor.u16_le()?.into(), month: cursor.u8()?.into(), day: cursor.u8()?.into() };
    }
    if len >= 7 {
        let [hour, minute, second] = cursor.array()?.map(|byte: u8| u32::from(byte));
        let micros = if len == 11 { cursor.u32_le()? } else { 0 };
        datetime.clock = Clock::new(hour, minute, second, micros)?;
    }
    if datetime.date.year > 9999 { Err(Fault::Malformed) } else { Ok(datetime) }
}

/// Length 0 (zero), 8 or 12 (and microseconds): negative 1 byte, days 4, hour 1, minute 1, second 1, microsecond 4.
fn time(cursor: &mut Cursor<'_>) -> Decoded<Span> {
    let len = cursor.u8()?;
    if len == 0 {
        return Ok(Span::default());
    }
    if !matches!(len, 8 | 12) {
        return Err(Fault::Malformed);
    }
    let negative = cursor.u8()? != 0;
    let days = cursor.u32_le()?;
    let [hour, minutes, seconds] = cursor.array()?.map(|byte: u8| u32::from(byte));
    let micros = if len == 12 { cursor.u32_le()? } else { 0 };
    let hours = days.checked_mul(24).and_then(|hours| hours.checked_add(hour)).ok_or(Fault::Malformed)?;
    Span::new(negative, hours, minutes, seconds, micros)
}
