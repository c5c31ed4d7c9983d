//! Filter and projection: `SELECT a + b WHERE c > 0`.
//!
//! Row kinds pass through untouched. An update whose old row passes the filter and whose new row
//! does not becomes a lone `-U`, which a consumer that goes by key treats as a deletion:
//!
//! | input (`id`, `qty`) | output of `WHERE qty > 5` |
//! |---|---|
//! | `+I 1 9` | `+I 1 9` |
//! | `-U 1 9` | `-U 1 9` |
//! | `+U 1 3` | |
//!
//! `CURRENT_WATERMARK(ts)` is how far event time had come when the batch came: a constant of the batch,
//! which rows of the same batch do not count for yet.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{Array, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use datafusion_common::DFSchema;
use datafusion_common::config::ConfigOptions;
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::{ColumnarValue, Expr};
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_expr::{PhysicalExpr, create_physical_expr};
use sluice_functions::{WatermarkCell, bind_watermark, from_datafusion};
use sluice_model::{ChangelogBatch, Error, Result};

use crate::reads::{CompiledReads, Reads};
use crate::shared::Shared;
use crate::{Operator, Output};

/// A compiled [`sluice_plan::Calc`].
#[derive(Debug)]
pub struct Calc {
    /// What filter and projection read of the input.
    reads: CompiledReads,
    /// What the filter has in common with itself or the projection.
    shared: Option<Shared>,
    /// What the projection needs of that.
    projected: Vec<usize>,
    filter: Option<Arc<dyn PhysicalExpr>>,
    /// What the projection has in common with itself.
    shared_behind: Option<Shared>,
    projection: Projection,
    output: SchemaRef,
    /// How far event time has come, where an expression asks for it.
    watermark: Option<WatermarkCell>,
}

#[derive(Debug)]
enum Projection {
    /// All columns as they are, perhaps under other names.
    Identity,
    /// Columns picked by position: no expression is evaluated.
    Columns(Vec<usize>),
    /// Anything else.
    Expressions(Vec<Arc<dyn PhysicalExpr>>),
}

impl Calc {
    /// Compiles the expressions of a plan node against the schema of its input.
    ///
    /// # Errors
    /// A bug in the planner: an expression that does not fit the input.
    pub fn compile(node: &sluice_plan::Calc, input: &SchemaRef, output: &SchemaRef) -> Result<Self> {
        let watermark = WatermarkCell::default();
        let bind = |expression: &Expr| bind_watermark(expression.clone(), &watermark).map_err(from_datafusion);
        let projection = node.projection.iter().map(bind).collect::<Result<Vec<_>>>()?;
        let filter = node.filter.as_ref().map(bind).transpose()?;
        let asks_for_watermark = projection.iter().chain(&filter).any(|bound| bound.transformed);
        let mut reads = Reads::default();
        let mut expressions =
            projection.iter().map(|expression| reads.rewrite(&expression.data)).collect::<Result<Vec<_>>>()?;
        let mut filter = filter.map(|filter| reads.rewrite(&filter.data)).transpose()?;
        let reads = reads.compile(&Compiler::new(input)?, input)?;
        let mut shared = None;
        if let Some(condition) = &mut filter {
            expressions.insert(0, condition.clone());
            shared = Shared::take_out(&mut expressions, 1, reads.schema())?;
            *condition = expressions.remove(0);
        }
        let filtered = shared.as_ref().map_or(reads.schema(), Shared::schema);
        let filter = filter.map(|filter| Compiler::new(filtered)?.compile(&filter)).transpose()?;
        let projected = columns_of(&expressions, filtered);
        let behind = Arc::new(filtered.project(&projected).map_err(Error::from_arrow)?);
        let all = expressions.len();
        let shared_behind = Shared::take_out(&mut expressions, all, &behind)?;
        let compiler = Compiler::new(shared_behind.as_ref().map_or(&behind, Shared::schema))?;
        let expressions =
            expressions.iter().map(|expression| compiler.compile(expression)).collect::<Result<Vec<_>>>()?;
        let projection = Projection::new(expressions, projected.len());
        let watermark = asks_for_watermark.then_some(watermark);
        Ok(Self { reads, shared, projected, filter, shared_behind, projection, output: Arc::clone(output), watermark })
    }

