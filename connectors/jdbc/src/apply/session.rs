//! A connection with its prepared statements and staging tables.

use bytes::Bytes;
use futures::SinkExt;
use futures::future::join_all;
use sluice_model::Error;
use tokio_postgres::{Client, Statement};

use super::Work;
use crate::catalog::{ColumnPlan, Server};
use crate::dialect::Statements;
use crate::encode::CopyEncoder;
use crate::failure::Failure;
use crate::reduce::RowRef;

/// Settings that not every version has.
///
/// - A plan made while the target was small would go on scanning it when it has grown.
/// - A server that looks whether its client is still there ends what a killed process left running.
const SETTINGS: &str = "SELECT set_config(s.name, s.value, false) FROM (VALUES \
    ('plan_cache_mode', 'force_custom_plan'), ('client_connection_check_interval', '500ms')) s (name, value) \
    WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_settings p WHERE p.name = s.name)";

/// The server's process of a connection. Process numbers are used again, so that its start belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backend {
    process: i32,
    started: String,
}

/// A connection. What it prepares is lost with it.
pub(crate) struct Session {
    pub(crate) client: Client,
    server: Server,
    pub(crate) backend: Backend,
    arrays: Option<Prepared>,
    singles: Option<Prepared>,
    staged: Option<Prepared>,
    direct: Option<Statement>,
    /// Number of a transaction whose commit was sent and not answered.
    pub(crate) committing: Option<i64>,
}

/// A statement for rows to upsert and one for keys to delete; the latter is missing without a key.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) upsert: Statement,
    pub(crate) delete: Option<Statement>,
}

impl Session {
    /// A session over a new connection.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) async fn new(client: Client, server: Server) -> Result<Self, Failure> {
        client.batch_execute(SETTINGS).await?;
        let sql = "SELECT pid, backend_start::text FROM pg_catalog.pg_stat_activity WHERE pid = pg_backend_pid()";
        let row = client.query_one(sql, &[]).await?;
        let backend = Backend { process: row.try_get(0)?, started: row.try_get(1)? };
        Ok(Self { client, server, backend, arrays: None, singles: None, staged: None, direct: None, committing: None })
    }

    /// Ends what an earlier connection left running; true when nothing is left.
    ///
    /// A server does not notice at once that a client is gone, and goes on with the statements that it
    /// was sent. Written late, they would replace newer rows.
    pub(crate) async fn end(&self, former: &Backend) -> Result<bool, Failure> {
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity \
                   WHERE pid = $1 AND backend_start::text = $2";
        let row = self.client.query_one(sql, &[&former.process, &former.started]).await?;
        let still_there: i64 = row.try_get(0)?;
        Ok(still_there == 0)
    }

    /// The statements with arrays as parameters.
    pub(crate) async fn arrays(&mut self, statements: &Statements) -> Result<Prepared, Failure> {
        if self.arrays.is_none() {
            self.arrays = Some(self.prepare(&statements.rows.upsert, &statements.rows.delete).await?);
        }
        required(self.arrays.as_ref())
    }

    /// The statements with single values as parameters.
    pub(crate) async fn singles(&mut self, statements: &Statements) -> Result<Prepared, Failure> {
        if self.singles.is_none() {
            self.singles = Some(self.prepare(&statements.rows.upsert_one, &statements.rows.delete_one).await?);
        }
        required(self.singles.as_ref())
    }

    /// `COPY` into the staging tables, which are made if they are not there yet.
    pub(crate) async fn staged(&mut self, statements: &Statements) -> Result<Prepared, Failure> {
        if self.staged.is_none() {
            self.client.batch_execute(&statements.stage.create).await?;
            self.staged = Some(self.prepare(&statements.stage.copy_upserts, &statements.stage.copy_deletes).await?);
        }
        required(self.staged.as_ref())
    }

    /// `COPY` into the target.
    pub(crate) async fn direct(&mut self, statements: &Statements) -> Result<Statement, Failure> {
        if self.direct.is_none() {
            self.direct = Some(self.client.prepare(&statements.stage.copy_target).await?);
        }
        required(self.direct.as_ref())
    }

    async fn prepare(&self, upsert: &str, delete: &str) -> Result<Prepared, Failure> {
        let upsert = self.client.prepare(upsert).await?;
        let delete = if delete.is_empty() { None } else { Some(self.client.prepare(delete).await?) };
        Ok(Prepared { upsert, delete })
    }

    /// Sends statements without waiting in between; the first error counts. A `COMMIT` behind a
    /// statement that failed rolls back.
    pub(crate) async fn run(&self, statements: &[&str]) -> Result<(), Failure> {
        let answers = join_all(statements.iter().map(|statement| self.client.batch_execute(statement))).await;
        answers.into_iter().collect::<Result<(), _>>().map_err(Failure::from)
    }

    /// Ends a transaction that failed.
    pub(crate) async fn rollback(&self) -> Result<(), Failure> {
        self.client.batch_execute("ROLLBACK").await.map_err(Failure::from)
    }

    /// Streams `rows` into a `COPY`. With `begins`, a transaction is begun in front of it.
    pub(crate) async fn copy<'a>(
        &self,
        work: &Work<'a>,
        statement: &Statement,
        columns: impl IntoIterator<Item = &'a ColumnPlan> + Clone,
        rows: &'a [RowRef],
        begins: bool,
    ) -> Result<(), Failure> {
        let mut encoder = CopyEncoder::new(work.batches, columns.clone(), rows)?;
        let begin = async { if begins { self.client.batch_execute("BEGIN").await } else { Ok(()) } };
        let (begun, sink) = futures::join!(begin, self.client.copy_in::<_, Bytes>(statement));
        begun?;
        let mut sink = std::pin::pin!(sink?);
        loop {
            match encoder.next_chunk() {
                Ok(Some(chunk)) => sink.send(chunk.freeze()).await?,
                Ok(None) => break,
                Err(bad) => return Err(work.refuse(&bad, columns, rows)),
            }
        }
        sink.finish().await?;
        Ok(())
    }

    /// Number of the transaction that is open, where the server can tell later how it ended.
    pub(crate) async fn transaction_number(&self) -> Result<Option<i64>, tokio_postgres::Error> {
        if self.server.version < 100_000 || self.server.is_warehouse {
            return Ok(None);
        }
        self.client.query_one("SELECT txid_current()", &[]).await?.try_get(0).map(Some)
    }

    /// Whether a transaction of an earlier connection was committed; `None` while it is not over.
    pub(crate) async fn was_committed(&self, number: i64) -> Result<Option<bool>, Failure> {
        let row = self.client.query_one("SELECT txid_status($1)", &[&number]).await?;
        let status: Option<String> = row.try_get(0).map_err(Failure::from)?;
        Ok(match status.as_deref() {
            Some("committed") => Some(true),
            Some("in progress") => None,
            _ => Some(false),
        })
    }

    /// Commits rows that must not be written twice. If the connection is lost meanwhile,
    /// [`committing`](Self::committing) says which transaction to ask about.
    pub(crate) async fn commit(&mut self, transaction: Option<i64>) -> Result<(), Failure> {
        self.committing = transaction;
        self.client.batch_execute("COMMIT").await?;
        self.committing = None;
        Ok(())
    }
}

fn required<T: Clone>(prepared: Option<&T>) -> Result<T, Failure> {
    prepared.cloned().ok_or_else(|| Failure::Own(Error::bug("a statement was not prepared")))
}
