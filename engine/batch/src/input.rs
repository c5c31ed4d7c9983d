//! The rows of the tables of a query, on their way into it.
//!
//! All tables are fed by one task, and a query reads them in an order of its own: a join reads one
//! side to its end before the other. So the feeder must not wait for a table that the query does not
//! read yet while the query waits for another one. It holds back only when no table is waited for.

use std::collections::VecDeque;
use std::fmt;
use std::mem::replace;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::Stream;

/// Batches of a table that are there and not read; above it the table counts as full.
const FULL: usize = 8;

/// The tables of a query, to be read.
#[derive(Debug)]
pub struct Inputs {
    tables: Vec<(String, SchemaRef)>,
    queues: Arc<Queues>,
}

/// The tables of a query, to be filled.
#[derive(Debug)]
pub struct Feed(Arc<Queues>);

#[derive(Debug)]
struct Queues(Mutex<State>);

#[derive(Debug)]
struct State {
    tables: Vec<Table>,
    /// Who waits for room.
    feeder: Option<Waker>,
}

#[derive(Debug, Default)]
struct Table {
    batches: VecDeque<RecordBatch>,
    is_ended: bool,
    /// Somebody reads it.
    is_taken: bool,
    /// The query does not want any more of it.
    is_dropped: bool,
    reader: Option<Waker>,
}

/// The one partition of a table.
pub(crate) struct Rows {
    table: usize,
    schema: SchemaRef,
    queues: Arc<Queues>,
}

impl Inputs {
    /// Tables by name and schema, and the end that fills them, in the same order.
    pub fn new(tables: Vec<(String, SchemaRef)>) -> (Self, Feed) {
        let state = State { tables: tables.iter().map(|_| Table::default()).collect(), feeder: None };
        let queues = Arc::new(Queues(Mutex::new(state)));
        (Self { tables, queues: Arc::clone(&queues) }, Feed(queues))
    }

    pub(crate) fn into_tables(self) -> Vec<(String, Rows)> {
        let queues = self.queues;
        let rows = |(table, (name, schema))| (name, Rows { table, schema, queues: Arc::clone(&queues) });
        self.tables.into_iter().enumerate().map(rows).collect()
    }
}

impl Feed {
    /// Adds rows of a table.
    pub fn push(&self, table: usize, batch: RecordBatch) {
        self.0.with(|state| {
            if let Some(table) = state.tables.get_mut(table).filter(|table| !table.is_dropped) {
                table.batches.push_back(batch);
                table.wake();
            }
        });
    }

    /// No table gets further rows.
    pub fn end(&self) {
        self.0.with(|state| {
            for table in &mut state.tables {
                table.is_ended = true;
                table.wake();
            }
        });
    }

    /// Waits until the query can use more rows. Cancel-safe.
    pub async fn room(&self) {
        std::future::poll_fn(|context| self.0.with(|state| state.poll_room(context))).await;
    }
}

impl State {
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let is_waited_for = |table: &Table| !table.is_dropped && table.batches.is_empty();
        let is_full = |table: &Table| table.batches.len() >= FULL;
        if self.tables.iter().any(is_waited_for) || !self.tables.iter().any(is_full) {
            return Poll::Ready(());
        }
        self.feeder = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Table {
    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl Queues {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({})", self.table)
    }
}

impl PartitionStream for Rows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (table, schema, queues) = (self.table, Arc::clone(&self.schema), Arc::clone(&self.queues));
        let is_taken =
            queues.with(|state| state.tables.get_mut(table).is_none_or(|table| replace(&mut table.is_taken, true)));
        if is_taken {
            let error = DataFusionError::Internal(format!("table {table} of a batch query is read twice"));
            return Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter([Err(error)])));
        }
        Box::pin(Reading { table, schema, queues })
    }
}

struct Reading {
    table: usize,
    schema: SchemaRef,
    queues: Arc<Queues>,
}

impl Stream for Reading {
    type Item = DataFusionResult<RecordBatch>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.queues.with(|state| {
            let Some(table) = state.tables.get_mut(self.table) else { return Poll::Ready(None) };
            let next = match table.batches.pop_front() {
                Some(batch) => Poll::Ready(Some(Ok(batch))),
                None if table.is_ended => Poll::Ready(None),
                None => {
                    table.reader = Some(context.waker().clone());
                    Poll::Pending
                }
            };
            if let Some(feeder) = state.feeder.take() {
                feeder.wake();
            }
            next
        })
    }
}

impl RecordBatchStream for Reading {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.queues.with(|state| {
            if let Some(table) = state.tables.get_mut(self.table) {
                table.is_dropped = true;
                table.batches.clear();
            }
            if let Some(feeder) = state.feeder.take() {
                feeder.wake();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use arrow_array::{ArrayRef, Int32Array};
    use futures::StreamExt;
    use tokio::time::timeout;

    use super::*;

    fn batch(value: i32) -> RecordBatch {
        RecordBatch::try_from_iter([("a", Arc::new(Int32Array::from(vec![value])) as ArrayRef)]).unwrap()
    }

    fn inputs() -> (Vec<SendableRecordBatchStream>, Feed) {
        let schema = batch(0).schema();
        let (inputs, feed) = Inputs::new(vec![("l".into(), Arc::clone(&schema)), ("r".into(), schema)]);
        let context = Arc::new(TaskContext::default());
        (inputs.into_tables().iter().map(|(_, rows)| rows.execute(Arc::clone(&context))).collect(), feed)
    }

    async fn has_room(feed: &Feed) -> bool {
        timeout(Duration::from_millis(5), feed.room()).await.is_ok()
    }

    #[tokio::test]
    async fn a_full_table_holds_the_feeder_up_unless_another_is_waited_for() {
        let (mut streams, feed) = inputs();
        for value in 0..20 {
            feed.push(0, batch(value));
        }
        assert!(has_room(&feed).await, "the other table is empty");
        feed.push(1, batch(1));
        assert!(!has_room(&feed).await, "both have rows, and one is full");
        streams[1].next().await.unwrap().unwrap();
        assert!(has_room(&feed).await, "the other is empty again");
    }

    #[tokio::test]
    async fn a_table_that_nobody_reads_any_more_takes_nothing() {
        let (mut streams, feed) = inputs();
        for value in 0..20 {
            feed.push(0, batch(value));
            feed.push(1, batch(value));
        }
        assert!(!has_room(&feed).await);
        drop(streams.remove(0));
        drop(streams.remove(0));
        assert!(has_room(&feed).await);
    }

    #[tokio::test]
    async fn rows_come_in_their_order_and_end() {
        let (mut streams, feed) = inputs();
        feed.push(0, batch(1));
        feed.push(0, batch(2));
        feed.end();
        let mut seen = Vec::new();
        while let Some(rows) = streams[0].next().await {
            seen.push(rows.unwrap());
        }
        assert_eq!(seen, [batch(1), batch(2)]);
        assert!(streams[1].next().await.is_none());
    }
}
