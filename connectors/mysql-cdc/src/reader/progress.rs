//! How far the snapshot of a table is, for metrics.

use sluice_model::{Gauge, MetricGroup};

use crate::feed::Feed;

/// Gauges of one table.
#[derive(Debug, Clone)]
pub(super) struct SnapshotProgress {
    chunks_done: Gauge,
    rows: Gauge,
    finished: Gauge,
}

impl SnapshotProgress {
    /// Gauges of a table, of whose rows `rows` have been read before.
    pub(super) fn new(metrics: &MetricGroup, feed: &Feed, rows: u64, done: bool) -> Self {
        let group = metrics.with_label("table", &feed.sql_name).with_label("source_table", feed.table.full_name());
        let (estimate, chunk_rows) = (feed.table.estimated_rows, feed.chunk_rows);
        let clamp = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        group.gauge("snapshot_rows_estimated").set(clamp(estimate));
        group.gauge("snapshot_chunks_total").set(clamp(estimate.div_ceil(u64::from(chunk_rows.max(1))).max(1)));
        let this = Self {
            chunks_done: group.gauge("snapshot_chunks_done"),
            rows: group.gauge("snapshot_rows"),
            finished: group.gauge("snapshot_finished"),
        };
        this.chunks_done.set(0);
        this.rows.set(clamp(rows));
        this.finished.set(i64::from(done));
        this
    }

    /// A chunk was handed out.
    pub(super) fn chunk(&self, rows: u64, is_last: bool) {
        self.chunks_done.add(1);
        self.rows.add(i64::try_from(rows).unwrap_or(0));
        if is_last {
            self.finished.set(1);
        }
    }
}
