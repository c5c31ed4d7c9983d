//! Errors of the server, as something a reader can act on.

use sluice_model::Error;

use crate::wire::{ConnectOptions, WireError};

/// What a statement needs permission for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GrantHint {
    /// Nothing in particular.
    None,
    /// Reading the state of the log.
    LogStatus,
    /// Reading the log.
    Log,
    /// Reading a table, given as `db.table`, quoted.
    Select(String),
    /// Locking a table for an instant.
    Lock(String),
}

impl GrantHint {
    fn statement(&self, user: &str, is_mariadb: bool) -> Option<String> {
        let grant = |what: &str, on: &str| Some(format!("GRANT {what} ON {on} TO '{user}'@'%';"));
        match self {
            Self::None => None,
            Self::LogStatus if is_mariadb => grant("BINLOG MONITOR", "*.*"),
            Self::LogStatus => grant("REPLICATION CLIENT", "*.*"),
            Self::Log => grant("REPLICATION SLAVE", "*.*"),
            Self::Select(table) => grant("SELECT", table),
            Self::Lock(table) => grant("SELECT, LOCK TABLES", table.split('.').next().map_or("*.*", |_| "*.*")),
        }
    }
}

/// Access denied: to the server, a database, a table, a column, or for lack of a global privilege.
const DENIED: [u16; 7] = [1044, 1045, 1142, 1143, 1227, 1370, 3118];

/// What a failed exchange with a server means for the job.
pub(crate) fn server_failure(
    error: &WireError,
    options: &ConnectOptions,
    needs: &GrantHint,
    is_mariadb: bool,
) -> Error {
    let server = format!("{}:{}", options.host, options.port);
    let user = &options.user;
    match error {
        // The log is refused with the number of a refused login.
        WireError::Server { code: 1045 | 1698, message } if *needs != GrantHint::Log => {
            Error::fix(format!("the server at {server} refuses user '{user}'"))
                .because(message.clone())
                .with_hint("check 'username' and 'password'")
        }
        WireError::Server { code, message } if DENIED.contains(code) => {
            let error = Error::fix(format!("user '{user}' lacks a privilege on the server at {server}"))
                .because(message.clone());
            match needs.statement(user, is_mariadb) {
                Some(statement) => error.with_hint(statement),
                None => error.with_hint("see the documentation of the connector for the grants it needs"),
            }
        }
        WireError::Login(why) => Error::fix(format!("login to the server at {server} failed"))
            .because(why.clone())
            .with_hint("use TLS ('jdbc.properties.sslMode' = 'REQUIRED'), or another authentication plugin"),
        WireError::Tls(why) => Error::fix(format!("no encrypted connection to the server at {server}"))
            .because(why.clone())
            .with_hint("check 'jdbc.properties.sslMode' and 'jdbc.properties.sslCa'"),
        _ if error.is_connection_loss() => Error::retry(format!("no connection to the server at {server}"))
            .because(error.to_string())
            .with_hint("check 'hostname' and 'port', and that the server runs"),
        WireError::Protocol(_) => Error::retry(format!("the server at {server} sent what cannot be read"))
            .because(error.to_string())
            .with_hint("check that 'hostname' and 'port' name a MySQL or MariaDB server"),
        _ => Error::fix(format!("the server at {server} refused a statement")).because(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sluice_model::{Reaction, Secret};

    use super::*;
    use crate::wire::SslMode;

    fn failure(error: WireError, needs: &GrantHint) -> Error {
        let options = ConnectOptions {
            host: "db".into(),
            port: 3306,
            user: "reader".into(),
            password: Secret::new("hunter2"),
            timeout: Duration::from_secs(1),
            ssl_mode: SslMode::Preferred,
            ssl_ca: None,
            allow_public_key_retrieval: true,
        };
        server_failure(&error, &options, needs, false)
    }

    #[test]
    fn a_missing_privilege_comes_with_its_grant() {
        let denied = WireError::Server { code: 1227, message: "Access denied; you need REPLICATION SLAVE".into() };
        let error = failure(denied, &GrantHint::Log);
        assert_eq!(error.hint(), Some("GRANT REPLICATION SLAVE ON *.* TO 'reader'@'%';"));
        assert_eq!(error.reaction(), Reaction::Fix);
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn a_lost_connection_is_worth_another_try() {
        assert_eq!(failure(WireError::Closed, &GrantHint::None).reaction(), Reaction::Retry);
        let too_many = WireError::Server { code: 1040, message: "Too many connections".into() };
        assert_eq!(failure(too_many, &GrantHint::None).reaction(), Reaction::Retry);
    }
}
