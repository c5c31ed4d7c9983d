//! A connection for statements, set up so that every read is reproducible.

use sluice_model::{Error, Result};

use super::{GrantHint, server_failure};
use crate::options::ServerTimeZone;
use crate::wire::{ConnectOptions, Connection, TextResult, WireError};

/// A connection with the session settings that reading needs.
pub(crate) struct Session {
    connection: Connection,
    options: ConnectOptions,
}

impl Session {
    /// Connects and sets up the session.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses the login.
    pub(crate) async fn connect(options: &ConnectOptions) -> Result<Self> {
        let connection = Connection::connect(options)
            .await
            .map_err(|error| server_failure(&error, options, &GrantHint::None, false))?;
        let mut session = Self { connection, options: options.clone() };
        session.query("SET NAMES utf8mb4").await?;
        // TIMESTAMP values then come in UTC, CHAR values unpadded, and the server waits for a slow consumer.
        session
            .query(
                "SET SESSION sql_mode = '', net_write_timeout = 3600, wait_timeout = 86400, \
                 group_concat_max_len = 1048576",
            )
            .await?;
        session.query("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
        // MySQL's and MariaDB's limits for long statements; each knows only its own.
        for limit in ["max_execution_time", "max_statement_time"] {
            let _ = session.try_query(&format!("SET SESSION {limit} = 0")).await;
        }
        Ok(session)
    }

    /// What the server's wall clocks show: its region if it is set to one, else its distance from UTC now.
    /// Afterwards the session is in UTC.
    pub(crate) async fn time_zone(&mut self) -> Result<ServerTimeZone> {
        let name = self.scalar("SELECT @@GLOBAL.time_zone").await?;
        let seconds = self.scalar("SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW())").await?;
        self.use_utc().await?;
        let now = ServerTimeZone::Offset(seconds.parse::<i32>().unwrap_or(0) / 60);
        Ok(ServerTimeZone::parse(&name).unwrap_or(now))
    }

    /// Makes the session read and compare times in UTC.
    pub(crate) async fn use_utc(&mut self) -> Result<()> {
        self.query("SET SESSION time_zone = '+00:00'").await.map(drop)
    }

    /// What the server calls itself.
    pub(crate) fn version(&self) -> &str {
        self.connection.server_version()
    }

    fn is_mariadb(&self) -> bool {
        self.version().contains("MariaDB")
    }

    /// Runs a statement.
    ///
    /// # Errors
    /// The server refuses, or the connection broke.
    pub(crate) async fn query(&mut self, sql: &str) -> Result<TextResult> {
        self.query_as(sql, GrantHint::None).await
    }

    /// Runs a statement that needs a privilege.
    ///
    /// # Errors
    /// As [`query`](Self::query), with the missing grant as a hint.
    pub(crate) async fn query_as(&mut self, sql: &str, needs: GrantHint) -> Result<TextResult> {
        match self.connection.query(sql).await {
            Ok(result) => Ok(result),
            Err(error) => Err(self.failure(&error, &needs)),
        }
    }

    /// Runs a statement, and lets the caller see the server's error.
    pub(crate) async fn try_query(&mut self, sql: &str) -> Result<TextResult, WireError> {
        self.connection.query(sql).await
    }

    /// An error of this session's server.
    pub(crate) fn failure(&self, error: &WireError, needs: &GrantHint) -> Error {
        server_failure(error, &self.options, needs, self.is_mariadb())
    }

    /// First cell of a statement's result; empty for NULL.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub(crate) async fn scalar(&mut self, sql: &str) -> Result<String> {
        Ok(self.query(sql).await?.first().unwrap_or_default())
    }

    /// The connection, for rows and for the log.
    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }
}
