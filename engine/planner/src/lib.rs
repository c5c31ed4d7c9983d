//! From statements to the stream plan.
//!
//! ```text
//! INSERT INTO sink SELECT id, name FROM orders WHERE qty > 0
//!   bind      names, types, views, computed columns      DataFusion's LogicalPlan, Flink's types
//!   optimise  rules that are right on a changelog         LogicalPlan
//!   lower     sources shared, kinds and keys inferred     StreamPlan
//! ```
//!
//! All `INSERT`s of a job are planned together: a table is read once whatever the number of sinks,
//! tables of one server share one connection, and an equal part of two queries is computed once.

mod balance;
mod bind;
pub mod catalog;
mod computed_groups;
mod computed_values;
mod current_watermark;
mod lateral;
mod lateral_limit;
mod logical;
mod lower;
mod optimize;
mod outer_values;
mod row_in;
mod subqueries;
mod top_n;

use std::sync::Arc;

use datafusion_expr::LogicalPlan;
use sluice_connector_api::Connectors;
use sluice_functions::SessionInfo;
use sluice_model::{Error, Position, Result, TableOption};
use sluice_plan::StreamPlan;
use sqlparser::ast::Query;

pub use sluice_plan::{ExplainDetails, LookupRetry, MiniBatch};

pub use bind::mark_retry;
pub use catalog::{Catalog, CatalogColumn, CatalogEntry, CatalogTable, CatalogView, ColumnKind, ObjectPath};
pub use lower::state_ttl_alias;

use bind::Binder;

/// One `INSERT INTO target (columns) query`.
#[derive(Debug, Clone)]
pub struct Insert {
    /// The table that is written.
    pub target: ObjectPath,
    /// Place of its name.
    pub position: Option<Position>,
    /// Options from a hint, which win over those of the table.
    pub options: Vec<TableOption>,
    /// Named columns with their places; empty if all are meant.
    pub columns: Vec<(String, Option<Position>)>,
    /// What is inserted.
    pub query: Query,
}

/// When rows are kept in front of a sink whose primary key is not the key of the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Materialize {
    /// Where the newest row of the sink's key is not known to be the one that comes last.
    Auto,
    /// Never: the user knows better.
    Never,
    /// In front of every sink that goes by key and gets updates.
    Always,
}

/// What the session's settings say to the planner.
#[derive(Debug, Clone)]
pub struct PlannerSettings {
    /// `parallelism.default`.
    pub parallelism: usize,
    /// `table.exec.sink.upsert-materialize`.
    pub upsert_materialize: Materialize,
    /// `execution.runtime-mode` is `BATCH`.
    pub batch: bool,
    /// `table.exec.sink.not-null-enforcer` is `DROP`: rows with NULL in a NOT NULL column are dropped.
    pub drop_nulls: bool,
    /// `table.exec.state.ttl`: how long operators keep what they were last told; `None`: for ever.
    pub state_ttl: Option<std::time::Duration>,
    /// `table.exec.source.idle-timeout`: after so long without rows nobody waits for the watermarks of a
    /// source; `None`: all wait for ever.
    pub idle_timeout: Option<std::time::Duration>,
    /// `pipeline.auto-watermark-interval`.
    pub watermark_interval: std::time::Duration,
    /// `table.exec.mini-batch.*`: rows are gathered in front of operators that gain by it.
    pub mini_batch: Option<sluice_plan::MiniBatch>,
}

impl Default for PlannerSettings {
    fn default() -> Self {
        Self {
            parallelism: 1,
            batch: false,
            upsert_materialize: Materialize::Auto,
            drop_nulls: false,
            state_ttl: None,
            idle_timeout: None,
            watermark_interval: std::time::Duration::from_millis(200),
            mini_batch: None,
        }
    }
}

/// A planned job.
#[derive(Debug)]
pub struct PlannedJob {
    /// What the runtime runs.
    pub plan: StreamPlan,
    /// The queries, optimised, one per `INSERT`: the upper part of `EXPLAIN`.
    pub queries: Vec<LogicalPlan>,
    /// The queries as written: the first part of `EXPLAIN`.
    pub bound: Vec<LogicalPlan>,
    /// What the user should know about options that mean something else here.
    pub notes: Vec<String>,
}

/// Plans queries against a catalog.
pub struct Planner<'a> {
    catalog: &'a Catalog,
    connectors: &'a Connectors,
    session: SessionInfo,
    settings: PlannerSettings,
    types: TypeReader,
}

/// Reads the name of a type in a `CAST`: the dialect's own, which the parser knows.
pub type TypeReader = fn(&sqlparser::ast::DataType) -> Result<sluice_model::SqlType>;

impl<'a> Planner<'a> {
    /// A planner for one statement.
    pub fn new(
        catalog: &'a Catalog,
        connectors: &'a Connectors,
        session: SessionInfo,
        settings: PlannerSettings,
        types: TypeReader,
    ) -> Self {
        Self { catalog, connectors, session, settings, types }
    }

