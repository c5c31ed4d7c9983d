//! Statements run in this process.

use std::sync::Arc;

use sluice_model::{Column, Result};
use sluice_server::cells::CellFormatter;
use sluice_server::protocol::{JobRef, TextRow};
use sluice_sql::session::{Outcome, QueryResult, Session, SubmittedJob};
use tokio::sync::Mutex;

use super::{QueryStream, Reply};

/// A session of this process.
#[derive(Clone)]
pub(crate) struct Embedded {
    session: Arc<Mutex<Session>>,
}

impl Embedded {
    pub(crate) fn new(session: Session) -> Self {
        Self { session: Arc::new(Mutex::new(session)) }
    }

    pub(super) async fn execute(&self, statement: &str) -> Result<Reply> {
        let mut session = self.session.lock().await;
        let outcome = session.execute_text(statement).await?;
        let zone = session.settings().get("table.local-time-zone").unwrap_or("UTC");
        Ok(reply(outcome, zone))
    }

    pub(super) async fn setting(&self, key: &str) -> Option<String> {
        self.session.lock().await.settings().get(key).map(str::to_owned)
    }

    pub(super) async fn complete(&self, text: &str) -> (usize, Vec<String>) {
        let completion = self.session.lock().await.complete(text);
        (completion.start, completion.candidates)
    }
}

fn reply(outcome: Outcome, zone: &str) -> Reply {
    match outcome {
        Outcome::Done { notes } => Reply::Done(notes),
        Outcome::Rows(table) => Reply::Table(table, Vec::new()),
        Outcome::Submitted { jobs, notes, sync } => {
            Reply::Submitted { jobs: jobs.iter().map(job_ref).collect(), notes, sync }
        }
        Outcome::Query(result) => Reply::Query(QueryStream::Local(LocalQuery::new(result, zone))),
        Outcome::Quit => Reply::Quit,
        Outcome::Clear => Reply::Clear,
        Outcome::Help => Reply::Help,
    }
}

/// Id and name of a job.
pub(crate) fn job_ref(job: &SubmittedJob) -> JobRef {
    JobRef { id: job.recipe.id.clone(), name: job.recipe.name.clone() }
}

/// A query of this process.
pub(crate) struct LocalQuery {
    result: QueryResult,
    formatter: CellFormatter,
}

impl LocalQuery {
    pub(crate) fn new(result: QueryResult, zone: &str) -> Self {
        let formatter = CellFormatter::new(&result.columns, zone);
        Self { result, formatter }
    }

    pub(super) fn columns(&self) -> &[Column] {
        &self.result.columns
    }

    pub(super) async fn next(&mut self) -> Result<Option<Vec<TextRow>>> {
        match self.result.batches.recv().await {
            Some(batch) => self.formatter.rows(&batch).map(Some),
            // The rows end when the job does; why it did, the job knows.
            None => self.result.job.wait().await.map(|()| None),
        }
    }

    pub(super) async fn end(self) {
        let Self { result, .. } = self;
        drop(result.batches);
        result.job.cancel();
        // Why it ended was said when its rows did.
        let _ = result.job.wait().await;
    }
}
