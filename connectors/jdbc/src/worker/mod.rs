//! The task that writes: takes all that waits, writes it in one transaction, and again.

mod retry;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sluice_model::{ChangelogBatch, Clock, Counter, Error, Gauge, MetricGroup, Reaction, Result, RowKind};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::apply::{Backend, Session, Way, Work, apply};
use crate::catalog::WritePlan;
use crate::connect::Endpoint;
use crate::dialect::{Statements, Strategy};
use crate::encode::Wire;
use crate::failure::Failure;
use crate::options::JdbcOptions;
use crate::reduce::{KeyReducer, Reduced};
pub(crate) use retry::DirectCopy;
use retry::Tries;

/// What the writer tells its worker.
pub(crate) enum Message {
    /// Rows, and their share of the memory that may wait.
    Batch(ChangelogBatch, OwnedSemaphorePermit),
    /// Answer when everything before is in the target.
    Flush(oneshot::Sender<()>),
}

/// Up to so many rows are sent as array parameters. More go through staging tables, whose transaction
/// costs three more round trips and half the time per row.
const ARRAY_ROWS: usize = 200;
/// A transaction holds at most so many rows, or what 'sink.buffer-flush.max-rows' says if that is more.
const TRANSACTION_ROWS: usize = 100_000;
/// And about so many bytes.
const TRANSACTION_BYTES: usize = 32 << 20;
/// How long a `-U` at the end waits for its `+U`, so that nobody sees the row missing in between.
const UPDATE_WAIT: Duration = Duration::from_millis(10);

/// What limits a worker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    transaction_rows: usize,
    max_retries: u32,
    retry_window: Duration,
    transaction_timeout: Option<Duration>,
}

impl Limits {
    /// The limits of a table's options.
    pub(crate) fn of(options: &JdbcOptions) -> Self {
        let asked_rows = usize::try_from(options.flush_max_rows).unwrap_or(usize::MAX);
        Self {
            transaction_rows: asked_rows.max(TRANSACTION_ROWS),
            max_retries: u32::try_from(options.max_retries).unwrap_or(u32::MAX),
            retry_window: options.max_retry_timeout,
            transaction_timeout: options.url.socket_timeout,
        }
    }
}

/// Counters and gauges of a writer.
pub(crate) struct SinkMetrics {
    rows_written: Counter,
    rows_reduced: Counter,
    flushes: Counter,
    retries: Counter,
    last_flush_ms: Gauge,
    flush_rows: Gauge,
}

impl SinkMetrics {
    pub(crate) fn new(group: &MetricGroup) -> Self {
        Self {
            rows_written: group.counter("rows_written"),
            rows_reduced: group.counter("rows_reduced"),
            flushes: group.counter("flushes"),
            retries: group.counter("flush_retries"),
            last_flush_ms: group.gauge("last_flush_ms"),
            flush_rows: group.gauge("flush_rows"),
        }
    }
}

/// Why a worker ended, for the writer that finds it gone.
#[derive(Clone, Default)]
pub(crate) struct Outcome(Arc<Mutex<Option<Error>>>);

impl Outcome {
    fn set(&self, error: Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// The error; without one, the job was stopped.
    pub(crate) fn error(&self) -> Error {
        let error = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        error.unwrap_or_else(|| Error::retry("the sink was stopped"))
    }
}

/// Rows that are written together.
#[derive(Default)]
struct Load {
    batches: Vec<ChangelogBatch>,
    permits: Vec<OwnedSemaphorePermit>,
    flushes: Vec<oneshot::Sender<()>>,
    rows: usize,
    bytes: usize,
}

impl Load {
    fn add(&mut self, message: Message) {
        match message {
            Message::Batch(batch, permit) => {
                self.rows += batch.num_rows();
                self.bytes += permit.num_permits() * PERMIT_BYTES;
                self.batches.push(batch);
                self.permits.push(permit);
            }
            Message::Flush(reply) => self.flushes.push(reply),
        }
    }

