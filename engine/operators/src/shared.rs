//! Values that expressions have in common: computed once a batch, as columns of their own.
//!
//! ```text
//! SELECT CASE WHEN LOWER(c) = 'a' THEN 1 WHEN LOWER(c) = 'b' THEN 2 END WHERE LOWER(c) <> 'x'
//!
//! shared     LOWER(c)
//! becomes    CASE WHEN "shared0" = 'a' THEN 1 WHEN "shared0" = 'b' THEN 2 END WHERE "shared0" <> 'x'
//! ```
//!
//! Only what is evaluated for every row anyway is shared: the branch of a `CASE` stays behind its
//! condition, where it may not fail and costs nothing for rows that take another one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use datafusion_common::Column;
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_expr::expr::Case;
use datafusion_expr::{BinaryExpr, Expr, Operator};
use datafusion_physical_expr::PhysicalExpr;
use sluice_functions::from_datafusion;
use sluice_model::{ChangelogBatch, Error, Result};

use crate::calc::Compiler;

/// Computes shared values.
#[derive(Debug)]
pub(crate) struct Shared {
    expressions: Vec<Arc<dyn PhysicalExpr>>,
    /// The columns of the input, and those of the shared values behind them.
    schema: SchemaRef,
}

/// How an expression occurs.
#[derive(Debug, Default)]
struct Uses {
    count: usize,
    /// It is evaluated for every row.
    is_certain: bool,
}

impl Shared {
    /// Takes what expressions over `input` have in common out of them, if it is evaluated for every row by one of the
    /// first `certain` expressions. `None` if they have nothing in common.
    ///
    /// # Errors
    /// An expression that does not fit the input.
    pub(crate) fn take_out(expressions: &mut [Expr], certain: usize, input: &SchemaRef) -> Result<Option<Self>> {
        let mut uses = HashMap::new();
        for (place, expression) in expressions.iter().enumerate() {
            count(expression, place < certain, &mut uses);
        }
        let repeated = uses.into_iter().filter(|(_, uses)| uses.count > 1 && uses.is_certain);
        let repeated: HashSet<Expr> = repeated.map(|(expression, _)| expression.clone()).collect();
        let mut shared: Vec<Expr> = Vec::new();
        let replaced = expressions.iter().map(|expression| {
            let replaced = expression.clone().transform_down(|node| {
                if !repeated.contains(&node) {
                    return Ok(Transformed::no(node));
                }
                let known = shared.iter().position(|other| *other == node);
                let place = known.unwrap_or_else(|| {
                    shared.push(node);
                    shared.len() - 1
                });
                let column = Expr::Column(Column::new_unqualified(name(input, place)));
                Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
            });
            replaced.map(|replaced| replaced.data).map_err(from_datafusion)
        });
        let replaced = replaced.collect::<Result<Vec<_>>>()?;
        if shared.is_empty() {
            return Ok(None);
        }
        let compiler = Compiler::new(input)?;
        let computed = shared.iter().map(|shared| compiler.compile(shared)).collect::<Result<Vec<_>>>()?;
        let mut fields: Vec<Arc<Field>> = input.fields().iter().cloned().collect();
        for (place, expression) in computed.iter().enumerate() {
            let field = expression.return_field(input).map_err(from_datafusion)?;
            fields.push(Arc::new(field.as_ref().clone().with_name(name(input, place))));
        }
        expressions.clone_from_slice(&replaced);
        Ok(Some(Self { expressions: computed, schema: Arc::new(Schema::new(fields)) }))
    }

