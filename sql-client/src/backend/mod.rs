//! Where statements run: in this process, or on a server.
//!
//! Both give the same [`Reply`]s, so that the shell and the file mode need not know which it is.

mod embedded;
mod remote;

use sluice_model::{Column, Result};
use sluice_server::protocol::{JobRef, TextRow};
use sluice_sql::session::ResultTable;

pub(crate) use embedded::{Embedded, LocalQuery, job_ref};
pub(crate) use remote::Remote;
use remote::RemoteQuery;

/// What a statement came to.
pub(crate) enum Reply {
    Done(Vec<String>),
    Table(ResultTable, Vec<String>),
    Submitted { jobs: Vec<JobRef>, notes: Vec<String>, sync: bool },
    Query(QueryStream),
    Quit,
    Clear,
    Help,
}

/// Rows of a query as they come.
pub(crate) enum QueryStream {
    Local(LocalQuery),
    Remote(Box<RemoteQuery>),
}

impl QueryStream {
    pub(crate) fn columns(&self) -> &[Column] {
        match self {
            Self::Local(query) => query.columns(),
            Self::Remote(query) => query.columns(),
        }
    }

    /// The next rows; `None` at the end. Cancel-safe.
    ///
    /// # Errors
    /// The query failed.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<TextRow>>> {
        match self {
            Self::Local(query) => query.next().await,
            Self::Remote(query) => query.next().await,
        }
    }

    /// Ends the query, if it has not ended.
    pub(crate) async fn end(self) {
        match self {
            Self::Local(query) => query.end().await,
            Self::Remote(query) => query.end().await,
        }
    }
}

/// Runs statements.
#[derive(Clone)]
pub(crate) enum Backend {
    Embedded(Embedded),
    Remote(Remote),
}

impl Backend {
    /// Runs one statement.
    ///
    /// # Errors
    /// Whatever the user has to change in it; a server that has gone.
    pub(crate) async fn execute(&self, statement: &str) -> Result<Reply> {
        match self {
            Self::Embedded(embedded) => embedded.execute(statement).await,
            Self::Remote(remote) => remote.execute(statement).await,
        }
    }

    /// A setting or its default.
    ///
    /// # Errors
    /// A server that has gone.
    pub(crate) async fn setting(&self, key: &str) -> Result<Option<String>> {
        match self {
            Self::Embedded(embedded) => Ok(embedded.setting(key).await),
            Self::Remote(remote) => remote.setting(key).await,
        }
    }

    /// Where the word at the end of `text` begins, and what it may become. Nothing on failure.
    pub(crate) async fn complete(&self, text: &str) -> (usize, Vec<String>) {
        match self {
            Self::Embedded(embedded) => embedded.complete(text).await,
            Self::Remote(remote) => remote.complete(text).await.unwrap_or((text.len(), Vec::new())),
        }
    }

    /// Ends the session. Jobs on a server go on.
    pub(crate) async fn close(&self) {
        if let Self::Remote(remote) = self {
            remote.close().await;
        }
    }
}
