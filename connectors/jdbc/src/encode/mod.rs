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
#[cfg(test)]
pub(crate) use numeric::put_numeric;
pub(crate) use param::{ArrayParam, ScalarParam, array_param};

use crate::catalog::{ColumnPlan, id};

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
    /// One-dimensional array, and the object id of its elements' type: `text` and `varchar` look the
    /// same, and are not taken for each other in an array.
    Array(Box<Wire>, u32),
}

impl Wire {
    /// Name of the type in SQL.
    pub(crate) fn name(&self) -> String {
        let name = match self {
            Self::Bool => "bool",
            Self::Int2 => "int2",
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Float4 => "float4",
            Self::Float8 => "float8",
            Self::Numeric => "numeric",
            Self::Text => "text",
            Self::Bytea => "bytea",
            Self::Date => "date",
            Self::Time => "time",
            Self::Timestamp => "timestamp",
            Self::Timestamptz => "timestamptz",
            Self::Json => "json",
            Self::Jsonb => "jsonb",
            Self::Array(element, _) => return format!("{}[]", element.name()),
        };
        name.to_owned()
    }

    /// Object id of the type; of the elements' type for an array.
    pub(crate) fn id(&self) -> u32 {
        match self {
            Self::Bool => id::BOOL,
            Self::Int2 => id::INT2,
            Self::Int4 => id::INT4,
            Self::Int8 => id::INT8,
            Self::Float4 => id::FLOAT4,
            Self::Float8 => id::FLOAT8,
            Self::Numeric => id::NUMERIC,
            Self::Text => id::TEXT,
            Self::Bytea => id::BYTEA,
            Self::Date => id::DATE,
            Self::Time => id::TIME,
            Self::Timestamp => id::TIMESTAMP,
            Self::Timestamptz => id::TIMESTAMPTZ,
            Self::Json => id::JSON,
            Self::Jsonb => id::JSONB,
            Self::Array(_, element_id) => *element_id,
        }
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
                format!(
                    "column '{}' holds a text with the character U+0000, which PostgreSQL cannot store",
                    column.name
                ),
                format!("remove it in the query: REPLACE(`{}`, U&'\\0000', '')", column.name),
            ),
            Self::OutOfRange => (
                format!("column '{}' holds a number that does not fit into {}", column.name, column.type_name),
                format!("widen the column '{}' of the target, or change the value in the query", column.name),
            ),
        }
    }
}
