//! Watermarks from the rows themselves.
//!
//! The watermark of a batch is the largest of its rows. Where the expression grows with a column,
//! as `ts - INTERVAL '4' SECOND` does, it is that of the row with the largest `ts`: the expression
//! is evaluated once for a batch.
//!
//! ```text
//! WATERMARK FOR ts AS ts, idle after 5 s, every 200 ms
//!
//! at 10.0 s   +I 00:07.0               watermark 00:07.0
//! at 10.1 s   +I 00:07.1
//! at 10.2 s                            watermark 00:07.1
//! at 15.1 s                            idle: nobody waits for a later watermark
//! at 18.0 s   +I 00:06.0               active again
//! ```
//!
//! A watermark goes out behind a batch if it is later than the last by more than the interval, and
//! else when the interval is over, as Flink's `WatermarkAssignerOperator` does it. With `on-event` a batch
//! is cut behind every row that is later than all before it, and each part has its watermark.

mod splits;

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema, SchemaRef};
use datafusion_common::ScalarValue;
use datafusion_expr::{Expr, Operator as Symbol};
use datafusion_physical_expr::PhysicalExpr;
use sluice_functions::{from_datafusion, keeps_order_of_time};
use sluice_model::{ChangelogBatch, Result, SplitId, SplitStatus};
use sluice_plan::WatermarkEmit;

use self::splits::Splits;
use crate::calc::Compiler;
use crate::time::{latest, millis};
use crate::{Operator, Output};

/// A compiled [`sluice_plan::AssignWatermark`].
#[derive(Debug)]
pub struct AssignWatermark {
    watermark: Arc<dyn PhysicalExpr>,
    /// The column that it grows with, if that is known.
    grows_with: Option<usize>,
    splits: Splits,
    /// Milliseconds between watermarks; `None`: behind every row.
    interval: Option<i64>,
    now: i64,
    /// The watermark that has gone out last, and when.
    sent: Option<(i64, i64)>,
    /// Whether it was said that nobody is to wait.
    is_idle: bool,
}

impl AssignWatermark {
    /// Compiles the expression against the columns of the input.
    ///
    /// # Errors
    /// A bug in the planner: an expression that does not fit the input.
    pub fn compile(node: &sluice_plan::AssignWatermark, input: &SchemaRef) -> Result<Self> {
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Ok(Self {
            watermark: Compiler::new(input)?.compile(&node.watermark)?,
            grows_with: grows_with(&node.watermark, input),
            splits: Splits::new(node.idle_timeout.map(millis)),
            interval: match node.emit {
                WatermarkEmit::Periodic(interval) => Some(millis(interval)),
                WatermarkEmit::OnEvent => None,
            },
            now: i64::MIN,
            sent: None,
            is_idle: false,
        })
    }

    /// The rows of a batch among which the one with the largest watermark is.
    fn candidates(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let Some(column) = self.grows_with else {
            return Ok(rows.clone());
        };
        Ok(latest(rows.column(column).as_ref())?.map_or_else(|| rows.slice(0, 0), |row| rows.slice(row, 1)))
    }

    /// The watermark of every row.
    fn watermarks(&self, rows: &RecordBatch) -> Result<Vec<Option<i64>>> {
        let values = self.watermark.evaluate(rows).and_then(|value| value.into_array(rows.num_rows()));
        millis(values.map_err(from_datafusion)?.as_ref())
    }

    /// The watermark that is to go out, if there is one that has not.
    fn waiting(&self) -> Option<i64> {
        self.splits.watermark().filter(|watermark| self.sent.is_none_or(|(sent, _)| *watermark > sent))
    }

    /// When a watermark that waits has waited for long enough.
    fn due(&self) -> Option<i64> {
        let (Some((sent, at)), Some(interval)) = (self.sent, self.interval) else { return Some(i64::MIN) };
        let is_far = self.waiting()?.saturating_sub(sent) > interval;
        Some(if is_far || self.splits.are_idle() { i64::MIN } else { at.saturating_add(interval) })
    }
}

/// The column of time that an expression follows: with a later time it is never earlier. Times with a
/// zone are left out, because clocks are set back.
fn grows_with(expression: &Expr, input: &Schema) -> Option<usize> {
    match expression {
        Expr::Column(column) => {
            let index = input.index_of(&column.name).ok()?;
            matches!(input.field(index).data_type(), DataType::Timestamp(_, None)).then_some(index)
        }
        Expr::Alias(alias) => grows_with(&alias.expr, input),
        Expr::BinaryExpr(binary) if matches!(binary.op, Symbol::Plus | Symbol::Minus) => {
            let is_interval = match binary.right.as_ref() {
                Expr::Literal(value, _) => value.data_type() == ScalarValue::IntervalMonthDayNano(None).data_type(),
                _ => false,
            };
            is_interval.then(|| grows_with(&binary.left, input)).flatten()
        }
        Expr::ScalarFunction(call) if keeps_order_of_time(&call.func) => grows_with(call.args.first()?, input),
        _ => None,
    }
}

impl Operator for AssignWatermark {
    fn parts(&mut self, batch: &ChangelogBatch) -> Result<Option<Vec<usize>>> {
        if self.interval.is_some() {
            return Ok(None);
        }
        let mut largest = self.splits.largest();
        let mut ends = Vec::new();
        for (row, watermark) in self.watermarks(batch.rows())?.into_iter().enumerate() {
            if watermark > largest {
                largest = watermark;
                ends.push(row + 1);
            }
        }
        ends.push(batch.num_rows());
        ends.dedup();
        Ok(Some(ends))
    }

    fn on_batch(&mut self, _input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        if !batch.is_empty() {
            let rows = self.candidates(batch.rows())?;
            self.splits.on_rows(self.watermarks(&rows)?.into_iter().flatten().max());
        }
        output(batch)
    }

    fn on_split(&mut self, split: SplitId, status: SplitStatus) {
        self.splits.on_split(split, status);
    }

    fn on_held(&mut self, is_held: bool) {
        self.splits.set_held(is_held);
    }

    fn on_processing_time(&mut self, now: i64, _output: Output<'_>) -> Result<()> {
        self.now = self.now.max(now);
        self.splits.tell(now);
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        let due = self.waiting().and_then(|_| self.due());
        due.into_iter().chain(self.splits.deadline()).min()
    }

    fn new_idleness(&mut self) -> Option<bool> {
        let is_idle = self.splits.are_idle();
        let was_idle = std::mem::replace(&mut self.is_idle, is_idle);
        (is_idle != was_idle).then_some(is_idle)
    }

    fn new_watermark(&mut self) -> Option<i64> {
        let watermark = self.waiting()?;
        if self.due()? > self.now {
            return None;
        }
        self.sent = Some((watermark, self.now));
        Some(watermark)
    }
}

#[cfg(test)]
mod tests;
