//! The running sinks: batches to messages.

use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use async_trait::async_trait;
use sluice_connector_api::{EncodedRows, Encoder, SinkWriter};
use sluice_model::{ChangelogBatch, Clock, Counter, Error, Gauge, MetricGroup, Result, RowKind};

use crate::changes::{HeldKey, Message, key_bytes, messages_of};
use crate::compaction::CompactionBuffer;
use crate::producer::Producer;

/// Columns of a key or value, and what writes them.
pub(crate) type Columns = (Vec<usize>, Box<dyn Encoder>);

/// What a writer counts.
pub(crate) struct WriterMetrics {
    messages: Counter,
    bytes: Counter,
    tombstones: Counter,
    queued: Gauge,
}

impl WriterMetrics {
    pub(crate) fn new(group: &MetricGroup) -> Self {
        Self {
            messages: group.counter("messages_written"),
            bytes: group.counter("bytes_written"),
            tombstones: group.counter("tombstones_written"),
            queued: group.gauge("queue_messages"),
        }
    }
}

/// Messages handed to the client since the counters were last brought up to date.
#[derive(Default)]
struct Tally {
    messages: u64,
    bytes: u64,
    tombstones: u64,
}

/// The way to the topic.
pub(crate) struct Output {
    producer: Arc<Producer>,
    partition: Option<i32>,
    metrics: WriterMetrics,
    tally: Tally,
    waits_for_brokers: bool,
}

impl Output {
    pub(crate) fn new(
        producer: Arc<Producer>,
        partition: Option<i32>,
        metrics: WriterMetrics,
        waits_for_brokers: bool,
    ) -> Self {
        Self { producer, partition, metrics, tally: Tally::default(), waits_for_brokers }
    }

    /// Hands a message to the client; false if its queue is full.
    fn try_send(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<bool> {
        if !self.producer.try_send(self.partition, key, value)? {
            return Ok(false);
        }
        self.tally.messages += 1;
        self.tally.bytes += (key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len)) as u64;
        self.tally.tombstones += u64::from(value.is_none());
        Ok(true)
    }

    /// Hands the first messages over until there is none left or no room; returns how many.
    fn send_all<'a>(
        &mut self,
        count: usize,
        start: usize,
        message: impl Fn(usize) -> Option<(Option<&'a [u8]>, Option<&'a [u8]>)>,
    ) -> Result<usize> {
        for index in start..count {
            if let Some((key, value)) = message(index)
                && !self.try_send(key, value)?
            {
                return Ok(index);
            }
        }
        Ok(count)
    }

    /// Brings the counters up to date and takes note of failures.
    fn settle(&mut self) -> Result<()> {
        let tally = std::mem::take(&mut self.tally);
        self.metrics.messages.add(tally.messages);
        self.metrics.bytes.add(tally.bytes);
        self.metrics.tombstones.add(tally.tombstones);
        self.metrics.queued.set(self.producer.queued());
        self.producer.poll()
    }

    async fn flush(&mut self) -> Result<()> {
        if self.waits_for_brokers {
            self.producer.flush().await?;
        }
        self.settle()
    }
}

/// Sends `count` messages, waiting whenever the client's queue is full.
async fn deliver<'a>(
    output: &mut Output,
    count: usize,
    message: impl Fn(usize) -> Option<(Option<&'a [u8]>, Option<&'a [u8]>)>,
) -> Result<()> {
    let mut sent = 0;
    loop {
        sent = output.send_all(count, sent, &message)?;
        if sent == count {
            return output.settle();
        }
        output.producer.wait_for_room().await?;
    }
}

fn encode((columns, encoder): &mut Columns, rows: &RecordBatch, out: &mut EncodedRows) -> Result<()> {
    out.clear();
    encoder.encode(&rows.project(columns).map_err(Error::from_arrow)?, out)
}

/// Writes changes by key. See [`crate::changes`] for what becomes of which row.
pub(crate) struct KeyedWriter {
    keys: Columns,
    values: Columns,
    output: Output,
    compaction: Option<Compaction>,
    clock: Arc<dyn Clock>,
    held: HeldKey,
    key_rows: EncodedRows,
    value_rows: EncodedRows,
    messages: Vec<Message>,
}

struct Compaction {
    buffer: CompactionBuffer,
    max_rows: u64,
    interval: i64,
    /// When the oldest row came in, in milliseconds since the epoch.
    since: i64,
}

impl KeyedWriter {
    pub(crate) fn new(
        keys: Columns,
        values: Columns,
        output: Output,
        compaction: Option<(u64, i64)>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let compaction = compaction.map(|(max_rows, interval)| Compaction {
            buffer: CompactionBuffer::default(),
            max_rows,
            interval,
            since: 0,
        });
        Self {
            keys,
            values,
            output,
            compaction,
            clock,
            held: HeldKey::default(),
            key_rows: EncodedRows::default(),
            value_rows: EncodedRows::default(),
            messages: Vec::new(),
        }
    }

