//! `sluice server`.

use std::net::SocketAddr;

use sluice_model::Result;
use sluice_server::{Server, ServerConfig};
use sluice_sql::session::Home;

use super::ServerOptions;
use crate::args::ServerArgs;
use crate::console::Console;
use crate::rest_client::token;
use crate::runtime::Exit;
use crate::signals::Signals;
use crate::sql_client::environment_at;

/// Runs a server until Ctrl-C or SIGTERM.
///
/// # Errors
/// An unsafe address, a port that is taken, a home directory that cannot be used.
pub(super) async fn run(options: &ServerOptions, server: &ServerArgs, console: &mut Console) -> Result<Exit> {
    let mut signals = Signals::listen()?;
    let home = match &options.home {
        Some(path) => Home::at(path),
        None => Home::from_env()?,
    };
    let config = ServerConfig {
        address: SocketAddr::new(options.host, options.port),
        metrics_address: (options.metrics_port != 0).then(|| SocketAddr::new(options.host, options.metrics_port)),
        token: token(server)?,
        next_free_port: false,
        keep_jobs: true,
    };
    let root = home.root().display().to_string();
    let server = Server::start(environment_at(home), config).await?;
    console.info(&format!("Sluice {} listens on http://{}", env!("CARGO_PKG_VERSION"), server.address()));
    if let Some(address) = server.metrics_address() {
        console.info(&format!("Prometheus metrics are at http://{address}/metrics"));
    }
    console.info(&format!("State is kept in {root}"));
    if server.recovered() > 0 {
        console.info(&format!("{} started again from their newest checkpoints", jobs(server.recovered())));
    }
    signals.received().await;
    let running = server.running_jobs().len();
    console.info(&format!("Stopping {} with a final checkpoint … (Ctrl-C again to abort)", jobs(running)));
    tokio::select! {
        () = server.stop() => Ok(Exit::Done),
        () = signals.received() => {
            console.warning("Aborted. The next start goes on from the last checkpoints that completed.");
            Ok(Exit::Interrupted)
        }
    }
}

fn jobs(count: usize) -> String {
    if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") }
}
