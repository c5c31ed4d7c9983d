//! A connection that is logged in.

use std::time::Duration;

use sluice_model::Secret;
use tokio::net::TcpStream;

use super::auth::Credentials;
use super::handshake::{self, Greeting};
use super::packet::{PacketStream, Socket};
use super::text::{column_name, is_eof, server_error, take_lenenc, text_row};
use super::{SslMode, TextResult, WireError, WireResult, tls};

const COM_QUERY: u8 = 0x03;
const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;
const COM_STMT_CLOSE: u8 = 0x19;

/// How long a control statement may take to answer.
const CONTROL_TIMEOUT: Duration = Duration::from_secs(300);

/// Where to connect, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct ConnectOptions {
    /// Host name or address.
    pub(crate) host: String,
    /// Port.
    pub(crate) port: u16,
    /// Account.
    pub(crate) user: String,
    /// Its password.
    pub(crate) password: Secret,
    /// Limit for connecting and logging in.
    pub(crate) timeout: Duration,
    /// Encryption.
    pub(crate) ssl_mode: SslMode,
    /// PEM file of the trusted authorities; without one, those that browsers trust.
    pub(crate) ssl_ca: Option<String>,
    /// Whether a password may be sent encrypted with a key that the server tells.
    pub(crate) allow_public_key_retrieval: bool,
}

/// A connection that is logged in.
pub(crate) struct Connection {
    pub(super) stream: PacketStream,
    server_version: String,
}

impl Connection {
    /// Connects and logs in.
    pub(crate) async fn connect(options: &ConnectOptions) -> WireResult<Self> {
        tokio::time::timeout(options.timeout, Self::log_in(options))
            .await
            .map_err(|_| WireError::TimedOut(options.timeout))?
    }

    async fn log_in(options: &ConnectOptions) -> WireResult<Self> {
        let socket = TcpStream::connect((options.host.as_str(), options.port)).await?;
        socket.set_nodelay(true)?;
        let mut stream = PacketStream::new(Socket::Plain(socket), None);
        let packet = stream.next().await?;
        if packet.first() == Some(&0xff) {
            return Err(server_error(packet));
        }
        let greeting = Greeting::parse(packet)?;
        let tls = match options.ssl_mode {
            SslMode::Disabled => false,
            SslMode::Preferred => greeting.offers_tls(),
            _ if !greeting.offers_tls() => {
                return Err(WireError::Tls("the options ask for TLS, which the server does not offer".into()));
            }
            _ => true,
        };
        if tls {
            stream.send(&handshake::tls_request(true)).await?;
            stream = Self::upgrade(stream, options).await?;
        }
        let credentials =
            Credentials { password: &options.password, allow_public_key_retrieval: options.allow_public_key_retrieval };
        // An unknown default plugin is no reason to give up: the server switches to the account's own.
        let (plugin, answer) = match credentials.answer(&greeting.plugin, &greeting.nonce, tls) {
            Ok(answer) if answer.len() < 200 => (greeting.plugin.as_str(), answer),
            _ => ("caching_sha2_password", credentials.answer("caching_sha2_password", &greeting.nonce, tls)?),
        };
        stream.send(&handshake::login(tls, &options.user, &answer, plugin)).await?;
        credentials.finish(&mut stream, plugin, &greeting.nonce).await?;
        stream.set_read_timeout(Some(CONTROL_TIMEOUT));
        Ok(Self { stream, server_version: greeting.server_version })
    }

    async fn upgrade(stream: PacketStream, options: &ConnectOptions) -> WireResult<PacketStream> {
        let (socket, sequence) = stream.into_socket()?;
        let Socket::Plain(socket) = socket else {
            return Err(WireError::protocol("TLS inside TLS"));
        };
        let socket = tls::encrypt(socket, options.ssl_mode, &options.host, options.ssl_ca.as_deref()).await?;
        let mut stream = PacketStream::new(socket, None);
        stream.set_sequence(sequence);
        Ok(stream)
    }

    /// What the server calls itself, e.g. `10.11.19-MariaDB-log`.
    pub(crate) fn server_version(&self) -> &str {
        &self.server_version
    }