    fn binder(&self) -> Binder<'_> {
        Binder::new(self.catalog, &self.session, self.types)
    }

    /// Paths of the tables that a query reads and that could share a reader with other queries of
    /// the same job: tables of a change log.
    ///
    /// # Errors
    /// Whatever the user has to change in the query.
    pub fn shared_tables(&self, query: &Query) -> Result<Vec<String>> {
        let plan = self.binder().query(query)?;
        lower::shared_tables(self.connectors, &plan)
    }

    /// Names of all functions, in capitals, sorted.
    pub fn function_names(&self) -> Vec<String> {
        let scalar = sluice_functions::scalar_functions(&self.session);
        let aggregate = sluice_functions::aggregate_functions(&self.session);
        let mut names: Vec<_> = scalar
            .iter()
            .map(|function| function.name())
            .chain(aggregate.iter().map(|function| function.name()))
            .map(str::to_uppercase)
            .filter(|name| !name.starts_with('_'))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Plans the `INSERT`s of one job.
    ///
    /// # Errors
    /// Whatever the user has to change in the statements.
    pub fn inserts(&self, inserts: &[Insert]) -> Result<PlannedJob> {
        let targets =
            inserts.iter().map(|insert| lower::Target::table(self.catalog, insert)).collect::<Result<Vec<_>>>()?;
        self.plan(inserts.iter().map(|insert| &insert.query).zip(targets).collect())
    }

    /// Plans a query whose rows a client collects.
    ///
    /// # Errors
    /// Whatever the user has to change in the query.
    pub fn query(&self, query: &Query) -> Result<PlannedJob> {
        self.plan(vec![(query, lower::Target::Collect)])
    }

    /// Checks a query without running it, and returns its columns: for `CREATE VIEW`.
    ///
    /// # Errors
    /// Whatever the user has to change in the query.
    pub fn columns(&self, query: &Query) -> Result<Vec<sluice_model::Column>> {
        let plan = self.binder().query(query)?;
        Ok(plan.schema().as_arrow().fields().iter().map(|field| sluice_model::Column::of_field(field)).collect())
    }

    /// Columns of a declared table or view with their types, for `DESCRIBE`.
    ///
    /// # Errors
    /// There is no such object, or a computed column does not fit.
    pub fn columns_of(&self, path: &ObjectPath, position: Option<Position>) -> Result<Vec<sluice_model::Column>> {
        self.catalog.require(path, position)?;
        let schema = self.binder().schema_of(path)?;
        Ok(schema.fields().iter().map(|field| sluice_model::Column::of_field(field)).collect())
    }

    fn plan(&self, statements: Vec<(&Query, lower::Target)>) -> Result<PlannedJob> {
        if statements.is_empty() {
            return Err(Error::fix("a statement set needs at least one INSERT"));
        }
        let binder = self.binder();
        let (mut bound, mut queries, mut targets) = (Vec::new(), Vec::new(), Vec::new());
        for (query, target) in statements {
            let plan = binder.query(query).map_err(|error| error.at_opt(target.position()))?;
            let typed = target.fit(plan.clone(), &self.session)?;
            let typed = sluice_functions::bind_plan(typed, &self.session)
                .map_err(|error| bind::from_datafusion(error, &[]).at_opt(target.position()))?;
            bound.push(plan);
            queries.push(self.optimized(typed).map_err(|error| error.at_opt(target.position()))?);
            targets.push(target);
        }
        let (plan, notes) = lower::lower(self.connectors, &self.settings, &queries, &targets)?;
        Ok(PlannedJob { plan, queries, bound, notes })
    }

    fn optimized(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let plan = optimize::optimize(plan)?;
        current_watermark::check(&plan)?;
        if self.settings.batch { current_watermark::without(plan) } else { Ok(plan) }
    }
}

impl PlannedJob {
    /// The text of `EXPLAIN`, in Flink's three sections.
    pub fn explain(&self, details: ExplainDetails) -> String {
        let trees = |plans: &[LogicalPlan]| {
            plans.iter().map(|plan| plan.display_indent().to_string()).collect::<Vec<_>>().join("\n\n")
        };
        let with_advice = if details.advice { " With Advice" } else { "" };
        format!(
            "== Abstract Syntax Tree ==\n{}\n\n== Optimized Physical Plan{with_advice} ==\n{}\n\n\
             == Optimized Execution Plan ==\n{}",
            trees(&self.bound),
            trees(&self.queries),
            self.plan.explain(details)
        )
    }

    /// Whether the job ends by itself.
    pub fn is_bounded(&self) -> bool {
        self.plan.is_bounded()
    }

    /// The row kinds that arrive at the first sink.
    pub fn result_changelog(&self) -> sluice_model::ChangelogMode {
        let first = self.plan.nodes().iter().find_map(|node| match &node.operation {
            sluice_plan::Operation::Sink(sink) => Some(sink.changelog),
            _ => None,
        });
        first.unwrap_or(sluice_model::ChangelogMode::APPEND)
    }

    /// Schema of what a client collects, if it is a query.
    pub fn result_schema(&self) -> Option<arrow_schema::SchemaRef> {
        let query = self.queries.first()?;
        Some(Arc::new(query.schema().as_arrow().clone()))
    }
}
