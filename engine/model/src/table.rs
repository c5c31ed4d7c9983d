//! A table as the user declares it: columns, key and the options that name its connector.

use crate::{Column, Position, Secret, TableSchema};

/// One `'key' = 'value'` with its place in the SQL text.
#[derive(Clone, PartialEq, Eq)]
pub struct TableOption {
    /// Key.
    pub key: String,
    /// Value, as written. May be a secret: never print it unmasked.
    pub value: String,
    /// Place of the key.
    pub position: Option<Position>,
}

impl std::fmt::Debug for TableOption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "'{}' = '{}'", self.key, Secret::mask_option(&self.key, &self.value))
    }
}

/// The options of a table in their order. A key given twice keeps its last value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableOptions(Vec<TableOption>);

impl TableOptions {
    /// Options from pairs without a place, for tests and for plans read back.
    pub fn from_pairs<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut options = Self::default();
        for (key, value) in pairs {
            options.set(TableOption { key: key.into(), value: value.into(), position: None });
        }
        options
    }

    /// Sets an option, replacing one of the same key in its place.
    pub fn set(&mut self, option: TableOption) {
        match self.0.iter_mut().find(|existing| existing.key == option.key) {
            Some(existing) => *existing = option,
            None => self.0.push(option),
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|option| option.key == key).map(|option| option.value.as_str())
    }

    /// Place of a key.
    pub fn position_of(&self, key: &str) -> Option<Position> {
        self.0.iter().find(|option| option.key == key).and_then(|option| option.position)
    }

    /// All of them in order.
    pub fn iter(&self) -> impl Iterator<Item = &TableOption> {
        self.0.iter()
    }
}

/// A table as declared, before its options are typed.
#[derive(Debug, Clone, Default)]
pub struct TableDefinition {
    /// Path for messages, e.g. `default_catalog.default_database.orders`.
    pub name: String,
    /// Physical columns and primary key.
    pub schema: TableSchema,
    /// Wanted metadata columns: key and the column it becomes.
    pub metadata: Vec<(String, Column)>,
    /// Options with their places.
    pub options: TableOptions,
    /// All physical columns as declared, also where `schema` has only those that are wanted.
    pub declared: TableSchema,
    /// Names of the columns that the table is partitioned by.
    pub partitioned_by: Vec<String>,
    /// Place of the table's name in `CREATE TABLE`.
    pub position: Option<Position>,
}
