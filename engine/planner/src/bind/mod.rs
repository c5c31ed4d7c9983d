//! From the parsed query to a typed logical plan.
//!
//! DataFusion resolves names and types; what Flink means differently is put right before
//! ([`rewrite`]: literals, column names) and behind (`sluice_functions::bind_plan`: casts,
//! arithmetic). What DataFusion would drop in silence is refused ([`refuse`]).

mod clauses;
mod context;
mod error;
mod frame;
mod gather;
mod group_window;
mod joined_rows;
mod json;
mod literal;
mod mistake;
mod named_windows;
mod names;
mod quantified;
mod refuse;
mod relations;
mod rewrite;
mod set_operation;
mod shadow;
mod tables;
#[cfg(test)]
mod testing;
mod using;
mod version;
mod window;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use datafusion_common::config::ConfigOptions;
use datafusion_common::{DFSchema, DataFusionError};
use datafusion_expr::planner::{ExprPlanner, RelationPlanner};
use datafusion_expr::{AggregateUDF, Expr, LogicalPlan, ScalarUDF, TableSource};
use datafusion_sql::planner::{NullOrdering, ParserOptions, PlannerContext, SqlToRel};
use sluice_functions::SessionInfo;
use sluice_model::Result;
use sqlparser::ast::{Expr as SqlExpr, Query, Statement};

use crate::computed_groups::with_computed_groups;
use crate::{Catalog, TypeReader};

pub(crate) use error::from_datafusion;
pub(crate) use tables::BaseTable;
pub use version::mark_retry;
pub(crate) use window::PREFIX as WINDOW;

/// Resolves queries against a catalog.
pub(crate) struct Binder<'a> {
    catalog: &'a Catalog,
    session: &'a SessionInfo,
    types: TypeReader,
    /// Catalog and database in which names are looked up: the session's, or those of a view.
    home: (String, String),
    functions: Arc<HashMap<String, Arc<ScalarUDF>>>,
    aggregates: Arc<HashMap<String, Arc<AggregateUDF>>>,
    expr_planners: Vec<Arc<dyn ExprPlanner>>,
    relation_planners: Vec<Arc<dyn RelationPlanner>>,
    options: ConfigOptions,
    /// What stands in the text for windows and for tables as of a time.
    windows: RefCell<Vec<Arc<dyn TableSource>>>,
    /// Number of views that this query is inside of.
    depth: usize,
}

/// Views inside views: deeper is taken for a loop.
const MAX_VIEW_DEPTH: usize = 64;

impl<'a> Binder<'a> {
    pub(crate) fn new(catalog: &'a Catalog, session: &'a SessionInfo, types: TypeReader) -> Self {
        let functions = sluice_functions::scalar_functions(session)
            .into_iter()
            .flat_map(|function| {
                let names: Vec<_> =
                    std::iter::once(function.name().to_owned()).chain(function.aliases().iter().cloned()).collect();
                names.into_iter().map(move |name| (name.to_lowercase(), Arc::clone(&function)))
            })
            .collect();
        let aggregates = sluice_functions::aggregate_functions(session)
            .into_iter()
            .flat_map(|function| {
                let names: Vec<_> =
                    std::iter::once(function.name().to_owned()).chain(function.aliases().iter().cloned()).collect();
                names.into_iter().map(move |name| (name, Arc::clone(&function)))
            })
            .collect();
        let home = (catalog.current_catalog().to_owned(), catalog.current_database().to_owned());
        Self {
            catalog,
            session,
            types,
            home,
            functions: Arc::new(functions),
            aggregates: Arc::new(aggregates),
            expr_planners: vec![sluice_functions::expr_planner(session)],
            relation_planners: vec![Arc::new(relations::Relations::default())],
            options: ConfigOptions::default(),
            windows: RefCell::default(),
            depth: 0,
        }
    }

    /// The same binder for the query of a view that was created in another database.
    fn at_home(&self, home: (String, String)) -> Result<Self> {
        if self.depth >= MAX_VIEW_DEPTH {
            return Err(sluice_model::Error::fix("views refer to each other without end"));
        }
        Ok(Self {
            catalog: self.catalog,
            session: self.session,
            types: self.types,
            home,
            functions: Arc::clone(&self.functions),
            aggregates: Arc::clone(&self.aggregates),
            expr_planners: self.expr_planners.clone(),
            relation_planners: vec![Arc::new(relations::Relations::default())],
            options: self.options.clone(),
            windows: RefCell::default(),
            depth: self.depth + 1,
        })
    }

    /// A query as a logical plan with Flink's types, not optimised.
    pub(crate) fn query(&self, query: &Query) -> Result<LogicalPlan> {
        let mut query = query.clone();
        self.take_windows(&mut query)?;
        self.take_versions(&mut query)?;
        refuse::refuse_unsupported(&query)?;
        rewrite::rewrite_query(&mut query)?;
        let plan = self.plan(&mut query).map_err(|error| {
            let error = from_datafusion(error, &self.function_names());
            match error.position() {
                None => {
                    let place = mistake::position_of_call(&query, error.what());
                    error.at_opt(place)
                }
                Some(_) => error,
            }
        })?;
        let plan = names::with_different_columns(plan).and_then(with_computed_groups).and_then(crate::balance::balance);
        let plan = plan.map_err(|error| from_datafusion(error, &[]))?;
        sluice_functions::bind_plan(plan, self.session).map_err(|error| from_datafusion(error, &[]))
    }

    /// DataFusion's plan of a query. What `*` stands for is known to it only: columns beside of it that it has
    /// as well are numbered then.
    fn plan(&self, query: &mut Query) -> std::result::Result<LogicalPlan, DataFusionError> {
        loop {
            let statement = Statement::Query(Box::new(query.clone()));
            let error = match self.sql_to_rel().sql_statement_to_plan(statement) {
                Ok(plan) => return Ok(plan),
                Err(error) => error,
            };
            match error::selected_again(&error) {
                Some(name) if names::number_beside_wildcard(query, &name) => {}
                _ => return Err(error),
            }
        }
    }

    /// An expression over the columns of `schema`: a computed column.
    fn expression(&self, expression: &SqlExpr, schema: &DFSchema) -> Result<Expr> {
        let mut expression = expression.clone();
        rewrite::rewrite_expression(&mut expression)?;
        self.sql_to_rel()
            .sql_to_expr(expression, schema, &mut PlannerContext::new())
            .map_err(|error| from_datafusion(error, &self.function_names()))
    }

    fn sql_to_rel(&self) -> SqlToRel<'_, Self> {
        let options = ParserOptions::new()
            .with_parse_float_as_decimal(true)
            .with_enable_ident_normalization(false)
            .with_collect_spans(true)
            .with_map_string_types_to_utf8view(false)
            .with_default_null_ordering(NullOrdering::NullsMin);
        SqlToRel::new_with_options(self, options)
    }

    /// Columns of a table or view, as queries see them.
    pub(crate) fn schema_of(&self, path: &crate::ObjectPath) -> Result<arrow_schema::SchemaRef> {
        Ok(self.table(path)?.schema())
    }

    fn function_names(&self) -> Vec<String> {
        let windows = group_window::FUNCTIONS.map(str::to_owned);
        self.functions.keys().chain(self.aggregates.keys()).cloned().chain(windows).collect()
    }
}
