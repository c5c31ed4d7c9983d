//! `sql-client`: decides where statements run, and starts the file mode or the shell.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use sluice_model::{Error, Result, SystemClock};
use sluice_runtime::Engine;
use sluice_server::{DEFAULT_PORT, Server, ServerConfig};
use sluice_sql::session::{Environment, Home, Session};

use crate::args::{Mode, Parsed, SqlArgs, parse};
use crate::backend::{Backend, Embedded, Remote};
use crate::console::Console;
use crate::rest_client::RestClient;
use crate::runtime::{Exit, log_to_stderr};
use crate::{failure, file, repl};

/// Runs the client.
pub(crate) async fn run(arguments: Vec<OsString>, program: &str) -> Exit {
    let args = match parse::<SqlArgs>(program, arguments) {
        Ok(Parsed::Run(args)) => args,
        Ok(Parsed::Show(text)) => {
            Console::stdout().raw(&text);
            return Exit::Done;
        }
        Err(error) => {
            eprintln!("[ERROR] {error}");
            return Exit::Usage;
        }
    };
    log_to_stderr("error");
    let mut console = Console::stdout();
    console.notes(&args.notes());
    match start(&args, &mut console).await {
        Ok(exit) => exit,
        Err(error) => {
            let unreachable = error.what().ends_with("cannot be reached");
            console.error(&failure::explain(&error, None));
            if unreachable { Exit::Unreachable } else { Exit::Failed }
        }
    }
}

async fn start(args: &SqlArgs, console: &mut Console) -> Result<Exit> {
    if args.mode == Mode::Gateway && args.server.endpoint.is_none() {
        return Err(Error::fix("gateway mode needs an endpoint").with_hint("add -e host:port"));
    }
    let script = match (&args.file, &args.update) {
        (Some(path), _) => Some(file::JobFile::read(path)?),
        (None, Some(statement)) => Some(file::JobFile::of_statement(statement)),
        (None, None) => None,
    };
    let init = args.init.as_deref().map(file::JobFile::read).transpose()?;
    let server = server_of(args).await?;
    match (script, server) {
        (Some(script), Some(client)) => file::submit(client, args, init.as_ref(), &script, console).await,
        (Some(script), None) => file::run_here(args, init.as_ref(), &script, console).await,
        (None, Some(client)) => {
            console.line(&format!("Connected to the server at {}.", client.base()));
            let remote = Remote::open(client, &args.session, &args.settings).await?;
            repl::run(Backend::Remote(remote), None, init.as_ref(), history(args)?, console).await
        }
        (None, None) => {
            let (server, environment) = serve_here(args, console).await?;
            let mut session = Session::new(environment);
            for (key, value) in &args.settings {
                console.notes(&session.set(key, value, None)?);
            }
            let backend = Backend::Embedded(Embedded::new(session));
            repl::run(backend, Some(server), init.as_ref(), history(args)?, console).await
        }
    }
}

/// The server to use: that of `-e`, or one that runs where `rest.address` and `rest.port` say.
async fn server_of(args: &SqlArgs) -> Result<Option<RestClient>> {
    let default = rest_address(args)?;
    let client = RestClient::from_args(&args.server, &default)?;
    if args.server.endpoint.is_some() || client.is_server().await {
        return Ok(Some(client));
    }
    Ok(None)
}

fn given<'a>(args: &'a SqlArgs, key: &str) -> Option<&'a str> {
    args.settings.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

fn rest_port(args: &SqlArgs) -> Result<u16> {
    match given(args, "rest.port") {
        None => Ok(DEFAULT_PORT),
        Some(text) => text
            .trim()
            .parse()
            .map_err(|_| Error::fix(format!("'{text}' is not a port")).with_hint("write -D rest.port=8081")),
    }
}

fn rest_address(args: &SqlArgs) -> Result<String> {
    Ok(format!("{}:{}", given(args, "rest.address").unwrap_or("127.0.0.1"), rest_port(args)?))
}

/// An engine in this process, and a server that shows what it does.
///
/// # Errors
/// There is no home directory.
pub(crate) async fn serve_here(args: &SqlArgs, console: &mut Console) -> Result<(Server, Arc<Environment>)> {
    let environment = environment_at(Home::from_env()?);
    let mut config = ServerConfig { next_free_port: true, keep_jobs: false, ..ServerConfig::default() };
    config.address.set_port(rest_port(args)?);
    let wanted = config.address;
    let server = Server::start(Arc::clone(&environment), config).await?;
    if server.address() != wanted && wanted.port() != 0 {
        console.warning(&format!(
            "port {} is in use: REST and web page of this process are at http://{}",
            wanted.port(),
            server.address()
        ));
    }
    Ok((server, environment))
}

/// Connectors, engine, directories and clock of this process.
pub(crate) fn environment_at(home: Home) -> Arc<Environment> {
    let connectors = sluice_registry::connectors();
    let clock = SystemClock::shared();
    let engine = Arc::new(Engine::new(connectors.clone(), Arc::clone(&clock)));
    Arc::new(Environment { connectors, engine, home, clock })
}

fn history(args: &SqlArgs) -> Result<std::path::PathBuf> {
    match &args.history {
        Some(path) => Ok(Path::new(path).to_owned()),
        None => Ok(Home::from_env()?.history()),
    }
}
