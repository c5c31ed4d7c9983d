//! Connecting, and finding where to begin.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use sluice_connector_api::{SourceContext, SourceReader};
use sluice_model::{Error, Result};
use sluice_mysql_decode::{DecodeOptions, Flavour};
use tokio::sync::mpsc;

use super::progress::SnapshotProgress;
use super::state::Committed;
use super::{FeedState, Reader};
use crate::feed::Feed;
use crate::log::{LogContext, LogDecoder, LogMark, LogMetrics, run};
use crate::losses::Losses;
use crate::merge::TableMerge;
use crate::options::{MysqlCdcOptions, Passthrough, StartupMode};
use crate::position::{Offset, Position, TablePosition};
use crate::server::{Catalog, Server, Session};
use crate::snapshot::{Snapshot, SnapshotContext, snapshot_place};
use crate::source::MysqlCdcSource;

/// Stretches of the log that may wait for the reader.
const LOG_AHEAD: usize = 8;

/// Connects to the server and starts the tasks of the source.
pub(crate) async fn open(source: &MysqlCdcSource, context: SourceContext) -> Result<Box<dyn SourceReader>> {
    let options = &source.tables.first().ok_or_else(|| Error::bug("a source without tables"))?.options;
    let passthrough = Passthrough::of(&options.extra);
    let connect = options.connect_options(&passthrough);
    let mut session = Session::connect(&connect).await?;
    let server = Server::inspect(&mut session).await?;
    let feeds = Arc::new(find_feeds(source, &mut session).await?);
    warn_of_large_chunks(&feeds);
    let restored = context.restored.iter().find(|bytes| !bytes.is_empty());
    let restored = restored.map(|bytes| Position::from_bytes(bytes)).transpose()?;
    let offset = match &restored {
        Some(position) => position.offset.clone(),
        None => first_offset(&server, &mut session, options, &passthrough).await?,
    };
    let tables = table_positions(source, &feeds, restored.as_ref());
    let pristine = tables.iter().map(|table| restored.is_none() && table.finished.is_none()).collect();
    let utc_offset = options.server_time_zone.unwrap_or(server.time_zone).utc_offset();
    let decode = DecodeOptions { utc_offset };
    let is_restored = restored.is_some();
    let opening = Opening { context, options, connect, server, feeds, offset, tables, is_restored, pristine, decode };
    opening.start(source).await
}

/// What has been found out before the tasks start.
struct Opening<'a> {
    context: SourceContext,
    options: &'a MysqlCdcOptions,
    connect: crate::wire::ConnectOptions,
    server: Server,
    feeds: Arc<Vec<Feed>>,
    offset: Offset,
    tables: Vec<TablePosition>,
    is_restored: bool,
    pristine: Vec<bool>,
    decode: DecodeOptions,
}

impl Opening<'_> {
    async fn start(self, source: &MysqlCdcSource) -> Result<Box<dyn SourceReader>> {
        let log_context = LogContext {
            connect: self.connect.clone(),
            server_ids: source.server_ids,
            replica_uuid: replica_uuid(),
            heartbeat: self.options.heartbeat,
            max_retries: self.options.max_retries,
        };
        let connection = log_context.open(&self.offset, 0).await?;
        let delivered: Vec<u64> = self.tables.iter().map(|table| table.rows).collect();
        let mut offset = self.offset.clone();
        let flavour = self.server.flavour;
        let mut decoder = LogDecoder::new(
            flavour,
            Arc::clone(&self.feeds),
            self.decode.clone(),
            &offset,
            &delivered,
            &self.pristine,
        )?;
        if offset.server != self.server.identity {
            tracing::warn!("the checkpoint was made on server {}, this is {}", offset.server, self.server.identity);
            decoder.resume(Some(&self.server.identity));
            offset.rows_place = None;
        }
        let consumed = decoder.mark();
        let (sender, log) = mpsc::channel(LOG_AHEAD);
        let metrics = LogMetrics::new(&self.context.metrics);
        let clock = Arc::clone(&self.context.clock);
        let task = run(log_context, connection, Arc::clone(&self.feeds), decoder, sender, metrics, clock);
        self.context.spawner.spawn("mysql-cdc binary log", task);
        let snapshot = self.snapshot();
        Ok(Box::new(self.reader(log, consumed, snapshot)))
    }

    fn snapshot(&self) -> Option<Snapshot> {
        self.tables.iter().any(|table| table.finished.is_some()).then(|| {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            let workers = (2 * cores).min(4).min(self.options.pool_size as usize);
            let context = SnapshotContext {
                connect: self.connect.clone(),
                max_retries: self.options.max_retries,
                server: self.server.clone(),
                feeds: Arc::clone(&self.feeds),
                decode: self.decode.clone(),
                losses: Losses::new(&self.context.metrics),
            };
            Snapshot::start(context, workers, &self.context.spawner)
        })
    }

    fn reader(
        self,
        log: mpsc::Receiver<crate::log::LogResult>,
        consumed: LogMark,
        snapshot: Option<Snapshot>,
    ) -> Reader {
        let states = self
            .feeds
            .iter()
            .zip(&self.tables)
            .map(|(feed, table)| FeedState {
                merge: table.finished.as_ref().map(|finished| match self.is_restored {
                    true => TableMerge::resume(
                        finished,
                        feed.identity.clone(),
                        !feed.append_only && !self.context.feeds_state,
                    ),
                    false => TableMerge::new(feed.identity.clone()),
                }),
                is_dividing: false,
                in_flight: 0,
                progress: SnapshotProgress::new(
                    &self.context.metrics,
                    feed,
                    table.snapshot_rows,
                    table.finished.is_none(),
                ),
            })
            .collect();
        let startup = |options: &MysqlCdcOptions| options.startup(&Passthrough::of(&options.extra));
        Reader {
            states,
            log,
            snapshot,
            pending: None,
            deferred: Vec::new(),
            consumed,
            outputs: VecDeque::new(),
            committed: Committed::new(Arc::clone(&self.feeds), self.offset, self.tables),
            next_chunk: 0,
            ends_with_snapshot: startup(self.options) == StartupMode::Snapshot,
            feeds: self.feeds,
        }
    }
}

