//! Watermarks from the rows themselves.
//!
//! The watermark of a batch is the largest of its rows. Where the expression grows with a column,
//! as `ts - INTERVAL '4' SECOND` does, it is that of the row with the largest `ts`: the expression
//! is evaluated once for a batch.
//!
//! ```text
//! WATERMARK FOR ts AS ts, idle after 5 s
//!
//! at 10 s   +I 00:07                 watermark 00:07
//! at 15 s                            idle: nobody waits for a later watermark
//! at 18 s   +I 00:06                 active again
//! ```

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema, SchemaRef};
use datafusion_common::ScalarValue;
use datafusion_expr::{Expr, Operator as Symbol};
use datafusion_physical_expr::PhysicalExpr;
use sluice_functions::{from_datafusion, keeps_order_of_time};
use sluice_model::{ChangelogBatch, Result};

use crate::calc::Compiler;
use crate::time::{latest, millis};
use crate::{Operator, Output};

/// A compiled [`sluice_plan::AssignWatermark`].
#[derive(Debug)]
pub struct AssignWatermark {
    watermark: Arc<dyn PhysicalExpr>,
    /// The column that it grows with, if that is known.
    grows_with: Option<usize>,
    /// The largest so far.
    largest: Option<i64>,
    has_grown: bool,
    idleness: Option<Idleness>,
}

/// When there were rows last.
#[derive(Debug)]
struct Idleness {
    timeout: i64,
    now: i64,
    /// When there were rows, or the operator began.
    last: Option<i64>,
    is_idle: bool,
    has_changed: bool,
}

impl Idleness {
    fn new(timeout: Duration) -> Self {
        let timeout = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
        Self { timeout, now: i64::MIN, last: None, is_idle: false, has_changed: false }
    }

    fn set(&mut self, is_idle: bool) {
        self.has_changed ^= self.is_idle != is_idle;
        self.is_idle = is_idle;
    }

    fn deadline(&self) -> Option<i64> {
        self.last.map(|last| last.saturating_add(self.timeout))
    }

    fn tell(&mut self, now: i64) {
        self.now = self.now.max(now);
        self.last.get_or_insert(self.now);
        if self.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.set(true);
        }
    }

    fn on_rows(&mut self) {
        self.last = Some(self.now);
        self.set(false);
    }
}

impl AssignWatermark {
    /// Compiles the expression against the columns of the input.
    ///
    /// # Errors
    /// A bug in the planner: an expression that does not fit the input.
    pub fn compile(node: &sluice_plan::AssignWatermark, input: &SchemaRef) -> Result<Self> {
        let watermark = Compiler::new(input)?.compile(&node.watermark)?;
        let grows_with = grows_with(&node.watermark, input);
        let idleness = node.idle_timeout.map(Idleness::new);
        Ok(Self { watermark, grows_with, largest: None, has_grown: false, idleness })
    }

    /// The rows of a batch among which the one with the largest watermark is.
    fn candidates(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let Some(column) = self.grows_with else {
            return Ok(rows.clone());
        };
        Ok(latest(rows.column(column).as_ref())?.map_or_else(|| rows.slice(0, 0), |row| rows.slice(row, 1)))
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
    fn on_batch(&mut self, _input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        let rows = self.candidates(batch.rows())?;
        let values = self.watermark.evaluate(&rows).and_then(|value| value.into_array(rows.num_rows()));
        let newest = millis(values.map_err(from_datafusion)?.as_ref())?.into_iter().flatten().max();
        if newest > self.largest {
            self.largest = newest;
            self.has_grown = true;
        }
        if let Some(idleness) = self.idleness.as_mut().filter(|_| !batch.is_empty()) {
            idleness.on_rows();
        }
        output(batch)
    }

    fn on_processing_time(&mut self, now: i64, _output: Output<'_>) -> Result<()> {
        if let Some(idleness) = &mut self.idleness {
            idleness.tell(now);
        }
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        self.idleness.as_ref().filter(|idleness| !idleness.is_idle)?.deadline()
    }

    fn new_idleness(&mut self) -> Option<bool> {
        let idleness = self.idleness.as_mut()?;
        std::mem::take(&mut idleness.has_changed).then_some(idleness.is_idle)
    }

    fn new_watermark(&mut self) -> Option<i64> {
        self.largest.filter(|_| std::mem::take(&mut self.has_grown))
    }
}

#[cfg(test)]
mod tests {
    use arrow_schema::Field;
    use datafusion_expr::col;
    use sluice_functions::{SessionInfo, cast_udf};
    use sluice_model::{SqlType, from_pretty};

