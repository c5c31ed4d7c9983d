//! What a statement comes to.

use std::fmt;

use serde::{Deserialize, Serialize};
use sluice_model::{ChangelogBatch, ChangelogMode, Column};
use sluice_runtime::JobHandle;
use tokio::sync::mpsc;

/// What a statement came to.
#[derive(Debug)]
pub enum Outcome {
    /// It is done; notes for the user.
    Done {
        /// One sentence each.
        notes: Vec<String>,
    },
    /// A small table of text.
    Rows(ResultTable),
    /// Jobs run.
    Submitted {
        /// The jobs.
        jobs: Vec<SubmittedJob>,
        /// One sentence each.
        notes: Vec<String>,
        /// The jobs have already ended well (`table.dml-sync`).
        sync: bool,
    },
    /// A query runs, and its rows are to be fetched.
    Query(QueryResult),
    /// Leave the client.
    Quit,
    /// Clear the screen.
    Clear,
    /// Show the help.
    Help,
}

impl Outcome {
    pub(crate) fn done() -> Self {
        Self::Done { notes: Vec::new() }
    }

    pub(crate) fn note(note: &str) -> Self {
        Self::Done { notes: vec![note.to_owned()] }
    }
}

/// A small table of text, e.g. of `SHOW TABLES`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultTable {
    /// Column names.
    pub columns: Vec<String>,
    /// Cells; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
}

impl ResultTable {
    /// A table of one column.
    pub fn single(column: &str, cells: impl IntoIterator<Item = String>) -> Self {
        Self { columns: vec![column.to_owned()], rows: cells.into_iter().map(|cell| vec![Some(cell)]).collect() }
    }
}

/// A job that has been handed to the engine.
#[derive(Debug, Clone)]
pub struct SubmittedJob {
    /// The running job.
    pub handle: JobHandle,
    /// How to start it again.
    pub recipe: JobRecipe,
}

/// A query whose rows are being produced. Dropping `batches` ends its job.
#[derive(Debug)]
pub struct QueryResult {
    /// The job behind it.
    pub job: JobHandle,
    /// Columns.
    pub columns: Vec<Column>,
    /// The row kinds that may come.
    pub changelog: ChangelogMode,
    /// Whether it ends by itself.
    pub bounded: bool,
    /// The rows.
    pub batches: mpsc::Receiver<ChangelogBatch>,
}

/// All that is needed to start a job again after the process is gone. May hold secrets: keep it
/// where only the user can read it, and never print it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRecipe {
    /// The job's id, 32 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Directory of its checkpoints.
    pub state_key: String,
    /// What was set.
    pub settings: Vec<(String, String)>,
    /// The declarations, then the `INSERT`s.
    pub statements: Vec<String>,
}

impl fmt::Debug for JobRecipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobRecipe({}, {}, {} statements)", self.id, self.name, self.statements.len())
    }
}
