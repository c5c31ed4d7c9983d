//! SQL types and their Arrow form.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, IntervalUnit, TimeUnit};
use serde::{Deserialize, Serialize};

/// Key of the Arrow field metadata that carries the SQL type, where Arrow's own type says less.
const TYPE_KEY: &str = "sluice.sql_type";

/// A type of the Flink dialect.
///
/// | SQL | Arrow |
/// |---|---|
/// | `BOOLEAN` | `Boolean` |
/// | `TINYINT SMALLINT INT BIGINT` | `Int8 Int16 Int32 Int64` |
/// | `FLOAT DOUBLE` | `Float32 Float64` |
/// | `DECIMAL(p,s)` | `Decimal128(p,s)` |
/// | `CHAR(n) VARCHAR(n) STRING` | `Utf8` |
/// | `BINARY(n) VARBINARY(n) BYTES` | `Binary` |
/// | `DATE` | `Date32` |
/// | `TIME(p)` | `Time64(µs)` |
/// | `TIMESTAMP(p)` | `Timestamp(µs)`, with p > 6 `Timestamp(ns)` |
/// | `TIMESTAMP_LTZ(p)` | the same with time zone `UTC` |
/// | `INTERVAL YEAR TO MONTH`, `DAY TO SECOND` | `Interval(YearMonth)`, `Interval(MonthDayNano)` |
/// | `ARRAY<t> MAP<k,v> ROW<…>` | `List Map Struct` |
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SqlType {
    /// `BOOLEAN`.
    Boolean,
    /// `TINYINT`, 8 bits, signed.
    TinyInt,
    /// `SMALLINT`, 16 bits, signed.
    SmallInt,
    /// `INT`, 32 bits, signed.
    Int,
    /// `BIGINT`, 64 bits, signed.
    BigInt,
    /// `FLOAT`, IEEE 754 single.
    Float,
    /// `DOUBLE`, IEEE 754 double.
    Double,
    /// `DECIMAL(precision, scale)`, precision 1..=38.
    Decimal(u8, u8),
    /// `CHAR(n)`.
    Char(u32),
    /// `VARCHAR(n)`; `STRING` is `VARCHAR(2147483647)`.
    VarChar(u32),
    /// `BINARY(n)`.
    Binary(u32),
    /// `VARBINARY(n)`; `BYTES` is `VARBINARY(2147483647)`.
    VarBinary(u32),
    /// `DATE`.
    Date,
    /// `TIME(p)`.
    Time(u8),
    /// `TIMESTAMP(p)`, a wall clock without a zone.
    Timestamp(u8),
    /// `TIMESTAMP_LTZ(p)`, an instant.
    TimestampLtz(u8),
    /// `INTERVAL YEAR TO MONTH`.
    IntervalYearMonth,
    /// `INTERVAL DAY TO SECOND`.
    IntervalDaySecond,
    /// `ARRAY<element>`.
    Array(Box<SqlType>),
    /// `MAP<key, value>`.
    Map(Box<SqlType>, Box<SqlType>),
    /// `ROW<name type, …>`.
    Row(Vec<(String, SqlType)>),
    /// The type of an untyped `NULL`.
    Null,
}

/// Length of `STRING` and `BYTES`.
const MAX_LENGTH: u32 = i32::MAX as u32;

impl SqlType {
    /// `STRING`.
    pub const STRING: Self = Self::VarChar(MAX_LENGTH);
    /// `BYTES`.
    pub const BYTES: Self = Self::VarBinary(MAX_LENGTH);

