//! Expressions that have to be columns before an operator can use them.
//!
//! ```text
//! GROUP BY a % 2, SUM(b * c)    Calc: select=[a, b, c, a % 2, b * c]    GroupAggregate over $3 and $4
//! ```

use std::sync::Arc;

use arrow_schema::{Field, FieldRef, Schema, SchemaRef};
use datafusion_common::DFSchema;
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan};
use sluice_model::Result;
use sluice_plan::{Calc, Input, Operation, Output};

use super::keys::{passed_column, project_keys};
use super::nodes::{Nodes, unqualified};
use crate::bind::from_datafusion;

/// The columns that an operator's input is to have.
pub(super) struct Columns<'a> {
    schema: &'a DFSchema,
    source: Output,
    expressions: Vec<Expr>,
    fields: Vec<FieldRef>,
    /// For each column, the column of the source that it is a plain copy of.
    passed: Vec<Option<usize>>,
}

impl<'a> Columns<'a> {
    /// None yet.
    pub(super) fn new(input: &'a LogicalPlan, source: Output) -> Self {
        let (expressions, fields, passed) = (Vec::new(), Vec::new(), Vec::new());
        Self { schema: input.schema(), source, expressions, fields, passed }
    }

    /// All columns of the source, in their order.
    pub(super) fn all(input: &'a LogicalPlan, source: Output) -> Result<Self> {
        let mut columns = Self::new(input, source);
        for column in input.schema().columns() {
            columns.push(&Expr::Column(column))?;
        }
        Ok(columns)
    }

    /// The place of an expression; it becomes a column if it is none yet.
    pub(super) fn place(&mut self, expression: &Expr) -> Result<usize> {
        let plain = unqualified(expression, self.schema, &self.source.schema)?;
        match self.expressions.iter().position(|known| *known == plain) {
            Some(place) => Ok(place),
            None => self.push(expression),
        }
    }

    /// Adds an expression as a column of its own.
    pub(super) fn push(&mut self, expression: &Expr) -> Result<usize> {
        let plain = unqualified(expression, self.schema, &self.source.schema)?;
        let passed = passed_column(expression).and_then(|column| self.schema.maybe_index_of_column(column));
        let place = self.expressions.len();
        let name = format!("${place}");
        let field = match passed {
            Some(column) => self.source.schema.field(column).clone().with_name(name),
            None => {
                let (_, field) = expression.to_field(self.schema).map_err(|error| from_datafusion(error, &[]))?;
                Field::clone(&field).with_name(name)
            }
        };
        self.fields.push(Arc::new(field));
        self.expressions.push(plain);
        self.passed.push(passed);
        Ok(place)
    }

    /// The field of a column.
    pub(super) fn field(&self, place: usize) -> &FieldRef {
        &self.fields[place]
    }

    /// Adds the node that computes the columns, unless they are those of the source as they are.
    pub(super) fn add(self, nodes: &mut Nodes, from: Input, query: &LogicalPlan) -> Result<Input> {
        let is_identity = self.passed.len() == self.source.schema.fields().len()
            && self.passed.iter().enumerate().all(|(place, passed)| *passed == Some(place));
        if is_identity {
            return Ok(from);
        }
        let schema: SchemaRef = Arc::new(Schema::new(self.fields));
        let keys = project_keys(&self.source.keys, &self.passed);
        let output = Output { schema, changelog: self.source.changelog, keys };
        let id = nodes.state_id("columns", query);
        let parallelism = nodes.plan().node(from.node).parallelism;
        let calc = Calc { filter: None, projection: self.expressions };
        let window = nodes.window_of(&from).and_then(|window| window.projected(&self.passed));
        let input = nodes.add(Operation::Calc(calc), vec![from], output, parallelism, id)?;
        nodes.set_window(&input, window);
        Ok(input)
    }
}
