//! What every program starts with: the runtime, TLS, logs, and panics without a backtrace.

use std::future::Future;
use std::io::IsTerminal;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

/// Exit codes, one meaning each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well.
    Done,
    /// A statement or a job failed.
    Failed,
    /// The command line is wrong.
    Usage,
    /// The server cannot be reached.
    Unreachable,
    /// The user interrupted twice.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 7,
            Exit::Interrupted => 130,
        })
    }
}

/// Runs a program on a runtime of its own.
pub(crate) fn enter<F: Future<Output = Exit>>(program: impl FnOnce() -> F) -> ExitCode {
    // A second call in the same process finds the provider installed; that is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!("a part of the engine panicked at {place}: this is a defect of Sluice");
    }));
    let runtime = match sluice_runtime::threads().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("[ERROR] cannot start: {error}");
            return Exit::Failed.into();
        }
    };
    let exit = runtime.block_on(program());
    // A read of the terminal that nobody waits for any more must not hold the program up.
    runtime.shutdown_background();
    exit.into()
}

/// Sends logs to standard error; `SLUICE_LOG` chooses what, e.g. `debug` or `sluice_kafka=debug`.
pub(crate) fn log_to_stderr(default: &str) {
    let filter = EnvFilter::try_from_env("SLUICE_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let format = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    // Only the first of several subscribers counts, as in tests.
    let _ = format.try_init();
}
