//! `ROW_NUMBER()`: as DataFusion's, but a BIGINT, as in Flink.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::{PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl};

/// The function.
pub fn row_number() -> Arc<WindowUDF> {
    Arc::new(WindowUDF::from(RowNumber { signature: Signature::nullary(Volatility::Immutable) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RowNumber {
    signature: Signature,
}

impl WindowUDFImpl for RowNumber {
    fn name(&self) -> &str {
        "row_number"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(&self, _arguments: PartitionEvaluatorArgs<'_>) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Numbers { last: 0 }))
    }

    fn field(&self, arguments: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(arguments.name(), DataType::Int64, false)))
    }
}

/// Counts the rows of a partition.
#[derive(Debug)]
struct Numbers {
    last: i64,
}

impl PartitionEvaluator for Numbers {
    fn is_causal(&self) -> bool {
        true
    }

    fn evaluate_all(&mut self, _values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        Ok(Arc::new(Int64Array::from_iter_values(1..=rows as i64)))
    }

    fn evaluate(&mut self, _values: &[ArrayRef], _range: &Range<usize>) -> Result<ScalarValue> {
        self.last += 1;
        Ok(ScalarValue::Int64(Some(self.last)))
    }

    fn supports_bounded_execution(&self) -> bool {
        true
    }
}
