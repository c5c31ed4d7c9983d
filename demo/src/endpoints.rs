//! Addresses and users of the servers that `scripts/services.sh` starts.
//!
//! A second instance of the servers has its ports 10 higher: tests that kill a server use one of
//! their own.

use crate::Result;

/// A MySQL-compatible server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// MariaDB 10.11.
    MariaDb,
    /// MySQL 9.7.
    MySql,
}

impl Flavor {
    /// Both.
    pub const ALL: [Self; 2] = [Self::MariaDb, Self::MySql];

    /// Its name for `scripts/services.sh`.
    pub const fn service(self) -> &'static str {
        match self {
            Self::MariaDb => "mariadb",
            Self::MySql => "mysql",
        }
    }
}

/// Ports of one instance of the servers, all on the loopback address.
#[derive(Debug, Clone, Copy)]
pub struct Endpoints {
    instance: u16,
}

/// The host of all servers.
pub const HOST: &str = "127.0.0.1";
/// The user that jobs log in as, everywhere.
pub const USER: &str = "sluice";
/// Its password.
pub const PASSWORD: &str = "sluice-secret";
/// Password of the servers' administrators.
pub const ADMIN_PASSWORD: &str = "root-secret";
/// The warehouse's database in PostgreSQL.
pub const WAREHOUSE: &str = "warehouse";

impl Default for Endpoints {
    fn default() -> Self {
        Self::instance(0)
    }
}

impl Endpoints {
    /// The servers of an instance.
    pub const fn instance(instance: u16) -> Self {
        Self { instance }
    }

    /// Port of a MySQL-compatible server.
    pub const fn mysql_port(&self, flavor: Flavor) -> u16 {
        let base = match flavor {
            Flavor::MariaDb => 23306,
            Flavor::MySql => 23307,
        };
        base + 10 * self.instance
    }

    /// Port of PostgreSQL.
    pub const fn postgres_port(&self) -> u16 {
        25432 + 10 * self.instance
    }

    /// `host:port` of Kafka.
    pub fn kafka(&self) -> String {
        format!("{HOST}:{}", 29092 + 10 * self.instance)
    }

    /// A connection to MySQL as its administrator, with no database chosen.
    ///
    /// # Errors
    /// The server is not there; the text says how to start it.
    pub async fn mysql(&self, flavor: Flavor) -> Result<mysql_async::Conn> {
        let options = mysql_async::OptsBuilder::default()
            .ip_or_hostname(HOST)
            .tcp_port(self.mysql_port(flavor))
            .user(Some("root"))
            .pass(Some(ADMIN_PASSWORD))
            .prefer_socket(false);
        mysql_async::Conn::new(options).await.map_err(|error| self.missing(flavor.service(), &error))
    }

    /// A connection to the warehouse as the user that jobs log in as.
    ///
    /// # Errors
    /// The server is not there; the text says how to start it.
    pub async fn warehouse(&self) -> Result<tokio_postgres::Client> {
        let port = self.postgres_port();
        let options = format!("host={HOST} port={port} user={USER} password={PASSWORD} dbname={WAREHOUSE}");
        let (client, connection) = tokio_postgres::connect(&options, tokio_postgres::NoTls)
            .await
            .map_err(|error| self.missing("postgres", &error))?;
        tokio::spawn(connection);
        Ok(client)
    }

    fn missing(&self, service: &str, error: &dyn std::fmt::Display) -> crate::Error {
        let instance = match self.instance {
            0 => String::new(),
            instance => format!("SLUICE_SERVICES_INSTANCE={instance} "),
        };
        format!("{service} does not answer ({error}); start it with: {instance}scripts/services.sh up {service}").into()
    }
}
