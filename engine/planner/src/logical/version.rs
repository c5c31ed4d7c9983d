//! A table as of a time: `FROM orders AS o JOIN customers FOR SYSTEM_TIME AS OF o.proc_time AS c ON …`.
//!
//! The table becomes a [`VersionNode`], and its time a part of the condition, where it is resolved as
//! everything else is: `ON … AND $as_of(o.proc_time, c.id)`. The column of the table is there to keep
//! the condition from being taken for one on `orders` alone.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use arrow_schema::DataType;
use datafusion_common::{DFSchemaRef, Result};
use datafusion_expr::{
    ColumnarValue, Expr, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    UserDefinedLogicalNodeCore, Volatility,
};

use sluice_plan::LookupRetry;

use super::Versions;

/// Name of the function that marks the time of a version.
pub(crate) const AS_OF: &str = "$as_of";

/// The function that marks the time of a version. It is taken out of the condition before a query runs.
pub(crate) fn as_of() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(AsOf { signature: Signature::any(2, Volatility::Volatile) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AsOf {
    signature: Signature,
}

impl ScalarUDFImpl for AsOf {
    fn name(&self) -> &str {
        AS_OF
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        datafusion_common::internal_err!("the time of a version was left in an expression")
    }
}

/// The rows of a table at a time. Conditions stay above it: which rows a row meets is decided first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct VersionNode {
    pub(crate) input: LogicalPlan,
    /// Name of the table in the text.
    pub(crate) table: String,
    /// Set where the time is that of events.
    pub(crate) versions: Option<Versions>,
    /// What the hint `LOOKUP` asks for.
    pub(crate) retry: Option<LookupRetry>,
}

impl PartialOrd for VersionNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let parts = |node: &Self| (node.table.clone(), node.versions.clone(), node.retry);
        match parts(self).partial_cmp(&parts(other)) {
            Some(Ordering::Equal) => self.input.partial_cmp(&other.input),
            order => order,
        }
    }
}

impl UserDefinedLogicalNodeCore for VersionNode {
    fn name(&self) -> &str {
        "Version"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        self.versions.iter().flat_map(|versions| [&versions.time].into_iter().chain(&versions.key)).cloned().collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version: {}", self.table)
    }

    fn with_exprs_and_inputs(&self, expressions: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Some(input) = inputs.pop() else {
            return datafusion_common::internal_err!("a version of nothing");
        };
        let mut expressions = expressions.into_iter();
        let versions = expressions.next().map(|time| Versions { time, key: expressions.collect() });
        Ok(Self { input, table: self.table.clone(), versions, retry: self.retry })
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let schema = self.input.schema();
        let mut columns = output_columns.to_vec();
        let expressions = self.expressions();
        let read = expressions.iter().flat_map(Expr::column_refs);
        columns.extend(read.filter_map(|column| schema.maybe_index_of_column(column)));
        columns.sort_unstable();
        columns.dedup();
        Some(vec![columns])
    }
}
