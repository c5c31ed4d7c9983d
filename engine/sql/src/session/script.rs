//! A job file: its declarations in order, and its `INSERT`s as jobs.
//!
//! ```text
//! CREATE TABLE store_sales … 'mysql-cdc'
//! INSERT INTO kafka_sales SELECT … FROM store_sales   ┐ the same CDC table:
//! INSERT INTO warehouse   SELECT … FROM store_sales   ┘ one job, one connection
//! INSERT INTO audit       SELECT … FROM returns         a job of its own
//! ```
//!
//! Flink runs each `INSERT` of a file as a job and reads the table twice; a statement set is how
//! its users avoid that. Here the file says the same without it.
//! `SET 'sluice.script.merge-inserts' = 'false'` restores one job per `INSERT`.

use sluice_model::Result;

use super::{Outcome, Session};
use crate::parser::{self, Insert, Statement};
use crate::statement::mask;

/// A statement with its text.
#[derive(Debug, Clone)]
pub struct ScriptStatement {
    /// As written. May hold secrets.
    pub text: String,
    /// What it says.
    pub statement: Statement,
}

/// A parsed file.
#[derive(Debug, Clone)]
pub struct Script {
    statements: Vec<ScriptStatement>,
}

/// What happens while a script runs.
#[derive(Debug)]
pub enum ScriptEvent<'a> {
    /// A statement is about to run: its text, secrets masked.
    Statement(&'a str),
    /// What it came to.
    Outcome(Outcome),
    /// Something that the user should know.
    Note(String),
}

/// Hears what happens while a script runs.
pub type OnEvent<'a> = &'a mut (dyn FnMut(ScriptEvent<'_>) -> Result<()> + Send);

impl Script {
    /// Parses a whole file.
    ///
    /// # Errors
    /// The first statement that cannot be read, with its place.
    pub fn parse(text: &str) -> Result<Self> {
        let statements = parser::parse_script(text)?
            .into_iter()
            .map(|(raw, statement)| ScriptStatement { text: raw.text().to_owned(), statement })
            .collect();
        Ok(Self { statements })
    }

    /// The statements in order.
    pub fn statements(&self) -> &[ScriptStatement] {
        &self.statements
    }
}

impl Session {
    /// Runs a file, and stops at the first error. `name` is the file's, without its ending: a job of
    /// the file goes on from its newest checkpoint under that name.
    ///
    /// # Errors
    /// Whatever the user has to change in it.
    pub async fn run_script(&mut self, script: &Script, name: Option<&str>, on_event: OnEvent<'_>) -> Result<()> {
        self.script = name.map(|name| (name.to_owned(), 0));
        let mut waiting: Vec<(Insert, String)> = Vec::new();
        for statement in &script.statements {
            on_event(ScriptEvent::Statement(&mask::mask_secrets(&statement.text)))?;
            match &statement.statement {
                Statement::Insert(insert) if self.settings.is_true("sluice.script.merge-inserts") => {
                    waiting.push((insert.clone(), statement.text.clone()));
                }
                Statement::CreateTable(_) | Statement::CreateView(_) | Statement::CreateDatabase(_) => {
                    let outcome = self.execute(statement).await?;
                    on_event(ScriptEvent::Outcome(outcome))?;
                }
                _ => {
                    // What follows may change what the waiting statements mean.
                    self.submit_waiting(&mut waiting, on_event).await?;
                    let outcome = self.execute(statement).await?;
                    on_event(ScriptEvent::Outcome(outcome))?;
                }
            }
        }
        self.submit_waiting(&mut waiting, on_event).await
    }

    async fn submit_waiting(&mut self, waiting: &mut Vec<(Insert, String)>, on_event: OnEvent<'_>) -> Result<()> {
        for group in self.grouped(std::mem::take(waiting))? {
            if group.inserts.len() > 1 {
                on_event(ScriptEvent::Note(format!(
                    "{} INSERTs read {}: they run as one job over one connection \
                     (SET 'sluice.script.merge-inserts' = 'false' for one job each)",
                    group.inserts.len(),
                    group.tables.join(", ")
                )))?;
            }
            let outcome = self.submit_inserts(&group.inserts, &group.texts).await?;
            on_event(ScriptEvent::Outcome(outcome))?;
        }
        Ok(())
    }

    /// Puts `INSERT`s together that read a CDC table in common, directly or through others.
    fn grouped(&self, inserts: Vec<(Insert, String)>) -> Result<Vec<Group>> {
        let mut groups: Vec<Group> = Vec::new();
        for (insert, text) in inserts {
            let tables = self.shared_tables(&insert)?;
            let (related, rest): (Vec<_>, Vec<_>) =
                groups.into_iter().partition(|group| group.tables.iter().any(|table| tables.contains(table)));
            groups = rest;
            let mut merged = Group::default();
            for group in related {
                merged.inserts.extend(group.inserts);
                merged.texts.extend(group.texts);
                merged.tables.extend(group.tables);
            }
            merged.inserts.push(insert);
            merged.texts.push(text);
            merged.tables.extend(tables);
            merged.tables.sort();
            merged.tables.dedup();
            groups.push(merged);
        }
        Ok(groups)
    }
}

#[derive(Default)]
struct Group {
    inserts: Vec<Insert>,
    texts: Vec<String>,
    tables: Vec<String>,
}
