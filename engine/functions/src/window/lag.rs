//! `LAG(value[, offset[, default]])`, and `LEAD`: the value some rows before, or behind.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Field, FieldRef};
use arrow_select::interleave::interleave;
use datafusion_common::{Result, ScalarValue, exec_err, internal_err, plan_err};
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::{PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl};

/// `LAG`, or `LEAD`.
pub(super) fn lag(ahead: bool) -> Arc<WindowUDF> {
    Arc::new(WindowUDF::from(Lag { signature: Signature::user_defined(Volatility::Immutable), ahead }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Lag {
    signature: Signature,
    ahead: bool,
}

impl WindowUDFImpl for Lag {
    fn name(&self) -> &str {
        if self.ahead { "lead" } else { "lag" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The default has the type of the value.
    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [value] => Ok(vec![value.clone()]),
            [value, offset] if offset.is_integer() => Ok(vec![value.clone(), DataType::Int64]),
            [value, offset, _] if offset.is_integer() => Ok(vec![value.clone(), DataType::Int64, value.clone()]),
            _ => plan_err!("{} takes a value, a whole number of rows, and a default", self.name().to_uppercase()),
        }
    }

    fn partition_evaluator(&self, _arguments: PartitionEvaluatorArgs<'_>) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Shift { ahead: self.ahead }))
    }

    fn field(&self, arguments: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        let value = arguments.get_input_field(0).map(|field| field.data_type().clone()).unwrap_or(DataType::Null);
        Ok(Arc::new(Field::new(arguments.name(), value, true)))
    }
}

/// Shifts the values of a partition.
#[derive(Debug)]
struct Shift {
    ahead: bool,
}

impl PartitionEvaluator for Shift {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let Some(value) = values.first() else { return internal_err!("LAG of nothing") };
        let offset = match values.get(1) {
            Some(offsets) if rows > 0 => match ScalarValue::try_from_array(offsets, 0)? {
                ScalarValue::Int64(Some(offset)) if offset >= 0 => usize::try_from(offset).unwrap_or(usize::MAX),
                other => return exec_err!("LAG and LEAD take a constant number of rows from 0 on, not {other}"),
            },
            _ => 1,
        };
        let nothing = ScalarValue::try_from(value.data_type())?.to_array()?;
        let (default, step) = match values.get(2) {
            Some(default) => (default.as_ref(), 1),
            None => (nothing.as_ref(), 0),
        };
        let place = |row: usize| {
            let other = if self.ahead { row.checked_add(offset) } else { row.checked_sub(offset) };
            other.filter(|other| *other < rows).map_or((1, row * step), |other| (0, other))
        };
        let columns: [&dyn Array; 2] = [value.as_ref(), default];
        Ok(interleave(&columns, &(0..rows).map(place).collect::<Vec<_>>())?)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Int64Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;

    use super::*;

    #[test]
    fn rows_that_are_not_there_have_the_default() {
        let column = |values: &[i64]| -> ArrayRef { Arc::new(Int64Array::from(values.to_vec())) };
        let shift = |ahead, columns: &[ArrayRef]| {
            let array = Shift { ahead }.evaluate_all(columns, 3).unwrap();
            array.as_primitive::<Int64Type>().iter().collect::<Vec<_>>()
        };
        let (values, two, default) = (column(&[1, 2, 3]), column(&[2, 2, 2]), column(&[7, 8, 9]));
        assert_eq!(shift(false, std::slice::from_ref(&values)), [None, Some(1), Some(2)]);
        assert_eq!(shift(false, &[values.clone(), two.clone(), default]), [Some(7), Some(8), Some(1)]);
        assert_eq!(shift(true, &[values, two]), [Some(3), None, None]);
    }
}
