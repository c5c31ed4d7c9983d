//! The sink: connects, checks the target, and hands batches to its worker.

use std::sync::Arc;

use arrow_array::Array;
use async_trait::async_trait;
use sluice_connector_api::{Sink, SinkContext, SinkTable, SinkWriter};
use sluice_model::{ChangelogBatch, ChangelogMode, Error, Result, TableSchema};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::apply::Session;
use crate::catalog::{TableName, fit, read_target};
use crate::connect::Endpoint;
use crate::dialect::{Statements, Strategy};
use crate::failure::Failure;
use crate::options::{CompatibleMode, JdbcOptions};
use crate::reduce::KeyReducer;
use crate::worker::{Closing, DirectCopy, Limits, Message, Outcome, PERMIT_BYTES, SinkMetrics, Worker};

/// A planned `jdbc` sink.
#[derive(Debug)]
pub(crate) struct JdbcSink {
    options: JdbcOptions,
    /// Name of the table in the job.
    declared: String,
    schema: TableSchema,
}

impl JdbcSink {
    pub(crate) fn new(options: JdbcOptions, table: SinkTable) -> Self {
        Self { options, declared: table.name, schema: table.schema }
    }
}

/// Memory of rows that wait for the target, per writer. A transaction takes half of it, so that the next
/// one gathers meanwhile.
const WAITING_BYTES: usize = 64 << 20;

#[async_trait]
impl Sink for JdbcSink {
    fn accepts(&self) -> ChangelogMode {
        if self.schema.primary_key.is_empty() { ChangelogMode::APPEND } else { ChangelogMode::UPSERT }
    }

    fn parallelism(&self) -> Option<usize> {
        self.options.parallelism
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let declared = &self.declared;
        if !self.options.url.ignored.is_empty() {
            notes.push(format!(
                "table '{declared}': URL parameters without a meaning here: {}",
                self.options.url.ignored.join(", ")
            ));
        }
        if self.options.flush_max_rows != 100 || self.options.flush_interval.as_millis() != 1000 {
            notes.push(format!(
                "table '{declared}': 'sink.buffer-flush.max-rows' and 'sink.buffer-flush.interval' do not delay rows: all \
                 rows that wait are written as soon as the target is ready for them"
            ));
        }
        notes
    }

    async fn open(&self, context: SinkContext) -> Result<Box<dyn SinkWriter>> {
        let SinkContext { metrics, spawner, clock, .. } = context;
        let name = TableName::parse(&self.options.table_name)?;
        let endpoint = Endpoint::new(&self.options, spawner.clone())?;
        let client = endpoint.connect().await.map_err(|error| {
            error.while_doing(format!("opening table '{}' at {}", self.declared, self.options.url.masked()))
        })?;
        let portable = self.options.compatible_mode == Some(CompatibleMode::Greenplum);
        let found = read_target(&client, &name).await?;
        let plan = fit(found, &name, &self.declared, &self.schema, portable)?;
        let strategy = Strategy::of(&plan, portable);
        let statements = Statements::new(&plan, strategy);
        let session = Session::new(client, plan.target.server).await.map_err(|failure| match failure {
            Failure::Own(error) => error,
            other => Error::retry(format!("table '{}' cannot be opened", self.declared)).because(format!("{other:?}")),
        })?;
        let reducer = if self.schema.primary_key.is_empty() { None } else { Some(KeyReducer::new(&self.schema)?) };
        let (sender, messages) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(WAITING_BYTES / PERMIT_BYTES));
        let outcome = Outcome::default();
        let worker = Worker {
            messages,
            closing: Closing(Arc::clone(&room)),
            outcome: outcome.clone(),
            endpoint,
            session: Some(session),
            former: Vec::new(),
            plan,
            strategy,
            statements,
            reducer,
            direct: DirectCopy::default(),
            limits: Limits::of(&self.options),
            metrics: SinkMetrics::new(&metrics),
            clock,
        };
        spawner.spawn(format!("jdbc sink {}", self.declared), worker.run());
        Ok(Box::new(JdbcWriter { sender, room, outcome }))
    }
}

/// Hands batches to the worker; waits when too much waits already.
struct JdbcWriter {
    sender: mpsc::UnboundedSender<Message>,
    room: Arc<Semaphore>,
    outcome: Outcome,
}

#[async_trait]
impl SinkWriter for JdbcWriter {
    async fn write(&mut self, batch: ChangelogBatch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        // A slice counts with its own rows only.
        let bytes: usize = batch
            .rows()
            .columns()
            .iter()
            .map(|column| column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size()))
            .sum();
        let share = bytes.div_ceil(PERMIT_BYTES).clamp(1, WAITING_BYTES / PERMIT_BYTES);
        let share = u32::try_from(share).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.room).acquire_many_owned(share).await.map_err(|_| self.outcome.error())?;
        self.sender.send(Message::Batch(batch, permit)).map_err(|_| self.outcome.error())
    }

    async fn flush(&mut self) -> Result<()> {
        let (reply, written) = oneshot::channel();
        self.sender.send(Message::Flush(reply)).map_err(|_| self.outcome.error())?;
        written.await.map_err(|_| self.outcome.error())
    }
}
