//! The windows of rows: `TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTES))`.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, Field, TimeUnit};
use datafusion_common::{Column, DFSchema, DFSchemaRef, Result};
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, UserDefinedLogicalNodeCore};
use sluice_plan::WindowKind;

/// The columns that a window adds to its rows.
const WINDOW_COLUMNS: [&str; 3] = ["window_start", "window_end", "window_time"];

/// Adds to each row the windows that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct WindowNode {
    pub(crate) input: LogicalPlan,
    /// The column of the time.
    pub(crate) time: Expr,
    pub(crate) kind: WindowKind,
    schema: DFSchemaRef,
}

impl WindowNode {
    /// Windows over a column of `input`.
    pub(crate) fn try_new(input: LogicalPlan, time: Expr, kind: WindowKind) -> Result<Self> {
        // The time of the window is of the kind of the rows' time, its borders are wall clocks.
        let zone = match time.get_type(input.schema())? {
            DataType::Timestamp(_, zone) => zone,
            _ => None,
        };
        let mut fields: Vec<_> =
            input.schema().iter().map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field))).collect();
        for (name, zone) in WINDOW_COLUMNS.into_iter().zip([None, None, zone]) {
            fields.push((None, Arc::new(Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, zone), false))));
        }
        let schema = DFSchema::new_with_metadata(fields, input.schema().metadata().clone())?;
        Ok(Self { input, time, kind, schema: Arc::new(schema) })
    }

    /// The column of the time, as a place in the input.
    pub(crate) fn time_index(&self) -> Option<usize> {
        let Expr::Column(Column { .. }) = &self.time else { return None };
        let columns = self.time.column_refs();
        columns.into_iter().next().and_then(|column| self.input.schema().maybe_index_of_column(column))
    }
}

impl PartialOrd for WindowNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (&self.time, &self.kind, &self.input).partial_cmp(&(&other.time, &other.kind, &other.input))
    }
}

impl UserDefinedLogicalNodeCore for WindowNode {
    fn name(&self) -> &str {
        "Window"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![self.time.clone()]
    }

    /// Conditions on the rows hold before as well as behind; those on the window only behind.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        WINDOW_COLUMNS.into_iter().map(str::to_owned).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Window: {:?}, time={}", self.kind, self.time)
    }

    fn with_exprs_and_inputs(&self, mut expressions: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let (Some(time), Some(input)) = (expressions.pop(), inputs.pop()) else {
            return datafusion_common::internal_err!("a window without its time");
        };
        Self::try_new(input, time, self.kind)
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let width = self.input.schema().fields().len();
        let mut columns: Vec<usize> = output_columns.iter().copied().filter(|column| *column < width).collect();
        columns.extend(self.time_index());
        columns.sort_unstable();
        columns.dedup();
        Some(vec![columns])
    }
}
