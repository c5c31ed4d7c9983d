//! Lookups: tables that are asked for the rows of some keys, as they are right now.
//!
//! ```text
//! keys       7     9     8        found   keys  rows
//!                                          0    7 x
//!                                          0    7 y
//!                                          2    8 z
//! ```

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use async_trait::async_trait;
use sluice_model::{Clock, MetricGroup, Result, TableSchema};

use crate::{FileFormat, Spawner};

/// A table that shall be looked up.
#[derive(Debug, Clone)]
pub struct LookupTable<O> {
    /// Name for messages: the table's path in the catalog.
    pub name: String,
    /// Typed options.
    pub options: O,
    /// The columns that are wanted.
    pub schema: TableSchema,
    /// Which of them rows are looked up by, in the order of the keys; never empty.
    pub keys: Vec<usize>,
    /// All physical columns as declared, whether wanted or not.
    pub declared: TableSchema,
    /// Names of the columns that it is partitioned by.
    pub partitioned_by: Vec<String>,
    /// The format of its files, for a connector that has any.
    pub files: Option<Arc<dyn FileFormat>>,
}

/// A lookup that is planned but not connected.
#[async_trait]
pub trait LookupSource: std::fmt::Debug + Send + Sync {
    /// Connects.
    ///
    /// # Errors
    /// The server cannot be reached, or has no such table.
    async fn open(&self, context: LookupContext) -> Result<Box<dyn Lookup>>;
}

/// What a lookup gets from the runtime.
#[derive(Debug)]
pub struct LookupContext {
    /// Where it counts. Well-known names are in `docs/metrics.md`.
    pub metrics: MetricGroup,
    /// For a task of its own, which ends with the job.
    pub spawner: Spawner,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// A running lookup.
#[async_trait]
pub trait Lookup: Send {
    /// Finds the rows of keys. One column per column of [`LookupTable::keys`], of the same types; the
    /// keys are distinct, and none holds a NULL.
    ///
    /// # Errors
    /// The server is gone and all retries are used up, or it has values that do not fit.
    async fn lookup(&mut self, keys: &[ArrayRef]) -> Result<Found>;

    /// As [`lookup`](Self::lookup), for keys that had no row a moment ago: a lookup with a memory asks the
    /// table itself.
    ///
    /// # Errors
    /// As of [`lookup`](Self::lookup).
    async fn lookup_again(&mut self, keys: &[ArrayRef]) -> Result<Found> {
        self.lookup(keys).await
    }
}

/// What a lookup found.
#[derive(Debug, Clone)]
pub struct Found {
    /// For each row, the position of its key; ascending. A key may have no row, or many.
    pub keys: Vec<u32>,
    /// The rows, in [`LookupTable::schema`].
    pub rows: RecordBatch,
}
