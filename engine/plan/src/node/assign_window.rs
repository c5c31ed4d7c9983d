//! Puts rows into windows of time.

use chrono_tz::Tz;

/// Adds the windows that each row belongs to: `window_start`, `window_end` and `window_time` (the
/// last millisecond of the window). A row of several windows comes several times.
///
/// | row at | kind | windows |
/// |---|---|---|
/// | 12:07 | 10 minutes | 12:00–12:10 |
/// | 12:07 | 10 minutes every 5 | 12:00–12:10, 12:05–12:15 |
/// | 12:07 | up to 10 minutes in steps of 5 | 12:00–12:10 |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignWindow {
    /// Input column of the time.
    pub time: usize,
    /// How windows lie.
    pub kind: WindowKind,
    /// The time of a row is when it comes by, whatever the column says. Then the operator tells how
    /// far this time has come, and watermarks of the input end here: for everything behind it these
    /// are windows like others, for which no row is ever late.
    pub processing_time: bool,
    /// The zone between whose wall-clock times windows lie, where the time is a `TIMESTAMP_LTZ`: borders
    /// are wall-clock times, and `window_time` is an instant. UTC where all three are `TIMESTAMP`.
    pub zone: Tz,
}

/// The end of a window (a timestamp, exclusive) among the columns of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowEnd {
    /// Its column.
    pub column: usize,
    /// The zone of whose wall clock it is a time.
    pub zone: Tz,
}

/// How windows lie. All lengths are in milliseconds and positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WindowKind {
    /// One behind the other.
    Tumble {
        /// Length.
        size: i64,
        /// Distance of a window's start from a multiple of its size since 1970.
        offset: i64,
    },
    /// Of one length, a new one every `slide`.
    Hop {
        /// From one start to the next.
        slide: i64,
        /// Length.
        size: i64,
        /// As in [`WindowKind::Tumble`].
        offset: i64,
    },
    /// From one start, growing by `step` up to `size`.
    Cumulate {
        /// From one end to the next; `size` is a multiple of it.
        step: i64,
        /// Greatest length.
        size: i64,
        /// As in [`WindowKind::Tumble`].
        offset: i64,
    },
}

impl WindowKind {
    /// Length and offset of the longest slices of time that no window cuts.
    ///
    /// ```
    /// use sluice_plan::WindowKind;
    /// assert_eq!(WindowKind::Hop { slide: 4_000, size: 10_000, offset: 500 }.slice(), (2_000, 500));
    /// ```
    #[must_use]
    pub fn slice(self) -> (i64, i64) {
        match self {
            Self::Tumble { size, offset } => (size, offset),
            Self::Hop { slide: part, size, offset } | Self::Cumulate { step: part, size, offset } => {
                (common_divisor(part, size), offset)
            }
        }
    }
}

fn common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

impl AssignWindow {
    pub(super) fn label(&self) -> String {
        let kind = match self.kind {
            WindowKind::Tumble { size, .. } => format!("TUMBLE(size=[{size} ms])"),
            WindowKind::Hop { slide, size, .. } => format!("HOP(slide=[{slide} ms], size=[{size} ms])"),
            WindowKind::Cumulate { step, size, .. } => format!("CUMULATE(step=[{step} ms], size=[{size} ms])"),
        };
        let time = if self.processing_time { "proctime" } else { "time" };
        format!("WindowTableFunction: window=[{kind}], {time}=[${}]{}", self.time, zone_label(self.zone))
    }
}

/// Where windows lie, if that is not UTC.
pub(super) fn zone_label(zone: Tz) -> String {
    if zone == Tz::UTC { String::new() } else { format!(", timeZone=[{zone}]") }
}
