//! Changes that fit what is there, and what comes of them.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_model::{ChangelogBatch, from_pretty, to_pretty};

/// Columns of all inputs.
pub(super) const COLUMNS: &str = "k INT, id INT, v INT, s STRING";

/// What the rows of the inputs are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// Insertions only.
    Appended,
    /// All kinds; rows may be equal.
    Changing,
    /// All kinds; `id` identifies a row.
    Identified,
    /// As that, without old content.
    Upserted,
}

/// Makes changes that fit what is there.
pub(super) struct Changes {
    random: StdRng,
    rows: Rows,
    keys: i32,
    width: usize,
    next: i32,
    pub(super) live: [Vec<[String; 4]>; 2],
}

impl Changes {
    pub(super) fn new(seed: u64, rows: Rows, keys: i32, width: usize) -> Self {
        let random = StdRng::seed_from_u64(seed);
        Self { random, rows, keys, width, next: 0, live: Default::default() }
    }

    fn row(&mut self, id: Option<String>) -> [String; 4] {
        let id = id.unwrap_or_else(|| {
            self.next += 1;
            if self.rows == Rows::Changing { "0".to_owned() } else { self.next.to_string() }
        });
        let length = self.random.random_range(1..=self.width);
        let text: String = (0..length).map(|_| char::from(self.random.random_range(b'a'..=b'z'))).collect();
        let key = if self.random.random_range(0..20) == 0 {
            "NULL".to_owned()
        } else {
            self.random.random_range(0..self.keys).to_string()
        };
        [key, id, self.random.random_range(0..4).to_string(), text]
    }

    /// A batch of changes of an input.
    pub(super) fn batch(&mut self, input: usize, rows: usize) -> ChangelogBatch {
        let mut lines = Vec::new();
        while lines.len() < rows {
            let live = self.live[input].len();
            let choice = if self.rows == Rows::Appended || live == 0 { 0 } else { self.random.random_range(0..5) };
            if choice < 2 {
                let row = self.row(None);
                lines.push(format!("+I {}", row.join(" ")));
                self.live[input].push(row);
                continue;
            }
            let at = self.random.random_range(0..live);
            let old = self.live[input].swap_remove(at);
            if choice == 2 {
                lines.push(format!("-D {}", old.join(" ")));
                continue;
            }
            let mut new = self.row(Some(old[1].clone()));
            if self.random.random() {
                new[0] = old[0].clone();
            }
            if self.rows != Rows::Upserted {
                lines.push(format!("-U {}", old.join(" ")));
            }
            lines.push(format!("+U {}", new.join(" ")));
            self.live[input].push(new);
        }
        from_pretty(COLUMNS, &lines.join(" / "))
    }
}

/// What an operator has put out.
#[derive(Default)]
pub(super) struct Materialized {
    pub(super) rows: BTreeMap<String, usize>,
    pub(super) key: Option<usize>,
}

impl Materialized {
    pub(super) fn apply(&mut self, batch: &ChangelogBatch) {
        let text = to_pretty(batch);
        for line in text.split(" / ") {
            let (kind, row) = line.split_once(' ').unwrap();
            let is_addition = matches!(kind, "+I" | "+U");
            if let Some(key) = self.key {
                let key = row.split(' ').nth(key).unwrap();
                let before = self.rows.len();
                self.rows.retain(|row, _| !row.starts_with(&format!("{key} ")));
                assert!(kind == "+I" || self.rows.len() < before, "{line}: is not there");
                assert!(kind != "+I" || self.rows.len() == before, "{line}: is there already");
            } else if !is_addition {
                let rows = format!("{:?}", self.rows.keys().filter(|other| other[..2] == row[..2]).collect::<Vec<_>>());
                let count =
                    self.rows.get_mut(row).unwrap_or_else(|| panic!("{line} takes back what is not there: {rows:?}"));
                *count -= 1;
                self.rows.retain(|_, count| *count > 0);
            }
            if is_addition {
                *self.rows.entry(row.to_owned()).or_default() += 1;
            }
        }
    }
}
