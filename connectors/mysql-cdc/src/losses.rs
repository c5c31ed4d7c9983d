//! Values that the target types cannot hold and that became NULL: counted, so that nobody has to wonder.

use sluice_model::{Counter, MetricGroup};
use sluice_mysql_decode::RowBatchBuilder;

/// Counters of values that became NULL.
#[derive(Debug, Clone)]
pub(crate) struct Losses {
    invalid_dates: Counter,
    decimal_overflows: Counter,
}

impl Losses {
    /// The counters of a source.
    pub(crate) fn new(metrics: &MetricGroup) -> Self {
        Self {
            invalid_dates: metrics.counter("invalid_dates"),
            decimal_overflows: metrics.counter("decimal_overflows"),
        }
    }

    /// Counts what a builder lost since `before`, and says where it stands now.
    pub(crate) fn count(&self, builder: &RowBatchBuilder, before: (u64, u64)) -> (u64, u64) {
        let now = (builder.invalid_dates(), builder.decimal_overflows());
        self.invalid_dates.add(now.0.saturating_sub(before.0));
        self.decimal_overflows.add(now.1.saturating_sub(before.1));
        now
    }
}
