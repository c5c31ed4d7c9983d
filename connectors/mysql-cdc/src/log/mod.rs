//! Reading the log: one connection, in a task of its own, that hands over decoded rows.
//!
//! ```text
//! socket ─► events ─► rows of captured tables, in columns ─► LogChunk {rows per table, mark} ─► reader
//! ```
//!
//! A chunk of the log is handed over when it has thousands of rows, or as soon as the socket has nothing more: a
//! reader that keeps up sees a change at once, and one that lags gets large batches.

mod connection;
mod decoder;
mod statement;
mod task;

use sluice_model::{ChangelogBatch, Result};

pub(crate) use connection::LogContext;
pub(crate) use decoder::LogDecoder;
pub(crate) use task::{LogMetrics, run};

use crate::position::{Offset, Place};
use crate::snapshot::Visible;

/// What the log task sends.
pub(crate) type LogResult = Result<LogChunk>;

/// A stretch of the log.
#[derive(Debug)]
pub(crate) struct LogChunk {
    /// Changes of captured tables, in order within each table.
    pub(crate) batches: Vec<FeedBatch>,
    /// Where the stretch ends.
    pub(crate) mark: LogMark,
}

/// Changes of one table.
#[derive(Debug)]
pub(crate) struct FeedBatch {
    /// Number of the feed.
    pub(crate) feed: usize,
    /// Its decoded rows.
    pub(crate) rows: ChangelogBatch,
    /// Rows of the log that these are, an update counting as one.
    pub(crate) raw_rows: u64,
}

/// A point of the log, between two rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogMark {
    /// Start of the event group that the point lies in, or the boundary that it is.
    pub(crate) offset: Offset,
    /// Rows between the offset and the point, of feeds that have any.
    pub(crate) rows: Vec<(usize, u64)>,
    /// Up to here everything has been consumed.
    pub(crate) place: Place,
    /// What a read has to show that begins at this point.
    pub(crate) visible: Visible,
    /// Whether rows that were delivered before a restart are still being passed over.
    pub(crate) is_replaying: bool,
}
