//! State of several rows a group: a table of its own next to the table of groups.

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use sluice_model::{Result, RowKind};

use crate::Scope;
use crate::key_index::Slot;

/// Takes rows of a side table: their kind, the slots of their groups, the columns behind the group's.
pub(super) type SideOutput<'a> = &'a mut dyn FnMut(RowKind, &[Slot], Vec<ArrayRef>) -> Result<()>;

/// A table of several rows a group.
pub(super) trait SideTable {
    /// Names and types of its columns behind the group's; the first `n` of them complete the key.
    fn columns(&self) -> (Vec<(String, DataType)>, usize);

    /// Hands out its rows.
    ///
    /// # Errors
    /// Whatever `output` returns.
    fn snapshot(&mut self, scope: Scope, output: SideOutput<'_>) -> Result<()>;

    /// Takes rows of one kind back.
    ///
    /// # Errors
    /// Columns of other types.
    fn restore(&mut self, groups: &[Slot], columns: &[ArrayRef], live: bool) -> Result<()>;
}

/// Rows of one batch of a snapshot.
pub(super) const BATCH_ROWS: usize = 8192;
