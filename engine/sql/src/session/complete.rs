//! Completion of what a user types.

use sluice_planner::CatalogEntry;

use super::Session;
use crate::settings::Settings;

/// Words that may stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Where the word begins, in bytes.
    pub start: usize,
    /// What it may become, sorted.
    pub candidates: Vec<String>,
}

const KEYWORDS: [&str; 52] = [
    "AND",
    "AS",
    "BEGIN",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COMMENT",
    "CREATE",
    "DATABASE",
    "DATABASES",
    "DESCRIBE",
    "DROP",
    "ELSE",
    "END",
    "ENFORCED",
    "EXECUTE",
    "EXISTS",
    "EXPLAIN",
    "FROM",
    "GROUP",
    "HELP",
    "IF",
    "IN",
    "INSERT",
    "INTO",
    "IS",
    "JOBS",
    "KEY",
    "LIKE",
    "METADATA",
    "NOT",
    "NULL",
    "OR",
    "PRIMARY",
    "QUIT",
    "RESET",
    "SELECT",
    "SET",
    "SHOW",
    "STATEMENT",
    "STOP",
    "TABLE",
    "TABLES",
    "TEMPORARY",
    "THEN",
    "UNION ALL",
    "USE",
    "VALUES",
    "VIEW",
    "WHERE",
    "WITH",
];

impl Session {
    /// What the word in front of the cursor may become: an option or setting inside quotes, else a
    /// keyword, a table or a column.
    pub fn complete(&self, before_cursor: &str) -> Completion {
        let in_quotes = before_cursor.matches('\'').count() % 2 == 1;
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$') || in_quotes && matches!(c, '.' | '-');
        let start =
            before_cursor.char_indices().rev().find(|(_, c)| !is_word(*c)).map_or(0, |(index, c)| index + c.len_utf8());
        let word = &before_cursor[start..];
        let words = if in_quotes { self.quoted_words(before_cursor) } else { self.plain_words() };
        let mut candidates: Vec<String> = words
            .into_iter()
            .filter(|candidate| candidate.len() >= word.len())
            .filter(|candidate| candidate.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word)))
            .collect();
        candidates.sort();
        candidates.dedup();
        Completion { start, candidates }
    }

    fn plain_words(&self) -> Vec<String> {
        let mut words: Vec<String> = KEYWORDS.iter().map(|word| (*word).to_owned()).collect();
        for (name, entry) in self.catalog.entries(self.catalog.current_catalog(), self.catalog.current_database()) {
            if let CatalogEntry::Table(table) = &entry {
                words.extend(table.columns.iter().map(|column| column.name.clone()));
            }
            words.push(name);
        }
        words
    }

    /// Settings behind `SET`, the options of the connector that was named, else all connectors'.
    fn quoted_words(&self, text: &str) -> Vec<String> {
        if text.trim_start().get(..3).is_some_and(|head| head.eq_ignore_ascii_case("set")) {
            return Settings::keys().map(str::to_owned).collect();
        }
        let connectors: Vec<_> = self.environment.connectors.iter().collect();
        let named = connectors.iter().find(|connector| text.contains(&format!("'{}'", connector.name())));
        let mut words = vec!["connector".to_owned()];
        match named {
            Some(connector) => words.extend(connector.docs().iter().map(|doc| doc.key.to_owned())),
            None => words.extend(connectors.iter().map(|connector| connector.name().to_owned())),
        }
        words
    }
}
