//! What to do with one column of a row image, decided once per table map.

use crate::charset::Charset;
use crate::column::{MySqlColumn, MySqlType, TargetColumn};
use crate::error::{DecodeError, Result};
use crate::event::{WireColumn, WireType};
use crate::targets;
use crate::value::DecimalLayout;

/// How to read, or pass over, the value of a column.
///
/// `prefix` is the number of little-endian length bytes before a value, `digits` the fractional second digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    I8,
    U8,
    I16,
    U16,
    I24,
    U24,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
    Decimal(DecimalLayout),
    DecimalText(DecimalLayout),
    Year,
    Bits {
        bytes: u8,
    },
    Date,
    DateTime2 {
        digits: u8,
    },
    Timestamp2 {
        digits: u8,
    },
    Time2 {
        digits: u8,
    },
    /// DATETIME of tables made before MySQL 5.6.
    OldDateTime,
    /// TIMESTAMP of tables made before MySQL 5.6.
    OldTimestamp,
    /// TIME of tables made before MySQL 5.6.
    OldTime,
    Text {
        prefix: u8,
    },
    Latin1 {
        prefix: u8,
    },
    /// Filled up with zero bytes to `width`.
    Bytes {
        prefix: u8,
        width: u16,
    },
    Json {
        prefix: u8,
    },
    Enum {
        bytes: u8,
    },
    Set {
        bytes: u8,
    },
    Uuid,
    Inet4,
    Inet6,
    /// Not needed, always of the same width. Neighbours are joined.
    Skip {
        bytes: u32,
    },
    /// Not needed, preceded by its length.
    SkipPrefixed {
        prefix: u8,
    },
}

/// How to pass over a column.
pub(crate) fn skip(column: &WireColumn) -> Result<Op> {
    let fixed = |bytes: u32| Ok(Op::Skip { bytes });
    let digits = column.meta.min(6) as u8;
    match column.wire_type {
        WireType::Tiny | WireType::Year => fixed(1),
        WireType::Short => fixed(2),
        WireType::Int24 | WireType::Date | WireType::Time => fixed(3),
        WireType::Long | WireType::Float | WireType::Timestamp => fixed(4),
        WireType::LongLong | WireType::Double | WireType::DateTime => fixed(8),
        WireType::Time2 => fixed(3 + fraction_bytes(digits)),
        WireType::Timestamp2 => fixed(4 + fraction_bytes(digits)),
        WireType::DateTime2 => fixed(5 + fraction_bytes(digits)),
        WireType::NewDecimal => fixed(decimal_layout(column)?.bytes.into()),
        WireType::Bit => fixed(column.meta.div_ceil(8).into()),
        WireType::Enum | WireType::Set => fixed(column.meta.into()),
        WireType::String | WireType::VarChar | WireType::VarCharCompressed => {
            Ok(Op::SkipPrefixed { prefix: if column.meta > 255 { 2 } else { 1 } })
        }
        WireType::Blob | WireType::BlobCompressed | WireType::Json | WireType::Geometry | WireType::Vector => {
            match column.meta {
                1..=4 => Ok(Op::SkipPrefixed { prefix: column.meta as u8 }),
                other => Err(DecodeError::malformed(format!("a length of {other} bytes in a table map"))),
            }
        }
        WireType::Unknown(code) => Err(DecodeError::unsupported(format!("column type {code} is not known"))
            .with_hint("the server is newer than this program; please report the type and the server version")),
    }
}

