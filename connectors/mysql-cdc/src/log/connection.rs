//! The one connection that the log comes over.

use std::time::Duration;

use sluice_model::{Error, Result};
use sluice_mysql_decode::{Flavour, GtidSet, MariaGtidPos, TargetColumn};

use crate::decode_error;
use crate::feed::Feed;
use crate::options::ServerIds;
use crate::position::Offset;
use crate::server::{Catalog, GrantHint, Server, Session};
use crate::wire::{ConnectOptions, DumpFrom, WireError};

/// What a log connection needs to know.
#[derive(Debug, Clone)]
pub(crate) struct LogContext {
    pub(crate) connect: ConnectOptions,
    pub(crate) server_ids: ServerIds,
    /// Identity of this reader for MySQL, which ends an older connection of the same reader.
    pub(crate) replica_uuid: String,
    pub(crate) heartbeat: Duration,
    pub(crate) max_retries: u32,
}

/// A connection on which events arrive.
pub(crate) struct LogConnection {
    pub(crate) session: Session,
    pub(crate) server: Server,
}

/// Text of the error that ends an older reader when a new one uses its id.
const TAKEN: &str = "same server_uuid/server_id";

impl LogContext {
    /// Connects, and asks for the log from where `offset` says.
    ///
    /// `taken` counts the ids of the range that somebody else uses.
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or no longer has that part of the log.
    pub(crate) async fn open(&self, offset: &Offset, taken: u32) -> Result<LogConnection> {
        let mut session = Session::connect(&self.connect).await?;
        let server = Server::inspect(&mut session).await?;
        let from = dump_from(&server, &mut session, offset).await?;
        self.announce(&mut session, &server).await?;
        let server_id = self.server_id(taken)?;
        let timeout = (!self.heartbeat.is_zero()).then(|| self.heartbeat * 2 + Duration::from_secs(1));
        let connection = session.connection();
        connection.set_read_timeout(timeout);
        let started = connection.start_binlog(server_id, &from).await;
        if let Err(error) = started {
            return Err(session.failure(&error, &GrantHint::Log));
        }
        Ok(LogConnection { session, server })
    }

    fn server_id(&self, taken: u32) -> Result<u32> {
        let id = self.server_ids.low.saturating_add(taken);
        if id <= self.server_ids.high {
            return Ok(id);
        }
        let ServerIds { low, high } = self.server_ids;
        let range = if low == high { low.to_string() } else { format!("{low}-{high}") };
        Err(Error::fix(format!("another replica or reader uses server-id {range}"))
            .because(format!("the server ends one of two connections with the {TAKEN}"))
            .with_hint("give every job a 'server-id' range of its own, apart from the ids of the replicas"))
    }

    /// Tells the server what this reader understands.
    async fn announce(&self, session: &mut Session, server: &Server) -> Result<()> {
        session
            .query(
                "SET @master_binlog_checksum = @@GLOBAL.binlog_checksum, \
                 @source_binlog_checksum = @@GLOBAL.binlog_checksum",
            )
            .await?;
        let period = self.heartbeat.as_nanos();
        session.query(&format!("SET @master_heartbeat_period = {period}, @source_heartbeat_period = {period}")).await?;
        match server.flavour {
            Flavour::MariaDb => session.query("SET @mariadb_slave_capability = 4").await?,
            Flavour::MySql => {
                let uuid = &self.replica_uuid;
                session.query(&format!("SET @slave_uuid = '{uuid}', @replica_uuid = '{uuid}'")).await?
            }
        };
        Ok(())
    }

    /// The columns of a feed's table as they are now, in the places of those that it decodes, and their number.
    ///
    /// # Errors
    /// A column is gone.
    pub(crate) async fn columns(&self, feed: &Feed) -> Result<(Vec<TargetColumn>, usize)> {
        let mut session = Session::connect(&self.connect).await?;
        let table = Catalog::table(&mut session, &feed.table.database, &feed.table.name).await?;
        let mut columns = feed.columns.clone();
        for column in &mut columns {
            let found = table.column(&column.source.name);
            let Some((place, source)) = found.and_then(|(place, source)| Some((place, source.column.clone()?))) else {
                return Err(Error::fix(format!(
                    "table {} no longer has column '{}', which '{}' declares",
                    table.full_name(),
                    column.source.name,
                    feed.sql_name
                ))
                .with_hint("declare the columns as they are now, and start the job without its checkpoint"));
            };
            column.source_index = place;
            column.source = source;
        }
        Ok((columns, table.columns.len()))
    }
}

