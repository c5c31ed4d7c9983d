//! Puts rows into sessions.

use chrono_tz::Tz;

use super::assign_window::zone_label;

/// Adds the session that each row belongs to: `window_start`, `window_end` and `window_time` (the
/// last millisecond). A session is what rows of one partition make that follow each other within
/// `gap`; it ends `gap` behind its last row, and its rows are put out when event time has come there.
/// Rows that come later than that, and reach no session that is open, are dropped and counted.
///
/// ```text
/// rows of one user at    12:00:01  12:00:08  12:00:31        gap 10 seconds
/// sessions               12:00:01 ─────── 12:00:18
///                                            12:00:31 ─── 12:00:41
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionWindow {
    /// Input columns of the partition; none: one partition.
    pub partition: Vec<usize>,
    /// Input column of the time.
    pub time: usize,
    /// Milliseconds without rows that end a session.
    pub gap: i64,
    /// As in [`AssignWindow`](super::AssignWindow).
    pub processing_time: bool,
    /// As in [`AssignWindow`](super::AssignWindow).
    pub zone: Tz,
}

impl SessionWindow {
    pub(super) fn label(&self) -> String {
        let partition: Vec<_> = self.partition.iter().map(|column| format!("${column}")).collect();
        let time = if self.processing_time { "proctime" } else { "time" };
        format!(
            "WindowTableFunction: window=[SESSION(partitionBy=[{}], gap=[{} ms])], {time}=[${}]{}",
            partition.join(", "),
            self.gap,
            self.time,
            zone_label(self.zone)
        )
    }
}
