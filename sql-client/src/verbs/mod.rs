//! `sluice`: the server, the client, and verbs for the jobs of a server.

mod jobs;
mod operations;
mod server;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use serde_json::Value;
use sluice_model::{Error, Result, suggest};

use crate::args::{Parsed, ServerArgs, parse};
use crate::console::Console;
use crate::rest_client::RestClient;
use crate::runtime::{Exit, log_to_stderr};
use crate::{failure, sql_client};

/// A SQL-driven streaming engine that speaks the Flink SQL dialect.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, disable_help_subcommand = true, subcommand_required = true)]
struct Sluice {
    #[command(flatten)]
    server: ServerArgs,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs a server: it keeps submitted jobs running, and brings them back after a crash.
    Server(ServerOptions),
    /// Runs SQL; the same as the program sql-client, with its options.
    #[command(visible_alias = "sql-client", disable_help_flag = true)]
    Sql {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        arguments: Vec<OsString>,
    },
    /// Lists the jobs of a server.
    #[command(visible_alias = "list")]
    Jobs {
        /// Also those that have ended.
        #[arg(short, long)]
        all: bool,
    },
    /// Stops a job with a savepoint.
    Stop {
        /// Id or name.
        job: String,
        /// Directory of the savepoint.
        #[arg(short = 'p', long = "savepoint-path", value_name = "DIRECTORY")]
        directory: Option<String>,
        /// Let windows and timers fire before.
        #[arg(short, long)]
        drain: bool,
    },
    /// Cancels a job, without a checkpoint.
    Cancel {
        /// Id or name.
        job: String,
    },
    /// Makes a savepoint of a job, which goes on.
    Savepoint {
        /// Id or name.
        job: String,
        /// Directory of the savepoint.
        directory: Option<String>,
    },
}

/// Options of `sluice server`.
#[derive(Debug, Clone, Args)]
struct ServerOptions {
    /// Address to listen on. Others than loopback need --token-file.
    #[arg(long, default_value = "127.0.0.1", env = "SLUICE_HOST")]
    host: std::net::IpAddr,
    /// Port of REST, SQL gateway and web page.
    #[arg(long, default_value_t = sluice_server::DEFAULT_PORT, env = "SLUICE_PORT")]
    port: u16,
    /// Port of a second /metrics; 0 for none.
    #[arg(long, default_value_t = sluice_server::DEFAULT_METRICS_PORT, env = "SLUICE_METRICS_PORT")]
    metrics_port: u16,
    /// Directory of checkpoints, savepoints and submitted jobs (also: SLUICE_HOME).
    #[arg(long, value_name = "DIRECTORY")]
    home: Option<PathBuf>,
}

/// Runs the program.
pub(crate) async fn run(arguments: Vec<OsString>) -> Exit {
    let sluice = match parse::<Sluice>("sluice", arguments) {
        Ok(Parsed::Run(sluice)) => sluice,
        Ok(Parsed::Show(text)) => {
            Console::stdout().raw(&text);
            return Exit::Done;
        }
        Err(error) => {
            eprintln!("[ERROR] {error}");
            return Exit::Usage;
        }
    };
    let mut console = Console::stdout();
    let result = match sluice.verb {
        Verb::Sql { mut arguments } => {
            if let Some(endpoint) = sluice.server.endpoint {
                arguments.extend(["-e".into(), endpoint.into()]);
            }
            if let Some(file) = sluice.server.token_file {
                arguments.extend(["--token-file".into(), file.into()]);
            }
            return sql_client::run(arguments, "sluice sql").await;
        }
        Verb::Server(options) => {
            log_to_stderr("info");
            server::run(&options, &sluice.server, &mut console).await
        }
        verb => {
            log_to_stderr("error");
            operate(verb, &sluice.server, &mut console).await
        }
    };
    match result {
        Ok(exit) => exit,
        Err(error) => {
            let unreachable = error.what().ends_with("cannot be reached");
            console.error(&failure::explain(&error, None));
            if unreachable { Exit::Unreachable } else { Exit::Failed }
        }
    }
}

