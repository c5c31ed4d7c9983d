use sluice_model::from_pretty;
use sluice_plan::SortColumn;

use crate::testing::Harness;

use super::*;

const COLUMNS: &str = "k STRING, v INT, id INT";

/// `PARTITION BY k ORDER BY v DESC`, ranks 1 and 2.
fn top_2() -> sluice_plan::Rank {
    let order = vec![SortColumn { column: 1, descending: true, nulls_first: false }];
    sluice_plan::Rank {
        partition: vec![0],
        order,
        first: 1,
        last: Some(2),
        rank_column: false,
        retracts: false,
        unique_key: None,
        update_before: true,
    }
}

fn harness(node: sluice_plan::Rank) -> Harness {
    let schema = from_pretty(COLUMNS, "").schema();
    let ranked = from_pretty("k STRING, v INT, id INT, rank BIGINT", "").schema();
    let output = if node.rank_column { ranked } else { Arc::clone(&schema) };
    let (key, update_before) = (node.result_key(3), node.update_before);
    let harness = Harness::new(COLUMNS, move || Box::new(Rank::new(&node, &schema, &output).unwrap()));
    match key {
        Some(key) => harness.by_key(&key, update_before),
        None => harness,
    }
}

#[test]
fn keeps_the_first_of_insertions() {
    let mut operator = harness(top_2());
    assert_eq!(operator.run("+I a 1 1"), "+I a 1 1");
    assert_eq!(operator.run("+I a 3 2"), "+I a 3 2");
    assert_eq!(operator.run("+I a 2 3"), "-D a 1 1 / +I a 2 3");
    assert_eq!(operator.run("+I a 2 4 / +I a NULL 5"), "");
    assert_eq!(operator.run("+I b NULL 6 / +I NULL 1 7"), "+I b NULL 6 / +I NULL 1 7");
    assert_eq!(operator.run("+I a 4 8 / +I a 5 9 / +I a 6 10"), "-D a 3 2 / -D a 2 3 / +I a 6 10 / +I a 5 9");
}

#[test]
fn moves_rows_along_the_ranks() {
    let mut operator = harness(sluice_plan::Rank { rank_column: true, ..top_2() });
    assert_eq!(operator.run("+I a 1 1"), "+I a 1 1 1");
    assert_eq!(operator.run("+I a 3 2"), "-U a 1 1 1 / +U a 3 2 1 / +I a 1 1 2");
    assert_eq!(operator.run("+I a 2 3"), "-U a 1 1 2 / +U a 2 3 2");
    let mut operator = harness(sluice_plan::Rank { rank_column: true, update_before: false, ..top_2() });
    assert_eq!(operator.run("+I a 1 1"), "+I a 1 1 1");
    assert_eq!(operator.run("+I a 3 2"), "+U a 3 2 1 / +I a 1 1 2");
}

#[test]
fn brings_rows_back_when_others_go() {
    for unique_key in [None, Some(vec![2])] {
        let mut operator = harness(sluice_plan::Rank { retracts: true, unique_key, ..top_2() });
        assert_eq!(operator.run("+I a 1 1 / +I a 2 2 / +I a 3 3"), "+I a 3 3 / +I a 2 2");
        assert_eq!(operator.run("-D a 2 2"), "-D a 2 2 / +I a 1 1");
        assert_eq!(operator.run("-D a 9 9 / -D c 1 1"), "");
        let by_key = operator.by_key.is_some();
        let expected = if by_key { "-U a 3 3 / +U a 0 3" } else { "-D a 3 3 / +I a 0 3" };
        assert_eq!(operator.run("-U a 3 3 / +U a 0 3"), expected);
        assert_eq!(operator.run("-D a 0 3 / -D a 1 1"), "-D a 1 1 / -D a 0 3");
    }
}
