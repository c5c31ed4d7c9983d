//! Random changelogs, and the tables that they lead to.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use rand::Rng;
use rand::rngs::StdRng;
use sluice_model::{ChangelogBatch, from_pretty};

/// Columns of every table.
const COLUMNS: &str = "id BIGINT, a INT, b INT, s STRING";

type Cells = (Option<i32>, Option<i32>, Option<String>);

/// A table and the changelog that leads to it.
pub(super) struct History {
    rows: BTreeMap<i64, Cells>,
    pub(super) changes: Vec<String>,
}

impl History {
    pub(super) fn random(random: &mut StdRng) -> Self {
        let mut history = Self { rows: BTreeMap::new(), changes: Vec::new() };
        for _ in 0..random.random_range(1..120) {
            let id = random.random_range(0..20);
            let new = Self::cells(random);
            match history.rows.get(&id).cloned() {
                None => history.apply("+I", id, new),
                Some(old) if random.random_ratio(1, 4) => {
                    history.changes.push(Self::line("-D", id, &old));
                    history.rows.remove(&id);
                }
                Some(old) => {
                    history.changes.push(Self::line("-U", id, &old));
                    history.apply("+U", id, new);
                }
            }
        }
        history
    }

    fn apply(&mut self, kind: &str, id: i64, cells: Cells) {
        self.changes.push(Self::line(kind, id, &cells));
        self.rows.insert(id, cells);
    }

    fn cells(random: &mut StdRng) -> Cells {
        let mut number = || (!random.random_ratio(1, 6)).then(|| random.random_range(-10..10));
        let (a, b) = (number(), number());
        let words = ["x", "y", "abc", "'d e'", "''"];
        let word = (!random.random_ratio(1, 6)).then(|| words[random.random_range(0..words.len())].to_owned());
        (a, b, word)
    }

    fn line(kind: &str, id: i64, (a, b, s): &Cells) -> String {
        let text = |value: Option<String>| value.unwrap_or_else(|| "NULL".to_owned());
        format!("{kind} {id} {} {} {}", text(a.map(|a| a.to_string())), text(b.map(|b| b.to_string())), text(s.clone()))
    }

    /// The changes cut at random.
    pub(super) fn batches(&self, random: &mut StdRng) -> Vec<ChangelogBatch> {
        let mut batches = Vec::new();
        let mut rest = self.changes.as_slice();
        while !rest.is_empty() {
            let size = random.random_range(1..=rest.len().min(17));
            batches.push(from_pretty(COLUMNS, &rest[..size].join("\n")));
            rest = &rest[size..];
        }
        batches
    }

    /// The table as it is in the end.
    pub(super) fn table(&self) -> RecordBatch {
        let lines: Vec<_> = self.rows.iter().map(|(id, cells)| Self::line("+I", *id, cells)).collect();
        from_pretty(COLUMNS, &lines.join("\n")).rows().clone()
    }
}
