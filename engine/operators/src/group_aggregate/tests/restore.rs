//! Any changelog, cut anywhere by snapshots, gives the same as one that ran through.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_model::{ChangelogBatch, from_pretty, to_pretty};

use super::{Case, call, distinct, filtered, literal, put};
use crate::group_aggregate::GroupAggregate;
use crate::{Operator, Scope};

pub(super) const COLUMNS: &str = "g INT, x INT, s STRING, d DECIMAL(9,2), f BOOLEAN";

pub(super) fn every_call() -> Vec<super::AggregateCall> {
    vec![
        call("count", &[], "BIGINT"),
        distinct(call("count", &[2], "BIGINT")),
        call("sum", &[1], "INT"),
        call("sum", &[3], "DECIMAL(38,2)"),
        distinct(filtered(call("sum", &[1], "INT"), 4)),
        distinct(call("count", &[1], "BIGINT")),
        distinct(filtered(call("count", &[2], "BIGINT"), 4)),
        call("avg", &[3], "DECIMAL(38,6)"),
        call("min", &[1], "INT"),
        filtered(call("max", &[2], "STRING"), 4),
        call("first_value", &[2], "STRING"),
        call("last_value", &[1], "INT"),
        literal(call("listagg", &[2], "STRING"), "|"),
        call("array_agg", &[1], "ARRAY INT"),
        call("var_pop", &[1], "INT"),
        call("stddev_samp", &[3], "DECIMAL(38,6)"),
    ]
}

/// Batches in which every row that is taken back was there.
pub(super) fn changes(random: &mut StdRng, retracts: bool) -> Vec<ChangelogBatch> {
    let mut table: Vec<String> = Vec::new();
    let cell = |random: &mut StdRng, text: String| if random.random_ratio(1, 6) { "NULL".to_owned() } else { text };
    let batches = random.random_range(1..30);
    let batch = |random: &mut StdRng| {
        let mut lines = Vec::new();
        for _ in 0..random.random_range(1..12) {
            if retracts && !table.is_empty() && random.random_ratio(1, 2) {
                let row = table.swap_remove(random.random_range(0..table.len()));
                lines.push(format!("{} {row}", if random.random() { "-D" } else { "-U" }));
                continue;
            }
            let g = random.random_range(0..5).to_string();
            let x = random.random_range(-3..4).to_string();
            let s = ["a", "b", "abc", "'d e'"][random.random_range(0..4)].to_owned();
            let d = format!("{}.{:02}", random.random_range(0..9), random.random_range(0..100));
            let f = random.random::<bool>().to_string();
            let row = [g, x, s, d, f].map(|text| cell(random, text)).join(" ");
            lines.push(format!("+I {row}"));
            table.push(row);
        }
        from_pretty(COLUMNS, &lines.join(" / "))
    };
    std::iter::repeat_with({
        let mut batch = batch;
        let mut random = StdRng::seed_from_u64(random.random());
        move || batch(&mut random)
    })
    .take(batches)
    .collect()
}

/// Snapshots of an operator, as the tables and rows that were handed out.
type Log = Vec<(usize, ChangelogBatch)>;

fn snapshot(operator: &mut GroupAggregate, scope: Scope, log: &mut Log) {
    if scope == Scope::All {
        log.clear();
    }
    operator
        .snapshot(scope, &mut |table, rows| {
            log.push((table, rows));
            Ok(())
        })
        .unwrap();
}

fn restored(case: &Case, log: &Log, by_table: bool) -> GroupAggregate {
    let mut operator = case.operator();
    let mut log: Vec<_> = log.iter().collect();
    if by_table {
        log.sort_by_key(|(table, _)| *table);
    }
    for (table, rows) in log {
        operator.restore(*table, rows.clone()).unwrap();
    }
    operator
}

fn check(seed: u64, groups: usize, retracts: bool) {
    let mut random = StdRng::seed_from_u64(seed);
    let case = Case { input: COLUMNS, groups, calls: every_call(), retracts, update_before: true };
    let (mut through, mut cut) = (case.operator(), case.operator());
    let mut log = Log::new();
    let mut has_base = false;
    for (number, batch) in changes(&mut random, retracts).into_iter().enumerate() {
        if random.random_ratio(1, 3) {
            let scope = if has_base && random.random_ratio(3, 4) { Scope::Changes } else { Scope::All };
            has_base = true;
            snapshot(&mut cut, scope, &mut log);
            if random.random() {
                cut = restored(&case, &log, random.random());
            }
        }
        let expected = put(&mut through, batch.clone()).unwrap();
        assert_eq!(put(&mut cut, batch).unwrap(), expected, "seed {seed}, {groups} group columns, batch {number}");
    }
}

#[test]
fn a_restored_operator_goes_on_as_if_nothing_had_happened() {
    for seed in 0..300 {
        check(seed, 1, true);
        check(seed, 0, true);
        check(seed, 1, false);
        check(seed, 2, true);
    }
}

#[test]
fn a_snapshot_of_changes_holds_what_was_touched() {
    let case = Case::new("id INT, x INT", vec![distinct(call("sum", &[1], "INT"))]);
    let mut operator = case.operator();
    let tables = operator.state_tables();
    let described: Vec<_> = tables.iter().map(|table| (table.name.as_str(), table.key, table.distribution)).collect();
    assert_eq!(described, [("groups", 1, 1), ("0.distinct", 2, 1)]);
    let written = |operator: &mut GroupAggregate, scope| {
        let mut log = Log::new();
        snapshot(operator, scope, &mut log);
        log.iter().map(|(table, rows)| format!("{table}: {}", to_pretty(rows))).collect::<Vec<_>>().join(" | ")
    };
    put(&mut operator, case.batch("+I 1 5 / +I 2 6 / +I 2 6 / +I 3 7")).unwrap();
    // Group 3 is gone before any snapshot has seen it.
    put(&mut operator, case.batch("-D 3 7")).unwrap();
    assert_eq!(written(&mut operator, Scope::All), "1: +I 1 5 1 / +I 2 6 2 | 0: +I 1 1 5 1 / +I 2 2 6 1");
    assert_eq!(written(&mut operator, Scope::Changes), "");
    put(&mut operator, case.batch("-D 1 5 / +I 4 1")).unwrap();
    assert_eq!(written(&mut operator, Scope::Changes), "1: +U 4 1 1 | 1: -D 1 5 0 | 0: +U 4 1 1 1 | 0: -D 1 0 0 0");
    assert_eq!(written(&mut operator, Scope::All), "1: +I 2 6 2 / +I 4 1 1 | 0: +I 2 2 6 1 / +I 4 1 1 1");
}

#[test]
fn the_row_of_an_aggregate_without_groups_is_restored_without_rows() {
    let case = Case::new("x INT", vec![call("count", &[], "BIGINT")]).groups(0);
    let (mut operator, mut log) = (case.operator(), Log::new());
    put(&mut operator, case.batch("+I 1")).unwrap();
    put(&mut operator, case.batch("-D 1")).unwrap();
    snapshot(&mut operator, Scope::All, &mut log);
    let mut operator = restored(&case, &log, false);
    assert_eq!(put(&mut operator, case.batch("+I 7")).unwrap(), "-U 0 / +U 1");
}
