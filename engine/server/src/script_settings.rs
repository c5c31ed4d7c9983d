//! The settings at each statement of a script, while it runs.
//!
//! What shows a query's rows needs the settings that hold at that point of the file; the session
//! itself is busy running it.

use sluice_sql::parser::Statement;
use sluice_sql::session::Script;
use sluice_sql::settings::Settings;

/// Follows a script from statement to statement.
#[derive(Debug)]
pub struct ScriptSettings {
    settings: Settings,
    statements: std::vec::IntoIter<Statement>,
}

impl ScriptSettings {
    /// In front of the first statement.
    pub fn new(settings: Settings, script: &Script) -> Self {
        let statements: Vec<_> = script.statements().iter().map(|statement| statement.statement.clone()).collect();
        Self { settings, statements: statements.into_iter() }
    }

    /// The next statement begins.
    pub fn next_statement(&mut self) {
        match self.statements.next() {
            Some(Statement::Set { key, value, .. }) => {
                // A setting that is wrong is reported by the session, which runs the same statement.
                let _ = self.settings.set(&key, &value, None);
            }
            Some(Statement::Reset { key, .. }) => self.settings.reset(&key),
            Some(Statement::ResetAll) => self.settings.reset_all(),
            _ => {}
        }
    }

    /// A setting or its default.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.settings.get(key)
    }
}