    /// What the projection reads of the rows that pass the filter.
    fn filtered(&self, batch: &ChangelogBatch) -> Result<ChangelogBatch> {
        let mut batch = batch.with_rows(self.reads.read(batch.rows())?)?;
        let Some(filter) = &self.filter else {
            return Ok(batch);
        };
        if let Some(shared) = &self.shared {
            batch = shared.add_to(&batch)?;
        }
        let mask = filter.evaluate(batch.rows()).map_err(from_datafusion)?;
        let batch = batch.project(&self.projected)?;
        match mask {
            ColumnarValue::Array(mask) => {
                let mask = mask
                    .as_any()
                    .downcast_ref::<BooleanArray>()
                    .ok_or_else(|| Error::bug("a filter is not a condition"))?;
                if mask.null_count() == 0 && mask.true_count() == mask.len() {
                    return Ok(batch);
                }
                batch.filter(mask)
            }
            ColumnarValue::Scalar(value) => {
                let keep = matches!(value, datafusion_common::ScalarValue::Boolean(Some(true)));
                Ok(if keep { batch } else { batch.slice(0, 0) })
            }
        }
    }

    fn projected(&self, batch: ChangelogBatch) -> Result<ChangelogBatch> {
        match &self.projection {
            Projection::Identity => batch.with_schema(Arc::clone(&self.output)),
            Projection::Columns(columns) => batch.project(columns)?.with_schema(Arc::clone(&self.output)),
            Projection::Expressions(expressions) => {
                let rows = batch.num_rows();
                let columns = expressions
                    .iter()
                    .map(|expression| {
                        let value = expression.evaluate(batch.rows()).map_err(from_datafusion)?;
                        value.into_array(rows).map_err(from_datafusion)
                    })
                    .collect::<Result<Vec<_>>>()?;
                let options = RecordBatchOptions::new().with_row_count(Some(rows));
                let projected = RecordBatch::try_new_with_options(Arc::clone(&self.output), columns, &options)
                    .map_err(Error::from_arrow)?;
                batch.with_rows(projected)
            }
        }
    }
}

impl Operator for Calc {
    fn on_batch(&mut self, _input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        let mut batch = self.filtered(&batch)?;
        if batch.is_empty() {
            return Ok(());
        }
        if let Some(shared) = &self.shared_behind {
            batch = shared.add_to(&batch)?;
        }
        output(self.projected(batch)?)
    }

    fn on_watermark(&mut self, watermark: i64, _output: Output<'_>) -> Result<()> {
        if let Some(cell) = &self.watermark {
            cell.set(watermark);
        }
        Ok(())
    }
}

impl Projection {
    fn new(expressions: Vec<Arc<dyn PhysicalExpr>>, input_columns: usize) -> Self {
        let columns: Option<Vec<usize>> = expressions
            .iter()
            .map(|expression| expression.as_ref().downcast_ref::<Column>().map(Column::index))
            .collect();
        match columns {
            Some(columns) if columns.len() == input_columns && columns.iter().enumerate().all(|(i, c)| i == *c) => {
                Self::Identity
            }
            Some(columns) => Self::Columns(columns),
            None => Self::Expressions(expressions),
        }
    }
}

/// The columns that expressions name, in the order of the schema.
fn columns_of(expressions: &[Expr], schema: &SchemaRef) -> Vec<usize> {
    let names: HashSet<&str> =
        expressions.iter().flat_map(Expr::column_refs).map(|column| column.name.as_str()).collect();
    (0..schema.fields().len()).filter(|column| names.contains(schema.field(*column).name().as_str())).collect()
}

/// Compiles expressions over the columns of one schema.
pub(crate) struct Compiler {
    schema: DFSchema,
    props: ExecutionProps,
    context: PhysicalPlanningContext,
}

impl Compiler {
    pub(crate) fn new(input: &SchemaRef) -> Result<Self> {
        let schema = DFSchema::try_from(input.as_ref().clone()).map_err(from_datafusion)?;
        let mut props = ExecutionProps::new();
        props.config_options = Some(Arc::new(ConfigOptions::default()));
        Ok(Self { schema, props, context: PhysicalPlanningContext::default() })
    }

