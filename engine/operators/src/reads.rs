//! What expressions read of a batch: columns, and fields of rows as columns of their own.
//!
//! ```text
//! bid.price * 2 WHERE kind = 2       over (kind, person, bid)
//! reads      bid.price, kind
//! becomes    "0" * 2 WHERE "1" = 2   over ("0", "1")
//! ```
//!
//! A filter then copies nothing else, and neither does a CASE, which cuts its input into the rows of
//! each branch. To read a field of a row copies nothing.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, ScalarValue};
use datafusion_expr::Expr;
use datafusion_physical_expr::PhysicalExpr;
use sluice_functions::from_datafusion;
use sluice_model::{Error, Result};

use crate::calc::Compiler;

/// Collects what expressions read.
#[derive(Debug, Default)]
pub(crate) struct Reads(Vec<Expr>);

impl Reads {
    /// The expression over what is read instead of the columns of the input.
    pub(crate) fn rewrite(&mut self, expression: &Expr) -> Result<Expr> {
        let rewritten = expression.clone().transform_down(|node| {
            if !is_read(&node) {
                return Ok(Transformed::no(node));
            }
            let known = self.0.iter().position(|read| *read == node);
            let index = known.unwrap_or_else(|| {
                self.0.push(node);
                self.0.len() - 1
            });
            let column = Expr::Column(Column::new_unqualified(index.to_string()));
            Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
        });
        rewritten.map(|rewritten| rewritten.data).map_err(from_datafusion)
    }

    /// Compiles them over the input.
    pub(crate) fn compile(self, compiler: &Compiler, input: &SchemaRef) -> Result<CompiledReads> {
        let expressions = self.0.iter().map(|expression| compiler.compile(expression)).collect::<Result<Vec<_>>>()?;
        let field = |(index, expression): (usize, &Arc<dyn PhysicalExpr>)| -> Result<Field> {
            let field = expression.return_field(input).map_err(from_datafusion)?;
            Ok(field.as_ref().clone().with_name(index.to_string()))
        };
        let fields = expressions.iter().enumerate().map(field).collect::<Result<Vec<_>>>()?;
        Ok(CompiledReads { expressions, schema: Arc::new(Schema::new(fields)) })
    }
}

/// A column, or a field of one.
fn is_read(expression: &Expr) -> bool {
    match expression {
        Expr::Column(_) => true,
        Expr::ScalarFunction(call) if call.name() == "item" => {
            matches!(call.args.as_slice(), [Expr::Column(_), Expr::Literal(ScalarValue::Utf8(Some(_)), _)])
        }
        _ => false,
    }
}

/// Makes batches of what is read.
#[derive(Debug)]
pub(crate) struct CompiledReads {
    expressions: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
}

impl CompiledReads {
    /// The columns of its batches.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// What is read of a batch.
    pub(crate) fn read(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let column = |expression: &Arc<dyn PhysicalExpr>| expression.evaluate(batch)?.into_array(rows);
        let columns = self.expressions.iter().map(column).collect::<datafusion_common::Result<Vec<_>>>();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns.map_err(from_datafusion)?, &options)
            .map_err(Error::from_arrow)
    }
}