    use super::*;

    #[test]
    fn only_a_later_time_moves_the_watermark() {
        let node = sluice_plan::AssignWatermark { column: "ts".to_owned(), watermark: col("ts"), idle_timeout: None };
        let rows = |text: &str| from_pretty("ts TIMESTAMP(3)", text);
        let mut operator = AssignWatermark::compile(&node, &rows("").schema()).unwrap();
        let mut push = |text: &str| {
            let batch = rows(text);
            operator.on_batch(0, batch, &mut |_| Ok(())).unwrap();
            operator.new_watermark()
        };
        assert_eq!(push("+I '1970-01-01 00:00:02' / +I '1970-01-01 00:00:01'"), Some(2000));
        assert_eq!(push("+I '1970-01-01 00:00:01' / +I NULL"), None);
        assert_eq!(push("+I '1970-01-01 00:00:02.500'"), Some(2500));
    }

    /// Evaluated for one row of a batch, or for all of them: the watermark is the same.
    #[test]
    fn an_expression_that_grows_with_time_needs_one_row() {
        let interval = ScalarValue::new_interval_mdn(0, 0, 4_000_000_000);
        let cast = cast_udf(SqlType::Timestamp(3), false, &SessionInfo::default());
        let lag = cast.call(vec![col("ts") - Expr::Literal(interval, None)]);
        let rows = "+I 1 '1970-01-01 00:00:07.123' / +I 2 '1970-01-01 00:00:09.987' / +I 3 NULL / \
                    +I 4 '1970-01-01 00:00:09.987' / +I 5 '1970-01-01 00:00:01'";
        let batch = from_pretty("id INT, ts TIMESTAMP(3)", rows);
        let node = sluice_plan::AssignWatermark { column: "ts".to_owned(), watermark: lag, idle_timeout: None };
        let mut operator = AssignWatermark::compile(&node, &batch.schema()).unwrap();
        assert_eq!(operator.candidates(batch.rows()).unwrap(), batch.rows().slice(1, 1));
        let nothing = operator.candidates(&batch.rows().slice(2, 1)).unwrap();
        assert_eq!(nothing.num_rows(), 0);
        operator.on_batch(0, batch.clone(), &mut |_| Ok(())).unwrap();
        assert_eq!(operator.new_watermark(), Some(5987));
        operator.grows_with = None;
        operator.largest = None;
        operator.on_batch(0, batch, &mut |_| Ok(())).unwrap();
        assert_eq!(operator.new_watermark(), Some(5987));
    }

    #[test]
    fn other_expressions_need_every_row() {
        let schema = from_pretty("ts TIMESTAMP(3), other TIMESTAMP(3)", "").schema();
        let day = Expr::Literal(ScalarValue::new_interval_mdn(0, 1, 0), None);
        assert_eq!(grows_with(&(col("other") - day.clone()), &schema), Some(1));
        assert_eq!(grows_with(&(col("ts") - col("other")), &schema), None);
        let zoned = Schema::new(vec![Field::new("ts", SqlType::TimestampLtz(3).to_arrow(), true)]);
        assert_eq!(grows_with(&(col("ts") - day), &zoned), None);
    }

    #[test]
    fn without_rows_for_so_long_it_is_idle() {
        let idle_timeout = Some(Duration::from_secs(5));
        let node = sluice_plan::AssignWatermark { column: "ts".to_owned(), watermark: col("ts"), idle_timeout };
        let rows = |text: &str| from_pretty("ts TIMESTAMP(3)", text);
        let mut operator = AssignWatermark::compile(&node, &rows("").schema()).unwrap();
        let mut at = |now: i64, text: &str| {
            operator.on_processing_time(now, &mut |_| Ok(())).unwrap();
            if !text.is_empty() {
                operator.on_batch(0, rows(text), &mut |_| Ok(())).unwrap();
            }
            (operator.new_idleness(), operator.next_timer())
        };
        assert_eq!(at(10_000, ""), (None, Some(15_000)), "it counts from the beginning");
        assert_eq!(at(12_000, "+I '1970-01-01 00:00:02'"), (None, Some(17_000)));
        assert_eq!(at(17_000, ""), (Some(true), None));
        assert_eq!(at(30_000, ""), (None, None));
        assert_eq!(at(31_000, "+I '1970-01-01 00:00:01'"), (Some(false), Some(36_000)));
    }
}
