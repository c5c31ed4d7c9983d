//! Keeps rows apart that a sink takes for one.
//!
//! The row that the sink shows is the first of those with its key, the newest first: a Top-1 without
//! an order in which the newest of equals wins.
//!
//! | input `k, id` | result by `k` |
//! |---|---|
//! | `+I a 1` | `+I a 1` |
//! | `+I a 2` | `+U a 2` |
//! | `-D a 2` | `+U a 1` |
//! | `-D a 1` | `-D a 1` |

use std::time::Duration;

use arrow_schema::SchemaRef;
use sluice_model::{ChangelogBatch, Result};

use crate::{Operator, Output, Rank, Scope, StateOutput, StateTable};

/// The operator of [`sluice_plan::UpsertMaterialize`].
#[derive(Debug)]
pub struct UpsertMaterialize(Rank);

impl UpsertMaterialize {
    /// For rows of this schema.
    ///
    /// # Errors
    /// A key of a type that cannot be one.
    pub fn new(node: &sluice_plan::UpsertMaterialize, schema: &SchemaRef) -> Result<Self> {
        let newest = sluice_plan::Rank {
            partition: node.key.clone(),
            order: Vec::new(),
            newest_first: true,
            first: 1,
            last: Some(1),
            rank_column: false,
            retracts: true,
            unique_key: node.unique_key.clone(),
            update_before: false,
            window_end: None,
        };
        Rank::new(&newest, schema, schema).map(Self)
    }
}

impl Operator for UpsertMaterialize {
    fn on_batch(&mut self, input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        self.0.on_batch(input, batch, output)
    }

    fn next_timer(&self) -> Option<i64> {
        self.0.next_timer()
    }

    fn on_processing_time(&mut self, now_millis: i64, output: Output<'_>) -> Result<()> {
        self.0.on_processing_time(now_millis, output)
    }

    fn expire_after(&mut self, ttl: &[Option<Duration>]) {
        self.0.expire_after(ttl);
    }

    fn state_bytes(&self) -> usize {
        self.0.state_bytes()
    }

    fn state_tables(&self) -> &[StateTable] {
        self.0.state_tables()
    }

    fn snapshot(&mut self, scope: Scope, output: StateOutput<'_>) -> Result<()> {
        self.0.snapshot(scope, output)
    }

    fn restore(&mut self, table: usize, rows: ChangelogBatch) -> Result<()> {
        self.0.restore(table, rows)
    }
}

#[cfg(test)]
mod tests {
    use sluice_model::from_pretty;

    use crate::testing::{Harness, checked};

    use super::*;

    const COLUMNS: &str = "k INT, id INT, v INT";

    fn harness(unique_key: Option<Vec<usize>>) -> Harness {
        let schema = from_pretty(COLUMNS, "").schema();
        let node = sluice_plan::UpsertMaterialize { key: vec![0], unique_key };
        let harness = Harness::new(COLUMNS, move || Box::new(UpsertMaterialize::new(&node, &schema).unwrap()));
        harness.by_key(&[0], false)
    }

    #[test]
    fn the_newest_row_shows_and_the_one_before_comes_back() {
        for unique_key in [None, Some(vec![1])] {
            let mut operator = harness(unique_key);
            assert_eq!(operator.run("+I 1 1 0"), "+I 1 1 0");
            assert_eq!(operator.run("+I 1 2 0"), "+U 1 2 0");
            assert_eq!(operator.run("-D 1 1 0"), "");
            assert_eq!(operator.run("+I 1 3 0"), "+U 1 3 0");
            assert_eq!(operator.run("-U 1 3 0"), "+U 1 2 0");
            assert_eq!(operator.run("-D 1 9 0"), "");
            assert_eq!(operator.run("-D 1 2 0"), "-D 1 2 0");
        }
    }

    #[test]
    fn a_retraction_may_come_after_what_replaces_it() {
        let mut operator = harness(Some(vec![1]));
        operator.run("+I 1 1 0 / +I 2 2 0");
        assert_eq!(operator.run("+U 2 1 0"), "+U 2 1 0");
        assert_eq!(operator.run("-U 2 2 0 / +U 1 2 0"), "+U 1 2 0");
        assert_eq!(operator.run("-U 1 1 0"), "");
        assert_eq!(operator.result(), ["1 2 0", "2 1 0"]);
    }

    #[test]
    fn an_updated_row_is_the_newest() {
        let mut operator = harness(Some(vec![1]));
        operator.run("+I 1 1 0 / +I 1 2 0");
        assert_eq!(operator.run("+U 1 1 5"), "+U 1 1 5");
        assert_eq!(operator.run("-D 1 2 0"), "");
        assert_eq!(operator.run("-D 1 1 5"), "-D 1 1 5");
    }

    #[test]
    fn agrees_with_lists_on_random_changes() {
        checked(1500, |random| {
            let keyed = random.flag();
            let mut operator = harness(keyed.then(|| vec![1]));
            let mut lists = std::collections::BTreeMap::<u32, Vec<(u32, u32)>>::new();
            for _ in 0..random.below(12) {
                let mut input = Vec::new();
                for _ in 0..random.below(8) + 1 {
                    let (key, id, value) = (random.below(2), random.below(3), random.below(2));
                    let list = lists.entry(key).or_default();
                    let same = |row: &(u32, u32)| row.0 == id && (keyed || row.1 == value);
                    let known = list.iter().position(same);
                    if random.below(5) < 3 {
                        known.filter(|_| keyed).map(|known| list.remove(known));
                        list.push((id, value));
                        input.push(format!("{} {key} {id} {value}", random.of(&["+I", "+U"])));
                    } else {
                        known.map(|known| list.remove(known));
                        input.push(format!("{} {key} {id} {value}", random.of(&["-U", "-D"])));
                    }
                }
                operator.run(&input.join(" / "));
                let last = lists.iter().filter_map(|(key, list)| Some((key, list.last()?)));
                let expected: Vec<String> = last.map(|(key, (id, value))| format!("{key} {id} {value}")).collect();
                assert_eq!(operator.result(), expected);
                operator.maybe_restart(random);
            }
        });
    }
}