    fn ends_with_update_before(&self) -> bool {
        self.batches.last().is_some_and(|batch| batch.kind(batch.num_rows() - 1) == RowKind::UpdateBefore)
    }
}

/// Bytes that one permit of the writer's semaphore stands for.
pub(crate) const PERMIT_BYTES: usize = 1024;

/// Closes the semaphore when the worker is gone, however it went, so that nobody waits for it.
pub(crate) struct Closing(pub(crate) Arc<Semaphore>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The task that writes to one target.
pub(crate) struct Worker {
    pub(crate) messages: mpsc::UnboundedReceiver<Message>,
    pub(crate) closing: Closing,
    pub(crate) outcome: Outcome,
    pub(crate) endpoint: Endpoint,
    pub(crate) session: Option<Session>,
    /// What lost connections may have left running at the server.
    pub(crate) former: Vec<Backend>,
    pub(crate) plan: WritePlan,
    pub(crate) strategy: Strategy,
    pub(crate) statements: Statements,
    pub(crate) reducer: Option<KeyReducer>,
    pub(crate) direct: DirectCopy,
    pub(crate) limits: Limits,
    pub(crate) metrics: SinkMetrics,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Worker {
    /// Writes until the writer is dropped.
    ///
    /// # Errors
    /// What cannot be written, or a target that stays away.
    pub(crate) async fn run(mut self) -> Result<()> {
        let result = self.serve().await;
        drop(self.closing);
        result
    }

    async fn serve(&mut self) -> Result<()> {
        while let Some(first) = self.messages.recv().await {
            let mut load = Load::default();
            load.add(first);
            self.gather(&mut load).await;
            if load.rows > 0
                && let Err(error) = self.write(&load.batches).await
            {
                // Before those who wait for an answer learn that there is none.
                self.outcome.set(error.clone());
                return Err(error);
            }
            drop(load.permits);
            for reply in load.flushes {
                // One who has gone away needs no answer.
                let _ = reply.send(());
            }
        }
        Ok(())
    }

    /// Adds what waits already, up to a transaction's size.
    async fn gather(&mut self, load: &mut Load) {
        loop {
            while load.flushes.is_empty()
                && load.rows < self.limits.transaction_rows
                && load.bytes < TRANSACTION_BYTES
                && let Ok(message) = self.messages.try_recv()
            {
                load.add(message);
            }
            if !load.flushes.is_empty() || !load.ends_with_update_before() {
                return;
            }
            match tokio::time::timeout(UPDATE_WAIT, self.messages.recv()).await {
                Ok(Some(message)) => load.add(message),
                Ok(None) | Err(_) => return,
            }
        }
    }

    async fn write(&mut self, batches: &[ChangelogBatch]) -> Result<()> {
        let started = self.clock.now_millis();
        let reduced = match &mut self.reducer {
            Some(reducer) => reducer.reduce(batches)?,
            None => Reduced::append(batches),
        };
        let mut way = self.first_way(batches, &reduced);
        let mut tries = Tries::default();
        while let Err(failure) = self.attempt(batches, &reduced, way, &mut tries).await {
            self.metrics.retries.add(1);
            way = self.react(failure, batches, &reduced, way, &mut tries).await?;
        }
        if way == Way::Direct {
            self.direct.succeeded();
        }
        let rows: usize = batches.iter().map(ChangelogBatch::num_rows).sum();
        self.metrics.rows_written.add(reduced.len() as u64);
        self.metrics.rows_reduced.add((rows - reduced.len()) as u64);
        self.metrics.flushes.add(1);
        self.metrics.flush_rows.set(reduced.len() as i64);
        self.metrics.last_flush_ms.set(self.clock.now_millis() - started);
        Ok(())
    }

    fn first_way(&mut self, batches: &[ChangelogBatch], reduced: &Reduced) -> Way {
        // unnest takes arrays of arrays apart.
        let has_arrays = self.plan.columns.iter().any(|column| matches!(column.wire, Wire::Array(..)));
        if reduced.len() <= ARRAY_ROWS && !has_arrays {
            return Way::Arrays;
        }
        // COPY cannot cast, and needs a unique index to notice a row that is there already.
        let can_copy = self.plan.columns.iter().all(|column| !column.cast);
        let only_insertions = batches.iter().all(|batch| batch.kinds().is_none());
        let direct = match self.strategy {
            Strategy::Append => can_copy,
            _ => can_copy && only_insertions && self.plan.has_unique && self.direct.is_worth_a_try(),
        };
        if direct { Way::Direct } else { Way::Staged }
    }

    async fn attempt(
        &mut self,
        batches: &[ChangelogBatch],
        reduced: &Reduced,
        way: Way,
        tries: &mut Tries,
    ) -> Result<(), Failure> {
        let ordered = match (way, &self.reducer) {
            (Way::OneByOne, Some(reducer)) => reducer.ordered(batches)?,
            _ => Vec::new(),
        };
        let session = connected(&mut self.session, &self.endpoint, &self.plan).await?;
        end_former(session, &mut self.former).await?;
        if let Some(transaction) = tries.in_doubt {
            match session.was_committed(transaction).await? {
                Some(true) => return Ok(()),
                Some(false) => tries.in_doubt = None,
                None => return Err(Failure::Lost("the transaction before is still ending".to_owned())),
            }
        }
        let work = Work {
            plan: &self.plan,
            strategy: self.strategy,
            statements: &self.statements,
            batches,
            reduced,
            ordered: &ordered,
        };
        match self.limits.transaction_timeout {
            None => apply(session, &work, way).await,
            Some(limit) => tokio::time::timeout(limit, apply(session, &work, way))
                .await
                .unwrap_or_else(|_| Err(Failure::Lost(format!("no answer for {limit:?} (socketTimeout)")))),
        }
    }
}

/// The session; a new one if there is none.
async fn connected<'s>(
    session: &'s mut Option<Session>,
    endpoint: &Endpoint,
    plan: &WritePlan,
) -> Result<&'s mut Session, Failure> {
    if session.is_none() {
        let client = endpoint.connect().await.map_err(|error| match error.reaction() {
            Reaction::Retry => Failure::Lost(error.why().unwrap_or(error.what()).to_owned()),
            _ => Failure::Own(error),
        })?;
        *session = Some(Session::new(client, plan.target.server).await?);
    }
    session.as_mut().ok_or_else(|| Failure::Own(Error::bug("a new session is gone")))
}

/// Waits until nothing is left of former connections.
async fn end_former(session: &Session, former: &mut Vec<Backend>) -> Result<(), Failure> {
    for _ in 0..100 {
        match former.last() {
            None => return Ok(()),
            Some(backend) if session.end(backend).await? => drop(former.pop()),
            Some(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    Err(Failure::Lost("the former connection does not end".to_owned()))
}
