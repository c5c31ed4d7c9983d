//! Which Arrow types a MySQL type can be decoded into.

use arrow_schema::{DataType, TimeUnit};

use crate::charset::Charset;
use crate::column::{MySqlColumn, MySqlType, TargetColumn};
use crate::error::{DecodeError, Result};

/// Checks one declared combination, whatever protocol carries the values.
pub(crate) fn check(column: &TargetColumn) -> Result<()> {
    let source = &column.source;
    if source.kind == MySqlType::Geometry {
        return Err(DecodeError::unsupported("GEOMETRY is not supported yet")
            .in_column(source.name.clone())
            .with_hint("leave the column out of the table, or read ST_AsText through a generated column"));
    }
    if is_supported(source, &column.target) {
        return Ok(());
    }
    let what = format!("{} cannot be decoded into {}", source.type_text(), column.target);
    Err(DecodeError::unsupported(what)
        .in_column(source.name.clone())
        .with_hint(format!("supported target types: {}", supported(source))))
}

/// Whether a text column needs conversion from latin1 in row events.
pub(crate) fn is_latin1(column: &MySqlColumn, charset: Charset) -> Result<bool> {
    match charset {
        Charset::Ascii | Charset::Utf8mb3 | Charset::Utf8mb4 => Ok(false),
        Charset::Latin1 => Ok(true),
        Charset::Binary => Err(DecodeError::unsupported(format!("{} holds bytes, not text", column.type_text()))
            .in_column(column.name.clone())
            .with_hint("declare the column as BYTES")),
        Charset::Other(name) => {
            Err(DecodeError::unsupported(format!("character set {name} is not supported yet"))
                .in_column(column.name.clone())
                .with_hint("supported are utf8mb4, utf8mb3, ascii, latin1 and binary; ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4"))
        }
    }
}

fn is_supported(source: &MySqlColumn, target: &DataType) -> bool {
    use DataType as T;
    use MySqlType as M;
    let is_int = matches!(target, T::Int8 | T::Int16 | T::Int32 | T::Int64);
    match source.kind {
        M::TinyInt | M::SmallInt | M::MediumInt | M::Int | M::BigInt => match target {
            T::Boolean => source.kind == M::TinyInt,
            T::Float32 | T::Float64 | T::Decimal128(..) | T::Utf8 => true,
            _ => is_int,
        },
        M::Float => matches!(target, T::Float32 | T::Float64 | T::Utf8),
        M::Double => matches!(target, T::Float64 | T::Utf8),
        M::Decimal if source.length > 38 => *target == T::Utf8,
        M::Decimal => matches!(target, T::Decimal128(..) | T::Float64 | T::Utf8),
        M::Year => matches!(target, T::Int16 | T::Int32 | T::Int64 | T::Utf8),
        M::Bit => is_int || *target == T::Binary || *target == T::Boolean && source.length <= 1,
        M::Date => matches!(target, T::Date32 | T::Utf8),
        M::Time => matches!(target, T::Time64(TimeUnit::Microsecond) | T::Utf8),
        M::DateTime => matches!(target, T::Timestamp(unit, None) if is_fine(*unit)) || *target == T::Utf8,
        M::Timestamp => matches!(target, T::Timestamp(unit, _) if is_fine(*unit)) || *target == T::Utf8,
        M::Char | M::VarChar | M::Text | M::Enum | M::Json | M::Uuid | M::Inet4 | M::Inet6 => *target == T::Utf8,
        M::Binary | M::VarBinary | M::Blob | M::Vector => *target == T::Binary,
        M::Set => match target {
            T::List(item) => *item.data_type() == T::Utf8,
            _ => *target == T::Utf8,
        },
        M::Geometry => false,
    }
}

fn is_fine(unit: TimeUnit) -> bool {
    matches!(unit, TimeUnit::Microsecond | TimeUnit::Nanosecond)
}

fn supported(source: &MySqlColumn) -> &'static str {
    match source.kind {
        MySqlType::TinyInt => "Boolean, Int8, Int16, Int32, Int64, Float32, Float64, Decimal128, Utf8",
        MySqlType::SmallInt | MySqlType::MediumInt | MySqlType::Int | MySqlType::BigInt => {
            "Int8, Int16, Int32, Int64, Float32, Float64, Decimal128, Utf8"
        }
        MySqlType::Float => "Float32, Float64, Utf8",
        MySqlType::Double => "Float64, Utf8",
        MySqlType::Decimal if source.length > 38 => "Utf8, because more than 38 digits fit nothing else",
        MySqlType::Decimal => "Decimal128, Float64, Utf8",
        MySqlType::Year => "Int16, Int32, Int64, Utf8",
        MySqlType::Bit if source.length <= 1 => "Boolean, Int8, Int16, Int32, Int64, Binary",
        MySqlType::Bit => "Int8, Int16, Int32, Int64, Binary",
        MySqlType::Date => "Date32, Utf8",
        MySqlType::Time => "Time64(Microsecond), Utf8",
        MySqlType::DateTime => "Timestamp(Microsecond or Nanosecond) without a time zone, Utf8",
        MySqlType::Timestamp => "Timestamp(Microsecond or Nanosecond) with or without a time zone, Utf8",
        MySqlType::Set => "Utf8, List(Utf8)",
        MySqlType::Binary | MySqlType::VarBinary | MySqlType::Blob | MySqlType::Vector => "Binary",
        _ => "Utf8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsupported_combination_lists_what_is_supported() {
        let source = MySqlColumn::parse("price", "decimal(10,2)", None).unwrap();
        let column = TargetColumn { source_index: 0, source, target: DataType::Date32, nullable: true };
        assert_eq!(
            check(&column).unwrap_err().to_string(),
            "DECIMAL(10,2) cannot be decoded into Date32 (column `price`); hint: supported target types: Decimal128, \
             Float64, Utf8"
        );
    }

    #[test]
    fn charsets_that_are_not_decoded_are_named() {
        let column = MySqlColumn::parse("name", "varchar(10)", Some("gbk")).unwrap();
        let error = is_latin1(&column, column.charset).unwrap_err();
        assert!(error.to_string().starts_with("character set gbk is not supported yet (column `name`)"));
    }
}
