//! `FIRST_VALUE(value)` and `LAST_VALUE(value)` over the frame of each row: as Flink's aggregates, the
//! first, or last, value that is not NULL.
//!
//! ```text
//! values               NULL  a     b     NULL
//! FIRST_VALUE          NULL  a     a     a
//! LAST_VALUE           NULL  a     b     b       ROWS UNBOUNDED PRECEDING
//! ```

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, FieldRef};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::planner::RawWindowExpr;
use datafusion_expr::{PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl, when};
use sluice_model::Error;

use crate::error::{bug, external};

const FIRST: &str = "first_value";
const LAST: &str = "last_value";

/// `FIRST_VALUE`, or `LAST_VALUE`.
pub(super) fn value(last: bool) -> Arc<WindowUDF> {
    Arc::new(WindowUDF::from(Value { signature: Signature::any(1, Volatility::Immutable), last }))
}

/// Writes what DataFusion does not know of these functions in a way that it does: values that `FILTER`
/// leaves out are NULL, which does not count, and `DISTINCT` makes no difference.
pub(crate) fn plan_value(mut call: RawWindowExpr) -> Result<RawWindowExpr> {
    let name = call.func_def.name();
    if name != FIRST && name != LAST {
        return Ok(call);
    }
    if call.null_treatment.is_some() {
        let error =
            Error::fix(format!("cannot specify IGNORE NULLS or RESPECT NULLS following {}", name.to_uppercase()));
        return Err(external(error.with_hint("leave it out: NULL does not count")));
    }
    call.distinct = false;
    if let Some(filter) = call.filter.take() {
        let value = call.args.pop().ok_or_else(|| bug("a value of nothing"))?;
        call.args.push(when(*filter, value).end()?);
    }
    Ok(call)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Value {
    signature: Signature,
    last: bool,
}

impl WindowUDFImpl for Value {
    fn name(&self) -> &str {
        if self.last { LAST } else { FIRST }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(&self, _arguments: PartitionEvaluatorArgs<'_>) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Picked { last: self.last }))
    }

    fn field(&self, arguments: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        let Some(value) = arguments.get_input_field(0) else { return internal_err!("a value of nothing") };
        Ok(Arc::new(value.as_ref().clone().with_name(arguments.name()).with_nullable(true)))
    }
}

/// Picks a value of each frame.
#[derive(Debug)]
struct Picked {
    last: bool,
}

impl PartitionEvaluator for Picked {
    fn evaluate(&mut self, values: &[ArrayRef], frame: &Range<usize>) -> Result<ScalarValue> {
        let Some(values) = values.first() else { return internal_err!("a value of nothing") };
        let counts = |row: &usize| *values.data_type() != DataType::Null && values.is_valid(*row);
        let place = if self.last { frame.clone().rev().find(counts) } else { frame.clone().find(counts) };
        match place {
            Some(row) => ScalarValue::try_from_array(values, row),
            None => ScalarValue::try_from(values.data_type()),
        }
    }

    fn uses_window_frame(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Int32Array;

    use super::*;

    #[test]
    fn null_does_not_count() {
        let values: ArrayRef = Arc::new(Int32Array::from(vec![None, Some(1), Some(2), None]));
        let pick = |last, frame| Picked { last }.evaluate(std::slice::from_ref(&values), &frame).unwrap();
        assert_eq!(pick(false, 0..4), ScalarValue::Int32(Some(1)));
        assert_eq!(pick(true, 0..4), ScalarValue::Int32(Some(2)));
        assert_eq!(pick(false, 3..4), ScalarValue::Int32(None));
        assert_eq!(pick(true, 1..1), ScalarValue::Int32(None));
    }
}
