//! Reads statements: several lines until the `;`, with history and completion.

use std::borrow::Cow;
use std::path::PathBuf;

use rustyline::completion::{Completer, Pair};
use rustyline::config::{Behavior, CompletionType};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Helper};
use sluice_model::{Error, Result};
use sluice_sql::parser;
use tokio::runtime::Handle;

use super::history::History;
use crate::backend::Backend;

const PROMPT: &str = "Flink SQL> ";
const CONTINUATION: &str = "> ";

type Line = rustyline::Editor<Completion, MemHistory>;

/// What the user did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Typed one or more whole statements.
    Statement(String),
    /// Pressed Ctrl-C.
    Cleared,
    /// Pressed Ctrl-D.
    End,
}

/// The line editor. It is lent to a thread of its own while it waits for keys.
pub(super) struct Editor {
    line: Option<Line>,
    history: History,
}

impl Editor {
    /// Opens the terminal, or standard input if it is none.
    ///
    /// # Errors
    /// Neither can be read.
    pub(super) fn open(backend: Backend, history: PathBuf) -> Result<Self> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .auto_add_history(false)
            .behavior(Behavior::Stdio)
            .bracketed_paste(true)
            .build();
        let mut line = Line::with_history(config, MemHistory::new()).map_err(unreadable)?;
        line.set_helper(Some(Completion { backend, runtime: Handle::current(), before: String::new() }));
        let history = History::at(history);
        for statement in history.load() {
            // One that is the same as the one before is not added; that is as good.
            let _ = line.add_history_entry(statement);
        }
        Ok(Self { line: Some(line), history })
    }

    /// Reads until a statement is complete.
    ///
    /// # Errors
    /// The terminal cannot be read.
    pub(super) async fn read(&mut self) -> Result<Input> {
        let mut text = String::new();
        loop {
            let prompt = if text.is_empty() { PROMPT } else { CONTINUATION };
            match self.read_line(prompt, &text).await? {
                Ok(line) => {
                    text.push_str(&line);
                    if text.trim().is_empty() {
                        text.clear();
                    } else if parser::is_complete(&text) {
                        self.remember(&text);
                        return Ok(Input::Statement(text));
                    } else {
                        text.push('\n');
                    }
                }
                Err(ReadlineError::Interrupted) => return Ok(Input::Cleared),
                Err(ReadlineError::Eof) if text.trim().is_empty() => return Ok(Input::End),
                // A pipe whose last statement has no `;` still means it.
                Err(ReadlineError::Eof) => return Ok(Input::Statement(text)),
                Err(error) => return Err(unreadable(error)),
            }
        }
    }

    async fn read_line(&mut self, prompt: &'static str, before: &str) -> Result<rustyline::Result<String>> {
        let Some(mut line) = self.line.take() else {
            return Err(Error::bug("the line editor was not given back"));
        };
        if let Some(helper) = line.helper_mut() {
            before.clone_into(&mut helper.before);
        }
        let read = tokio::task::spawn_blocking(move || {
            let read = line.readline(prompt);
            (line, read)
        });
        let (line, read) = read.await.map_err(|error| Error::bug(format!("the line editor failed: {error}")))?;
        self.line = Some(line);
        Ok(read)
    }

    fn remember(&mut self, text: &str) {
        if let Some(line) = &mut self.line {
            let _ = line.add_history_entry(text);
        }
        if let Err(error) = self.history.append(text) {
            tracing::debug!("the history cannot be written: {error}");
        }
    }
}

fn unreadable(error: ReadlineError) -> Error {
    Error::fix("the terminal cannot be read").because(error.to_string()).with_hint("use -f FILE for a job file")
}

/// Completes words with the help of the session.
struct Completion {
    backend: Backend,
    runtime: Handle,
    /// The lines of the statement above the one being typed.
    before: String,
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = line.get(..position).unwrap_or(line);
        let text = format!("{}{typed}", self.before);
        let (start, candidates) = self.runtime.block_on(self.backend.complete(&text));
        // A word cannot begin on a line above.
        let start = start.saturating_sub(self.before.len()).min(typed.len());
        let pair = |candidate: String| Pair { display: candidate.clone(), replacement: candidate };
        Ok((start, candidates.into_iter().map(pair).collect()))
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _default: bool) -> Cow<'b, str> {
        Cow::Borrowed(prompt)
    }
}

impl Validator for Completion {}

impl Helper for Completion {}
