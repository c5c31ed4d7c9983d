//! Runs an operator with state and checks what no operator may do: take back a row that it has not
//! put out, or hand out changes of state that do not fit what it has handed out before.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_model::{ChangelogBatch, from_pretty, to_pretty};

use crate::{Operator, Scope};

/// An operator, what it has put out, and its state on a disk.
pub(crate) struct Harness {
    columns: &'static str,
    make: Box<dyn Fn() -> Box<dyn Operator>>,
    operator: Box<dyn Operator>,
    /// The result as a multiset of rows, if old content is put out.
    pub(crate) rows: BTreeMap<String, usize>,
    /// The result by key, with the columns of that key.
    pub(crate) by_key: Option<(Vec<usize>, BTreeMap<String, String>)>,
    update_before: bool,
    disk: Vec<ChangelogBatch>,
    table: BTreeMap<String, String>,
}

impl Harness {
    pub(crate) fn new(columns: &'static str, make: impl Fn() -> Box<dyn Operator> + 'static) -> Self {
        let operator = make();
        Self {
            columns,
            make: Box::new(make),
            operator,
            rows: BTreeMap::new(),
            by_key: None,
            update_before: true,
            disk: Vec::new(),
            table: BTreeMap::new(),
        }
    }

    /// Checks the result by key as well; alone if there is no `-U`.
    pub(crate) fn by_key(mut self, key: &[usize], update_before: bool) -> Self {
        self.by_key = Some((key.to_vec(), BTreeMap::new()));
        self.update_before = update_before;
        self
    }

    /// Hands the operator a batch; what it puts out.
    pub(crate) fn run(&mut self, rows: &str) -> String {
        let mut output = Vec::new();
        let batch = from_pretty(self.columns, rows);
        self.operator
            .on_batch(0, batch, &mut |batch| {
                assert!(!batch.is_empty());
                output.push(to_pretty(&batch));
                Ok(())
            })
            .unwrap();
        let output = output.join(" / ");
        output.split(" / ").filter(|line| !line.is_empty()).for_each(|line| self.apply(line));
        output
    }

    fn apply(&mut self, line: &str) {
        let (kind, row) = line.split_once(' ').unwrap();
        let addition = matches!(kind, "+I" | "+U");
        if self.update_before {
            let count = self.rows.entry(row.to_owned()).or_default();
            if addition {
                *count += 1;
            } else {
                assert!(*count > 0, "{line} takes back what is not there");
                *count -= 1;
            }
            self.rows.retain(|_, count| *count > 0);
        } else {
            assert_ne!(kind, "-U", "{line} is not wanted");
        }
        if let Some((key, table)) = &mut self.by_key
            && kind != "-U"
        {
            let values: Vec<&str> = row.split(' ').collect();
            let key = key.iter().map(|column| values[*column]).collect::<Vec<_>>().join(" ");
            apply_by_key(table, kind, key, row);
        }
    }

    /// The rows of the result, sorted.
    pub(crate) fn result(&self) -> Vec<String> {
        let multiset: Vec<String> =
            self.rows.iter().flat_map(|(row, count)| std::iter::repeat_n(row.clone(), *count)).collect();
        let Some((_, by_key)) = &self.by_key else { return multiset };
        let mut by_key: Vec<String> = by_key.values().cloned().collect();
        by_key.sort();
        if self.update_before {
            assert_eq!(by_key, multiset, "by key the result is another one");
        }
        by_key
    }

    /// Takes a snapshot of what has changed; its rows.
    pub(crate) fn changes(&mut self) -> String {
        self.snapshot(Scope::Changes)
    }

    pub(crate) fn snapshot(&mut self, scope: Scope) -> String {
        if scope == Scope::All {
            self.disk.clear();
            self.table.clear();
        }
        let mut batches = Vec::new();
        self.operator
            .snapshot(scope, &mut |table, batch| {
                assert_eq!(table, 0);
                batches.push(batch);
                Ok(())
            })
            .unwrap();
        let table = self.operator.state_tables()[0].clone();
        let mut lines = Vec::new();
        for batch in &batches {
            assert_eq!(batch.schema(), table.schema);
            let text = to_pretty(batch);
            for line in text.split(" / ") {
                let (kind, row) = line.split_once(' ').unwrap();
                let key = row.split(' ').take(table.key).collect::<Vec<_>>().join(" ");
                apply_by_key(&mut self.table, kind, key, row);
            }
            lines.push(text);
        }
        self.disk.extend(batches);
        lines.join(" / ")
    }

    /// Starts anew with the state on disk.
    pub(crate) fn restart(&mut self) {
        self.operator = (self.make)();
        for batch in &self.disk {
            self.operator.restore(0, batch.clone()).unwrap();
        }
    }

    /// Number of rows in the state on disk.
    pub(crate) fn state_rows(&self) -> usize {
        self.table.len()
    }

    /// Takes a snapshot at times, and at times starts anew with it.
    pub(crate) fn maybe_restart(&mut self, random: &mut Random) {
        if random.below(3) == 0 {
            self.snapshot(if random.below(3) == 0 { Scope::All } else { Scope::Changes });
            if random.flag() {
                self.restart();
                assert_eq!(self.changes(), "", "restored state counts as a change");
                let changed = std::mem::take(&mut self.table);
                let disk = std::mem::take(&mut self.disk);
                self.snapshot(Scope::All);
                assert_eq!(self.table, changed, "restored state is another one");
                // The snapshot holds what the disk does: starting from either is the same.
                if random.flag() {
                    self.disk = disk;
                }
                self.restart();
            }
        }
    }
}

fn apply_by_key(table: &mut BTreeMap<String, String>, kind: &str, key: String, row: &str) {
    match kind {
        "+I" => assert!(table.insert(key, row.to_owned()).is_none(), "{kind} {row}: is there already"),
        "+U" => assert!(table.insert(key, row.to_owned()).is_some(), "{kind} {row}: is not there"),
        _ => assert!(table.remove(&key).is_some(), "{kind} {row}: is not there"),
    }
}

/// Random numbers for a test.
pub(crate) struct Random(StdRng);

impl Random {
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.0.random_range(0..end)
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.0.random()
    }

    pub(crate) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u32) as usize]
    }
}

/// Runs a test with many seeds and names the one that fails.
pub(crate) fn checked(cases: u64, test: impl Fn(&mut Random)) {
    struct Seed(u64);
    impl Drop for Seed {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("fails with seed {}", self.0);
            }
        }
    }
    for seed in 0..cases {
        let seed = Seed(seed);
        test(&mut Random(StdRng::seed_from_u64(seed.0)));
    }
}
