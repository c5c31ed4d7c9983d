//! Keeps NULL out of columns that do not allow it.

/// Checks the rows in front of a sink (`table.exec.sink.not-null-enforcer`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotNull {
    /// The table that is written, for the message.
    pub table: String,
    /// Positions of the columns.
    pub columns: Vec<usize>,
    /// Drop such rows instead of failing the job.
    pub drop: bool,
}

impl NotNull {
    pub(super) fn label(&self) -> String {
        format!("ConstraintEnforcer: NOT NULL on {} columns", self.columns.len())
    }
}
