//! Declared tables and views.

use std::sync::Arc;

use sluice_model::{Column, Error, Position, Result, SqlType, TableDefinition, TableOptions, TableSchema};
use sqlparser::ast::{Expr, Query};

use super::ObjectPath;
use super::watermark_options::is_of_watermark;

/// A table as `CREATE TABLE` declared it.
#[derive(Debug, Clone)]
pub struct CatalogTable {
    /// Full name.
    pub path: ObjectPath,
    /// Place of the name in the script.
    pub position: Option<Position>,
    /// All columns in declaration order.
    pub columns: Vec<CatalogColumn>,
    /// Names of the primary key columns; empty without one.
    pub primary_key: Vec<String>,
    /// Name of the primary key constraint, if given.
    pub primary_key_name: Option<String>,
    /// Watermark, if declared.
    pub watermark: Option<Watermark>,
    /// Comment.
    pub comment: Option<String>,
    /// Partition columns.
    pub partitioned_by: Vec<String>,
    /// Options with their places.
    pub options: TableOptions,
}

/// A column of a declared table.
#[derive(Debug, Clone)]
pub struct CatalogColumn {
    /// Name.
    pub name: String,
    /// What it is.
    pub kind: ColumnKind,
    /// Comment.
    pub comment: Option<String>,
    /// Place of the name in the script.
    pub position: Option<Position>,
}

/// The kinds of columns.
#[derive(Debug, Clone)]
pub enum ColumnKind {
    /// Read from and written to the connector.
    Physical {
        /// Type.
        data_type: SqlType,
        /// Whether NULL is allowed.
        nullable: bool,
    },
    /// Computed when read, never written.
    Computed {
        /// The expression over the other columns.
        expression: Box<Expr>,
        /// Its text, for `SHOW CREATE TABLE`.
        text: String,
    },
    /// Something that the connector knows beside the row.
    Metadata {
        /// Key of the connector.
        key: String,
        /// Declared type.
        data_type: SqlType,
        /// Whether NULL is allowed.
        nullable: bool,
        /// Read only.
        is_virtual: bool,
    },
}

/// `WATERMARK FOR column AS expression`.
#[derive(Debug, Clone)]
pub struct Watermark {
    /// The column.
    pub column: String,
    /// The expression.
    pub expression: Expr,
    /// Its text.
    pub text: String,
}

/// A view.
#[derive(Debug, Clone)]
pub struct CatalogView {
    /// Full name.
    pub path: ObjectPath,
    /// Given column names; empty if they are the query's.
    pub columns: Vec<String>,
    /// The query; names in it are resolved where the view was created.
    pub query: Arc<Query>,
    /// Its text.
    pub text: String,
    /// Comment.
    pub comment: Option<String>,
    /// Catalog and database in which names of the query are looked up.
    pub home: (String, String),
}

impl CatalogTable {
    /// Position of a column.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Physical columns with their key, in declaration order.
    ///
    /// # Errors
    /// A primary key column that is not physical.
    pub fn physical_schema(&self) -> Result<TableSchema> {
        let columns: Vec<Column> = self
            .columns
            .iter()
            .filter_map(|column| match &column.kind {
                ColumnKind::Physical { data_type, nullable } => {
                    let nullable = *nullable && !self.primary_key.contains(&column.name);
                    Some(Column { name: column.name.clone(), data_type: data_type.clone(), nullable })
                }
                _ => None,
            })
            .collect();
        let schema = TableSchema::new(columns);
        let primary_key = self
            .primary_key
            .iter()
            .map(|name| {
                schema.index_of(name).ok_or_else(|| {
                    Error::fix(format!("primary key column '{name}' of table '{}' is not a physical column", self.path))
                        .at_opt(self.position)
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(schema.with_primary_key(primary_key))
    }

    /// Metadata columns: key and column. With `writable_only` without the virtual ones.
    pub fn metadata(&self, writable_only: bool) -> Vec<(String, Column)> {
        self.columns
            .iter()
            .filter_map(|column| match &column.kind {
                ColumnKind::Metadata { key, data_type, nullable, is_virtual } if !(writable_only && *is_virtual) => {
                    let data_type = data_type.clone();
                    Some((key.clone(), Column { name: column.name.clone(), data_type, nullable: *nullable }))
                }
                _ => None,
            })
            .collect()
    }

    /// True if reading the table computes something.
    pub fn has_computed_columns(&self) -> bool {
        self.columns.iter().any(|column| matches!(column.kind, ColumnKind::Computed { .. }))
    }

    /// The options but those that are not the connector's.
    fn connector_options(&self) -> TableOptions {
        let mut options = TableOptions::default();
        let own = self.options.iter().filter(|option| !is_of_watermark(&option.key) || self.watermark.is_none());
        own.for_each(|option| options.set(option.clone()));
        options
    }

    /// What a connector is given to read or, with `writable_only`, to write the whole table.
    ///
    /// # Errors
    /// As [`physical_schema`](Self::physical_schema).
    pub fn definition(&self, writable_only: bool) -> Result<TableDefinition> {
        Ok(TableDefinition {
            name: self.path.to_string(),
            schema: self.physical_schema()?,
            metadata: self.metadata(writable_only),
            options: self.connector_options(),
            declared: self.physical_schema()?,
            partitioned_by: self.partitioned_by.clone(),
            position: self.position,
        })
    }
}