async fn operate(verb: Verb, server: &ServerArgs, console: &mut Console) -> Result<Exit> {
    let default = format!("127.0.0.1:{}", sluice_server::DEFAULT_PORT);
    let client = RestClient::from_args(server, &default)?;
    match verb {
        Verb::Jobs { all } => jobs::list(&client, all, console).await?,
        Verb::Stop { job, directory, drain } => {
            operations::stop(&client, &job, directory.as_deref(), drain, console).await?;
        }
        Verb::Cancel { job } => operations::cancel(&client, &job, console).await?,
        Verb::Savepoint { job, directory } => {
            operations::savepoint(&client, &job, directory.as_deref(), console).await?;
        }
        Verb::Server(_) | Verb::Sql { .. } => return Err(Error::bug("a verb without a server was sent to one")),
    }
    Ok(Exit::Done)
}

/// The id and name of the job that a user means.
///
/// # Errors
/// There is none, with a suggestion; there are several of that name.
async fn find_job(client: &RestClient, wanted: &str) -> Result<(String, String)> {
    let overview = client.get("/jobs/overview").await?;
    let jobs: Vec<Known> = overview["jobs"].as_array().into_iter().flatten().map(Known::of).collect();
    pick(&jobs, wanted)
}

#[derive(Debug, Clone)]
struct Known {
    id: String,
    name: String,
    ended: bool,
}

impl Known {
    fn of(job: &Value) -> Self {
        let text = |key: &str| job[key].as_str().unwrap_or_default().to_owned();
        let ended = matches!(text("state").as_str(), "FINISHED" | "CANCELED" | "SUSPENDED");
        Self { id: text("jid"), name: text("name"), ended }
    }
}

fn pick(jobs: &[Known], wanted: &str) -> Result<(String, String)> {
    let found = |job: &Known| (job.id.clone(), job.name.clone());
    if let Some(job) = jobs.iter().find(|job| job.id.eq_ignore_ascii_case(wanted)) {
        return Ok(found(job));
    }
    let named: Vec<&Known> = jobs.iter().filter(|job| job.name == wanted && !job.ended).collect();
    match named.as_slice() {
        [job] => Ok(found(job)),
        [] => {
            let hint = match suggest(wanted, jobs.iter().filter(|job| !job.ended).map(|job| job.name.as_str())) {
                Some(like) => format!("did you mean '{like}'?"),
                None => "sluice jobs lists them".to_owned(),
            };
            Err(Error::fix(format!("there is no job '{wanted}'")).with_hint(hint))
        }
        several => {
            let ids: Vec<&str> = several.iter().map(|job| job.id.as_str()).collect();
            Err(Error::fix(format!("{} jobs are called '{wanted}'", several.len()))
                .with_hint(format!("use an id: {}", ids.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Sluice::command().debug_assert();
    }

    #[test]
    fn the_client_takes_its_own_options() {
        let arguments = ["sql", "-f", "x.sql", "-hist", "h"].map(OsString::from).to_vec();
        let Parsed::Run(sluice) = parse::<Sluice>("sluice", arguments).unwrap() else { panic!("help") };
        let Verb::Sql { arguments } = sluice.verb else { panic!("another verb") };
        assert_eq!(arguments[..2], ["-f", "x.sql"]);
    }

    #[test]
    fn a_misspelt_verb_is_suggested() {
        let error = parse::<Sluice>("sluice", vec!["sevrer".into()]).unwrap_err();
        assert_eq!(error.hint(), Some("did you mean 'server'?"));
    }

    #[test]
    fn jobs_by_id_and_name() {
        let job = |id: &str, name: &str, ended| Known { id: id.into(), name: name.into(), ended };
        let jobs = [
            job("aa", "sales", false),
            job("bb", "sales", true),
            job("cc", "returns", false),
            job("dd", "returns", false),
        ];
        assert_eq!(pick(&jobs, "sales").unwrap().0, "aa");
        assert_eq!(pick(&jobs, "BB").unwrap().0, "bb");
        assert_eq!(pick(&jobs, "slaes").unwrap_err().hint(), Some("did you mean 'sales'?"));
        assert!(pick(&jobs, "returns").unwrap_err().hint().unwrap().contains("cc, dd"));
    }
}
