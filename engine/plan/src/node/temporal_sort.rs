//! Rows in the order of time.

use super::SortColumn;

/// Puts the rows of an append-only input out in the order of time, rows of one time in the order of
/// further columns, and as they came where these are equal.
///
/// In event time a row waits until the watermark has reached it; rows that come later than that are
/// dropped. In processing time rows are in order as they come: without further columns they are passed
/// on, with them a row waits until its millisecond is over.
///
/// | input `t, v` | `ORDER BY t, v DESC` |
/// |---|---|
/// | `+I 12:02 3`, `+I 12:01 5`, `+I 12:02 7` | |
/// | watermark 12:02 | `+I 12:01 5`, `+I 12:02 7`, `+I 12:02 3` |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemporalSort {
    /// Input column of the time.
    pub time: usize,
    /// The time is that of the clock.
    pub processing_time: bool,
    /// The order of rows of one time.
    pub order: Vec<SortColumn>,
}

impl TemporalSort {
    pub(super) fn label(&self) -> String {
        let time = format!("${} ASC", self.time);
        let order: Vec<_> = std::iter::once(time).chain(self.order.iter().map(SortColumn::label)).collect();
        let mode = if self.processing_time { ", time=[processing]" } else { "" };
        format!("TemporalSort: orderBy=[{}]{mode}", order.join(", "))
    }
}
