//! `GROUPING(a, …)` and `GROUPING_ID(a, …)`: which columns of a grouping set are not grouped by.
//!
//! A bit for each argument, the last one the lowest: 1 where the column is left out. The optimizer
//! reads it from the number of the set, so nothing is ever accumulated.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef};
use datafusion_common::Result;
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

use crate::error::{bug, fix};

pub(super) fn udf() -> Arc<AggregateUDF> {
    let function =
        Grouping { signature: Signature::user_defined(Volatility::Immutable), aliases: vec!["grouping_id".to_owned()] };
    Arc::new(AggregateUDF::new_from_impl(function))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Grouping {
    signature: Signature,
    aliases: Vec<String>,
}

impl AggregateUDFImpl for Grouping {
    /// The name that DataFusion's rule looks for.
    fn name(&self) -> &str {
        "grouping"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        if given.is_empty() { Err(fix("GROUPING takes columns of GROUP BY")) } else { Ok(given.to_vec()) }
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn state_fields(&self, _args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new("grouping", DataType::Int32, false))])
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Err(bug("GROUPING was not read from the number of the grouping set"))
    }
}
