//! `RANK()` and `DENSE_RANK()`: as DataFusion's, but a BIGINT, as in Flink.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion_common::Result;
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::{PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl};

/// `RANK`, or `DENSE_RANK`, which leaves no gaps.
pub(super) fn rank(dense: bool) -> Arc<WindowUDF> {
    Arc::new(WindowUDF::from(Rank { signature: Signature::nullary(Volatility::Immutable), dense }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Rank {
    signature: Signature,
    dense: bool,
}

impl WindowUDFImpl for Rank {
    fn name(&self) -> &str {
        if self.dense { "dense_rank" } else { "rank" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(&self, _arguments: PartitionEvaluatorArgs<'_>) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Ranks { dense: self.dense }))
    }

    fn field(&self, arguments: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(arguments.name(), DataType::Int64, false)))
    }
}

/// Ranks the rows of a partition.
#[derive(Debug)]
struct Ranks {
    dense: bool,
}

impl PartitionEvaluator for Ranks {
    fn evaluate_all_with_rank(&self, _rows: usize, ranks: &[Range<usize>]) -> Result<ArrayRef> {
        let rank = |(place, peers): (usize, &Range<usize>)| {
            let rank = if self.dense { place } else { peers.start } as i64 + 1;
            std::iter::repeat_n(rank, peers.len())
        };
        Ok(Arc::new(Int64Array::from_iter_values(ranks.iter().enumerate().flat_map(rank))))
    }

    fn include_rank(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;

    use super::*;

    #[test]
    fn peers_have_one_rank() {
        let ranks = |dense| {
            let array = Ranks { dense }.evaluate_all_with_rank(4, &[0..1, 1..3, 3..4]).unwrap();
            array.as_primitive::<Int64Type>().values().to_vec()
        };
        assert_eq!(ranks(false), [1, 2, 2, 4]);
        assert_eq!(ranks(true), [1, 2, 2, 3]);
    }
}
