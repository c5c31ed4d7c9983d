//! Writes a table, or hands rows to a client.

use sluice_model::{ChangelogMode, TableDefinition};

use super::source::short_name;

/// Writes what its input puts out.
#[derive(Debug, Clone)]
pub struct Sink {
    /// Where to.
    pub target: SinkTarget,
    /// The row kinds that arrive.
    pub changelog: ChangelogMode,
}

/// Where a sink writes to.
#[derive(Debug, Clone)]
pub enum SinkTarget {
    /// A table of a connector. Its schema has the columns in the order of the input.
    Table(Box<TableDefinition>),
    /// The client that asked for a result; it is handed to the runtime beside the plan.
    Collect,
}

impl Sink {
    pub(super) fn label(&self) -> String {
        match &self.target {
            SinkTarget::Table(table) => format!("Sink: {}", short_name(&table.name)),
            SinkTarget::Collect => "Sink: collect".to_owned(),
        }
    }
}
