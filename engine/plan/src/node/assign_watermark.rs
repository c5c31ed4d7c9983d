//! Tells how far event time has come.

use std::time::Duration;

use datafusion_expr::Expr;

/// Passes rows on, and behind batches the largest value of an expression over them as the
/// watermark: no row at or before that time is expected any more (Akidau et al. 2015, "The Dataflow
/// Model"; in SQL `WATERMARK FOR ts AS ts - INTERVAL '5' SECOND`).
///
/// ```text
/// rows  12:00:07, 12:00:03      watermark with 5 seconds of delay   12:00:02
/// ```
///
/// Where the source reads several splits, each has a watermark of its own, and the least counts.
#[derive(Debug, Clone)]
pub struct AssignWatermark {
    /// Name of the column whose time it is.
    pub column: String,
    /// The watermark of a row; a timestamp. NULL says nothing.
    pub watermark: Expr,
    /// After so long without rows nobody waits for the watermarks any more; `None`: all wait for ever.
    pub idle_timeout: Option<Duration>,
    /// When watermarks go out.
    pub emit: WatermarkEmit,
    /// The sources that wait for each other, if this is one of them.
    pub alignment: Option<WatermarkAlignment>,
}

/// When watermarks go out: `scan.watermark.emit.strategy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatermarkEmit {
    /// Behind a batch, once it has moved on by more than this, or this long behind the one before.
    Periodic(Duration),
    /// Behind every row that is later than all before it.
    OnEvent,
}

/// Sources of one group wait for the slowest of them: `scan.watermark.alignment.*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WatermarkAlignment {
    /// Names the group, inside of a job.
    pub group: String,
    /// How far ahead of the slowest a source may read.
    pub max_drift: Duration,
    /// How often a source looks at the others.
    pub update_interval: Duration,
}

impl AssignWatermark {
    pub(super) fn label(&self) -> String {
        let idle = self.idle_timeout.map(|timeout| format!(", idletimeout=[{} ms]", timeout.as_millis()));
        let idle = idle.unwrap_or_default();
        format!("WatermarkAssigner: rowtime=[{}], watermark=[{}]{idle}", self.column, self.watermark)
    }
}
