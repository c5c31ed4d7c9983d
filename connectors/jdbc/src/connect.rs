//! Connections to the server.

use std::time::Duration;

use sluice_connector_api::Spawner;
use sluice_model::{Error, Result};
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::failure::describe;
use crate::options::JdbcOptions;
use crate::tls::SslMode;

/// Everything that is needed to connect, again and again.
pub(crate) struct Endpoint {
    config: Config,
    tls: MakeRustlsConnect,
    ssl_mode: SslMode,
    search_path: Option<String>,
    /// Host and port for messages.
    address: String,
    user: String,
    spawner: Spawner,
}

impl Endpoint {
    /// The server that `options` name.
    ///
    /// # Errors
    /// Certificates that cannot be read.
    pub(crate) fn new(options: &JdbcOptions, spawner: Spawner) -> Result<Self> {
        let url = &options.url;
        let mut config = Config::new();
        for (host, port) in &url.hosts {
            config.host(host).port(*port);
        }
        config.user(options.user());
        if let Some(password) = options.password() {
            config.password(password.expose());
        }
        config.dbname(url.database.as_deref().unwrap_or(options.user()));
        config.application_name(url.application_name.as_deref().unwrap_or("sluice"));
        if let Some(server_options) = &url.server_options {
            config.options(server_options);
        }
        if !url.connect_timeout.is_zero() {
            config.connect_timeout(url.connect_timeout);
        }
        // A server that vanished without a word is noticed within a minute.
        config.keepalives_idle(Duration::from_secs(20)).keepalives_interval(Duration::from_secs(10));
        config.keepalives_retries(3).tcp_user_timeout(Duration::from_secs(60));
        if url.hosts.len() > 1 && !url.any_server {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let address = url.hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect::<Vec<_>>().join(", ");
        Ok(Self {
            config,
            tls: url.tls.connector()?,
            ssl_mode: url.tls.mode,
            search_path: url.current_schema.clone(),
            address,
            user: options.user().to_owned(),
            spawner,
        })
    }

    /// Connects once, to the first host that answers.
    ///
    /// # Errors
    /// [`Reaction::Retry`](sluice_model::Reaction) if the server may come back, otherwise what to fix.
    pub(crate) async fn connect(&self) -> Result<Client> {
        let mut last = None;
        for mode in self.ssl_mode.attempts() {
            let mut config = self.config.clone();
            config.ssl_mode(*mode);
            match config.connect(self.tls.clone()).await {
                Ok((client, connection)) => {
                    self.spawner.spawn("jdbc connection", async move {
                        // Its errors reach the one who waits for an answer.
                        if let Err(error) = connection.await {
                            tracing::debug!(error = %describe(&error), "connection to the target ended");
                        }
                        Ok(())
                    });
                    self.prepare_session(&client).await.map_err(|error| self.explain(&error))?;
                    return Ok(client);
                }
                Err(error) if depends_on_encryption(&error) => last = Some(error),
                Err(error) => return Err(self.explain(&error)),
            }
        }
        Err(last.map_or_else(|| Error::bug("no connection was tried"), |error| self.explain(&error)))
    }

    async fn prepare_session(&self, client: &Client) -> Result<(), tokio_postgres::Error> {
        let mut settings = String::from("SET TimeZone = 'UTC'; SET client_min_messages = warning");
        if let Some(path) = &self.search_path {
            settings.push_str(&format!("; SELECT set_config('search_path', '{}', false)", path.replace('\'', "''")));
        }
        client.batch_execute(&settings).await
    }

    fn explain(&self, error: &tokio_postgres::Error) -> Error {
        let Self { address, user, .. } = self;
        let why = describe(error);
        let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
        match code.as_str() {
            "28P01" | "28000" => Error::fix(format!("the server at {address} does not let user '{user}' in"))
                .because(why)
                .with_hint("check 'username' and 'password', and the server's pg_hba.conf"),
            "3D000" => Error::fix(format!("the server at {address} has no such database"))
                .because(why)
                .with_hint("check the database in 'url', or create it"),
            "42501" => Error::fix(format!("user '{user}' may not use the database at {address}"))
                .because(why)
                .with_hint("GRANT CONNECT, TEMPORARY ON DATABASE … TO the user"),
            "" if why.contains("password missing") => {
                Error::fix(format!("the server at {address} wants a password for user '{user}'"))
                    .with_hint("add 'username' and 'password' to the WITH clause")
            }
            "" if why.contains("TLS") || why.contains("certificate") => {
                Error::fix(format!("no encrypted connection to the server at {address}"))
                    .because(why)
                    .with_hint("set sslmode in 'url' to what the server offers, and sslrootcert to the certificate that signed its own")
            }
            _ => Error::retry(format!("cannot connect to the server at {address}"))
                .because(why)
                .with_hint("check that the server runs and that the host and port in 'url' are right"),
        }
    }
}

/// True where the next `sslmode` to try may fare better.
fn depends_on_encryption(error: &tokio_postgres::Error) -> bool {
    match error.as_db_error() {
        Some(db) => db.code().code() == "28000",
        None => describe(error).contains("TLS"),
    }
}
