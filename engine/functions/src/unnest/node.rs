//! The node of a logical plan.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use datafusion_common::{DFSchema, DFSchemaRef, Result, TableReference};
use datafusion_expr::{Expr, ExprSchemable, Extension, LogicalPlan, UserDefinedLogicalNodeCore};

use super::Unnesting;

/// Each row of the input once for every value that an expression holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnnestNode {
    /// The rows.
    pub input: LogicalPlan,
    /// What is unnested.
    pub value: Expr,
    /// How.
    pub unnesting: Unnesting,
    /// What the new columns are qualified with, so that they stay apart from those of the input.
    pub qualifier: TableReference,
    /// The columns of the input that are passed on.
    kept: Vec<usize>,
    schema: DFSchemaRef,
}

impl UnnestNode {
    /// Unnests an expression over the columns of `input`, which are all passed on.
    ///
    /// # Errors
    /// An expression that holds no values.
    pub fn try_new(input: LogicalPlan, value: Expr, unnesting: Unnesting, qualifier: TableReference) -> Result<Self> {
        let kept = (0..input.schema().fields().len()).collect();
        Self::keeping(input, value, unnesting, qualifier, kept)
    }

    fn keeping(
        input: LogicalPlan,
        value: Expr,
        unnesting: Unnesting,
        qualifier: TableReference,
        kept: Vec<usize>,
    ) -> Result<Self> {
        let new = unnesting.fields(&value.get_type(input.schema())?)?;
        let old = kept.iter().map(|column| {
            let (qualifier, field) = input.schema().qualified_field(*column);
            (qualifier.cloned(), Arc::clone(field))
        });
        let fields = old.chain(new.into_iter().map(|field| (Some(qualifier.clone()), field))).collect();
        let schema = DFSchema::new_with_metadata(fields, input.schema().metadata().clone())?;
        Ok(Self { input, value, unnesting, qualifier, kept, schema: Arc::new(schema) })
    }

    /// The same over another input, with another value; all of its columns are passed on.
    ///
    /// # Errors
    /// As [`try_new`](Self::try_new).
    pub fn over(&self, input: LogicalPlan, value: Expr, outer: bool) -> Result<Self> {
        let unnesting = Unnesting { outer, ..self.unnesting };
        Self::try_new(input, value, unnesting, self.qualifier.clone())
    }

    /// The same that passes on only the columns of the input that `is_used` names by their place.
    ///
    /// # Errors
    /// None in practice.
    pub fn narrowed(&self, is_used: impl Fn(usize) -> bool) -> Result<Self> {
        let kept = self.kept.iter().enumerate().filter(|(place, _)| is_used(*place)).map(|(_, column)| *column);
        let kept = kept.collect();
        Self::keeping(self.input.clone(), self.value.clone(), self.unnesting, self.qualifier.clone(), kept)
    }

    /// The columns of the input that are passed on, in front of the new ones.
    pub fn kept(&self) -> &[usize] {
        &self.kept
    }

    /// The node as a plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    /// The node of a plan, if it is one.
    pub fn of(plan: &LogicalPlan) -> Option<&Self> {
        match plan {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref(),
            _ => None,
        }
    }
}

impl PartialOrd for UnnestNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (&self.value, &self.unnesting, &self.input).partial_cmp(&(&other.value, &other.unnesting, &other.input))
    }
}

impl UserDefinedLogicalNodeCore for UnnestNode {
    fn name(&self) -> &str {
        "UnnestValues"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![self.value.clone()]
    }

    /// Conditions on the rows hold before as well as behind, those on the values only behind.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        self.schema.fields().iter().skip(self.kept.len()).map(|field| field.name().clone()).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unnesting { ordinality, outer } = self.unnesting;
        write!(f, "UnnestValues: {}", self.value)?;
        f.write_str(if ordinality { ", with ordinality" } else { "" })?;
        f.write_str(if outer { ", outer" } else { "" })
    }

    fn with_exprs_and_inputs(&self, mut expressions: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let (Some(value), Some(input)) = (expressions.pop(), inputs.pop()) else {
            return datafusion_common::internal_err!("an UNNEST without its value");
        };
        let before = self.input.schema();
        if input.schema().fields().len() == before.fields().len() {
            return Self::keeping(input, value, self.unnesting, self.qualifier.clone(), self.kept.clone());
        }
        // Columns have been left out: the others are passed on as before.
        let columns = before.columns();
        let kept = self.kept.iter().filter_map(|column| input.schema().maybe_index_of_column(&columns[*column]));
        let kept = kept.collect();
        Self::keeping(input, value, self.unnesting, self.qualifier.clone(), kept)
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let mut columns: Vec<usize> =
            output_columns.iter().filter_map(|column| self.kept.get(*column)).copied().collect();
        let read = self.value.column_refs();
        columns.extend(read.into_iter().filter_map(|column| self.input.schema().maybe_index_of_column(column)));
        columns.sort_unstable();
        columns.dedup();
        Some(vec![columns])
    }
}
