//! One statement of a session: it waits, runs, and has its result fetched page by page.

use std::sync::{Arc, Mutex, PoisonError};

use sluice_model::{Error, Result};
use sluice_sql::session::{Outcome, QueryResult, ResultTable};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::cells::CellFormatter;
use crate::keeper::JobKeeper;

/// Where an operation stands, by the gateway's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Pending,
    Running,
    Finished,
    Canceled,
    Error,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Finished => "FINISHED",
            Self::Canceled => "CANCELED",
            Self::Error => "ERROR",
        }
    }
}

/// What a statement came to.
pub(super) enum Produced {
    /// A small table; notes for the user; the job it is about.
    Table { table: ResultTable, notes: Vec<String>, job: Option<String>, has_content: bool },
    /// Rows that come.
    Query(Box<RunningQuery>),
}

/// A query whose rows are being fetched.
pub(super) struct RunningQuery {
    pub(super) result: QueryResult,
    pub(super) formatter: CellFormatter,
    pub(super) zone: String,
}

/// The pages of a result that were given out.
#[derive(Default)]
pub(super) struct Pages {
    /// Token of the next page.
    pub(super) next: u64,
    /// The page before it, in case it is asked for again.
    pub(super) last: Option<(u64, String)>,
    pub(super) produced: Option<Produced>,
}

/// One statement.
pub(super) struct Operation {
    status: watch::Sender<Status>,
    error: Mutex<Option<Error>>,
    pub(super) pages: tokio::sync::Mutex<Pages>,
    task: Mutex<Option<AbortHandle>>,
    /// Cancels the job of a query, if it is one.
    query_job: Mutex<Option<sluice_runtime::JobHandle>>,
}

impl Operation {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            status: watch::Sender::new(Status::Pending),
            error: Mutex::default(),
            pages: tokio::sync::Mutex::default(),
            task: Mutex::default(),
            query_job: Mutex::default(),
        })
    }

    pub(super) fn status(&self) -> Status {
        *self.status.borrow()
    }

    pub(super) fn changes(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    pub(super) fn error(&self) -> Option<Error> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True while a statement runs or a query may have further rows.
    pub(super) fn is_open(&self) -> bool {
        let query = self.query_job.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(self.status(), Status::Pending | Status::Running)
            || query.as_ref().is_some_and(|job| !job.status().is_terminal())
    }

    pub(super) fn runs_in(&self, task: AbortHandle) {
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    pub(super) fn started(&self) {
        self.status.send_if_modified(|status| {
            let pending = *status == Status::Pending;
            if pending {
                *status = Status::Running;
            }
            pending
        });
    }

    /// Ends the statement, and the job of a query. Jobs of `INSERT`s go on.
    pub(super) fn cancel(&self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
        if let Some(job) = self.query_job.lock().unwrap_or_else(PoisonError::into_inner).take() {
            job.cancel();
        }
        self.status.send_if_modified(|status| {
            let open = matches!(status, Status::Pending | Status::Running);
            if open {
                *status = Status::Canceled;
            }
            open
        });
    }

    pub(super) fn fail(&self, error: Error) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.status.send_replace(Status::Error);
    }

    /// Takes what the statement came to, and keeps its jobs.
    pub(super) async fn finish(&self, outcome: Result<Outcome>, keeper: &Arc<JobKeeper>, zone: &str) {
        let produced = match outcome.and_then(|outcome| produced(outcome, keeper, zone)) {
            Ok(produced) => produced,
            Err(error) => return self.fail(error),
        };
        if let Produced::Query(query) = &produced {
            *self.query_job.lock().unwrap_or_else(PoisonError::into_inner) = Some(query.result.job.clone());
        }
        self.pages.lock().await.produced = Some(produced);
        self.status.send_replace(Status::Finished);
    }
}

fn produced(outcome: Outcome, keeper: &Arc<JobKeeper>, zone: &str) -> Result<Produced> {
    let ok = |notes| Produced::Table {
        table: ResultTable { columns: vec!["result".to_owned()], rows: vec![vec![Some("OK".to_owned())]] },
        notes,
        job: None,
        has_content: false,
    };
    Ok(match outcome {
        Outcome::Done { notes } => ok(notes),
        Outcome::Quit | Outcome::Clear | Outcome::Help => ok(Vec::new()),
        Outcome::Rows(table) => Produced::Table { table, notes: Vec::new(), job: None, has_content: true },
        Outcome::Submitted { jobs, notes, .. } => {
            for job in &jobs {
                keeper.keep(job)?;
            }
            let rows = jobs.iter().map(|job| vec![Some(job.recipe.id.clone())]).collect();
            Produced::Table {
                table: ResultTable { columns: vec!["job id".to_owned()], rows },
                notes,
                job: jobs.first().map(|job| job.recipe.id.clone()),
                has_content: true,
            }
        }
        Outcome::Query(result) => {
            let formatter = CellFormatter::new(&result.columns, zone);
            Produced::Query(Box::new(RunningQuery { result, formatter, zone: zone.to_owned() }))
        }
    })
}
