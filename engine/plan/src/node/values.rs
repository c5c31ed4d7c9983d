//! Constant rows.

use arrow_array::RecordBatch;

/// Puts out constant rows once, in subtask 0, and ends.
#[derive(Debug, Clone)]
pub struct Values {
    /// The rows.
    pub rows: RecordBatch,
}

impl Values {
    pub(super) fn label(&self) -> String {
        format!("Values: {} rows", self.rows.num_rows())
    }
}
