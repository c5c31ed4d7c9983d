//! Groups the rows of a batch in front of the exchange.

use chrono_tz::Tz;

use super::{AggregateCall, WindowKind};

/// The first of two steps of an aggregate: one row for each group and slice of time that a batch has
/// rows of, put out at once. Nothing is kept between batches. The second step, a
/// [`GroupAggregate`](super::GroupAggregate) behind the windows, puts the results of slices together.
///
/// Rows of one slice belong to the same windows, so that a row of a `HOP` of five windows is counted
/// once and not five times (Li et al. 2005, "No pane, no gain"; Flink's slicing windows).
///
/// Columns of the result: those of the group, the start of the slice, the results of the calls, and
/// the number of rows.
///
/// | a batch of `time, id` | `COUNT(*)` by `id` in slices of 10 s: `id, slice, count, rows` |
/// |---|---|
/// | `12:00:03 a`, `12:00:04 a`, `12:00:07 b`, `12:00:12 a` | `a 12:00:00 2 2`, `b 12:00:00 1 1`, `a 12:00:10 1 1` |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAggregate {
    /// Input columns of the group.
    pub group: Vec<usize>,
    /// Input column of the time.
    pub time: usize,
    /// The zone whose wall clock slices go by, where the time is a `TIMESTAMP_LTZ`; else UTC.
    pub zone: Tz,
    /// The windows that slices are parts of.
    pub windows: WindowKind,
    /// What is computed: functions whose results over parts can be put together.
    pub calls: Vec<AggregateCall>,
}

impl LocalAggregate {
    pub(super) fn label(&self) -> String {
        let calls: Vec<_> = self.calls.iter().map(AggregateCall::label).collect();
        let group: Vec<_> = self.group.iter().map(|column| format!("${column}")).collect();
        let (length, _) = self.windows.slice();
        format!(
            "LocalWindowAggregate: groupBy=[{}], slice=[{length} ms of ${}], select=[{}]",
            group.join(", "),
            self.time,
            calls.join(", ")
        )
    }
}
