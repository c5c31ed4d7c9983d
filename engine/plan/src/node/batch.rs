//! Runs a query over rows that end.

use datafusion_expr::LogicalPlan;

/// Runs a whole query at once when its tables have ended, in batch mode.
///
/// The scans of `query` are called [`Batch::input_name`], their columns [`Batch::column_name`], and
/// stand for the inputs. Input and result
/// are insertions only.
///
/// | input 0 `a, b` | `SELECT a, SUM(b) … GROUP BY a` |
/// |---|---|
/// | `+I 1 5`, `+I 2 5`, `+I 1 7` | |
/// | the end | `+I 1 12`, `+I 2 5` |
#[derive(Debug, Clone)]
pub struct Batch {
    /// What is computed.
    pub query: LogicalPlan,
    /// Threads that compute it.
    pub threads: usize,
}

impl Batch {
    /// What the scan of an input is called.
    pub fn input_name(input: usize) -> String {
        format!("input{input}")
    }

    /// What a column of the scan of an input is called.
    pub fn column_name(column: usize) -> String {
        format!("c{column}")
    }

    pub(super) fn label(&self) -> String {
        format!("Batch: {}", self.query.display())
    }
}