    /// The Arrow type that holds values of this type.
    pub fn to_arrow(&self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::TinyInt => DataType::Int8,
            Self::SmallInt => DataType::Int16,
            Self::Int => DataType::Int32,
            Self::BigInt => DataType::Int64,
            Self::Float => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Decimal(precision, scale) => DataType::Decimal128(*precision, *scale as i8),
            Self::Char(_) | Self::VarChar(_) => DataType::Utf8,
            Self::Binary(_) | Self::VarBinary(_) => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Time(_) => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp(precision) => DataType::Timestamp(unit(*precision), None),
            Self::TimestampLtz(precision) => DataType::Timestamp(unit(*precision), Some("UTC".into())),
            Self::IntervalYearMonth => DataType::Interval(IntervalUnit::YearMonth),
            Self::IntervalDaySecond => DataType::Interval(IntervalUnit::MonthDayNano),
            Self::Array(element) => DataType::List(Arc::new(element.to_nested_field("item", true))),
            Self::Map(key, value) => {
                let entry = Fields::from(vec![key.to_nested_field("key", false), value.to_nested_field("value", true)]);
                DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entry), false)), false)
            }
            Self::Row(fields) => {
                DataType::Struct(fields.iter().map(|(name, field)| field.to_nested_field(name, true)).collect())
            }
            Self::Null => DataType::Null,
        }
    }

    fn to_nested_field(&self, name: &str, nullable: bool) -> Field {
        Field::new(name, self.to_arrow(), nullable).with_metadata(self.field_metadata())
    }

    /// Field metadata that keeps what Arrow's type does not say: lengths and precisions.
    pub fn field_metadata(&self) -> HashMap<String, String> {
        let loses_detail = matches!(
            self,
            Self::Char(_)
                | Self::VarChar(_)
                | Self::Binary(_)
                | Self::VarBinary(_)
                | Self::Time(_)
                | Self::Timestamp(_)
                | Self::TimestampLtz(_)
        ) && *self != Self::STRING
            && *self != Self::BYTES;
        if loses_detail { HashMap::from([(TYPE_KEY.to_owned(), self.to_string())]) } else { HashMap::new() }
    }

    /// The SQL type of an Arrow field: from its metadata if that still fits, else from its type.
    pub fn of_field(field: &Field) -> Self {
        let from_type = Self::of_arrow(field.data_type());
        match field.metadata().get(TYPE_KEY).and_then(|text| Self::parse_scalar(text)) {
            Some(declared) if declared.to_arrow() == from_type.to_arrow() => declared,
            _ => from_type,
        }
    }

    /// The SQL type that an Arrow type stands for when nothing else is known.
    pub fn of_arrow(data_type: &DataType) -> Self {
        match data_type {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean,
            DataType::Int8 => Self::TinyInt,
            DataType::Int16 | DataType::UInt8 => Self::SmallInt,
            DataType::Int32 | DataType::UInt16 => Self::Int,
            DataType::Int64 | DataType::UInt32 => Self::BigInt,
            DataType::UInt64 => Self::Decimal(20, 0),
            DataType::Float16 | DataType::Float32 => Self::Float,
            DataType::Float64 => Self::Double,
            DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
                Self::Decimal(*precision, u8::try_from(*scale).unwrap_or(0))
            }
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Self::BYTES,
            DataType::FixedSizeBinary(length) => Self::Binary(u32::try_from(*length).unwrap_or(MAX_LENGTH)),
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Time32(_) | DataType::Time64(_) => Self::Time(0),
            DataType::Timestamp(unit, None) => Self::Timestamp(precision(*unit)),
            DataType::Timestamp(unit, Some(_)) => Self::TimestampLtz(precision(*unit)),
            DataType::Interval(IntervalUnit::YearMonth) => Self::IntervalYearMonth,
            DataType::Interval(_) | DataType::Duration(_) => Self::IntervalDaySecond,
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                Self::Array(Box::new(Self::of_field(item)))
            }
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) if fields.len() == 2 => {
                    Self::Map(Box::new(Self::of_field(&fields[0])), Box::new(Self::of_field(&fields[1])))
                }
                _ => Self::Null,
            },
            DataType::Struct(fields) => {
                Self::Row(fields.iter().map(|field| (field.name().clone(), Self::of_field(field))).collect())
            }
            DataType::Dictionary(_, value) => Self::of_arrow(value),
            _ => Self::STRING,
        }
    }

    /// Reads back what `Display` prints, for the scalar types that carry a length or precision.
    fn parse_scalar(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('(')?;
        let number: u32 = rest.strip_suffix(')')?.parse().ok()?;
        Some(match name {
            "CHAR" => Self::Char(number),
            "VARCHAR" => Self::VarChar(number),
            "BINARY" => Self::Binary(number),
            "VARBINARY" => Self::VarBinary(number),
            "TIME" => Self::Time(u8::try_from(number).ok()?),
            "TIMESTAMP" => Self::Timestamp(u8::try_from(number).ok()?),
            "TIMESTAMP_LTZ" => Self::TimestampLtz(u8::try_from(number).ok()?),
            _ => return None,
        })
    }
}

