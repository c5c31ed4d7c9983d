//! Reads one table, or several over one connection.

use sluice_model::{ChangelogMode, TableDefinition};

/// Reads the tables of one connection; output port i carries table i.
#[derive(Debug, Clone)]
pub struct Source {
    /// The tables, in the order of the output ports.
    pub tables: Vec<SourceTable>,
    /// Whether the source ends by itself.
    pub bounded: bool,
}

/// One table of a source.
#[derive(Debug, Clone)]
pub struct SourceTable {
    /// The table, narrowed to the columns that the job uses.
    pub definition: TableDefinition,
    /// The row kinds that its consumers want.
    pub changelog: ChangelogMode,
}

impl Source {
    pub(super) fn label(&self) -> String {
        let names: Vec<_> = self.tables.iter().map(|table| short_name(&table.definition.name)).collect();
        format!("Source: {}", names.join(", "))
    }
}

/// The last part of a path `catalog.database.table`.
pub(super) fn short_name(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}
