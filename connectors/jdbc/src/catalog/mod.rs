//! The target table as the server describes it, and whether it fits what the job declares.

mod create;
mod fit;
mod name;
mod read;
mod types;

pub(crate) use fit::{ColumnPlan, WritePlan, fit};
pub(crate) use name::{TableName, quote};
pub(crate) use read::{Found, read_target};
pub(crate) use types::id;

/// What kind of server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Server {
    /// `server_version_num`: 150004 for 15.4. Greenplum and Cloudberry tell that of their PostgreSQL.
    pub(crate) version: i32,
    /// Whether tables are distributed over segments.
    pub(crate) is_warehouse: bool,
}

/// The target table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Target {
    pub(crate) server: Server,
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) kind: TableKind,
    pub(crate) columns: Vec<TargetColumn>,
    pub(crate) uniques: Vec<UniqueIndex>,
    /// Whether foreign keys of other tables (or its own) point to it.
    pub(crate) is_referenced: bool,
    pub(crate) distribution: Option<Distribution>,
}

/// How the table keeps its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TableKind {
    /// Rows in pages, or partitions of such tables.
    Heap,
    /// Greenplum's and Cloudberry's append-optimised storage, by row or by column.
    AppendOptimised,
    /// A view or a foreign table, which has no index.
    Indirect(&'static str),
}

/// Which segment a row lies on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Distribution {
    Columns(Vec<String>),
    Random,
    Replicated,
}

/// A column of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TargetColumn {
    pub(crate) name: String,
    /// Type as DDL has it: `character varying(10)`.
    pub(crate) type_name: String,
    /// Object id of the type; of its base type, if it is a domain.
    pub(crate) type_id: u32,
    /// Type modifier: length, precision and scale; -1 without one.
    pub(crate) modifier: i32,
    /// Object id of the elements' type, for arrays.
    pub(crate) element_id: Option<u32>,
    pub(crate) not_null: bool,
    pub(crate) has_default: bool,
    /// `GENERATED ALWAYS AS IDENTITY`.
    pub(crate) identity_always: bool,
    /// `GENERATED ALWAYS AS (expression)`.
    pub(crate) generated: bool,
}

/// A unique index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UniqueIndex {
    pub(crate) columns: Vec<String>,
    /// Over all rows and plain columns, and ready.
    pub(crate) is_plain: bool,
    /// Checked with each row, not at the end of the transaction: only such an index can decide a conflict.
    pub(crate) is_immediate: bool,
}

impl Target {
    /// `schema.table`, for messages.
    pub(crate) fn name(&self) -> String {
        format!("{}.{}", self.schema, self.table)
    }

    /// `"schema"."table"`, for statements.
    pub(crate) fn quoted(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.table))
    }

    /// The unique index over exactly these columns, in any order.
    pub(crate) fn unique_over(&self, columns: &[&str]) -> Option<&UniqueIndex> {
        let fits = |index: &&UniqueIndex| {
            index.is_plain
                && index.columns.len() == columns.len()
                && index.columns.iter().all(|column| columns.contains(&column.as_str()))
        };
        let mut fitting: Vec<&UniqueIndex> = self.uniques.iter().filter(fits).collect();
        fitting.sort_by_key(|index| !index.is_immediate);
        fitting.first().copied()
    }
}
