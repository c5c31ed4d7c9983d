//! Tables and views as DataFusion sees them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Spans, TableReference};
use datafusion_expr::{Expr, Extension, LogicalPlan, LogicalPlanBuilder, TableSource, col, ident};
use sluice_model::{Column, Error, Result};

use super::{Binder, from_datafusion};
use crate::ObjectPath;
use crate::catalog::{CatalogEntry, CatalogTable, CatalogView, ColumnKind, Watermark, WatermarkOptions};
use crate::logical::WatermarkNode;

/// What a connector reads: the physical columns, then the metadata columns.
pub(crate) struct BaseTable {
    pub(crate) table: Arc<CatalogTable>,
    schema: SchemaRef,
}

impl TableSource for BaseTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl fmt::Debug for BaseTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseTable({})", self.table.path)
    }
}

/// A view, or a table whose columns are computed from what its connector reads.
pub(super) struct Derived {
    plan: LogicalPlan,
    schema: SchemaRef,
}

impl Derived {
    pub(super) fn new(plan: LogicalPlan) -> Self {
        Self { schema: Arc::new(plan.schema().as_arrow().clone()), plan }
    }

    /// The name of the first column.
    pub(super) fn first_column(&self) -> Result<&str> {
        let first = self.schema.fields().first().map(|field| field.name().as_str());
        first.ok_or_else(|| Error::fix("a table without columns cannot be joined"))
    }
}

impl TableSource for Derived {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        Some(Cow::Borrowed(&self.plan))
    }
}

impl Binder<'_> {
    /// The table or view at a path.
    pub(super) fn table(&self, path: &ObjectPath) -> Result<Arc<dyn TableSource>> {
        match self.catalog.require(path, None)? {
            CatalogEntry::Table(table) => self.declared_table(table),
            CatalogEntry::View(view) => self.view(view),
        }
    }

    fn declared_table(&self, table: &Arc<CatalogTable>) -> Result<Arc<dyn TableSource>> {
        let physical = table.physical_schema()?;
        let metadata = table.metadata(false);
        let columns = physical.columns.iter().chain(metadata.iter().map(|(_, column)| column));
        let schema = Arc::new(Schema::new(columns.map(Column::to_field).collect::<Vec<_>>()));
        let base = Arc::new(BaseTable { table: Arc::clone(table), schema: Arc::clone(&schema) });
        let in_declared_order = !table.has_computed_columns()
            && schema.fields().iter().zip(&table.columns).all(|(field, column)| *field.name() == column.name);
        if in_declared_order && table.watermark.is_none() {
            return Ok(base);
        }
        let path = &table.path;
        let name = TableReference::full(path.catalog.as_str(), path.database.as_str(), path.name.as_str());
        let mut plan = LogicalPlanBuilder::scan(name, base, None).map_err(|error| from_datafusion(error, &[]))?;
        if !in_declared_order {
            plan = self.with_computed_columns(table, plan)?;
        }
        let plan = plan.build().map_err(|error| from_datafusion(error, &[]))?;
        let plan = match &table.watermark {
            Some(watermark) => self.with_watermark(watermark, table.watermark_options()?, plan)?,
            None => plan,
        };
        let plan = sluice_functions::bind_plan(plan, self.session).map_err(|error| from_datafusion(error, &[]))?;
        Ok(Arc::new(Derived::new(plan)))
    }

    fn with_watermark(
        &self,
        watermark: &Watermark,
        options: WatermarkOptions,
        input: LogicalPlan,
    ) -> Result<LogicalPlan> {
        let expression = self
            .expression(&watermark.expression, input.schema())
            .map_err(|error| error.while_doing(format!("watermark of column '{}'", watermark.column)))?;
        let node = WatermarkNode { input, column: watermark.column.clone(), watermark: expression, options };
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
    }

    fn with_computed_columns(&self, table: &CatalogTable, scan: LogicalPlanBuilder) -> Result<LogicalPlanBuilder> {
        let mut expressions = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            let expression = match &column.kind {
                ColumnKind::Computed { expression, .. } => {
                    let computed = self.expression(expression, scan.schema()).map_err(|error| {
                        error.at_opt(column.position).while_doing(format!("computed column '{}'", column.name))
                    })?;
                    computed.alias(&column.name)
                }
                ColumnKind::Physical { .. } | ColumnKind::Metadata { .. } => ident(&column.name),
            };
            expressions.push(expression);
        }
        scan.project(expressions).map_err(|error| from_datafusion(error, &[]))
    }

    fn view(&self, view: &CatalogView) -> Result<Arc<dyn TableSource>> {
        let mut plan = self
            .at_home(view.home.clone())?
            .query(&view.query)
            .map_err(|error| error.while_doing(format!("view '{}'", view.path.name)))?;
        plan = without_places(plan)?;
        if !view.columns.is_empty() {
            plan = renamed(plan, view)?;
        }
        Ok(Arc::new(Derived::new(plan)))
    }
}

/// Places in the text of a view mean nothing in the statement that reads it.
fn without_places(plan: LogicalPlan) -> Result<LogicalPlan> {
    let without = |expression: Expr| {
        expression.transform_up(|node| match node {
            Expr::Column(mut column) if !column.spans.0.is_empty() => {
                column.spans = Spans::new();
                Ok(Transformed::yes(Expr::Column(column)))
            }
            other => Ok(Transformed::no(other)),
        })
    };
    let plan = plan.transform_up_with_subqueries(|node| node.map_expressions(without));
    plan.map(|plan| plan.data).map_err(|error| from_datafusion(error, &[]))
}

fn renamed(plan: LogicalPlan, view: &CatalogView) -> Result<LogicalPlan> {
    let columns = plan.schema().columns();
    if columns.len() != view.columns.len() {
        return Err(Error::fix(format!(
            "view '{}' names {} columns but its query has {}",
            view.path.name,
            view.columns.len(),
            columns.len()
        )));
    }
    let expressions: Vec<_> =
        columns.into_iter().zip(&view.columns).map(|(column, name)| col(column).alias(name)).collect();
    LogicalPlanBuilder::from(plan)
        .project(expressions)
        .and_then(LogicalPlanBuilder::build)
        .map_err(|error| from_datafusion(error, &[]))
}