    /// Encodes the rows that stay; what is deleted needs no value.
    fn encode_values(&mut self, batch: &ChangelogBatch) -> Result<()> {
        let is_addition = |kind: &u8| RowKind::from_byte(*kind).is_some_and(RowKind::is_addition);
        match batch.kinds() {
            Some(kinds) if !kinds.iter().all(is_addition) => {
                let additions: BooleanArray = kinds.iter().map(|kind| Some(is_addition(kind))).collect();
                let additions = batch.filter(&additions)?;
                encode(&mut self.values, additions.rows(), &mut self.value_rows)
            }
            _ => encode(&mut self.values, batch.rows(), &mut self.value_rows),
        }
    }

    /// Sends the `-U` that no `+U` has followed, and what the buffer holds.
    async fn send_held(&mut self) -> Result<()> {
        if let Some(key) = self.held.get() {
            match &mut self.compaction {
                Some(compaction) => compaction.buffer.put(key, None),
                None => deliver(&mut self.output, 1, |_| Some((Some(key), None))).await?,
            }
            self.held.release();
        }
        self.send_buffer().await
    }

    async fn send_buffer(&mut self) -> Result<()> {
        if let Some(Compaction { buffer, .. }) = &mut self.compaction {
            let newest = |place| buffer.message(place).map(|(key, value)| (Some(key), value));
            deliver(&mut self.output, buffer.len(), newest).await?;
            buffer.clear();
        }
        Ok(())
    }

    async fn send_messages(&mut self) -> Result<()> {
        let Self { messages, key_rows, value_rows, held, output, compaction, clock, .. } = self;
        let message = |index: usize| {
            let Message { key, value } = messages[index];
            (key_bytes(key, key_rows, held), value.map(|value| value_rows.row(value as usize)))
        };
        let Some(compaction) = compaction else {
            let message = |index| Some(message(index)).map(|(key, value)| (Some(key), value));
            return deliver(output, messages.len(), message).await;
        };
        let now = clock.now_millis();
        if compaction.buffer.rows() == 0 {
            compaction.since = now;
        }
        for index in 0..messages.len() {
            let (key, value) = message(index);
            compaction.buffer.put(key, value);
        }
        let is_due = now - compaction.since >= compaction.interval || compaction.buffer.rows() >= compaction.max_rows;
        if is_due { self.send_buffer().await } else { Ok(()) }
    }
}

#[async_trait]
impl SinkWriter for KeyedWriter {
    async fn write(&mut self, batch: ChangelogBatch) -> Result<()> {
        encode(&mut self.keys, batch.rows(), &mut self.key_rows)?;
        self.encode_values(&batch)?;
        self.messages.clear();
        let open = messages_of(batch.kinds(), &self.key_rows, &self.held, &mut self.messages);
        self.send_messages().await?;
        self.held.keep(open, &self.key_rows);
        Ok(())
    }

    async fn idle(&mut self) -> Result<()> {
        self.send_held().await?;
        self.output.settle()
    }

    async fn flush(&mut self) -> Result<()> {
        self.send_held().await?;
        self.output.flush().await
    }
}

/// Writes every row as a message.
pub(crate) struct LogWriter {
    keys: Option<Columns>,
    values: Columns,
    output: Output,
    key_rows: EncodedRows,
    value_rows: EncodedRows,
}

impl LogWriter {
    pub(crate) fn new(keys: Option<Columns>, values: Columns, output: Output) -> Self {
        Self { keys, values, output, key_rows: EncodedRows::default(), value_rows: EncodedRows::default() }
    }
}

#[async_trait]
impl SinkWriter for LogWriter {
    async fn write(&mut self, batch: ChangelogBatch) -> Result<()> {
        if let Some(row) = (0..batch.num_rows()).find(|row| batch.kind(*row) != RowKind::Insert) {
            return Err(Error::bug(format!("connector 'kafka' was handed a row of kind {}", batch.kind(row))));
        }
        encode(&mut self.values, batch.rows(), &mut self.value_rows)?;
        if let Some(keys) = &mut self.keys {
            encode(keys, batch.rows(), &mut self.key_rows)?;
        }
        let has_keys = self.keys.is_some();
        let Self { key_rows, value_rows, output, .. } = self;
        let message = |row| Some((has_keys.then(|| key_rows.row(row)), Some(value_rows.row(row))));
        deliver(output, batch.num_rows(), message).await
    }

    async fn idle(&mut self) -> Result<()> {
        self.output.settle()
    }

    async fn flush(&mut self) -> Result<()> {
        self.output.flush().await
    }
}
