//! The shell: `Flink SQL> `.

mod editor;
mod help;
mod history;
mod transcript;

use std::path::PathBuf;

use sluice_model::Result;
use sluice_server::Server;
use sluice_sql::parser;

use crate::backend::{Backend, Reply};
use crate::console::Console;
use crate::failure;
use crate::file::{JobFile, tell_where_to_resume};
use crate::runtime::Exit;
use crate::signals::Signals;
use crate::view::{Display, ResultMode, show};
use editor::{Editor, Input};
use transcript::Transcript;

/// Runs the shell until the user leaves it. `server` is that of an engine in this process.
///
/// # Errors
/// The terminal cannot be read.
pub(crate) async fn run(
    backend: Backend,
    server: Option<Server>,
    init: Option<&JobFile>,
    history: PathBuf,
    console: &mut Console,
) -> Result<Exit> {
    let mut shell = Shell { backend, signals: Signals::listen()?, transcript: Transcript::default(), failed: false };
    if let Some(init) = init {
        if !shell.initialise(init, console).await {
            return Ok(Exit::Failed);
        }
        console.line(&format!("Successfully initialized from sql script: {}", init.path));
    }
    console.line(help::BANNER);
    let mut editor = Editor::open(shell.backend.clone(), history.clone())?;
    console.line(&format!("Command history file path: {}", history.display()));
    console.line("");
    let interactive = std::io::IsTerminal::is_terminal(&std::io::stdin());
    loop {
        match editor.read().await? {
            Input::Statement(text) => {
                if shell.run(&text, console).await == Next::Leave {
                    break;
                }
                if shell.failed && !interactive {
                    break;
                }
            }
            Input::Cleared => {}
            Input::End => break,
        }
    }
    console.info("Exiting Flink SQL CLI Client...");
    let failed = shell.failed;
    leave(shell, server, console).await;
    // A person has seen the error; a pipe has only the exit code.
    Ok(if failed && !interactive { Exit::Failed } else { Exit::Done })
}

async fn leave(shell: Shell, server: Option<Server>, console: &mut Console) {
    console.line("");
    console.line("Shutting down the session...");
    shell.backend.close().await;
    if let Some(server) = server {
        let jobs = server.running_jobs();
        server.stop().await;
        for job in jobs {
            tell_where_to_resume(&job, console);
        }
    }
    console.line("done.");
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Stay,
    Leave,
}

struct Shell {
    backend: Backend,
    signals: Signals,
    transcript: Transcript,
    failed: bool,
}

impl Shell {
    /// Runs a file of declarations and settings. False if one failed.
    async fn initialise(&mut self, init: &JobFile, console: &mut Console) -> bool {
        let statements = match parser::split(&init.text) {
            Ok(statements) => statements,
            Err(error) => {
                self.failed = true;
                failure::report(console, &error, Some(&init.text));
                Vec::new()
            }
        };
        for statement in statements {
            let text = self.transcript.add(statement.text());
            if let Err(error) = self.backend.execute(&text).await {
                self.fail(&error, console);
                break;
            }
        }
        if self.failed {
            console.line(&format!(
                "Failed to initialize from sql script: {}. Please refer to the LOG for detailed error messages.",
                init.path
            ));
        }
        !self.failed
    }

    /// Runs what was typed: one statement, or several on a line.
    async fn run(&mut self, text: &str, console: &mut Console) -> Next {
        let statements = match parser::split(text) {
            Ok(statements) => statements,
            Err(error) => {
                self.failed = true;
                failure::report(console, &error, Some(text));
                return Next::Stay;
            }
        };
        for statement in statements {
            let text = self.transcript.add(statement.text());
            match self.statement(&text, console).await {
                Ok(Next::Stay) => {}
                Ok(Next::Leave) => return Next::Leave,
                Err(error) => {
                    self.fail(&error, console);
                    break;
                }
            }
        }
        Next::Stay
    }

    fn fail(&mut self, error: &sluice_model::Error, console: &mut Console) {
        self.failed = true;
        let (error, source) = self.transcript.locate(error);
        failure::report(console, &error, source);
    }

    async fn statement(&mut self, statement: &str, console: &mut Console) -> Result<Next> {
        let reply = tokio::select! {
            reply = self.backend.execute(statement) => reply?,
            () = self.signals.interrupted() => {
                console.line("Query terminated");
                return Ok(Next::Stay);
            }
        };
        match reply {
            Reply::Done(notes) => console.done(&notes),
            Reply::Table(table, notes) => {
                console.table(&table);
                console.notes(&notes);
            }
            Reply::Submitted { jobs, notes, sync } => console.submitted(&jobs, &notes, sync),
            Reply::Query(query) => {
                let forced = (!console.is_terminal()).then_some(ResultMode::Tableau);
                let display = self.display(forced).await?;
                show(query, &display, console, &mut self.signals).await?;
            }
            Reply::Quit => return Ok(Next::Leave),
            Reply::Clear => console.raw(if console.is_terminal() { "\x1b[H\x1b[2J\x1b[3J" } else { "\n" }),
            Reply::Help => console.raw(help::COMMANDS),
        }
        Ok(Next::Stay)
    }

    async fn display(&self, forced: Option<ResultMode>) -> Result<Display> {
        let mut settings = std::collections::HashMap::new();
        for key in Display::SETTINGS {
            if let Some(value) = self.backend.setting(key).await? {
                settings.insert(key, value);
            }
        }
        Display::from_settings(|key| settings.get(key).cloned(), forced)
    }
}
