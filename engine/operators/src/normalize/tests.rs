use sluice_model::from_pretty;

use crate::testing::{Harness, checked};

use super::*;

const COLUMNS: &str = "id INT, v STRING";

fn harness(update_before: bool) -> Harness {
    let schema = from_pretty(COLUMNS, "").schema();
    Harness::new(COLUMNS, move || {
        Box::new(Normalize::new(sluice_plan::Normalize { key: vec![0], update_before }, &schema).unwrap())
    })
    .by_key(&[0], update_before)
}

#[test]
fn finds_what_is_replaced() {
    let mut operator = harness(true);
    assert_eq!(operator.run("+I 1 a"), "+I 1 a");
    assert_eq!(operator.run("+U 1 b"), "-U 1 a / +U 1 b");
    assert_eq!(operator.run("+I 1 c"), "-U 1 b / +U 1 c");
    assert_eq!(operator.run("+U 1 c"), "");
    assert_eq!(operator.run("-D 1 NULL"), "-D 1 c");
    assert_eq!(operator.run("-D 1 NULL"), "");
    assert_eq!(operator.run("+U 1 d"), "+I 1 d");
}

#[test]
fn leaves_the_old_content_out_where_nobody_wants_it() {
    let mut operator = harness(false);
    assert_eq!(operator.run("+I 1 a / +I 2 b"), "+I 1 a / +I 2 b");
    assert_eq!(operator.run("+U 1 c / -D 2 NULL"), "+U 1 c / -D 2 b");
}

#[test]
fn puts_out_the_net_effect_of_a_batch() {
    let mut operator = harness(true);
    assert_eq!(operator.run("+I 1 a / +U 1 b / +I 2 x / -D 2 x"), "+I 1 b");
    assert_eq!(operator.run("-U 1 b / +U 1 b"), "");
    assert_eq!(operator.run("-D 1 b / +I 1 c / +I NULL z"), "-U 1 b / +U 1 c / +I NULL z");
}

#[test]
fn a_snapshot_of_changes_has_nothing_else() {
    let mut operator = harness(true);
    operator.run("+I 1 a / +I 2 b / +I 3 c / +I 4 d / -D 4 d");
    assert_eq!(operator.changes(), "+I 1 a / +I 2 b / +I 3 c");
    operator.run("+U 1 e / -D 2 b / +I 2 f / -D 3 c / +I 5 g / -D 5 g / +I 6 h");
    assert_eq!(operator.changes(), "-D 3 NULL / +U 1 e / +U 2 f / +I 6 h");
    operator.run("-D 6 h");
    operator.run("+I 6 i");
    assert_eq!(operator.changes(), "+U 6 i");
    assert_eq!(operator.changes(), "");
    operator.restart();
    assert_eq!(operator.run("+U 1 x / -D 2 ? / -D 3 ? / +U 6 i"), "-U 1 e / +U 1 x / -D 2 f");
}

#[test]
fn agrees_with_a_map_on_random_changes() {
    checked(1500, |random| {
        let mut operator = harness(random.flag());
        let mut table = std::collections::BTreeMap::<u32, u32>::new();
        for _ in 0..random.below(12) {
            let mut input = Vec::new();
            for _ in 0..random.below(8) + 1 {
                let (id, value) = (random.below(5), random.below(3));
                if random.below(3) > 0 {
                    input.push(format!("{} {id} {value}", random.of(&["+I", "+U"])));
                    table.insert(id, value);
                } else {
                    input.push(format!("{} {id} NULL", random.of(&["-U", "-D"])));
                    table.remove(&id);
                }
            }
            operator.run(&input.join(" / "));
            let expected: Vec<String> = table.iter().map(|(id, value)| format!("{id} {value}")).collect();
            assert_eq!(operator.result(), expected);
            operator.maybe_restart(random);
        }
    });
}
