//! Rows of one feed on their way from events to batches.

use sluice_model::Result;
use sluice_mysql_decode::{RowBatchBuilder, RowDecoder, RowsEvent, TableMap, TargetColumn};

use crate::decode_error;
use crate::feed::Feed;
use crate::log::FeedBatch;
use crate::losses::Losses;

/// What has been decoded for one feed, and how much of the log that is.
pub(super) struct Output {
    builder: RowBatchBuilder,
    times: Vec<i64>,
    /// Rows of the log in the builder.
    raw_rows: u64,
    /// Values that the builder has lost so far.
    lost: (u64, u64),
    /// Rows still to pass over, for they were delivered before.
    skip: u64,
    /// Rows of the open group that were read, passed over or not.
    in_group: u64,
    /// The columns to decode, where the table has them now.
    pub(super) columns: Vec<TargetColumn>,
    /// Columns that the table has now.
    pub(super) table_columns: usize,
    /// The table was altered since its columns were read.
    pub(super) is_stale: bool,
    /// Its columns were just read anew.
    pub(super) was_refreshed: bool,
    /// Nobody has been given a row of the table: that it is dropped or emptied takes nothing back.
    pub(super) is_pristine: bool,
}

impl Output {
    pub(super) fn new(feed: &Feed, skip: u64, is_pristine: bool) -> Result<Self> {
        Ok(Self {
            builder: feed.builder()?,
            times: Vec::new(),
            raw_rows: 0,
            lost: (0, 0),
            skip,
            in_group: 0,
            columns: feed.columns.clone(),
            table_columns: feed.table.columns.len(),
            is_stale: false,
            was_refreshed: false,
            is_pristine,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.builder.len()
    }

    pub(super) fn byte_size(&self) -> usize {
        self.builder.byte_size()
    }

    /// Rows between the boundary and the end of what was read.
    pub(super) fn behind_boundary(&self) -> u64 {
        self.in_group + self.skip
    }

    pub(super) fn is_replaying(&self) -> bool {
        self.skip > 0
    }

    pub(super) fn end_group(&mut self) {
        self.in_group = 0;
    }

    /// The open group will be read again: what was read of it has to be passed over.
    pub(super) fn rewind(&mut self) {
        self.skip += self.in_group;
        self.in_group = 0;
    }

    /// Whether the columns are those of the table that the log describes.
    pub(super) fn fits(&self, table: &TableMap) -> bool {
        let named = table.columns.iter().all(|column| column.name.is_some());
        named || !self.is_stale && self.table_columns == table.columns.len()
    }

    /// The columns at the places that the log gives them, if it names its columns.
    pub(super) fn columns_for(&self, table: &TableMap) -> Vec<TargetColumn> {
        let mut columns = self.columns.clone();
        for column in &mut columns {
            let same = |name: &Option<String>| {
                name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(&column.source.name))
            };
            if let Some(place) = table.columns.iter().position(|wire| same(&wire.name)) {
                column.source_index = place;
            }
        }
        columns
    }

    pub(super) fn decode(
        &mut self,
        feed: &Feed,
        decoder: &mut RowDecoder,
        rows: &RowsEvent<'_>,
        millis: i64,
    ) -> Result<()> {
        let first = usize::try_from(self.skip).unwrap_or(usize::MAX);
        let decoded = decoder.decode_from(rows, first, feed.update_mode, &mut self.builder).map_err(decode_error)?;
        let read = decoded.read as u64;
        self.is_pristine = false;
        let passed = read.min(self.skip);
        self.skip -= passed;
        self.raw_rows += read - passed;
        self.in_group += read;
        if feed.wants_time() {
            self.times.resize(self.builder.len(), millis);
        }
        Ok(())
    }

    pub(super) fn take(&mut self, index: usize, feed: &Feed, losses: &Losses) -> Result<Option<FeedBatch>> {
        if self.raw_rows == 0 {
            return Ok(None);
        }
        self.lost = losses.count(&self.builder, self.lost);
        let rows = feed.take(&mut self.builder, &self.times)?;
        self.times.clear();
        Ok(Some(FeedBatch { feed: index, rows, raw_rows: std::mem::take(&mut self.raw_rows) }))
    }
}
