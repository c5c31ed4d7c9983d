//! Where the rows of a query go, and the projection that makes them fit.

use std::sync::Arc;

use datafusion_common::ScalarValue;
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use sluice_functions::SessionInfo;
use sluice_model::{Column, Error, Position, Result, TableDefinition};

use crate::Insert;
use crate::bind::from_datafusion;
use crate::catalog::{Catalog, CatalogEntry, CatalogTable, ColumnKind};

/// The target of a query.
#[derive(Debug)]
pub(crate) enum Target {
    /// A table.
    Table(Box<TableTarget>),
    /// The client.
    Collect,
}

/// A table and the columns of it that are written.
#[derive(Debug)]
pub(crate) struct TableTarget {
    pub(super) definition: TableDefinition,
    position: Option<Position>,
    /// All columns that the sink takes (physical, then writable metadata), and for each the column
    /// of the query that goes there; `None` for a column that was not named.
    columns: Vec<(Column, Option<usize>)>,
    /// Number of columns that the query must have.
    expected: usize,
}

impl Target {
    /// The target of an `INSERT`.
    pub(crate) fn table(catalog: &Catalog, insert: &Insert) -> Result<Self> {
        let table = match catalog.require(&insert.target, insert.position)? {
            CatalogEntry::Table(table) => Arc::clone(table),
            CatalogEntry::View(_) => {
                return Err(Error::fix(format!("'{}' is a view and cannot be written to", insert.target.name))
                    .at_opt(insert.position));
            }
        };
        let mut definition = table.definition(true)?;
        for option in &insert.options {
            definition.options.set(option.clone());
        }
        let order = written_columns(&table, insert)?;
        let columns = definition.schema.columns.iter().chain(definition.metadata.iter().map(|(_, column)| column));
        let columns = columns
            .map(|column| (column.clone(), order.iter().position(|name| *name == column.name)))
            .collect::<Vec<_>>();
        for (column, source) in &columns {
            if source.is_none() && !column.nullable {
                return Err(Error::fix(format!(
                    "column '{}' of '{}' does not allow NULL and is not among the inserted columns",
                    column.name, insert.target.name
                ))
                .at_opt(insert.position));
            }
        }
        let expected = order.len();
        Ok(Self::Table(Box::new(TableTarget { definition, position: insert.position, columns, expected })))
    }

    /// Place of the target in the script.
    pub(crate) fn position(&self) -> Option<Position> {
        match self {
            Self::Table(table) => table.position,
            Self::Collect => None,
        }
    }

    /// Puts a projection on top that orders and converts the columns for the sink.
    pub(crate) fn fit(&self, query: LogicalPlan, session: &SessionInfo) -> Result<LogicalPlan> {
        match self {
            Self::Table(table) => table.fit(query, session),
            Self::Collect => Ok(query),
        }
    }
}

impl TableTarget {
    fn fit(&self, query: LogicalPlan, session: &SessionInfo) -> Result<LogicalPlan> {
        let source: Vec<Column> = query.schema().fields().iter().map(|field| Column::of_field(field)).collect();
        if source.len() != self.expected {
            return Err(self.mismatch(&source));
        }
        let inputs = query.schema().columns();
        let mut expressions: Vec<Expr> = Vec::with_capacity(self.columns.len());
        for (column, index) in &self.columns {
            let value = match index {
                Some(index) => {
                    let from = &source[*index].data_type;
                    let value = Expr::Column(inputs[*index].clone());
                    sluice_functions::implicit_cast(value, from, &column.data_type, session)
                        .map_err(|error| from_datafusion(error, &[]))?
                        .ok_or_else(|| self.mismatch(&source))?
                }
                None => null_of(column),
            };
            expressions.push(value.alias(&column.name));
        }
        LogicalPlanBuilder::from(query)
            .project(expressions)
            .and_then(LogicalPlanBuilder::build)
            .map_err(|error| from_datafusion(error, &[]))
    }

    /// Flink's text, with both column lists.
    fn mismatch(&self, source: &[Column]) -> Error {
        let list = |columns: &mut dyn Iterator<Item = &Column>| {
            columns.map(|column| format!("{}: {}", column.name, column.data_type)).collect::<Vec<_>>().join(", ")
        };
        let mut sink: Vec<_> =
            self.columns.iter().filter_map(|(column, index)| index.map(|index| (index, column))).collect();
        sink.sort_by_key(|(index, _)| *index);
        let cause = if source.len() == self.expected { "incompatible types" } else { "different number of columns" };
        Error::fix(format!("column types of query result and sink for '{}' do not match", self.definition.name))
            .at_opt(self.position)
            .because(format!(
                "{cause}\n    query: [{}]\n    sink:  [{}]",
                list(&mut source.iter()),
                list(&mut sink.into_iter().map(|(_, column)| column))
            ))
            .with_hint("columns are matched by position; name them, or CAST them to the types of the sink")
    }
}

/// The columns that an `INSERT` writes, in the order in which its query delivers them.
fn written_columns(table: &CatalogTable, insert: &Insert) -> Result<Vec<String>> {
    let writable = |kind: &ColumnKind| match kind {
        ColumnKind::Physical { .. } => true,
        ColumnKind::Metadata { is_virtual, .. } => !is_virtual,
        ColumnKind::Computed { .. } => false,
    };
    let names: Vec<&str> =
        table.columns.iter().filter(|column| writable(&column.kind)).map(|column| column.name.as_str()).collect();
    if insert.columns.is_empty() {
        return Ok(names.into_iter().map(str::to_owned).collect());
    }
    let mut order: Vec<String> = Vec::with_capacity(insert.columns.len());
    for (name, position) in &insert.columns {
        if order.contains(name) {
            return Err(Error::fix(format!("column '{name}' is named twice")).at_opt(*position));
        }
        if !names.contains(&name.as_str()) {
            let hint = match sluice_model::suggest(name, names.iter().copied()) {
                Some(like) => format!("did you mean '{like}'?"),
                None => format!("columns that can be written: {}", names.join(", ")),
            };
            return Err(Error::fix(format!("table '{}' has no column '{name}' to write", table.path.name))
                .at_opt(*position)
                .with_hint(hint));
        }
        order.push(name.clone());
    }
    Ok(order)
}

fn null_of(column: &Column) -> Expr {
    let null = ScalarValue::try_from(&column.data_type.to_arrow()).unwrap_or(ScalarValue::Null);
    Expr::Literal(null, None)
}
