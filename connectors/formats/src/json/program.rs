//! What to do with each column, worked out once from the schema.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use sluice_connector_api::text::DecimalText;
use sluice_model::{Error, Result, SqlType};

use super::options::{JsonOptions, MapNullKeyMode, TimestampStandard};
use super::temporal::TimestampStyle;
use super::text::write_string;

/// How the values of one column are written.
#[derive(Debug, Clone)]
pub(super) enum Program {
    Null,
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Float,
    Double,
    Decimal { scale: u8, text: DecimalText },
    String,
    Base64,
    Date,
    Time { digits: u8 },
    Timestamp(TimestampStyle),
    Months,
    Milliseconds,
    Array(Box<Program>),
    Map { value: Box<Program>, null_key: NullKey },
    Row { members: Vec<Member>, skip_nulls: bool },
}

/// A field of an object: its name as it is written, and the program of its values.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// `{"name":` for the first member of an object, `,"name":` for the others.
    pub(super) fragment: Vec<u8>,
    pub(super) program: Program,
}

/// What becomes of a map entry whose key is NULL.
#[derive(Debug, Clone)]
pub(super) enum NullKey {
    Fail,
    Drop,
    /// The literal with its quotes.
    Literal(Arc<[u8]>),
}

impl Program {
    /// The program of an object with these fields.
    ///
    /// # Errors
    /// A field whose type JSON cannot hold, named.
    pub(super) fn of_fields(fields: &[FieldRef], options: &JsonOptions) -> Result<Self> {
        let mut members = Vec::with_capacity(fields.len());
        for (index, field) in fields.iter().enumerate() {
            let mut fragment = vec![if index == 0 { b'{' } else { b',' }];
            write_string(field.name(), &mut fragment);
            fragment.push(b':');
            let program = Self::of_field(field, options)
                .map_err(|error| error.while_doing(format_args!("column '{}'", field.name())))?;
            members.push(Member { fragment, program });
        }
        Ok(Self::Row { members, skip_nulls: options.ignore_null_fields })
    }

    fn of_field(field: &Field, options: &JsonOptions) -> Result<Self> {
        Ok(match (field.data_type(), SqlType::of_field(field)) {
            (DataType::Null, _) => Self::Null,
            (DataType::Boolean, _) => Self::Boolean,
            (DataType::Int8, _) => Self::Int8,
            (DataType::Int16, _) => Self::Int16,
            (DataType::Int32, _) => Self::Int32,
            (DataType::Int64, _) => Self::Int64,
            (DataType::Float32, _) => Self::Float,
            (DataType::Float64, _) => Self::Double,
            (DataType::Decimal128(..), SqlType::Decimal(_, scale)) => {
                Self::Decimal { scale, text: decimal_text(options) }
            }
            (DataType::Utf8, _) => Self::String,
            (DataType::Binary, _) => Self::Base64,
            (DataType::Date32, _) => Self::Date,
            (DataType::Time64(TimeUnit::Microsecond), SqlType::Time(digits)) => Self::Time { digits },
            (DataType::Timestamp(unit, _), SqlType::Timestamp(digits)) => {
                Self::Timestamp(style(*unit, digits, false, options)?)
            }
            (DataType::Timestamp(unit, _), SqlType::TimestampLtz(digits)) => {
                Self::Timestamp(style(*unit, digits, true, options)?)
            }
            (DataType::Interval(IntervalUnit::YearMonth), _) => Self::Months,
            (DataType::Interval(IntervalUnit::MonthDayNano), _) => Self::Milliseconds,
            (DataType::List(item), _) => Self::Array(Box::new(Self::of_field(item, options)?)),
            (DataType::Map(entries, _), sql_type) => Self::of_map(entries, &sql_type, options)?,
            (DataType::Struct(fields), _) => Self::of_fields(fields, options)?,
            (other, _) => return Err(Error::bug(format!("the json format was handed a column of Arrow type {other}"))),
        })
    }

    fn of_map(entries: &Field, sql_type: &SqlType, options: &JsonOptions) -> Result<Self> {
        let DataType::Struct(fields) = entries.data_type() else {
            return Err(Error::bug("a map without entries"));
        };
        let [key, value] = fields.as_ref() else {
            return Err(Error::bug("a map whose entries are not pairs"));
        };
        if *key.data_type() != DataType::Utf8 {
            return Err(Error::fix("JSON format doesn't support non-string as key type of map")
                .because(format!("the type is {sql_type}"))
                .with_hint("cast the keys to STRING"));
        }
        let null_key = match options.map_null_key_mode {
            MapNullKeyMode::Fail => NullKey::Fail,
            MapNullKeyMode::Drop => NullKey::Drop,
            MapNullKeyMode::Literal => {
                let mut literal = Vec::new();
                write_string(&options.map_null_key_literal, &mut literal);
                NullKey::Literal(literal.into())
            }
        };
        Ok(Self::Map { value: Box::new(Self::of_field(value, options)?), null_key })
    }
}

fn decimal_text(options: &JsonOptions) -> DecimalText {
    if options.decimal_as_plain_number { DecimalText::Plain } else { DecimalText::Stripped }
}

fn style(unit: TimeUnit, digits: u8, zulu: bool, options: &JsonOptions) -> Result<TimestampStyle> {
    let per_second = match unit {
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
        other => return Err(Error::bug(format!("the json format was handed timestamps in {other:?}s"))),
    };
    let separator = match options.timestamp_standard {
        TimestampStandard::Sql => b' ',
        TimestampStandard::Iso8601 => b'T',
    };
    Ok(TimestampStyle { per_second, digits, separator, zulu })
}
