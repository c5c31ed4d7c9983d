//! From `INSERT`s and queries to running jobs.

use sluice_model::{Error, Result};
use sluice_planner::{Catalog, Insert, PlannedJob};
use sluice_runtime::{JobId, JobSpec};
use tokio::sync::mpsc;

use super::{JobRecipe, Outcome, QueryResult, Session, SubmittedJob, hints};
use crate::parser::{self, ParsedQuery, Statement};
use crate::settings::RestoreMode;

/// Batches that may wait for the client that shows them.
const COLLECT_BUFFER: usize = 4;

impl Session {
    /// Plans `INSERT`s as one job and starts it. `texts` are the statements they were written in.
    pub(super) async fn submit_inserts(&mut self, inserts: &[parser::Insert], texts: &[String]) -> Result<Outcome> {
        let planned = self.plan_inserts(inserts)?;
        let name = self.job_name(inserts)?;
        let id = JobId::random();
        let state_key = self.state_key(&id);
        let recipe = self.recipe(&id, &name, &state_key, inserts.len(), texts);
        let mode = if self.script.is_some() { RestoreMode::Latest } else { RestoreMode::Fresh };
        let notes = planned.notes.clone();
        let job = self.start(planned, id, name, state_key, recipe, mode)?;
        let sync = self.settings.is_true("table.dml-sync");
        if sync {
            job.handle.wait().await?;
        }
        Ok(Outcome::Submitted { jobs: vec![job], notes, sync })
    }

    /// Starts a job again that another process ran, from its newest checkpoint.
    ///
    /// # Errors
    /// What the recipe says cannot be planned any more, e.g. because a server is gone.
    pub async fn submit_recipe(&mut self, recipe: &JobRecipe) -> Result<SubmittedJob> {
        for (key, value) in &recipe.settings {
            self.set(key, value, None)?;
        }
        let Some((last, declarations)) = recipe.statements.split_last() else {
            return Err(Error::bug("a job without statements"));
        };
        for declaration in declarations {
            Box::pin(self.execute_text(declaration)).await?;
        }
        let inserts = match parser::parse_one(last)? {
            Statement::Insert(insert) => vec![insert],
            Statement::StatementSet(set) => set.inserts,
            _ => return Err(Error::bug("a job without an INSERT")),
        };
        let planned = self.plan_inserts(&inserts)?;
        let id = JobId::parse(&recipe.id)?;
        let (name, state_key) = (recipe.name.clone(), recipe.state_key.clone());
        self.start(planned, id, name, state_key, recipe.clone(), RestoreMode::Latest)
    }

    /// Plans a query and starts it; the client fetches its rows.
    pub(super) async fn submit_query(&mut self, query: &ParsedQuery) -> Result<Outcome> {
        let mut catalog = self.catalog.clone();
        let rewritten = hints::apply(query, &mut catalog)?;
        let planned = self.planner_over(&catalog)?.query(&rewritten).map_err(|error| error.at(query.position))?;
        let schema = planned.result_schema().ok_or_else(|| Error::bug("a query without columns"))?;
        let changelog = planned.result_changelog();
        let bounded = planned.is_bounded();
        let id = JobId::random();
        let config = self.settings.job_config(&self.environment.home, id.to_string(), bounded, RestoreMode::Fresh)?;
        // Rows that a client has seen cannot be taken back: a query neither checkpoints nor restarts.
        let config = sluice_runtime::JobConfig {
            checkpoint_interval: None,
            restart: sluice_runtime::RestartStrategy::None,
            ..config
        };
        let (sender, batches) = mpsc::channel(COLLECT_BUFFER);
        let name = "collect".to_owned();
        let job =
            self.environment.engine.submit(JobSpec { id, name, plan: planned.plan, config, collect: Some(sender) })?;
        let columns = schema.fields().iter().map(|field| sluice_model::Column::of_field(field)).collect();
        Ok(Outcome::Query(QueryResult { job, columns, changelog, bounded, batches }))
    }

    /// Plans `INSERT`s without running them.
    pub(crate) fn plan_inserts(&self, inserts: &[parser::Insert]) -> Result<PlannedJob> {
        let mut catalog = self.catalog.clone();
        let inserts = inserts.iter().map(|insert| self.to_planner(insert, &mut catalog)).collect::<Result<Vec<_>>>()?;
        self.planner_over(&catalog)?.inserts(&inserts)
    }

