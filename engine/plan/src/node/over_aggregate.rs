//! Aggregates over the rows before each row.

use super::AggregateCall;

/// How far a frame reaches back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// To the first row of the partition, in the order of rows: `ROWS UNBOUNDED PRECEDING`.
    AllRows,
    /// To the first row of the partition; rows of one time see each other: `RANGE UNBOUNDED PRECEDING`.
    AllTime,
    /// This many rows before the current one: `ROWS n PRECEDING`.
    Rows(u64),
    /// This many milliseconds before the current row: `RANGE INTERVAL … PRECEDING`.
    Millis(i64),
}

/// Each row of an append-only input with aggregates over the frame that ends with it, in the order of
/// time. In event time a row is put out when the watermark has reached its time, and rows that come later
/// than that are dropped. In processing time a row is put out at once, or, in a frame of milliseconds,
/// when its millisecond is over.
///
/// The result has the columns of the input, then those of the calls.
///
/// | input `k, t, v` | `SUM(v) OVER (PARTITION BY k ORDER BY t ROWS 1 PRECEDING)` |
/// |---|---|
/// | `+I a 12:02 3`, `+I a 12:01 5`, `+I a 12:03 1` | |
/// | watermark 12:02 | `+I a 12:01 5 5`, `+I a 12:02 3 8` |
/// | watermark 12:03 | `+I a 12:03 1 4` |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverAggregate {
    /// Input columns of the partition; none: one partition.
    pub partition: Vec<usize>,
    /// Input column of the time.
    pub time: usize,
    /// The time is that of the clock.
    pub processing_time: bool,
    /// How far back the aggregates look.
    pub frame: Frame,
    /// What is computed, over input columns.
    pub calls: Vec<AggregateCall>,
}

impl OverAggregate {
    pub(super) fn label(&self) -> String {
        let partition: Vec<_> = self.partition.iter().map(|column| format!("${column}")).collect();
        let calls: Vec<_> = self.calls.iter().map(AggregateCall::label).collect();
        let frame = match self.frame {
            Frame::AllRows => "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW".to_owned(),
            Frame::AllTime => "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW".to_owned(),
            Frame::Rows(rows) => format!("ROWS BETWEEN {rows} PRECEDING AND CURRENT ROW"),
            Frame::Millis(millis) => format!("RANGE BETWEEN {millis} PRECEDING AND CURRENT ROW"),
        };
        let mode = if self.processing_time { ", time=[processing]" } else { "" };
        format!(
            "OverAggregate: partitionBy=[{}], orderBy=[${} ASC]{mode}, window=[{frame}], select=[{}]",
            partition.join(", "),
            self.time,
            calls.join(", ")
        )
    }
}