    /// Limits the wait for bytes; `None` waits for ever.
    pub(crate) fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.stream.set_read_timeout(timeout);
    }

    /// Runs a statement and holds its result whole.
    pub(crate) async fn query(&mut self, sql: &str) -> WireResult<TextResult> {
        self.stream.send_command(COM_QUERY, sql.as_bytes()).await?;
        let Some(columns) = self.result_head().await? else {
            return Ok(TextResult::default());
        };
        let mut result = TextResult { columns, rows: Vec::new() };
        loop {
            let packet = self.stream.next().await?;
            if is_eof(packet) {
                return Ok(result);
            }
            if packet.first() == Some(&0xff) {
                return Err(server_error(packet));
            }
            result.rows.push(text_row(packet, result.columns.len())?);
        }
    }

    /// Names of the result's columns; `None` if the statement has no result.
    async fn result_head(&mut self) -> WireResult<Option<Vec<String>>> {
        let mut packet = self.stream.next().await?;
        match packet.first() {
            Some(0x00) => return Ok(None),
            Some(0xff) => return Err(server_error(packet)),
            Some(0xfb) | None => return Err(WireError::protocol("a request for a local file")),
            Some(_) => {}
        }
        let count = take_lenenc(&mut packet)?;
        let mut columns = Vec::new();
        for _ in 0..count {
            columns.push(column_name(self.stream.next().await?)?);
        }
        self.expect_eof().await?;
        Ok(Some(columns))
    }

    async fn expect_eof(&mut self) -> WireResult<()> {
        let packet = self.stream.next().await?;
        if is_eof(packet) { Ok(()) } else { Err(WireError::protocol("a list of columns without an end")) }
    }

    async fn skip_definitions(&mut self, count: u16) -> WireResult<()> {
        if count == 0 {
            return Ok(());
        }
        for _ in 0..count {
            self.stream.next().await?;
        }
        self.expect_eof().await
    }

    /// Starts a query whose rows are then read with [`next_row`](Self::next_row), in the binary protocol.
    ///
    /// Returns the raw column definition packets.
    pub(crate) async fn start_rows(&mut self, sql: &str) -> WireResult<Vec<Vec<u8>>> {
        self.stream.send_command(COM_STMT_PREPARE, sql.as_bytes()).await?;
        let packet = self.stream.next().await?;
        let head: [u8; 9] = match packet.first() {
            Some(0x00) => packet.first_chunk().copied().ok_or_else(|| WireError::protocol("a cut answer"))?,
            _ => return Err(server_error(packet)),
        };
        let statement = [head[1], head[2], head[3], head[4]];
        let (columns, parameters) = (u16::from_le_bytes([head[5], head[6]]), u16::from_le_bytes([head[7], head[8]]));
        self.skip_definitions(parameters).await?;
        self.skip_definitions(columns).await?;
        let mut execute = statement.to_vec();
        // No cursor; one iteration.
        execute.extend_from_slice(&[0, 1, 0, 0, 0]);
        self.stream.send_command(COM_STMT_EXECUTE, &execute).await?;
        // The server closes it when it has executed; nothing is answered.
        self.stream.send_command(COM_STMT_CLOSE, &statement).await?;
        self.read_definitions().await
    }

    async fn read_definitions(&mut self) -> WireResult<Vec<Vec<u8>>> {
        let mut packet = self.stream.next().await?;
        match packet.first() {
            Some(0xff) => return Err(server_error(packet)),
            Some(0x00) | None => return Err(WireError::protocol("a query without a result")),
            Some(_) => {}
        }
        let count = take_lenenc(&mut packet)?;
        let mut definitions = Vec::new();
        for _ in 0..count {
            definitions.push(self.stream.next().await?.to_vec());
        }
        self.expect_eof().await?;
        Ok(definitions)
    }

    /// The next row of [`start_rows`](Self::start_rows) if it has arrived: `Some(None)` is the end of the result.
    #[inline]
    pub(crate) fn buffered_row(&mut self) -> WireResult<Option<Option<&[u8]>>> {
        let Some(packet) = self.stream.buffered()? else {
            return Ok(None);
        };
        match packet.first() {
            Some(0x00) => Ok(Some(Some(packet))),
            Some(0xfe) if is_eof(packet) => Ok(Some(None)),
            Some(0xff) => Err(server_error(packet)),
            _ => Err(WireError::protocol("a packet that is no row")),
        }
    }

    /// Waits until more bytes have arrived.
    pub(crate) async fn fill(&mut self) -> WireResult<()> {
        self.stream.fill().await
    }
}