/// How to decode a column into its target, after checking that the log has what is declared.
pub(crate) fn decode(target: &TargetColumn, wire: &WireColumn) -> Result<Op> {
    targets::check(target)?;
    check_declared(&target.source, wire)?;
    let source = &target.source;
    let int = |signed, unsigned| if source.unsigned { unsigned } else { signed };
    let digits = wire.meta.min(6) as u8;
    let skipped = skip(wire)?;
    let prefix = if let Op::SkipPrefixed { prefix } = skipped { prefix } else { 0 };
    let op = match (source.kind, wire.wire_type) {
        (MySqlType::TinyInt, WireType::Tiny) => int(Op::I8, Op::U8),
        (MySqlType::SmallInt, WireType::Short) => int(Op::I16, Op::U16),
        (MySqlType::MediumInt, WireType::Int24) => int(Op::I24, Op::U24),
        (MySqlType::Int, WireType::Long) => int(Op::I32, Op::U32),
        (MySqlType::BigInt, WireType::LongLong) => int(Op::I64, Op::U64),
        (MySqlType::Float, WireType::Float) => Op::F32,
        (MySqlType::Double, WireType::Double) => Op::F64,
        (MySqlType::Decimal, WireType::NewDecimal) => decimal(target, wire)?,
        (MySqlType::Year, WireType::Year) => Op::Year,
        (MySqlType::Bit, WireType::Bit) => Op::Bits { bytes: wire.meta.div_ceil(8).min(255) as u8 },
        (MySqlType::Date, WireType::Date) => Op::Date,
        (MySqlType::DateTime, WireType::DateTime2) => Op::DateTime2 { digits },
        (MySqlType::DateTime, WireType::DateTime) => Op::OldDateTime,
        (MySqlType::Timestamp, WireType::Timestamp2) => Op::Timestamp2 { digits },
        (MySqlType::Timestamp, WireType::Timestamp) => Op::OldTimestamp,
        (MySqlType::Time, WireType::Time2) => Op::Time2 { digits },
        (MySqlType::Time, WireType::Time) => Op::OldTime,
        (MySqlType::Char, WireType::String)
        | (MySqlType::VarChar, WireType::VarChar)
        | (MySqlType::Text, WireType::Blob) => text(source, wire, prefix)?,
        (MySqlType::Binary, WireType::String) => Op::Bytes { prefix, width: source.length.min(255) as u16 },
        (MySqlType::VarBinary, WireType::VarChar)
        | (MySqlType::Blob, WireType::Blob)
        | (MySqlType::Vector, WireType::Vector) => Op::Bytes { prefix, width: 0 },
        (MySqlType::Json, WireType::Json) => Op::Json { prefix },
        (MySqlType::Enum, WireType::Enum) => Op::Enum { bytes: wire.meta.min(255) as u8 },
        (MySqlType::Set, WireType::Set) => Op::Set { bytes: wire.meta.min(255) as u8 },
        (MySqlType::Uuid, WireType::String) => Op::Uuid,
        (MySqlType::Inet4, WireType::String) => Op::Inet4,
        (MySqlType::Inet6, WireType::String) => Op::Inet6,
        (_, found) => return Err(differs(source, format!("its type in the log is {found:?}"))),
    };
    Ok(op)
}

/// Assertions that cost nothing: what the table map says beyond the type must match the declaration.
fn check_declared(source: &MySqlColumn, wire: &WireColumn) -> Result<()> {
    if matches!(wire.wire_type, WireType::BlobCompressed | WireType::VarCharCompressed) {
        return Err(DecodeError::unsupported("COMPRESSED columns are not supported yet")
            .in_column(source.name.clone())
            .with_hint("ALTER TABLE … MODIFY the column without COMPRESSED, or leave it out of the table"));
    }
    if let Some(name) = wire.name.as_ref().filter(|name| !name.eq_ignore_ascii_case(&source.name)) {
        return Err(differs(source, format!("its name in the log is `{name}`")));
    }
    // The others have the bit too, but it does not change their bytes.
    let is_integer = matches!(
        wire.wire_type,
        WireType::Tiny | WireType::Short | WireType::Int24 | WireType::Long | WireType::LongLong
    );
    match wire.unsigned {
        Some(unsigned) if is_integer && unsigned != source.unsigned => {
            let sign = if unsigned { "unsigned" } else { "signed" };
            Err(differs(source, format!("it is {sign} in the log")))
        }
        _ => Ok(()),
    }
}

fn differs(source: &MySqlColumn, how: String) -> DecodeError {
    DecodeError::schema(format!("the column is declared as {}, but {how}", source.type_text()))
        .in_column(source.name.clone())
        .with_hint("the table was altered; read its columns again")
}

fn decimal(target: &TargetColumn, wire: &WireColumn) -> Result<Op> {
    let layout = decimal_layout(wire)?;
    if layout.precision <= 38 {
        return Ok(Op::Decimal(layout));
    }
    match target.target {
        arrow_schema::DataType::Utf8 => Ok(Op::DecimalText(layout)),
        _ => Err(differs(&target.source, format!("it has {} digits in the log", layout.precision))),
    }
}

fn decimal_layout(wire: &WireColumn) -> Result<DecimalLayout> {
    let [precision, scale] = wire.meta.to_be_bytes();
    DecimalLayout::new(precision, scale)
        .ok_or_else(|| DecodeError::malformed(format!("DECIMAL({precision},{scale}) in a table map")))
}

/// The character set in the log counts; a declaration of another kind means that the table was converted.
fn text(source: &MySqlColumn, wire: &WireColumn, prefix: u8) -> Result<Op> {
    let in_log = wire.collation.map(Charset::from_collation).filter(|charset| *charset != Charset::Other("unknown"));
    let is_latin1 = targets::is_latin1(source, source.charset)?;
    if let Some(charset) = in_log
        && targets::is_latin1(source, charset)? != is_latin1
    {
        return Err(differs(source, format!("its character set in the log is {}", charset.name())));
    }
    Ok(if is_latin1 { Op::Latin1 { prefix } } else { Op::Text { prefix } })
}

/// Bytes of a fraction with this many digits.
fn fraction_bytes(digits: u8) -> u32 {
    u32::from(digits).div_ceil(2)
}
