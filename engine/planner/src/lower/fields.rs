//! Which fields of ROW columns a job reads: a source need not make the others.
//!
//! ```text
//! SELECT bid.price FROM events WHERE kind = 2      events (kind INT, bid ROW<price BIGINT, url STRING>)
//!                                                  reads kind and bid ROW<price BIGINT>
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};

use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::{Expr, LogicalPlan};
use sluice_model::{Result, SqlType};

use super::keys::passed_column;
use super::scans::base_table;
use crate::ObjectPath;
use crate::bind::from_datafusion;
use crate::logical::WatermarkNode;

/// What is read of the columns of each table.
#[derive(Debug, Default)]
pub(super) struct RowFields(HashMap<ObjectPath, BTreeMap<String, Read>>);

/// What is read of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Read {
    /// These fields of it; none if nobody reads it.
    Fields(BTreeSet<String>),
    /// The column as it is.
    Whole,
}

impl RowFields {
    /// Notes what a query reads whose result is needed as it is.
    ///
    /// # Errors
    /// A bug: a plan that does not fit together.
    pub(super) fn collect(&mut self, query: &LogicalPlan) -> Result<()> {
        self.visit(query, vec![Read::Whole; query.schema().fields().len()])
    }

    /// The type that a column of a table is read as.
    pub(super) fn narrowed(&self, table: &ObjectPath, column: &str, declared: &SqlType) -> SqlType {
        let read = self.0.get(table).and_then(|columns| columns.get(column));
        match (declared, read) {
            (SqlType::Row(fields), Some(Read::Fields(names))) if !names.is_empty() => {
                SqlType::Row(fields.iter().filter(|(name, _)| names.contains(name.as_str())).cloned().collect())
            }
            _ => declared.clone(),
        }
    }

    /// `read` has an entry for each column of the plan's result.
    fn visit(&mut self, plan: &LogicalPlan, read: Vec<Read>) -> Result<()> {
        match plan {
            LogicalPlan::TableScan(scan) => {
                let columns = self.0.entry(base_table(scan)?.table.path.clone()).or_default();
                for (field, read) in scan.projected_schema.fields().iter().zip(read) {
                    columns.entry(field.name().clone()).or_insert(Read::NOTHING).merge(read);
                }
                Ok(())
            }
            LogicalPlan::SubqueryAlias(alias) => self.visit(&alias.input, read),
            LogicalPlan::Projection(projection) => {
                let schema = projection.input.schema();
                let mut below = vec![Read::NOTHING; schema.fields().len()];
                for (expression, read) in projection.expr.iter().zip(read) {
                    match passed_column(expression).and_then(|column| schema.maybe_index_of_column(column)) {
                        Some(column) => below[column].merge(read),
                        None => note(expression, schema, &mut below)?,
                    }
                }
                self.visit(&projection.input, below)
            }
            LogicalPlan::Filter(filter) => {
                let mut below = read;
                note(&filter.predicate, filter.input.schema(), &mut below)?;
                self.visit(&filter.input, below)
            }
            LogicalPlan::Extension(extension) => match extension.node.as_any().downcast_ref::<WatermarkNode>() {
                Some(watermark) => {
                    let mut below = read;
                    note(&watermark.watermark, watermark.input.schema(), &mut below)?;
                    self.visit(&watermark.input, below)
                }
                None => self.visit_whole(plan),
            },
            _ => self.visit_whole(plan),
        }
    }

    /// What keeps rows, or compares them, reads them as they are.
    fn visit_whole(&mut self, plan: &LogicalPlan) -> Result<()> {
        plan.inputs().into_iter().try_for_each(|input| self.collect(input))
    }
}

impl Read {
    const NOTHING: Self = Self::Fields(BTreeSet::new());

    fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::Whole, _) => {}
            (own, Self::Whole) => *own = Self::Whole,
            (Self::Fields(own), Self::Fields(other)) => own.extend(other),
        }
    }
}

/// Notes what an expression reads of its input.
fn note(expression: &Expr, schema: &DFSchema, read: &mut [Read]) -> Result<()> {
    let mut merge = |column: &datafusion_common::Column, what| {
        if let Some(index) = schema.maybe_index_of_column(column) {
            read[index].merge(what);
        }
    };
    let noted = expression.apply(|node| {
        if let Some((column, field)) = field_access(node) {
            merge(column, Read::Fields(BTreeSet::from([field.to_owned()])));
            return Ok(TreeNodeRecursion::Jump);
        }
        if let Expr::Column(column) = node {
            merge(column, Read::Whole);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    noted.map(|_| ()).map_err(|error| from_datafusion(error, &[]))
}

/// The column and the field of `column.field`.
fn field_access(expression: &Expr) -> Option<(&datafusion_common::Column, &str)> {
    let Expr::ScalarFunction(call) = expression else { return None };
    match call.args.as_slice() {
        [Expr::Column(column), Expr::Literal(ScalarValue::Utf8(Some(field)), _)] if call.name() == "item" => {
            Some((column, field))
        }
        _ => None,
    }
}
