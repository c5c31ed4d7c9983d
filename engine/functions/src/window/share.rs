//! Where a row stands among all rows of its partition: `PERCENT_RANK()`, `CUME_DIST()` and `NTILE(n)`.
//!
//! ```text
//! rows in their order    1     2     2     4     5
//! PERCENT_RANK           0.0   0.25  0.25  0.75  1.0     rows before its peers / all others
//! CUME_DIST              0.2   0.6   0.6   0.8   1.0     rows up to its peers / all
//! NTILE(3)               1     1     2     2     3       the first parts are the longer ones
//! ```

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int32Array};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::{PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl};
use sluice_model::Error;

use crate::error::external;

/// Which of the functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Share {
    PercentRank,
    CumeDist,
    Ntile,
}

/// The function.
pub(super) fn share(share: Share) -> Arc<WindowUDF> {
    Arc::new(WindowUDF::from(Function { signature: Signature::user_defined(Volatility::Immutable), share }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Function {
    signature: Signature,
    share: Share,
}

impl WindowUDFImpl for Function {
    fn name(&self) -> &str {
        match self.share {
            Share::PercentRank => "percent_rank",
            Share::CumeDist => "cume_dist",
            Share::Ntile => "ntile",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match (self.share, given) {
            (Share::Ntile, [parts]) if parts.is_integer() => Ok(vec![DataType::Int64]),
            (Share::Ntile, _) => plan_err!("NTILE takes a whole number of parts"),
            (_, []) => Ok(Vec::new()),
            _ => plan_err!("{} takes no arguments", self.name().to_uppercase()),
        }
    }

    fn partition_evaluator(&self, _arguments: PartitionEvaluatorArgs<'_>) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(match self.share {
            Share::Ntile => Box::new(Parts),
            share => Box::new(Ranked { share }),
        })
    }

    fn field(&self, arguments: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        let data_type = if self.share == Share::Ntile { DataType::Int32 } else { DataType::Float64 };
        Ok(Arc::new(Field::new(arguments.name(), data_type, false)))
    }
}

/// `PERCENT_RANK` and `CUME_DIST`.
#[derive(Debug)]
struct Ranked {
    share: Share,
}

impl PartitionEvaluator for Ranked {
    fn evaluate_all_with_rank(&self, rows: usize, ranks: &[Range<usize>]) -> Result<ArrayRef> {
        let (others, all) = (rows.saturating_sub(1).max(1) as f64, rows as f64);
        let share = |peers: &Range<usize>| match self.share {
            Share::CumeDist => peers.end as f64 / all,
            Share::PercentRank | Share::Ntile => peers.start as f64 / others,
        };
        let shares = ranks.iter().flat_map(|peers| std::iter::repeat_n(share(peers), peers.len()));
        Ok(Arc::new(Float64Array::from_iter_values(shares)))
    }

    fn include_rank(&self) -> bool {
        true
    }
}

/// `NTILE`.
#[derive(Debug)]
struct Parts;

impl PartitionEvaluator for Parts {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let parts = match values.first() {
            Some(parts) if rows > 0 => ScalarValue::try_from_array(parts, 0)?,
            _ => ScalarValue::Int64(Some(1)),
        };
        let parts = match parts {
            ScalarValue::Int64(Some(parts)) if (1..=i64::from(i32::MAX)).contains(&parts) => parts as usize,
            other => {
                let error = Error::fix(format!("NTILE makes a number of parts from 1 on, not {other}"));
                return Err(external(error.with_hint("write NTILE(4)")));
            }
        };
        // The first `longer` parts have a row more than the rest.
        let (length, longer) = (rows / parts, rows % parts);
        let in_longer = longer * (length + 1);
        let part = |row: usize| match row {
            row if row < in_longer => row / (length + 1),
            row => longer + (row - in_longer) / length.max(1),
        };
        Ok(Arc::new(Int32Array::from_iter_values((0..rows).map(|row| part(row) as i32 + 1))))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Int64Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float64Type, Int32Type};

    use super::*;

    #[test]
    fn peers_have_one_share() {
        let shares = |share, rows, ranks: &[Range<usize>]| {
            let array = Ranked { share }.evaluate_all_with_rank(rows, ranks).unwrap();
            array.as_primitive::<Float64Type>().values().to_vec()
        };
        let ranks = [0..1, 1..3, 3..4, 4..5];
        assert_eq!(shares(Share::PercentRank, 5, &ranks), [0.0, 0.25, 0.25, 0.75, 1.0]);
        assert_eq!(shares(Share::CumeDist, 5, &ranks), [0.2, 0.6, 0.6, 0.8, 1.0]);
        let alone = std::slice::from_ref(&(0..1));
        assert_eq!(shares(Share::PercentRank, 1, alone), [0.0]);
        assert_eq!(shares(Share::CumeDist, 1, alone), [1.0]);
    }

    #[test]
    fn the_first_parts_are_the_longer_ones() {
        let parts = |parts: i64, rows: usize| {
            let column: ArrayRef = Arc::new(Int64Array::from(vec![parts; rows]));
            Parts.evaluate_all(&[column], rows).map(|array| array.as_primitive::<Int32Type>().values().to_vec())
        };
        assert_eq!(parts(3, 5).unwrap(), [1, 1, 2, 2, 3]);
        assert_eq!(parts(2, 4).unwrap(), [1, 1, 2, 2]);
        assert_eq!(parts(4, 2).unwrap(), [1, 2]);
        assert!(parts(0, 2).is_err());
    }
}