    /// Plans a query without running it.
    pub(crate) fn plan_query(&self, query: &ParsedQuery) -> Result<PlannedJob> {
        let mut catalog = self.catalog.clone();
        let rewritten = hints::apply(query, &mut catalog)?;
        self.planner_over(&catalog)?.query(&rewritten).map_err(|error| error.at(query.position))
    }

    /// The CDC tables that an `INSERT` reads.
    pub(super) fn shared_tables(&self, insert: &parser::Insert) -> Result<Vec<String>> {
        let mut catalog = self.catalog.clone();
        let query = hints::apply(&insert.source, &mut catalog)?;
        self.planner_over(&catalog)?.shared_tables(&query).map_err(|error| error.at(insert.source.position))
    }

    fn to_planner(&self, insert: &parser::Insert, catalog: &mut Catalog) -> Result<Insert> {
        if insert.overwrite {
            return Err(Error::fix("INSERT OVERWRITE is not supported on a stream")
                .at(insert.position)
                .with_hint("use INSERT INTO; sinks with a PRIMARY KEY overwrite rows by key"));
        }
        if let Some((column, _)) = insert.partition.first() {
            return Err(Error::fix("PARTITION is not supported yet").at(column.position));
        }
        Ok(Insert {
            target: self.resolve(&insert.target)?,
            position: Some(insert.target.position()),
            options: insert.target_options.iter().cloned().collect(),
            columns: insert.columns.iter().map(|name| (name.value.clone(), Some(name.position))).collect(),
            query: hints::apply(&insert.source, catalog)?,
        })
    }

    fn start(
        &self,
        planned: PlannedJob,
        id: JobId,
        name: String,
        state_key: String,
        recipe: JobRecipe,
        mode: RestoreMode,
    ) -> Result<SubmittedJob> {
        let running = self
            .environment
            .engine
            .jobs()
            .into_iter()
            .find(|job| !job.status().is_terminal() && job.config().state_key == state_key);
        if let Some(running) = running {
            return Err(Error::fix(format!("this job is running already, as job {}", running.id()))
                .with_hint(format!("stop it first: STOP JOB '{}' WITH SAVEPOINT", running.id())));
        }
        let bounded = planned.is_bounded();
        // A job that ends by itself begins anew each time: its last checkpoint says that it is done.
        let mode = if bounded { RestoreMode::Fresh } else { mode };
        let config = self.settings.job_config(&self.environment.home, state_key, bounded, mode)?;
        let handle = self.environment.engine.submit(JobSpec { id, name, plan: planned.plan, config, collect: None })?;
        Ok(SubmittedJob { handle, recipe })
    }

    /// `pipeline.name`, or Flink's `insert-into_catalog.database.sink[,…]`.
    fn job_name(&self, inserts: &[parser::Insert]) -> Result<String> {
        if let Some(name) = self.settings.given("pipeline.name") {
            return Ok(name.to_owned());
        }
        let sinks = inserts
            .iter()
            .map(|insert| self.resolve(&insert.target).map(|path| path.to_string()))
            .collect::<Result<Vec<_>>>()?;
        Ok(format!("insert-into_{}", sinks.join(",")))
    }

    /// Names the directory of a job's checkpoints. For a job of a file it comes from the file's name
    /// and `pipeline.name`, not from the sinks: a file with one more sink goes on where it stopped.
    fn state_key(&mut self, id: &JobId) -> String {
        let Some((script, jobs)) = &mut self.script else {
            return id.to_string();
        };
        *jobs += 1;
        let key = match (self.settings.given("pipeline.name"), *jobs) {
            (Some(name), _) => format!("{script}.{name}"),
            (None, 1) => script.clone(),
            (None, number) => format!("{script}-{number}"),
        };
        let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let key: String = key.chars().map(|c| if safe(c) { c } else { '_' }).take(200).collect();
        // A name of dots only would lead out of the directory.
        if key.trim_matches('.').is_empty() { id.to_string() } else { key }
    }

    fn recipe(&self, id: &JobId, name: &str, state_key: &str, inserts: usize, texts: &[String]) -> JobRecipe {
        let mut statements = self.declarations.clone();
        statements.push(match texts {
            [text] => text.clone(),
            texts => format!("EXECUTE STATEMENT SET BEGIN\n{};\nEND", texts.join(";\n")),
        });
        debug_assert!(inserts >= texts.len());
        JobRecipe {
            id: id.to_string(),
            name: name.to_owned(),
            state_key: state_key.to_owned(),
            settings: self.settings.raw(),
            statements,
        }
    }
}