/// The MySQL tables behind every SQL table; what is wrong with any of them is reported at once.
async fn find_feeds(source: &MysqlCdcSource, session: &mut Session) -> Result<Vec<Feed>> {
    Catalog::refresh_statistics(session).await;
    let mut feeds = Vec::new();
    let mut errors = Vec::new();
    for (index, wanted) in source.tables.iter().enumerate() {
        let pattern = wanted.options.table_pattern().map_err(Error::fix)?;
        let name = format!("{}.{}", wanted.options.database_name, wanted.options.table_name);
        let found = match Catalog::matching(session, &pattern, &name).await {
            Ok(found) => found,
            Err(error) => {
                errors.push(error.while_doing(format!("table '{}'", wanted.name)));
                continue;
            }
        };
        for (database, table) in found {
            let table = Catalog::table(session, &database, &table).await?;
            match Feed::new(index, wanted, table) {
                Ok(feed) => feeds.push(feed),
                Err(error) => errors.push(error),
            }
        }
    }
    Error::many(errors).map_or(Ok(feeds), Err)
}

/// A chunk is held in memory: a large table that is one chunk may be more than there is.
fn warn_of_large_chunks(feeds: &[Feed]) {
    const LARGE: u64 = 1_000_000;
    for feed in feeds.iter().filter(|feed| feed.chunk_key.is_none() && feed.table.estimated_rows > LARGE) {
        tracing::warn!(
            "table {} has about {} rows and no key that chunks can be made of: a snapshot reads it as one",
            feed.table.full_name(),
            feed.table.estimated_rows
        );
    }
}

/// Where every feed begins: where the checkpoint says, or with a snapshot if its table wants one.
fn table_positions(source: &MysqlCdcSource, feeds: &[Feed], restored: Option<&Position>) -> Vec<TablePosition> {
    feeds
        .iter()
        .map(|feed| {
            if let Some(known) = restored.and_then(|position| position.tables.get(&feed.key)) {
                return known.clone();
            }
            let options = source.tables.get(feed.sql_table).map(|table| &table.options);
            let wants = options.is_some_and(|options| {
                let mode = options.startup(&Passthrough::of(&options.extra));
                let prefix = format!("{}|", feed.sql_name);
                let is_new_shard = restored.is_some_and(|p| p.tables.keys().any(|key| key.starts_with(&prefix)));
                matches!(mode, StartupMode::Initial | StartupMode::Snapshot)
                    && (!is_new_shard || options.newly_added_table)
            });
            TablePosition { rows: 0, finished: wants.then(Vec::new), snapshot_rows: 0 }
        })
        .collect()
}

/// Where reading the log begins without a checkpoint.
async fn first_offset(
    server: &Server,
    session: &mut Session,
    options: &MysqlCdcOptions,
    passthrough: &Passthrough,
) -> Result<Offset> {
    let here = Offset { server: server.identity.clone(), ..Offset::default() };
    let mode = options.startup(passthrough);
    match mode {
        StartupMode::Initial | StartupMode::Snapshot | StartupMode::LatestOffset => now(server, session).await,
        StartupMode::EarliestOffset | StartupMode::Timestamp => {
            let files = server.log_files(session).await?;
            let file = files.first().cloned().ok_or_else(|| Error::fix("the server has no binary log"))?;
            let from_millis = options.timestamp_millis.filter(|_| mode == StartupMode::Timestamp);
            Ok(Offset { file, pos: 4, from_millis, ..here })
        }
        StartupMode::SpecificOffset => Ok(match (&options.offset_gtid_set, &options.offset_file) {
            (Some(gtid), _) => Offset { gtid: crate::server::compact(gtid), ..here },
            (None, file) => {
                Offset { file: file.clone().unwrap_or_default(), pos: options.offset_pos.unwrap_or(4), ..here }
            }
        }),
    }
}

/// A place such that everything that a read begun later may not show lies behind it.
async fn now(server: &Server, session: &mut Session) -> Result<Offset> {
    match server.flavour {
        // A transaction may be in the log before it counts as executed: only the set says what is visible.
        Flavour::MySql if server.has_gtids => {
            let end = server.log_end(session).await?;
            Ok(Offset { file: String::new(), pos: 0, ..end })
        }
        Flavour::MySql => server.log_end(session).await,
        Flavour::MariaDb => {
            let end = server.log_end(session).await?;
            let (file, pos) = snapshot_place(session).await?;
            session.query("ROLLBACK").await?;
            let gtid = session
                .scalar(&format!("SELECT BINLOG_GTID_POS({}, {pos})", crate::server::quote_text(file.as_bytes())))
                .await?;
            Ok(Offset { file, pos, gtid: crate::server::compact(&gtid), ..end })
        }
    }
}

/// A random UUID: MySQL ends an older connection with the same one, so that no reader leaves two behind.
fn replica_uuid() -> String {
    let half = || RandomState::new().build_hasher().finish();
    let hex = format!("{:016x}{:016x}", half(), half());
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}
