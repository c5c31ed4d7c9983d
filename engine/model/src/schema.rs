//! Columns and keys of a table, as a connector sees them.

use std::sync::Arc;

use arrow_schema::{Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::SqlType;

/// A column with its SQL type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Name, case preserved; names are matched case-sensitively, as in Flink.
    pub name: String,
    /// Declared type.
    pub data_type: SqlType,
    /// Whether NULL is allowed.
    pub nullable: bool,
}

impl Column {
    /// A nullable column.
    pub fn new(name: impl Into<String>, data_type: SqlType) -> Self {
        Self { name: name.into(), data_type, nullable: true }
    }

    /// The same column without NULLs.
    #[must_use]
    pub fn not_null(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// The Arrow field. The SQL type travels in its metadata, see [`SqlType::of_field`].
    pub fn to_field(&self) -> Field {
        Field::new(&self.name, self.data_type.to_arrow(), self.nullable).with_metadata(self.data_type.field_metadata())
    }

    /// The column of an Arrow field.
    pub fn of_field(field: &Field) -> Self {
        Self { name: field.name().clone(), data_type: SqlType::of_field(field), nullable: field.is_nullable() }
    }
}

/// Columns and primary key of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TableSchema {
    /// Columns in declaration order.
    pub columns: Vec<Column>,
    /// Positions of the primary key columns, in key order; empty without a primary key.
    pub primary_key: Vec<usize>,
}

impl TableSchema {
    /// A schema without a primary key.
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, primary_key: Vec::new() }
    }

    /// The same schema with a primary key at these positions.
    #[must_use]
    pub fn with_primary_key(mut self, primary_key: Vec<usize>) -> Self {
        self.primary_key = primary_key;
        self
    }

    /// The Arrow schema.
    pub fn to_arrow(&self) -> SchemaRef {
        Arc::new(Schema::new(self.columns.iter().map(Column::to_field).collect::<Vec<_>>()))
    }

    /// Position of the column called `name`.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Names of the primary key columns in key order.
    pub fn primary_key_names(&self) -> Vec<&str> {
        self.primary_key.iter().map(|index| self.columns[*index].name.as_str()).collect()
    }

    /// The schema of only these columns; the primary key is dropped.
    #[must_use]
    pub fn project(&self, columns: &[usize]) -> Self {
        Self::new(columns.iter().map(|index| self.columns[*index].clone()).collect())
    }
}
