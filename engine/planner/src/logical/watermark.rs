//! `WATERMARK FOR column AS expression`, on top of a table.

use std::cmp::Ordering;
use std::fmt;

use datafusion_common::{DFSchemaRef, Result};
use datafusion_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use crate::catalog::WatermarkOptions;

/// Passes rows on and says how far time has come. No filter is pushed below it: rows that nobody
/// wants still tell the time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct WatermarkNode {
    pub(crate) input: LogicalPlan,
    /// Name of the column.
    pub(crate) column: String,
    /// The watermark of a row.
    pub(crate) watermark: Expr,
    /// What the table's options say about it.
    pub(crate) options: WatermarkOptions,
}

impl PartialOrd for WatermarkNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (&self.column, &self.watermark, &self.input).partial_cmp(&(&other.column, &other.watermark, &other.input))
    }
}

impl UserDefinedLogicalNodeCore for WatermarkNode {
    fn name(&self) -> &str {
        "Watermark"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![self.watermark.clone()]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watermark: rowtime={}, watermark={}", self.column, self.watermark)
    }

    fn with_exprs_and_inputs(&self, mut expressions: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let (Some(watermark), Some(input)) = (expressions.pop(), inputs.pop()) else {
            return datafusion_common::internal_err!("a watermark without its expression");
        };
        Ok(Self { input, watermark, ..self.clone() })
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let schema = self.input.schema();
        let mut columns = output_columns.to_vec();
        columns
            .extend(self.watermark.column_refs().into_iter().filter_map(|column| schema.maybe_index_of_column(column)));
        columns.sort_unstable();
        columns.dedup();
        Some(vec![columns])
    }
}