    pub(crate) fn compile(&self, expression: &Expr) -> Result<Arc<dyn PhysicalExpr>> {
        create_physical_expr(expression, &self.schema, &self.props, &self.context).map_err(from_datafusion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion_expr::{col, lit};
    use sluice_model::{from_pretty, to_pretty};

    fn run(calc: sluice_plan::Calc, columns: &str, rows: &str, output: &str) -> String {
        let input = from_pretty(columns, rows);
        let output = from_pretty(output, "").schema();
        let mut operator = Calc::compile(&calc, &input.schema(), &output).unwrap();
        let mut results = Vec::new();
        operator
            .on_batch(0, input, &mut |batch| {
                results.push(to_pretty(&batch));
                Ok(())
            })
            .unwrap();
        results.join(" / ")
    }

    #[test]
    fn filters_each_side_of_an_update_for_itself() {
        let calc = sluice_plan::Calc { filter: Some(col("qty").gt(lit(5))), projection: vec![col("id"), col("qty")] };
        let result = run(calc, "id INT, qty INT", "+I 1 9 / -U 1 9 / +U 1 3 / +I 2 NULL", "id INT, qty INT");
        assert_eq!(result, "+I 1 9 / -U 1 9");
    }

    #[test]
    fn computes_and_reorders() {
        let calc = sluice_plan::Calc { filter: None, projection: vec![col("qty") + lit(1), col("id")] };
        assert_eq!(run(calc, "id INT, qty INT", "+I 1 9 / -D 2 4", "next INT, id INT"), "+I 10 1 / -D 5 2");
    }

    #[test]
    fn what_only_the_filter_reads_is_not_kept() {
        let calc = sluice_plan::Calc { filter: Some(col("qty").gt(lit(5))), projection: vec![col("id") + col("id")] };
        assert_eq!(run(calc, "id INT, name STRING, qty INT", "+I 1 a 9 / -D 2 b 4", "id INT"), "+I 2");
        let calc = sluice_plan::Calc { filter: Some(col("qty").gt(lit(5))), projection: vec![lit("x")] };
        assert_eq!(run(calc, "id INT, qty INT", "+I 1 9 / -D 2 4 / -D 3 6", "c STRING"), "+I x / -D x");
    }

    /// `CURRENT_WATERMARK(ts)` of the function that queries name.
    fn current_watermark() -> Expr {
        let functions = sluice_functions::scalar_functions(&sluice_functions::SessionInfo::default());
        let function = functions.into_iter().find(|function| function.name() == "current_watermark").unwrap();
        function.call(vec![col("ts")])
    }

    #[test]
    fn rows_behind_the_watermark_are_told_apart() {
        let late = col("ts").gt(current_watermark()).or(current_watermark().is_null());
        let calc = sluice_plan::Calc { filter: Some(late), projection: vec![col("ts"), current_watermark()] };
        let rows = |seconds: &str| {
            let rows = seconds.split(' ').map(|second| format!("+I '1970-01-01 00:00:{second}'"));
            from_pretty("ts TIMESTAMP(3)", &rows.collect::<Vec<_>>().join(" / "))
        };
        let output = from_pretty("ts TIMESTAMP(3), w TIMESTAMP(3)", "").schema();
        let mut operator = Calc::compile(&calc, &rows("00").schema(), &output).unwrap();
        let push = |operator: &mut Calc, seconds: &str| {
            let mut results = Vec::new();
            let mut keep = |batch: ChangelogBatch| {
                results.push(to_pretty(&batch).replace("1970-01-01T00:00:", ""));
                Ok(())
            };
            operator.on_batch(0, rows(seconds), &mut keep).unwrap();
            results.join(" / ")
        };
        assert_eq!(push(&mut operator, "05 03"), "+I 05 NULL / +I 03 NULL", "nothing was promised yet");
        operator.on_watermark(5_000, &mut |_| Ok(())).unwrap();
        assert_eq!(push(&mut operator, "04 07 05 06"), "+I 07 05 / +I 06 05", "no row counts for its own batch");
        operator.on_watermark(7_000, &mut |_| Ok(())).unwrap();
        assert_eq!(push(&mut operator, "07 06"), "");
    }

    #[test]
    fn other_queries_do_not_hear_of_watermarks() {
        let calc = sluice_plan::Calc { filter: Some(col("qty").gt(lit(5))), projection: vec![col("qty")] };
        let schema = from_pretty("qty INT", "").schema();
        assert!(Calc::compile(&calc, &schema, &schema).unwrap().watermark.is_none());
    }

    #[test]
    fn what_filter_and_projection_have_in_common_is_computed_once() {
        let twice = || col("qty") * lit(2);
        let calc = sluice_plan::Calc {
            filter: Some(twice().gt(lit(5)).and(twice().lt(lit(20)))),
            projection: vec![col("id"), twice() + col("id"), twice() + col("id") - lit(1)],
        };
        let result = run(calc, "id INT, qty INT", "+I 1 9 / +I 2 2 / -D 3 4 / +I 4 10", "id INT, a INT, b INT");
        assert_eq!(result, "+I 1 19 18 / -D 3 11 10");
    }

    #[test]
    fn a_batch_that_is_filtered_away_is_not_put_out() {
        let calc = sluice_plan::Calc { filter: Some(lit(false)), projection: vec![col("id")] };
        assert_eq!(run(calc, "id INT", "+I 1", "id INT"), "");
    }

    #[test]
    fn a_division_by_zero_is_the_users_to_fix() {
        let input = from_pretty("id INT", "+I 0");
        let calc = sluice_plan::Calc { filter: None, projection: vec![lit(1) / col("id")] };
        let mut operator = Calc::compile(&calc, &input.schema(), &input.schema()).unwrap();
        let error = operator.on_batch(0, input, &mut |_| Ok(())).unwrap_err();
        assert_eq!((error.what(), error.reaction()), ("/ by zero", sluice_model::Reaction::Fix));
    }
}
