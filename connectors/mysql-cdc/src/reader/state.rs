//! The position: what has been handed out.

use std::sync::Arc;

use sluice_model::Result;

use crate::chunk::Range;
use crate::feed::Feed;
use crate::log::LogMark;
use crate::position::{Offset, Position, TablePosition};

/// What has been handed out, in the terms of a checkpoint.
pub(super) struct Committed {
    offset: Offset,
    tables: Vec<TablePosition>,
    feeds: Arc<Vec<Feed>>,
    /// The serialised form, until something changes.
    serialised: Option<Vec<u8>>,
}

impl Committed {
    /// A position with these tables, in the order of the feeds.
    pub(super) fn new(feeds: Arc<Vec<Feed>>, offset: Offset, tables: Vec<TablePosition>) -> Self {
        Self { offset, tables, feeds, serialised: None }
    }

    /// The log has been consumed up to `mark`.
    pub(super) fn consumed_to(&mut self, mark: &LogMark) {
        self.serialised = None;
        self.offset.clone_from(&mark.offset);
        for table in &mut self.tables {
            table.rows = 0;
        }
        for (feed, rows) in &mark.rows {
            if let Some(table) = self.tables.get_mut(*feed) {
                table.rows = *rows;
            }
        }
    }

    /// Rows of a feed behind the offset have been consumed.
    pub(super) fn consumed_rows(&mut self, feed: usize, rows: u64) {
        self.serialised = None;
        if let Some(table) = self.tables.get_mut(feed) {
            table.rows += rows;
        }
    }

    /// A chunk of `rows` rows has been handed out; with it all of `finished` has, or the whole table.
    pub(super) fn finished_chunk(&mut self, feed: usize, finished: Option<Vec<Range>>, rows: u64) {
        self.serialised = None;
        if let Some(table) = self.tables.get_mut(feed) {
            table.snapshot_rows += rows;
            table.finished = finished;
        }
    }

    /// The serialised form.
    pub(super) fn serialise(&mut self) -> Result<Vec<u8>> {
        if let Some(bytes) = &self.serialised {
            return Ok(bytes.clone());
        }
        let mut position = Position::new(self.offset.clone());
        for (feed, table) in self.feeds.iter().zip(&self.tables) {
            position.tables.insert(feed.key.clone(), table.clone());
        }
        let bytes = position.to_bytes()?;
        self.serialised = Some(bytes.clone());
        Ok(bytes)
    }
}
