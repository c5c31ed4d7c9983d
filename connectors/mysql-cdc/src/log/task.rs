//! The task that keeps the log coming.

use std::sync::Arc;
use std::time::Duration;

use sluice_model::{Clock, Counter, Error, Gauge, MetricGroup, Reaction, Result};
use tokio::sync::mpsc;

use super::connection::{LogConnection, LogContext, StreamEnd, stream_end};
use super::decoder::{DecodeFailure, LogDecoder};
use super::{LogChunk, LogResult};
use crate::feed::Feed;
use crate::losses::Losses;
use crate::wire::{Connection, WireError, WireResult};

/// Rows at which a stretch of the log is handed over although more has arrived.
const MAX_ROWS: usize = 8192;
/// Bytes at which it is.
const MAX_BYTES: usize = 16 << 20;
/// Silence after which the reader counts as caught up.
const CAUGHT_UP: Duration = Duration::from_millis(500);

/// What the log task counts.
#[derive(Debug, Clone)]
pub(crate) struct LogMetrics {
    events: Counter,
    bytes: Counter,
    reconnects: Counter,
    lag: Gauge,
    position: Gauge,
    losses: Losses,
}

impl LogMetrics {
    pub(crate) fn new(group: &MetricGroup) -> Self {
        Self {
            events: group.counter("binlog_events"),
            bytes: group.counter("binlog_bytes"),
            reconnects: group.counter("binlog_reconnects"),
            lag: group.gauge("source_lag_ms"),
            position: group.gauge("binlog_position"),
            losses: Losses::new(group),
        }
    }
}

/// Reads the log until nobody takes it, or it cannot be read.
pub(crate) async fn run(
    context: LogContext,
    connection: LogConnection,
    feeds: Arc<Vec<Feed>>,
    decoder: LogDecoder,
    sender: mpsc::Sender<LogResult>,
    metrics: LogMetrics,
    clock: Arc<dyn Clock>,
) -> Result<()> {
    let mut task = LogTask { context, feeds, decoder, sender, metrics, clock, taken: 0 };
    if let Err(Stop::Failed(error)) = task.run(connection).await {
        // The reader reports it; a closed channel means that it has gone.
        let _ = task.sender.send(Err(error)).await;
    }
    Ok(())
}

struct LogTask {
    context: LogContext,
    feeds: Arc<Vec<Feed>>,
    decoder: LogDecoder,
    sender: mpsc::Sender<LogResult>,
    metrics: LogMetrics,
    clock: Arc<dyn Clock>,
    /// Ids of the range that turned out to be somebody else's.
    taken: u32,
}

/// Why the task ends.
enum Stop {
    Failed(Error),
    NobodyListens,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Why a connection ends.
enum Interruption {
    Stop(Stop),
    Wire(WireError),
    StaleColumns(usize),
}

impl LogTask {
    async fn run(&mut self, mut connection: LogConnection) -> Result<(), Stop> {
        let mut attempts = 0;
        loop {
            let position = self.metrics.bytes.get();
            let interruption = self.stream(&mut connection).await;
            if self.metrics.bytes.get() != position {
                attempts = 0;
            }
            match interruption {
                Interruption::Stop(stop) => return Err(stop),
                Interruption::StaleColumns(feed) => self.refresh(feed).await?,
                Interruption::Wire(error) => match stream_end(&connection.session, &error) {
                    StreamEnd::Fatal(error) => return Err(error.into()),
                    StreamEnd::IdTaken => self.taken += 1,
                    StreamEnd::Reconnect(error) => {
                        tracing::warn!("the connection to the binary log broke: {error}");
                        self.wait(&mut attempts, error).await?;
                    }
                },
            }
            connection = self.reconnect(&mut attempts).await?;
        }
    }

    /// Waits longer with every attempt, and gives up after the allowed number.
    async fn wait(&self, attempts: &mut u32, error: Error) -> Result<(), Stop> {
        if *attempts >= self.context.max_retries {
            return Err(error.into());
        }
        tokio::time::sleep(Duration::from_millis(200 << (*attempts).min(7))).await;
        *attempts += 1;
        Ok(())
    }

    async fn reconnect(&mut self, attempts: &mut u32) -> Result<LogConnection, Stop> {
        self.flush().await?;
        self.metrics.reconnects.add(1);
        loop {
            let offset = self.decoder.resume(None);
            match self.context.open(&offset, self.taken).await {
                Ok(connection) => {
                    if connection.server.identity != offset.server {
                        tracing::warn!("the server was {}, now it is {}", offset.server, connection.server.identity);
                        self.decoder.resume(Some(&connection.server.identity));
                    }
                    return Ok(connection);
                }
                Err(error) if error.reaction() == Reaction::Retry => self.wait(attempts, error).await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn refresh(&mut self, index: usize) -> Result<(), Stop> {
        let feed = self.feeds.get(index).ok_or_else(|| Error::bug("columns of no table"))?;
        let (columns, count) = self.context.columns(feed).await?;
        self.decoder.set_columns(index, columns, count);
        Ok(())
    }

    /// Takes events in until the connection ends.
    async fn stream(&mut self, connection: &mut LogConnection) -> Interruption {
        loop {
            if let Err(interruption) = self.drain(connection).await {
                return interruption;
            }
            let wire = connection.session.connection();
            // Everything that has arrived is handed over: waiting can take as long as it likes.
            let filled = tokio::select! {
                filled = fill(wire, &self.metrics.lag) => filled,
                () = self.sender.closed() => return Interruption::Stop(Stop::NobodyListens),
            };
            if let Err(error) = filled {
                return Interruption::Wire(error);
            }
        }
    }

    /// Takes in what has arrived.
    async fn drain(&mut self, connection: &mut LogConnection) -> Result<(), Interruption> {
        let mut events = 0;
        loop {
            let wire = connection.session.connection();
            let Some(event) = wire.buffered_event().map_err(Interruption::Wire)? else {
                break;
            };
            events += 1;
            self.metrics.bytes.add(event.len() as u64);
            match self.decoder.handle(event) {
                Ok(()) => {}
                Err(DecodeFailure::StaleColumns(feed)) => return Err(Interruption::StaleColumns(feed)),
                Err(DecodeFailure::Fatal(error)) => {
                    // What lies before the event is good.
                    self.flush().await.map_err(Interruption::Stop)?;
                    return Err(Interruption::Stop(error.into()));
                }
            }
            if self.decoder.rows() >= MAX_ROWS || self.decoder.bytes() >= MAX_BYTES {
                self.flush().await.map_err(Interruption::Stop)?;
            }
        }
        self.metrics.events.add(events);
        self.flush().await.map_err(Interruption::Stop)
    }

    async fn flush(&mut self) -> Result<(), Stop> {
        let Some(chunk) = self.decoder.take(&self.metrics.losses)? else {
            return Ok(());
        };
        let latest = self.decoder.latest_event_millis();
        if latest > 0 {
            self.metrics.lag.set((self.clock.now_millis() - latest).max(0));
        }
        self.metrics.position.set(i64::try_from(self.decoder.position()).unwrap_or(i64::MAX));
        self.send(chunk).await
    }

    async fn send(&self, chunk: LogChunk) -> Result<(), Stop> {
        self.sender.send(Ok(chunk)).await.map_err(|_| Stop::NobodyListens)
    }
}

/// Waits for more of the log; after a while without any the reader counts as caught up.
async fn fill(wire: &mut Connection, lag: &Gauge) -> WireResult<()> {
    if let Ok(filled) = tokio::time::timeout(CAUGHT_UP, wire.fill()).await {
        return filled;
    }
    lag.set(0);
    wire.fill().await
}
