//! Tells how far event time has come.

use std::time::Duration;

use datafusion_expr::Expr;

/// Passes rows on, and behind each batch the largest value of an expression over them as the
/// watermark: no row at or before that time is expected any more (Akidau et al. 2015, "The Dataflow
/// Model"; in SQL `WATERMARK FOR ts AS ts - INTERVAL '5' SECOND`).
///
/// ```text
/// rows  12:00:07, 12:00:03      watermark with 5 seconds of delay   12:00:02
/// ```
#[derive(Debug, Clone)]
pub struct AssignWatermark {
    /// Name of the column whose time it is.
    pub column: String,
    /// The watermark of a row; a timestamp. NULL says nothing.
    pub watermark: Expr,
    /// After so long without rows nobody waits for the watermarks any more; `None`: all wait for ever.
    pub idle_timeout: Option<Duration>,
}

impl AssignWatermark {
    pub(super) fn label(&self) -> String {
        let idle = self.idle_timeout.map(|timeout| format!(", idletimeout=[{} ms]", timeout.as_millis()));
        let idle = idle.unwrap_or_default();
        format!("WatermarkAssigner: rowtime=[{}], watermark=[{}]{idle}", self.column, self.watermark)
    }
}
