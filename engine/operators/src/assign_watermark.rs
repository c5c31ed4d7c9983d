//! Watermarks from the rows themselves.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use datafusion_physical_expr::PhysicalExpr;
use sluice_functions::from_datafusion;
use sluice_model::{ChangelogBatch, Result};

use crate::calc::Compiler;
use crate::time::millis;
use crate::{Operator, Output};

/// A compiled [`sluice_plan::AssignWatermark`].
#[derive(Debug)]
pub struct AssignWatermark {
    watermark: Arc<dyn PhysicalExpr>,
    /// The largest so far.
    largest: Option<i64>,
    has_grown: bool,
}

impl AssignWatermark {
    /// Compiles the expression against the columns of the input.
    ///
    /// # Errors
    /// A bug in the planner: an expression that does not fit the input.
    pub fn compile(node: &sluice_plan::AssignWatermark, input: &SchemaRef) -> Result<Self> {
        let watermark = Compiler::new(input)?.compile(&node.watermark)?;
        Ok(Self { watermark, largest: None, has_grown: false })
    }
}

impl Operator for AssignWatermark {
    fn on_batch(&mut self, _input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        let rows = batch.num_rows();
        let values = self.watermark.evaluate(batch.rows()).and_then(|value| value.into_array(rows));
        let newest = millis(values.map_err(from_datafusion)?.as_ref())?.into_iter().flatten().max();
        if newest > self.largest {
            self.largest = newest;
            self.has_grown = true;
        }
        output(batch)
    }

    fn new_watermark(&mut self) -> Option<i64> {
        self.largest.filter(|_| std::mem::take(&mut self.has_grown))
    }
}

#[cfg(test)]
mod tests {
    use datafusion_expr::col;
    use sluice_model::from_pretty;

    use super::*;

    #[test]
    fn only_a_later_time_moves_the_watermark() {
        let node = sluice_plan::AssignWatermark { column: "ts".to_owned(), watermark: col("ts") };
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
}