/// Where the dump has to start for `offset`, if the server still has it.
async fn dump_from(server: &Server, session: &mut Session, offset: &Offset) -> Result<DumpFrom> {
    let is_same_server = offset.server == server.identity;
    if is_same_server && !offset.file.is_empty() {
        let files = server.log_files(session).await?;
        if !files.contains(&offset.file) {
            return Err(purged(&format!("file {} is not among SHOW BINARY LOGS", offset.file)));
        }
        if let Ok(position) = u32::try_from(offset.pos) {
            return Ok(DumpFrom::Position { file: offset.file.clone(), position });
        }
    }
    match server.flavour {
        Flavour::MySql if server.has_gtids && (is_same_server || !offset.gtid.is_empty()) => {
            let set: GtidSet = offset.gtid.parse().map_err(decode_error)?;
            check_gtids(session, &set.to_string()).await?;
            Ok(DumpFrom::MySqlGtid(set.encode()))
        }
        Flavour::MariaDb if !offset.gtid.is_empty() => {
            let state: MariaGtidPos = offset.gtid.parse().map_err(decode_error)?;
            session.query(&format!("SET @slave_connect_state = '{state}', @slave_gtid_strict_mode = 0")).await?;
            Ok(DumpFrom::MariaDbState)
        }
        _ => Err(Error::fix("the checkpoint belongs to another server, and its log position means nothing here")
            .because(format!("the checkpoint is of server {}, this is {}", offset.server, server.identity))
            .with_hint("connect to the former server, or start the job without its checkpoint")),
    }
}

/// Whether the server has everything behind a set, and the set itself.
async fn check_gtids(session: &mut Session, executed: &str) -> Result<()> {
    let behind = session.scalar(&format!("SELECT GTID_SUBTRACT('{executed}', @@GLOBAL.gtid_executed)")).await?;
    if !behind.is_empty() {
        return Err(Error::retry("the server is behind the checkpoint")
            .because(format!("it has not executed {}", crate::server::compact(&behind)))
            .with_hint("connect to a server that has caught up, or start the job without its checkpoint"));
    }
    let gone = session.scalar(&format!("SELECT GTID_SUBTRACT(@@GLOBAL.gtid_purged, '{executed}')")).await?;
    if gone.is_empty() { Ok(()) } else { Err(purged(&format!("gtid_purged holds {}", crate::server::compact(&gone)))) }
}

fn purged(why: &str) -> Error {
    Error::fix("the server no longer has the part of its binary log that the job has to read")
        .because(why.to_owned())
        .with_hint(
            "start the job without its checkpoint, so that the tables are read anew; \
             a larger binlog_expire_logs_seconds keeps logs longer",
        )
}

/// What the end of an event stream calls for.
pub(crate) enum StreamEnd {
    /// Connect again.
    Reconnect(Error),
    /// Connect again under another id.
    IdTaken,
    /// Nothing helps.
    Fatal(Error),
}

/// The server's own account of why it sends no more events has one number and many texts.
const FATAL_READING_LOG: u16 = 1236;
/// MariaDB's number for a server id that somebody else uses.
const SAME_ID: u16 = 4052;

/// Sorts the errors that end an event stream.
pub(crate) fn stream_end(session: &Session, error: &WireError) -> StreamEnd {
    match error {
        // MySQL uses the number of all errors of the log for it, MariaDB one of its own.
        WireError::Server { code: SAME_ID, .. } => StreamEnd::IdTaken,
        WireError::Server { code: FATAL_READING_LOG, message } if message.contains(TAKEN) => StreamEnd::IdTaken,
        WireError::Server { code: FATAL_READING_LOG, message } => {
            let lower = message.to_ascii_lowercase();
            if ["purged", "could not find first log", "not found in binlog", "find the old binlog"]
                .iter()
                .any(|text| lower.contains(text))
            {
                return StreamEnd::Fatal(purged(message));
            }
            let error = Error::fix("the server cannot read its own binary log").because(message.clone());
            StreamEnd::Fatal(if lower.contains("max_allowed_packet") {
                error.with_hint("SET GLOBAL max_allowed_packet = 1073741824, and start the job again")
            } else {
                error.with_hint("see the error log of the server")
            })
        }
        _ if error.is_connection_loss() => StreamEnd::Reconnect(session.failure(error, &GrantHint::None)),
        _ => StreamEnd::Fatal(session.failure(error, &GrantHint::Log)),
    }
}
