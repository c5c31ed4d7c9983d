//! Starting and stopping a server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use sluice_model::{Error, Result};
use sluice_runtime::JobHandle;
use sluice_sql::session::{Environment, SubmittedJob};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::ServerConfig;
use crate::gateway::Sessions;
use crate::keeper::JobKeeper;
use crate::rest::{self, Triggers};
use crate::state::AppState;

/// Ports behind the configured one that are tried when it is taken.
const PORTS_TO_TRY: u16 = 20;
/// Time that open requests get when the server stops.
const DRAIN: Duration = Duration::from_secs(2);

/// A server that listens.
///
/// ```text
/// let server = Server::start(environment, ServerConfig::default()).await?;
/// println!("http://{}", server.address());
/// server.stop().await;             // every job stops with a final checkpoint
/// ```
pub struct Server {
    state: Arc<AppState>,
    metrics_address: Option<SocketAddr>,
    recovered: usize,
    closing: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.state.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens, and starts the jobs again that the server had when it ended.
    ///
    /// # Errors
    /// An unsafe configuration; a port that is taken; a home directory that cannot be used.
    pub async fn start(environment: Arc<Environment>, config: ServerConfig) -> Result<Self> {
        config.check()?;
        let keeper = JobKeeper::open(Arc::clone(&environment), config.keep_jobs)?;
        let listener = bind(config.address, config.next_free_port).await?;
        let address = listener.local_addr().map_err(|error| Error::retry(error.to_string()))?;
        let state = Arc::new(AppState {
            environment,
            keeper: Arc::clone(&keeper),
            sessions: Sessions::default(),
            triggers: Arc::new(Triggers::default()),
            token: config.token,
            address,
            started: Instant::now(),
        });
        let (closing, closed) = watch::channel(false);
        let mut tasks = vec![serve(listener, rest::router(Arc::clone(&state)), closed.clone())];
        let mut metrics_address = None;
        if let Some(wanted) = config.metrics_address {
            match bind(wanted, true).await {
                Ok(listener) => {
                    metrics_address = listener.local_addr().ok();
                    tasks.push(serve(listener, rest::metrics_router(Arc::clone(&state)), closed.clone()));
                }
                Err(error) => tracing::warn!("no Prometheus port: {error}"),
            }
        }
        tasks.push(tokio::spawn(sweep_sessions(Arc::clone(&state), closed)));
        let recovered = keeper.recover().await?;
        Ok(Self { state, metrics_address, recovered, closing, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.state.address
    }

    /// Where Prometheus finds the metrics, if not only on [`address`](Self::address).
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Number of jobs that were started again.
    pub fn recovered(&self) -> usize {
        self.recovered
    }

    /// Jobs that have not ended.
    pub fn running_jobs(&self) -> Vec<JobHandle> {
        self.state.environment.engine.jobs().into_iter().filter(|job| !job.status().is_terminal()).collect()
    }

    /// Keeps a job that was submitted beside the server, as those submitted through it are.
    ///
    /// # Errors
    /// The disk refuses it.
    pub fn keep(&self, job: &SubmittedJob) -> Result<()> {
        self.state.keeper.keep(job)
    }

    /// Stops every job with a final checkpoint, then stops listening. Jobs that are kept start
    /// again with the next server.
    pub async fn stop(self) {
        self.state.keeper.close();
        self.state.environment.engine.shutdown().await;
        self.closing.send_replace(true);
        for mut task in self.tasks {
            if tokio::time::timeout(DRAIN, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

fn serve(listener: TcpListener, router: Router, mut closed: watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let until_closed = async move {
            // An error means that the server itself is gone.
            let _ = closed.wait_for(|closed| *closed).await;
        };
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(until_closed).await {
            tracing::error!("the server stopped listening: {error}");
        }
    })
}

async fn sweep_sessions(state: Arc<AppState>, mut closed: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(Duration::from_secs(60));
    loop {
        tokio::select! {
            _ = tick.tick() => state.sessions.sweep(),
            _ = closed.wait_for(|closed| *closed) => return,
        }
    }
}

/// Listens on `wanted`, or on one of the ports behind it.
async fn bind(wanted: SocketAddr, next_free: bool) -> Result<TcpListener> {
    let mut address = wanted;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                let next = address.port().checked_add(1).filter(|port| port - wanted.port() <= PORTS_TO_TRY);
                match next {
                    Some(port) if next_free => address.set_port(port),
                    _ => {
                        return Err(Error::fix(format!("port {} of {} is in use", wanted.port(), wanted.ip()))
                            .because(error.to_string())
                            .with_hint("stop the program that uses it, or choose another with --port"));
                    }
                }
            }
            Err(error) => {
                return Err(Error::fix(format!("cannot listen on {wanted}")).because(error.to_string()));
            }
        }
    }
}
