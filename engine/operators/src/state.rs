//! What an operator keeps, as tables.
//!
//! The state of an operator is a set of tables, and a checkpoint is their changelog: rows that are
//! new or have changed since the checkpoint before (`+I`, `+U`), and keys that are gone (`-D`, whose
//! other columns do not matter). Restoring reads the changelog back. So an operator keeps its state
//! in whatever form is fastest, has to remember only which keys it touched, and everything on disk
//! is Arrow.
//!
//! ```text
//! state of SUM(qty) GROUP BY id      since the last checkpoint        snapshot(Changes)
//!   id  rows  sum                    id 1: one row more, id 2: gone   +U 1 3 12
//!    1     3   12                                                     -D 2 NULL NULL
//! ```

use std::sync::Arc;

use arrow_schema::{FieldRef, SchemaRef};
use sluice_model::{ChangelogBatch, Result};

/// A table of an operator's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateTable {
    /// Its name among the tables of the operator: it stays the same between versions.
    pub name: String,
    /// Columns: first those of the key.
    pub schema: SchemaRef,
    /// Number of leading columns that identify a row.
    pub key: usize,
    /// Number of leading columns by which rows are dealt to subtasks: the columns, in their order,
    /// that the operator's input is dealt by. 0: everything lies in subtask 0.
    /// [`StateTable::BROADCAST`]: every subtask gets all rows.
    pub distribution: usize,
}

impl StateTable {
    /// A [`distribution`](Self::distribution): at another parallelism every subtask gets the rows of
    /// all, e.g. how far event time had come.
    pub const BROADCAST: usize = usize::MAX;
}

/// What a snapshot has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every row, as `+I`.
    All,
    /// What has changed since the last snapshot of either kind.
    Changes,
}

/// Takes the rows of a snapshot: the number of the table, and some of its rows.
pub type StateOutput<'a> = &'a mut dyn FnMut(usize, ChangelogBatch) -> Result<()>;

/// Rows of a batch that an operator makes of its state.
pub(crate) const BATCH_ROWS: usize = 8192;

/// A field of a state table that is not part of the key: keys that are gone have NULL there.
pub(crate) fn nullable(field: &FieldRef) -> FieldRef {
    if field.is_nullable() { Arc::clone(field) } else { Arc::new(field.as_ref().clone().with_nullable(true)) }
}
