//! The history of the shell, on disk.
//!
//! One statement per line, `\n` and `\\` escaped, secrets masked: a password that was typed is in
//! the memory of the shell only. The file belongs to the user alone.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::failure::masked;

/// Statements that are offered from earlier shells.
const KEPT: usize = 1000;

/// The history file.
#[derive(Debug)]
pub(super) struct History {
    path: PathBuf,
}

impl History {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// What earlier shells ran, oldest first. A history that cannot be read is an empty one.
    pub(super) fn load(&self) -> Vec<String> {
        let text =
            std::fs::read(&self.path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(KEPT)..].iter().map(|line| unescape(line)).collect()
    }

    /// Adds a statement.
    ///
    /// # Errors
    /// The file cannot be written; the shell goes on without.
    pub(super) fn append(&self, statement: &str) -> std::io::Result<()> {
        if let Some(directory) = self.path.parent().filter(|directory| *directory != Path::new("")) {
            std::fs::create_dir_all(directory)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
        writeln!(file, "{}", masked(statement).replace('\\', "\\\\").replace('\n', "\\n"))
    }
}

fn unescape(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match (c, characters.as_str().chars().next()) {
            ('\\', Some('n')) => {
                text.push('\n');
                characters.next();
            }
            ('\\', Some('\\')) => {
                text.push('\\');
                characters.next();
            }
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keeps_statements_and_no_secrets() {
        let home = tempfile::tempdir().unwrap();
        let history = History::at(home.path().join("state/history"));
        assert!(history.load().is_empty());
        history.append("SELECT 'a\\nb'\nFROM t;").unwrap();
        history.append("CREATE TABLE t (a INT) WITH ('password' = 'hunter2');").unwrap();
        let text = std::fs::read_to_string(home.path().join("state/history")).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(history.load()[0], "SELECT 'a\\nb'\nFROM t;");
        assert_eq!(history.load().len(), 2);
        let mode = std::fs::metadata(home.path().join("state/history")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
