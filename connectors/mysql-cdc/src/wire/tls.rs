//! TLS, in MySQL's five modes.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use sluice_tls::{Check, client_config};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::packet::Socket;
use super::{WireError, WireResult};

/// Whether to encrypt, and what to check (`--ssl-mode` of MySQL's own clients).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum SslMode {
    /// Never.
    Disabled,
    /// If the server offers it, unchecked.
    #[default]
    Preferred,
    /// Always, unchecked.
    Required,
    /// Always, with a certificate of a trusted authority.
    VerifyCa,
    /// The same, and it names the host.
    VerifyIdentity,
}

/// Puts TLS over a socket.
pub(super) async fn encrypt(socket: TcpStream, mode: SslMode, host: &str, ca: Option<&str>) -> WireResult<Socket> {
    let check = match mode {
        SslMode::VerifyCa => Check::Chain,
        SslMode::VerifyIdentity => Check::ChainAndName,
        SslMode::Disabled | SslMode::Preferred | SslMode::Required => Check::Nothing,
    };
    let config = client_config(check, ca, None).map_err(|error| WireError::Tls(error.to_string()))?;
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| WireError::Tls(format!("'{host}' is not a host name that a certificate can name")))?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, socket)
        .await
        .map_err(|error| WireError::Tls(format!("the TLS handshake failed: {error}")))?;
    Ok(Socket::Tls(Box::new(stream)))
}
