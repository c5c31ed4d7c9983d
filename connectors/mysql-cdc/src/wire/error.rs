//! What can go wrong between here and the server.

use std::fmt;

/// A failed conversation with a server.
#[derive(Debug)]
pub(crate) enum WireError {
    /// The connection could not be made, or broke.
    Io(std::io::Error),
    /// Nothing arrived in time.
    TimedOut(std::time::Duration),
    /// The server closed the connection in an orderly way.
    Closed,
    /// The server answered with an error packet.
    Server {
        /// Error number, e.g. 1045.
        code: u16,
        /// Its text.
        message: String,
    },
    /// The server sent what the protocol does not allow here.
    Protocol(String),
    /// The login needs what this client does not do, or what the options forbid.
    Login(String),
    /// TLS could not be set up.
    Tls(String),
}

impl WireError {
    /// An answer that the protocol does not allow.
    pub(crate) fn protocol(what: impl Into<String>) -> Self {
        Self::Protocol(what.into())
    }

    /// Number of the server's error, if it answered with one.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Server { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether connecting again may help.
    pub(crate) fn is_connection_loss(&self) -> bool {
        match self {
            Self::Io(_) | Self::TimedOut(_) | Self::Closed => true,
            // Too many connections, shutdown in progress, connection killed, lost connection, and malformed packets
            // that a dying connection leaves behind.
            Self::Server { code, .. } => matches!(code, 1040 | 1053 | 1077 | 1152 | 1158..=1161 | 1317 | 1927 | 3169),
            Self::Protocol(_) | Self::Login(_) | Self::Tls(_) => false,
        }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::TimedOut(after) => write!(f, "no answer within {after:?}"),
            Self::Closed => f.write_str("the server closed the connection"),
            Self::Server { code, message } => write!(f, "server error {code}: {message}"),
            Self::Protocol(what) => write!(f, "the server broke the protocol: {what}"),
            Self::Login(what) | Self::Tls(what) => f.write_str(what),
        }
    }
}

impl From<std::io::Error> for WireError {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::UnexpectedEof { Self::Closed } else { Self::Io(error) }
    }
}
