//! The condition on pairs that is not an equality: evaluated over many pairs at once, over the
//! columns that it reads only.

use std::sync::Arc;

use arrow_array::{Array, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{Schema, SchemaRef};
use datafusion_expr::Expr;
use datafusion_physical_expr::PhysicalExpr;
use sluice_functions::from_datafusion;
use sluice_model::{Error, Result};

use super::rows::{Place, RowStore};
use crate::calc::Compiler;

/// A compiled condition.
#[derive(Debug)]
pub(crate) struct Condition {
    expression: Arc<dyn PhysicalExpr>,
    /// The columns that it reads, those of the left first.
    schema: SchemaRef,
    columns: [Vec<usize>; 2],
}

impl Condition {
    /// Compiles a condition over `l0, l1, …` and `r0, r1, …`.
    ///
    /// # Errors
    /// A bug in the planner: a column that is not there.
    pub(crate) fn compile(condition: &Expr, inputs: [&SchemaRef; 2]) -> Result<Self> {
        let read: Vec<_> = condition.column_refs().into_iter().map(|column| column.name.clone()).collect();
        let mut fields = Vec::new();
        let columns = [("l", inputs[0]), ("r", inputs[1])].map(|(prefix, input)| {
            let mut columns = Vec::new();
            for (position, field) in input.fields().iter().enumerate() {
                let name = format!("{prefix}{position}");
                if read.contains(&name) {
                    fields.push(field.as_ref().clone().with_name(name).with_nullable(true));
                    columns.push(position);
                }
            }
            columns
        });
        let schema = Arc::new(Schema::new(fields));
        let expression = Compiler::new(&schema)?.compile(condition)?;
        Ok(Self { expression, schema, columns })
    }

    /// Whether the condition holds for each pair of rows; NULL does not.
    ///
    /// # Errors
    /// The expression fails on a pair, e.g. a division by zero.
    pub(crate) fn evaluate(&self, stores: [&RowStore; 2], places: [&[Place]; 2]) -> Result<BooleanBuffer> {
        let mut columns = stores[0].gather(places[0], self.columns[0].iter().copied())?;
        columns.extend(stores[1].gather(places[1], self.columns[1].iter().copied())?);
        let rows = places[0].len();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let pairs = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(Error::from_arrow)?;
        let value = self.expression.evaluate(&pairs).map_err(from_datafusion)?;
        let value = value.into_array(rows).map_err(from_datafusion)?;
        let holds = value.as_any().downcast_ref::<BooleanArray>();
        let holds = holds.ok_or_else(|| Error::bug("a join condition is not a condition"))?;
        Ok(match holds.nulls() {
            None => holds.values().clone(),
            Some(nulls) => holds.values() & nulls.inner(),
        })
    }
}
