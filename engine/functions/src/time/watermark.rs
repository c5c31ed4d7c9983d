//! `CURRENT_WATERMARK(rowtime)`: how far event time has come where the call is evaluated.
//!
//! The value is no function of the row, so the call is a blank that an operator fills in: one that
//! knows the watermark gives the call a [`WatermarkCell`], and the call becomes a constant of each batch.
//!
//! ```text
//! WHERE CURRENT_WATERMARK(ts) IS NULL OR ts > CURRENT_WATERMARK(ts)
//!
//! cell        batch                        rows that stay
//! empty       +I 00:05 / +I 00:03          both: there was no watermark yet
//! 00:05       +I 00:04 / +I 00:07          +I 00:07
//! ```

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow_schema::{DataType, FieldRef};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use sluice_model::{Error, SqlType};

use crate::error::{bug, external, fix};
use crate::types::field_of;

const NAME: &str = "current_watermark";

/// The watermark of one operator, for the calls in its expressions.
#[derive(Debug, Clone)]
pub struct WatermarkCell(Arc<AtomicI64>);

impl WatermarkCell {
    /// Event time has come to `watermark`, in milliseconds since 1970.
    pub fn set(&self, watermark: i64) {
        self.0.store(watermark, Ordering::Relaxed);
    }

    fn get(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|watermark| *watermark != i64::MIN)
    }
}

impl Default for WatermarkCell {
    /// There was no watermark yet.
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(i64::MIN)))
    }
}

/// The function, as queries name it.
pub(crate) fn current_watermark() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(CurrentWatermark::new(None)))
}

/// The column whose watermark a call asks for; `None` for every other expression.
pub fn watermark_argument(expression: &Expr) -> Option<&Expr> {
    match expression {
        Expr::ScalarFunction(call) if call.func.inner().downcast_ref::<CurrentWatermark>().is_some() => {
            call.args.first()
        }
        _ => None,
    }
}

/// The expression with the cell in its calls; unchanged if it has none. A cell that is never set gives NULL.
///
/// # Errors
/// None in practice.
pub fn bind_watermark(expression: Expr, cell: &WatermarkCell) -> Result<Transformed<Expr>> {
    expression.transform_up(|node| {
        let Some(argument) = watermark_argument(&node).cloned() else { return Ok(Transformed::no(node)) };
        let function = ScalarUDF::new_from_impl(CurrentWatermark::new(Some(cell.clone())));
        Ok(Transformed::yes(function.call(vec![argument])))
    })
}

/// The call, blank or filled in.
#[derive(Debug)]
struct CurrentWatermark {
    signature: Signature,
    cell: Option<WatermarkCell>,
}

impl CurrentWatermark {
    fn new(cell: Option<WatermarkCell>) -> Self {
        Self { signature: Signature::user_defined(Volatility::Volatile), cell }
    }

    fn place(&self) -> Option<*const AtomicI64> {
        self.cell.as_ref().map(|cell| Arc::as_ptr(&cell.0))
    }
}

impl PartialEq for CurrentWatermark {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for CurrentWatermark {}

impl Hash for CurrentWatermark {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.place().hash(state);
    }
}

impl ScalarUDFImpl for CurrentWatermark {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let refused = |what: String| external(Error::fix(what).with_hint("name the column of WATERMARK FOR"));
        match given {
            [DataType::Timestamp(..)] => Ok(given.to_vec()),
            [other] => Err(refused(format!(
                "CURRENT_WATERMARK() must be called with a single rowtime attribute argument, but '{}' cannot be a \
                 time attribute",
                SqlType::of_arrow(other)
            ))),
            _ => Err(refused(format!("CURRENT_WATERMARK() takes one argument, not {}", given.len()))),
        }
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Err(bug("the type of a watermark depends on its column"))
    }

    /// That of the column, in milliseconds.
    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let returns = match args.arg_fields.first().map(|field| field.data_type()) {
            Some(DataType::Timestamp(_, Some(_))) => SqlType::TimestampLtz(3),
            _ => SqlType::Timestamp(3),
        };
        Ok(Arc::new(field_of(NAME, &returns, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let cell = self.cell.as_ref().ok_or_else(|| fix("CURRENT_WATERMARK() is for SELECT and WHERE only"))?;
        let returns = args.return_field.data_type();
        let zone = match returns {
            DataType::Timestamp(_, zone) => zone.clone(),
            _ => None,
        };
        Ok(ColumnarValue::Scalar(ScalarValue::TimestampMillisecond(cell.get(), zone).cast_to(returns)?))
    }
}
