//! The command line: `sql-client`, with Flink's options and texts, and `sluice`, the same program
//! with the server and a few verbs for its jobs.
//!
//! ```text
//! sql-client -f 01-sales-cdc-sync.sql        runs a job file
//! sql-client                                 a shell: Flink SQL>
//! sluice server --port 8081                  a server that keeps jobs running
//! sluice jobs | stop JOB | cancel JOB | savepoint JOB
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | `args` | the options of `sql-client` |
//! | `backend` | where statements run: in this process, or on a server |
//! | `file` | `-f`: submit, or run in this process with progress |
//! | `repl` | the shell |
//! | `view` | results: tableau, changelog, table |
//! | `verbs` | `sluice server`, `jobs`, `stop`, `cancel`, `savepoint` |

mod args;
mod backend;
mod console;
mod failure;
mod file;
mod repl;
mod rest_client;
mod runtime;
mod signals;
mod sql_client;
mod verbs;
mod view;
mod width;

use std::process::ExitCode;

/// The program `sql-client`.
pub fn sql_client_main() -> ExitCode {
    runtime::enter(|| sql_client::run(std::env::args_os().skip(1).collect(), "sql-client"))
}

/// The program `sluice`.
pub fn sluice_main() -> ExitCode {
    runtime::enter(|| verbs::run(std::env::args_os().skip(1).collect()))
}
