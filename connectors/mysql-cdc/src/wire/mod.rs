//! The MySQL client/server protocol, as much of it as reading a changelog needs.
//!
//! One [`Connection`] owns one socket and one read buffer. Control statements return small text results; chunk
//! queries and the binlog hand out raw packets, sliced from the buffer, which the decoder turns into Arrow columns.
//!
//! ```text
//! socket ─► read buffer ─► packet (a slice of the buffer) ─► decoder
//! ```
//!
//! Source: "Client/Server Protocol" in the MySQL internals documentation and the MariaDB knowledge base.

mod auth;
mod connection;
mod error;
mod handshake;
mod packet;
mod replication;
mod text;
mod tls;

pub(crate) use connection::{ConnectOptions, Connection};
pub(crate) use error::WireError;
pub(crate) use replication::DumpFrom;
pub(crate) use text::TextResult;
pub(crate) use tls::SslMode;

/// Result of talking to a server.
pub(crate) type WireResult<T> = Result<T, WireError>;