const fn unit(precision: u8) -> TimeUnit {
    if precision > 6 { TimeUnit::Nanosecond } else { TimeUnit::Microsecond }
}

const fn precision(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// Flink's text: `VARCHAR(10)`, `STRING`, `ROW<a INT, b STRING>`.
impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::TinyInt => f.write_str("TINYINT"),
            Self::SmallInt => f.write_str("SMALLINT"),
            Self::Int => f.write_str("INT"),
            Self::BigInt => f.write_str("BIGINT"),
            Self::Float => f.write_str("FLOAT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Decimal(precision, scale) => write!(f, "DECIMAL({precision}, {scale})"),
            Self::Char(length) => write!(f, "CHAR({length})"),
            Self::VarChar(MAX_LENGTH) => f.write_str("STRING"),
            Self::VarChar(length) => write!(f, "VARCHAR({length})"),
            Self::Binary(length) => write!(f, "BINARY({length})"),
            Self::VarBinary(MAX_LENGTH) => f.write_str("BYTES"),
            Self::VarBinary(length) => write!(f, "VARBINARY({length})"),
            Self::Date => f.write_str("DATE"),
            Self::Time(precision) => write!(f, "TIME({precision})"),
            Self::Timestamp(precision) => write!(f, "TIMESTAMP({precision})"),
            Self::TimestampLtz(precision) => write!(f, "TIMESTAMP_LTZ({precision})"),
            Self::IntervalYearMonth => f.write_str("INTERVAL YEAR TO MONTH"),
            Self::IntervalDaySecond => f.write_str("INTERVAL DAY TO SECOND"),
            Self::Array(element) => write!(f, "ARRAY<{element}>"),
            Self::Map(key, value) => write!(f, "MAP<{key}, {value}>"),
            Self::Row(fields) => {
                f.write_str("ROW<")?;
                for (index, (name, field)) in fields.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(f, "{separator}`{name}` {field}")?;
                }
                f.write_str(">")
            }
            Self::Null => f.write_str("NULL"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_survive_the_way_through_arrow() {
        for sql_type in [
            SqlType::Char(3),
            SqlType::VarChar(10),
            SqlType::STRING,
            SqlType::Timestamp(3),
            SqlType::TimestampLtz(9),
            SqlType::Time(0),
            SqlType::Decimal(7, 2),
            SqlType::Array(Box::new(SqlType::VarChar(4))),
            SqlType::Row(vec![("a".into(), SqlType::Int), ("b".into(), SqlType::Timestamp(3))]),
            SqlType::Map(Box::new(SqlType::STRING), Box::new(SqlType::BigInt)),
        ] {
            let field = Field::new("c", sql_type.to_arrow(), true).with_metadata(sql_type.field_metadata());
            assert_eq!(SqlType::of_field(&field), sql_type);
        }
    }

    #[test]
    fn prints_as_flink_does() {
        assert_eq!(SqlType::Decimal(7, 2).to_string(), "DECIMAL(7, 2)");
        assert_eq!(SqlType::STRING.to_string(), "STRING");
        assert_eq!(SqlType::Row(vec![("a".into(), SqlType::Int)]).to_string(), "ROW<`a` INT>");
    }
}
