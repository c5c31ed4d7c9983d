//! The task that writes: takes all that waits, writes it in one transaction, and again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sluice_model::{ChangelogBatch, Clock, Counter, Error, Gauge, MetricGroup, Reaction, Result, RowKind};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::apply::{Session, Way, Work, apply};
use crate::catalog::WritePlan;
use crate::connect::Endpoint;
use crate::dialect::{Statements, Strategy};
use crate::encode::Wire;
use crate::failure::{Failure, Refusal};
use crate::options::JdbcOptions;
use crate::reduce::{KeyReducer, Reduced};

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
/// Longest pause between two tries to connect.
const PAUSE_MAX: Duration = Duration::from_secs(2);

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
    pub(crate) plan: WritePlan,
    pub(crate) strategy: Strategy,
    pub(crate) statements: Statements,
    pub(crate) reducer: Option<KeyReducer>,
    pub(crate) direct: DirectCopy,
    pub(crate) limits: Limits,
    pub(crate) metrics: SinkMetrics,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Whether rows are copied straight into a target with a key. That is twice as fast for new rows and in
/// vain for others, so that every failure doubles the number of batches until the next try.
#[derive(Debug, Default)]
pub(crate) struct DirectCopy {
    skip: u32,
    penalty: u32,
}

impl DirectCopy {
    fn is_worth_a_try(&mut self) -> bool {
        let try_now = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        try_now
    }

    fn failed(&mut self) {
        self.penalty = (self.penalty * 2).clamp(8, 1024);
        self.skip = self.penalty;
    }

    fn succeeded(&mut self) {
        self.penalty /= 2;
    }
}

/// Tries of one transaction.
#[derive(Debug, Default)]
struct Tries {
    conflicts: u32,
    losses: u32,
    /// When the connection was first lost, in the clock's milliseconds.
    lost_at: Option<i64>,
    /// A transaction of which it is not known whether it was committed.
    in_doubt: Option<i64>,
}

impl Worker {
    /// Writes until the writer is dropped.
    ///
    /// # Errors
    /// What cannot be written, or a target that stays away.
    pub(crate) async fn run(mut self) -> Result<()> {
        let result = self.serve().await;
        if let Err(error) = &result {
            self.outcome.set(error.clone());
        }
        drop(self.closing);
        result
    }

    async fn serve(&mut self) -> Result<()> {
        while let Some(first) = self.messages.recv().await {
            let mut load = Load::default();
            load.add(first);
            self.gather(&mut load).await;
            if load.rows > 0 {
                self.write(&load.batches).await?;
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
        let has_arrays = self.plan.columns.iter().any(|column| matches!(column.wire, Wire::Array(_)));
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

    /// What to try next, after a pause if need be.
    async fn react(
        &mut self,
        failure: Failure,
        batches: &[ChangelogBatch],
        reduced: &Reduced,
        way: Way,
        tries: &mut Tries,
    ) -> Result<Way> {
        let table = self.plan.target.name();
        match failure {
            Failure::Own(error) => Err(error),
            Failure::Lost(why) => self.pause_after_loss(why, tries).await.map(|()| way),
            Failure::Conflict(why) => {
                tries.conflicts += 1;
                if tries.conflicts > self.limits.max_retries {
                    let what = format!("writing to '{table}' met other transactions {} times", tries.conflicts);
                    return Err(Error::retry(what)
                        .because(why)
                        .with_hint("let one writer write to a table ('sink.parallelism' = '1'), or raise 'sink.max-retries'"));
                }
                tracing::warn!(%table, %why, "a transaction is tried again");
                tokio::time::sleep(pause(tries.conflicts)).await;
                Ok(way)
            }
            Failure::Constraint(refusal) => self.patient_way(refusal, batches, reduced, way),
            Failure::Refused(refusal) => self.other_way(refusal, batches, reduced, way),
        }
    }

    /// Rows that violate a constraint together may not when they are written in another way.
    fn patient_way(
        &mut self,
        refusal: Refusal,
        batches: &[ChangelogBatch],
        reduced: &Reduced,
        way: Way,
    ) -> Result<Way> {
        let meets_row_twice = refusal.code.code() == "21000";
        let next = match way {
            _ if self.strategy == Strategy::Append => None,
            Way::Direct => {
                self.direct.failed();
                Some(Way::Staged)
            }
            // Deleting a row that others refer to may delete those, too.
            Way::Arrays | Way::Staged
                if self.strategy == Strategy::OnConflict && !meets_row_twice && !self.plan.target.is_referenced =>
            {
                Some(Way::Replaced)
            }
            Way::Arrays | Way::Staged | Way::Replaced => Some(Way::OneByOne),
            Way::OneByOne => None,
        };
        match next {
            Some(next) => {
                if way != Way::Direct {
                    tracing::debug!(table = %self.plan.target.name(), why = %refusal.sentence(), ?next, "rows are written in another way");
                }
                Ok(next)
            }
            None => Err(self.explain(refusal, batches, reduced)),
        }
    }

    fn other_way(
        &mut self,
        refusal: Refusal,
        batches: &[ChangelogBatch],
        reduced: &Reduced,
        way: Way,
    ) -> Result<Way> {
        let code = refusal.code.code();
        // COPY says which row and column it is that array parameters are refused for.
        if way == Way::Arrays && code.starts_with("22") {
            return Ok(Way::Staged);
        }
        if code == "0A000" && self.strategy == Strategy::OnConflict && self.plan.target.server.is_warehouse {
            tracing::info!(table = %self.plan.target.name(), why = %refusal.sentence(), "ON CONFLICT does not work here, rows are replaced");
            self.strategy = Strategy::Replace;
            self.statements = Statements::new(&self.plan, Strategy::Replace);
            // What the session has prepared is of the other strategy.
            self.session = None;
            return Ok(way);
        }
        Err(self.explain(refusal, batches, reduced))
    }

    fn explain(&self, refusal: Refusal, batches: &[ChangelogBatch], reduced: &Reduced) -> Error {
        let Self { plan, strategy, statements, .. } = self;
        Work { plan, strategy: *strategy, statements, batches, reduced, ordered: &[] }.explain(refusal)
    }

    async fn pause_after_loss(&mut self, why: String, tries: &mut Tries) -> Result<()> {
        let lost = self.session.take();
        tries.in_doubt = lost.and_then(|session| session.committing).or(tries.in_doubt);
        let now = self.clock.now_millis();
        let lost_at = *tries.lost_at.get_or_insert(now);
        let window = i64::try_from(self.limits.retry_window.as_millis()).unwrap_or(i64::MAX);
        tries.losses += 1;
        let table = self.plan.target.name();
        if self.limits.max_retries == 0 || now - lost_at >= window {
            let seconds = (now - lost_at) / 1000;
            let what = format!("the connection to '{table}' was lost and did not come back within {seconds} s");
            return Err(Error::retry(what)
                .because(why)
                .with_hint("the job goes on from its last checkpoint; 'connection.max-retry-timeout' says how long it waits before"));
        }
        tracing::warn!(%table, %why, "the connection to the target was lost, connecting again");
        tokio::time::sleep(pause(tries.losses)).await;
        Ok(())
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

/// 50 ms, 100 ms, 200 ms, … for the first, second, third time.
fn pause(times: u32) -> Duration {
    Duration::from_millis(25u64 << times.min(8)).min(PAUSE_MAX)
}