    /// The columns of its batches.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The batch with the shared values behind its columns.
    pub(crate) fn add_to(&self, batch: &ChangelogBatch) -> Result<ChangelogBatch> {
        let rows = batch.num_rows();
        let mut columns = batch.rows().columns().to_vec();
        for expression in &self.expressions {
            let value = expression.evaluate(batch.rows()).and_then(|value| value.into_array(rows));
            columns.push(value.map_err(from_datafusion)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let rows = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options);
        batch.with_rows(rows.map_err(Error::from_arrow)?)
    }
}

/// What no column of the input is called: one may have values of an earlier stage.
fn name(input: &SchemaRef, place: usize) -> String {
    let names = (0_usize..).map(|number| format!("shared{number}"));
    names.filter(|name| input.index_of(name).is_err()).nth(place).unwrap_or_default()
}

/// Counts an expression and those within it.
fn count<'e>(expression: &'e Expr, is_certain: bool, uses: &mut HashMap<&'e Expr, Uses>) {
    if is_worth_sharing(expression) {
        let uses = uses.entry(expression).or_default();
        uses.count += 1;
        uses.is_certain |= is_certain;
    }
    match expression {
        Expr::Case(Case { expr, when_then_expr, else_expr }) => {
            if let Some(operand) = expr {
                count(operand, is_certain, uses);
            }
            for (place, (when, then)) in when_then_expr.iter().enumerate() {
                count(when, is_certain && place == 0, uses);
                count(then, false, uses);
            }
            if let Some(otherwise) = else_expr {
                count(otherwise, false, uses);
            }
        }
        // Few rows may pass the left side.
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            count(left, is_certain, uses);
            count(right, false, uses);
        }
        other => {
            // What may fail on the right of an OR is behind a CASE.
            let is_certain = is_certain && (!other.short_circuits() || matches!(other, Expr::BinaryExpr(_)));
            let mut children = Vec::new();
            let collected = other.apply_children(|child| {
                children.push(child);
                Ok(TreeNodeRecursion::Continue)
            });
            debug_assert!(collected.is_ok());
            children.into_iter().for_each(|child| count(child, is_certain, uses));
        }
    }
}

/// A computation that gives the same whenever it is done on the same row.
fn is_worth_sharing(expression: &Expr) -> bool {
    let is_computed = matches!(
        expression,
        Expr::ScalarFunction(_) | Expr::BinaryExpr(_) | Expr::Cast(_) | Expr::TryCast(_) | Expr::Case(_)
    );
    is_computed && expression.any_column_refs() && !expression.is_volatile()
}

#[cfg(test)]
mod tests {
    use datafusion_expr::{case, col, lit};
    use sluice_model::{from_pretty, to_pretty};

    use super::*;

    fn taken_out(expressions: &mut [Expr], certain: usize) -> Option<Shared> {
        Shared::take_out(expressions, certain, &from_pretty("a INT, b INT", "").schema()).unwrap()
    }

    #[test]
    fn the_largest_common_parts_are_computed_once() {
        let sum = || col("a") + col("b");
        let mut expressions = [sum() * lit(2), sum() * lit(2) - lit(1), sum(), col("a")];
        let shared = taken_out(&mut expressions, 4).unwrap();
        let texts = expressions.map(|expression| expression.to_string());
        assert_eq!(texts, ["shared0", "shared0 - Int32(1)", "shared1", "a"]);
        let rows = shared.add_to(&from_pretty("a INT, b INT", "+I 1 2 / -D 3 NULL")).unwrap();
        assert_eq!(to_pretty(&rows), "+I 1 2 6 3 / -D 3 NULL NULL NULL");
    }

    #[test]
    fn what_is_not_always_evaluated_stays_where_it_is() {
        let product = || col("a") * col("b");
        let branches = || case(col("a")).when(lit(1), product()).otherwise(product() + lit(1)).unwrap();
        let expressions = [branches(), col("a").gt(lit(0)).and(product().gt(lit(5)))];
        let mut untouched = expressions.clone();
        assert!(taken_out(&mut untouched, 2).is_none());
        assert_eq!(untouched, expressions);
        // A filter computes it for every row, but not for the projection alone.
        let mut expressions = [product().gt(lit(5)), branches()];
        assert!(taken_out(&mut expressions, 0).is_none());
        assert!(taken_out(&mut expressions, 1).is_some());
    }
}
