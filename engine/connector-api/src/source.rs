//! Sources: where changelogs come from.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use async_trait::async_trait;
use sluice_model::{
    ChangelogBatch, ChangelogMode, Clock, Column, MetricGroup, Result, SplitId, SplitStatus, SqlType, TableSchema,
};

use crate::{FileFormat, Spawner};

/// A metadata column that a connector offers: `c TYPE METADATA FROM 'key'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataColumn {
    /// Key in `METADATA FROM`.
    pub key: &'static str,
    /// Type that the connector delivers.
    pub data_type: SqlType,
    /// Whether it can be NULL.
    pub nullable: bool,
}

/// A table that a source shall read.
#[derive(Debug, Clone)]
pub struct SourceTable<O> {
    /// Name for messages: the table's path in the catalog.
    pub name: String,
    /// Typed options.
    pub options: O,
    /// Physical columns that are wanted, and the primary key among them.
    pub schema: TableSchema,
    /// Wanted metadata: key and the column it becomes. Delivered behind the physical columns.
    pub metadata: Vec<(String, Column)>,
    /// The kinds that consumers want; a source may leave out `-U` if it is not among them.
    pub changelog: ChangelogMode,
    /// All physical columns as declared, whether wanted or not: what formats without names go by.
    pub declared: TableSchema,
    /// Names of the columns that it is partitioned by.
    pub partitioned_by: Vec<String>,
    /// The format of its files, for a connector that has any.
    pub files: Option<Arc<dyn FileFormat>>,
}

impl<O> SourceTable<O> {
    /// Schema of the delivered batches: physical columns, then metadata.
    pub fn output_schema(&self) -> SchemaRef {
        let physical = self.schema.columns.iter();
        let metadata = self.metadata.iter().map(|(_, column)| column);
        Arc::new(Schema::new(physical.chain(metadata).map(Column::to_field).collect::<Vec<_>>()))
    }
}

/// A source that is planned but not connected. Reads one table, or several over one connection.
#[async_trait]
pub trait Source: std::fmt::Debug + Send + Sync {
    /// The kinds it delivers for its table number `table`.
    fn changelog_mode(&self, table: usize) -> ChangelogMode;

    /// Whether it ends by itself.
    fn is_bounded(&self) -> bool {
        false
    }

    /// Number of subtasks it can be read by, if limited.
    fn max_parallelism(&self) -> Option<usize> {
        Some(1)
    }

    /// The parallelism that the table's options ask for.
    fn parallelism(&self) -> Option<usize> {
        None
    }

    /// Connects, and restores the position of the checkpoint that the job starts from.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses, or no longer has what the position needs.
    async fn open(&self, context: SourceContext) -> Result<Box<dyn SourceReader>>;
}

/// What a reader gets from the runtime.
#[derive(Debug)]
pub struct SourceContext {
    /// Which subtask this is, from 0.
    pub subtask: usize,
    /// Number of subtasks.
    pub parallelism: usize,
    /// Positions that the checkpoint holds, one per former subtask (of any number of them);
    /// empty without a checkpoint. A reader takes its share.
    pub restored: Vec<Vec<u8>>,
    /// Operators behind the source keep state: only rows that were delivered since that state was taken may be
    /// taken back. Without them, a row that nobody has may be taken back as well.
    pub feeds_state: bool,
    /// Where the reader counts. Well-known names are in `docs/metrics.md`.
    pub metrics: MetricGroup,
    /// For reading ahead in a task of its own, which ends with the job.
    pub spawner: Spawner,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// What a reader delivers.
#[derive(Debug)]
pub enum SourceEvent {
    /// Rows of table number `table` of the source.
    Batch {
        /// Index into the tables the source was made from.
        table: usize,
        /// The rows, in [`SourceTable::output_schema`].
        batch: ChangelogBatch,
    },
    /// Rows of one of several splits that the reader reads side by side, as partitions of a topic. Each has a
    /// watermark of its own, and the least counts: one that is behind has no late rows. Readers whose rows
    /// come in one order have no splits, and neither have those that read one split behind the other.
    SplitBatch {
        /// As in [`SourceEvent::Batch`].
        table: usize,
        /// Which one.
        split: SplitId,
        /// As in [`SourceEvent::Batch`].
        batch: ChangelogBatch,
    },
    /// A split of a table has begun, or has ended. One that has begun holds the watermark back until its
    /// first rows come, it ends, or it is idle. A reader that has no split to read says that one has ended:
    /// then nobody waits for it.
    Split {
        /// As in [`SourceEvent::Batch`].
        table: usize,
        /// Which one.
        split: SplitId,
        /// What is about it.
        status: SplitStatus,
    },
    /// Nothing more will come.
    End,
}

/// A running source.
#[async_trait]
pub trait SourceReader: Send {
    /// Waits for the next rows. Cancel-safe: a call that is dropped loses nothing.
    ///
    /// # Errors
    /// The connection broke, or the server sent what cannot be read.
    async fn next(&mut self) -> Result<SourceEvent>;

    /// Where to go on behind the last event that [`next`](Self::next) returned. Stored in a
    /// checkpoint and handed back in [`SourceContext::restored`]. Holds no secret.
    ///
    /// # Errors
    /// A bug: a position that cannot be written.
    fn position(&mut self) -> Result<Vec<u8>>;

    /// The checkpoint that holds `position` is durable: what lies before may be acknowledged.
    ///
    /// # Errors
    /// The acknowledgement failed.
    async fn checkpoint_completed(&mut self, _position: &[u8]) -> Result<()> {
        Ok(())
    }
}
