//! A session: what one user has declared and set, and the statements run in it.
//!
//! ```text
//! CREATE TABLE orders (…) WITH (…)      ─► catalog
//! SET 'parallelism.default' = '2'       ─► settings
//! INSERT INTO sink SELECT … FROM orders ─► plan ─► a job of the engine
//! ```

mod complete;
mod declare;
mod hints;
mod home;
mod jobs;
mod lookup_hint;
mod outcome;
mod script;

use std::sync::Arc;

use sluice_connector_api::Connectors;
use sluice_functions::{SessionInfo, time_zone};
use sluice_model::{Clock, Error, Position, Result};
use sluice_planner::{Catalog, Planner};
use sluice_runtime::Engine;

pub use complete::Completion;
pub use home::Home;
pub use outcome::{JobRecipe, Outcome, QueryResult, ResultTable, SubmittedJob};
pub use script::{OnEvent, Script, ScriptEvent, ScriptStatement};

use crate::parser::{self, Statement};
use crate::settings::Settings;
use crate::statement;

/// What all sessions of a process share.
pub struct Environment {
    /// Connectors and formats.
    pub connectors: Connectors,
    /// Runs the jobs.
    pub engine: Arc<Engine>,
    /// Directories.
    pub home: Home,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// What one user has declared and set.
pub struct Session {
    environment: Arc<Environment>,
    catalog: Catalog,
    settings: Settings,
    /// Statements that a restarted job needs to be planned again: declarations, as they were written.
    declarations: Vec<String>,
    /// The file that is being run and the number of jobs that came of it so far; they name the
    /// directory of a job's checkpoints.
    script: Option<(String, usize)>,
}

impl Session {
    /// A session with nothing declared.
    pub fn new(environment: Arc<Environment>) -> Self {
        Self {
            environment,
            catalog: Catalog::default(),
            settings: Settings::default(),
            declarations: Vec::new(),
            script: None,
        }
    }

    /// Sets a key, as `SET` and `-D` do. Returns notes for the user.
    ///
    /// # Errors
    /// An unknown key, or a value of another type.
    pub fn set(&mut self, key: &str, value: &str, position: Option<Position>) -> Result<Vec<String>> {
        Ok(self.settings.set(key, value, position)?.into_iter().collect())
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What has been declared.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// What all sessions share.
    pub fn environment(&self) -> &Arc<Environment> {
        &self.environment
    }

    /// Runs the text of one statement.
    ///
    /// # Errors
    /// Whatever the user has to change in it.
    pub async fn execute_text(&mut self, text: &str) -> Result<Outcome> {
        let statement = ScriptStatement { text: text.to_owned(), statement: parser::parse_one(text)? };
        self.execute(&statement).await
    }

    /// Runs one statement. Every `INSERT` becomes a job of its own.
    ///
    /// # Errors
    /// Whatever the user has to change in it.
    pub async fn execute(&mut self, statement: &ScriptStatement) -> Result<Outcome> {
        let outcome = match &statement.statement {
            Statement::Insert(insert) => {
                self.submit_inserts(std::slice::from_ref(insert), std::slice::from_ref(&statement.text)).await
            }
            Statement::StatementSet(set) => {
                self.submit_inserts(&set.inserts, std::slice::from_ref(&statement.text)).await
            }
            Statement::Query(query) => self.submit_query(query).await,
            Statement::StopJob(stop) => statement::job::stop(self, stop).await,
            other => self.execute_now(other),
        }?;
        if is_declaration(&statement.statement) {
            self.declarations.push(statement.text.clone());
        }
        Ok(outcome)
    }

    /// Statements that neither start nor stop a job.
    fn execute_now(&mut self, statement: &Statement) -> Result<Outcome> {
        match statement {
            Statement::CreateTable(table) => self.create_table(table),
            Statement::CreateView(view) => self.create_view(view),
            Statement::CreateDatabase(database) => self.create_database(database),
            Statement::Drop(drop) => self.drop_object(drop),
            Statement::UseCatalog(name) => self.use_catalog(name),
            Statement::UseDatabase(path) => self.use_database(path),
            Statement::Set { key, value, position } => {
                Ok(Outcome::Done { notes: self.set(key, value, Some(*position))? })
            }
            Statement::SetList => Ok(Outcome::Rows(statement::show::settings(&self.settings))),
            Statement::Reset { key, .. } => {
                self.settings.reset(key);
                Ok(Outcome::done())
            }
            Statement::ResetAll => {
                self.settings.reset_all();
                Ok(Outcome::done())
            }
            Statement::Show(show) => statement::show::show(self, show).map(Outcome::Rows),
            Statement::Describe(describe) => statement::describe::describe(self, describe).map(Outcome::Rows),
            Statement::Explain(explain) => statement::explain::explain(self, explain).map(Outcome::Rows),
            Statement::UseModules(_) => Ok(Outcome::note("modules are fixed here: all functions are always loaded")),
            Statement::AddJar(_) | Statement::RemoveJar(_) => {
                Ok(Outcome::note("jars have no effect: connectors and formats are part of this program"))
            }
            Statement::Quit => Ok(Outcome::Quit),
            Statement::Clear => Ok(Outcome::Clear),
            Statement::Help => Ok(Outcome::Help),
            Statement::CreateCatalog(catalog) => {
                Err(Error::fix("CREATE CATALOG is not supported yet").at(catalog.name.position))
            }
            Statement::NotSupported(statement) => Err(statement.to_error()),
            Statement::Insert(_) | Statement::StatementSet(_) | Statement::Query(_) | Statement::StopJob(_) => {
                Err(Error::bug("a statement that runs a job was taken for one that does not"))
            }
        }
    }

    /// A planner that sees what this session has declared and set.
    pub(crate) fn planner(&self) -> Result<Planner<'_>> {
        self.planner_over(&self.catalog)
    }

    /// A planner over another catalog, with the settings of this session.
    fn planner_over<'a>(&'a self, catalog: &'a Catalog) -> Result<Planner<'a>> {
        let settings = self.settings.planner()?;
        Ok(Planner::new(catalog, &self.environment.connectors, self.session_info()?, settings, parser::sql_type_of))
    }

    fn session_info(&self) -> Result<SessionInfo> {
        let zone = match self.settings.given("table.local-time-zone") {
            None => chrono_tz::Tz::UTC,
            Some(name) => time_zone(name).ok_or_else(|| {
                Error::fix(format!("unknown time zone '{name}' in setting 'table.local-time-zone'")).with_hint(
                    "use a name such as UTC, Europe/Berlin or Asia/Shanghai, or whole hours such as GMT-08:00",
                )
            })?,
        };
        let mut info = SessionInfo::new(zone, Arc::clone(&self.environment.clock));
        info.database = self.catalog.current_database().to_owned();
        Ok(info)
    }
}

/// True for statements that later ones depend on.
fn is_declaration(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::CreateTable(_)
            | Statement::CreateView(_)
            | Statement::CreateDatabase(_)
            | Statement::Drop(_)
            | Statement::UseCatalog(_)
            | Statement::UseDatabase(_)
    )
}
