//! Arrow columns in PostgreSQL's binary formats, written straight into the bytes that are sent.
//!
//! A field is its length as `i32` (-1 for NULL) and its value in network order. The same fields make
//! up a row of `COPY … (FORMAT binary)` and the elements of an array parameter.
//!
//! Source: PostgreSQL documentation, "COPY: Binary Format", and the `…_recv` functions of each type.

mod column;
mod copy;
mod numeric;
mod param;

pub(crate) use column::{ColumnEncoder, ValueError};
pub(crate) use copy::{CopyEncoder, encoders_of};
pub(crate) use param::{ArrayParam, ScalarParam, array_param};

use crate::catalog::ColumnPlan;

/// A type as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wire {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Text,
    Bytea,
    Date,
    Time,
    Timestamp,
    Timestamptz,
    Json,
    Jsonb,
    /// One-dimensional array.
    Array(Box<Wire>),
}

impl Wire {
    /// Name of the type in SQL.
    pub(crate) fn name(&self) -> String {
        self.properties().map_or_else(|element| format!("{}[]", element.name()), |(name, _)| name.to_owned())
    }

    /// Object id of the type, of the elements for an array.
    pub(crate) fn element_id(&self) -> u32 {
        self.properties().map_or_else(Wire::element_id, |(_, id)| id)
    }

    fn properties(&self) -> Result<(&'static str, u32), &Wire> {
        Ok(match self {
            Self::Bool => ("bool", 16),
            Self::Int2 => ("int2", 21),
            Self::Int4 => ("int4", 23),
            Self::Int8 => ("int8", 20),
            Self::Float4 => ("float4", 700),
            Self::Float8 => ("float8", 701),
            Self::Numeric => ("numeric", 1700),
            Self::Text => ("text", 25),
            Self::Bytea => ("bytea", 17),
            Self::Date => ("date", 1082),
            Self::Time => ("time", 1083),
            Self::Timestamp => ("timestamp", 1114),
            Self::Timestamptz => ("timestamptz", 1184),
            Self::Json => ("json", 114),
            Self::Jsonb => ("jsonb", 3802),
            Self::Array(element) => return Err(element),
        })
    }
}

/// A value that has no form in the target, and where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadValue {
    /// Place in the encoded rows.
    pub(crate) row: usize,
    /// Place in the encoded columns.
    pub(crate) column: usize,
    pub(crate) error: ValueError,
}

impl ValueError {
    /// What is wrong with a value of `column`, in one sentence, and how to fix it.
    pub(crate) fn explain(&self, column: &ColumnPlan) -> (String, String) {
        match self {
            Self::Nul => (
                format!("column '{}' holds a text with the character U+0000, which PostgreSQL cannot store", column.name),
                format!("remove it in the query: REPLACE(`{}`, U&'\\0000', '')", column.name),
            ),
            Self::OutOfRange => (
                format!("column '{}' holds a number that does not fit into {}", column.name, column.type_name),
                format!("widen the column '{}' of the target, or change the value in the query", column.name),
            ),
        }
    }
}
