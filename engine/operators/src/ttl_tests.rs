//! State that expires, operator by operator: nothing is put out when it goes, and what comes next
//! finds nothing.

use std::time::Duration;

use arrow_schema::{DataType, Field};
use sluice_model::{ChangelogBatch, from_pretty, to_pretty};
use sluice_plan::{AggregateCall, JoinKind, SortColumn};

use crate::testing::{Harness, Random, checked};
use crate::{GroupAggregate, Join, Normalize, Operator, Rank, Scope};

const COLUMNS: &str = "id BIGINT, v BIGINT";
/// A step is a second.
const TTL: Option<Duration> = Some(Duration::from_secs(16));

fn sum(ttl: Option<Duration>) -> Box<dyn Operator> {
    let input = from_pretty(COLUMNS, "").schema();
    let call = AggregateCall {
        function: "sum".into(),
        arguments: vec![1],
        literals: vec![],
        distinct: true,
        filter: None,
        result: Field::new("sum", DataType::Int64, true).into(),
    };
    let node = sluice_plan::GroupAggregate {
        group: vec![0],
        calls: vec![call],
        retracts: true,
        update_before: true,
        window_end: None,
        row_count: None,
    };
    let mut operator = GroupAggregate::new(&node, &input, &input).unwrap();
    operator.expire_after(&[ttl]);
    Box::new(operator)
}

fn normalize(ttl: Option<Duration>) -> Box<dyn Operator> {
    let node = sluice_plan::Normalize { key: vec![0], update_before: true };
    let mut operator = Normalize::new(node, &from_pretty(COLUMNS, "").schema()).unwrap();
    operator.expire_after(&[ttl]);
    Box::new(operator)
}

fn top(last: u64, retracts: bool, ttl: Option<Duration>) -> Box<dyn Operator> {
    let schema = from_pretty(COLUMNS, "").schema();
    let node = sluice_plan::Rank {
        partition: vec![0],
        order: vec![SortColumn { column: 1, descending: true, nulls_first: false }],
        newest_first: false,
        first: 1,
        last: Some(last),
        rank_column: false,
        retracts,
        unique_key: None,
        update_before: true,
        window_end: None,
    };
    let mut operator = Rank::new(&node, &schema, &schema).unwrap();
    operator.expire_after(&[ttl]);
    Box::new(operator)
}

fn at(operator: &mut dyn Operator, seconds: i64) {
    if operator.next_timer().is_some_and(|timer| timer <= seconds * 1000) {
        operator.on_processing_time(seconds * 1000, &mut |batch| panic!("{}", to_pretty(&batch))).unwrap();
    }
}

fn put(operator: &mut dyn Operator, input: usize, rows: &str) -> String {
    let mut output = Vec::new();
    let mut collect = |batch: ChangelogBatch| {
        output.push(to_pretty(&batch));
        Ok(())
    };
    operator.on_batch(input, from_pretty(COLUMNS, rows), &mut collect).unwrap();
    output.join(" / ")
}

#[test]
fn a_group_begins_anew_and_what_it_had_cannot_be_taken_back() {
    let mut operator = sum(TTL);
    at(&mut *operator, 100);
    assert_eq!(put(&mut *operator, 0, "+I 1 5 / +I 2 7"), "+I 1 5 / +I 2 7");
    at(&mut *operator, 110);
    assert_eq!(put(&mut *operator, 0, "+I 1 6"), "-U 1 5 / +U 1 11");
    at(&mut *operator, 120);
    assert_eq!(put(&mut *operator, 0, "-D 2 7"), "");
    assert_eq!(put(&mut *operator, 0, "+I 2 7 / +I 1 1"), "+I 2 7 / -U 1 11 / +U 1 12");
}

#[test]
fn results_that_stay_the_same_are_put_out_so_that_consumers_keep_them() {
    let mut operator = sum(TTL);
    at(&mut *operator, 100);
    put(&mut *operator, 0, "+I 1 5");
    assert_eq!(put(&mut *operator, 0, "+I 1 5"), "-U 1 5 / +U 1 5");
    let mut operator = normalize(TTL);
    at(&mut *operator, 100);
    put(&mut *operator, 0, "+I 1 5");
    assert_eq!(put(&mut *operator, 0, "+U 1 5"), "-U 1 5 / +U 1 5");
    for (mut operator, repeated) in [(sum(None), "+I 1 5"), (normalize(None), "+U 1 5")] {
        put(&mut *operator, 0, "+I 1 5");
        assert_eq!(put(&mut *operator, 0, repeated), "");
        assert_eq!(operator.next_timer(), None);
    }
}

#[test]
fn the_last_row_of_a_key_is_forgotten() {
    let mut operator = normalize(TTL);
    at(&mut *operator, 100);
    put(&mut *operator, 0, "+I 1 5 / +I 2 7");
    at(&mut *operator, 116);
    assert_eq!(put(&mut *operator, 0, "+U 1 6"), "-U 1 5 / +U 1 6");
    at(&mut *operator, 117);
    assert_eq!(put(&mut *operator, 0, "+U 1 7 / +U 2 8"), "-U 1 6 / +U 1 7 / +I 2 8");
}

#[test]
fn a_partition_is_forgotten_as_a_whole() {
    for retracts in [false, true] {
        let mut operator = top(2, retracts, TTL);
        at(&mut *operator, 100);
        put(&mut *operator, 0, "+I 1 5 / +I 1 6 / +I 2 7 / +I 2 7");
        at(&mut *operator, 110);
        assert_eq!(put(&mut *operator, 0, "+I 1 9"), "-D 1 5 / +I 1 9");
        at(&mut *operator, 120);
        assert_eq!(put(&mut *operator, 0, "+I 1 8 / +I 2 1"), "-D 1 6 / +I 1 8 / +I 2 1");
    }
}

#[test]
fn of_several_rows_the_first_is_kept_for_its_time_whatever_comes() {
    let mut operator = top(1, false, TTL);
    at(&mut *operator, 100);
    assert_eq!(put(&mut *operator, 0, "+I 1 5"), "+I 1 5");
    at(&mut *operator, 112);
    assert_eq!(put(&mut *operator, 0, "+I 1 4"), "");
    at(&mut *operator, 117);
    assert_eq!(put(&mut *operator, 0, "+I 1 3"), "+I 1 3");
}

fn join(kind: JoinKind, ttl: [Option<Duration>; 2]) -> Join {
    join_of(kind, [false, false], ttl)
}

fn join_of(kind: JoinKind, inserts_only: [bool; 2], ttl: [Option<Duration>; 2]) -> Join {
    let schema = from_pretty(COLUMNS, "").schema();
    let output = from_pretty("id BIGINT, v BIGINT, id2 BIGINT, v2 BIGINT", "").schema();
    let (condition, unique_keys) = (None, [Some(vec![1]), None]);
    let node = sluice_plan::Join {
        kind,
        keys: vec![(0, 0)],
        null_equals_null: false,
        condition,
        unique_keys,
        inserts_only,
        window_ends: None,
    };
    let mut join = Join::new(&node, [&schema, &schema], &output).unwrap();
    join.expire_after(&ttl);
    join
}

#[test]
fn the_sides_of_a_join_expire_each_in_its_time() {
    let mut operator = join(JoinKind::Inner, [TTL, Some(Duration::from_secs(160))]);
    at(&mut operator, 100);
    put(&mut operator, 0, "+I 1 5");
    put(&mut operator, 1, "+I 1 7 / +I 1 7");
    at(&mut operator, 120);
    assert_eq!(put(&mut operator, 1, "+I 1 8"), "");
    assert_eq!(put(&mut operator, 0, "+I 1 6"), "+I 1 6 1 7 / +I 1 6 1 7 / +I 1 6 1 8");
    at(&mut operator, 285);
    assert_eq!(put(&mut operator, 0, "+I 1 9"), "+I 1 9 1 8");
    let mut operator = join(JoinKind::Inner, [None, TTL]);
    at(&mut operator, 100);
    put(&mut operator, 0, "+I 1 5");
    at(&mut operator, 10_000);
    assert_eq!(put(&mut operator, 1, "+I 1 7"), "+I 1 5 1 7");
}

#[test]
fn a_partner_renews_a_row_that_counts_it() {
    let mut operator = join(JoinKind::Left, [TTL, TTL]);
    at(&mut operator, 100);
    assert_eq!(put(&mut operator, 0, "+I 1 5"), "+I 1 5 NULL NULL");
    at(&mut operator, 110);
    assert_eq!(put(&mut operator, 1, "+I 1 7"), "-D 1 5 NULL NULL / +I 1 5 1 7");
    at(&mut operator, 120);
    assert_eq!(put(&mut operator, 1, "-D 1 7"), "-D 1 5 1 7 / +I 1 5 NULL NULL");
    at(&mut operator, 140);
    assert_eq!(put(&mut operator, 1, "+I 1 8"), "");
}

/// An operator that is restarted at random goes on as one that is not.
fn check(random: &mut Random, operator: impl Fn() -> Box<dyn Operator> + Copy, retracts: bool, inputs: u32) {
    let (mut through, mut cut) = (operator(), operator());
    let mut disk: Vec<(usize, ChangelogBatch)> = Vec::new();
    let mut table: Vec<String> = Vec::new();
    let (mut now, mut has_base) = (100, false);
    for _ in 0..random.below(40) {
        now += i64::from(random.of(&[0, 0, 1, 5, 20]));
        at(&mut *through, now);
        at(&mut *cut, now);
        if random.below(3) == 0 {
            let scope = if has_base && random.below(3) > 0 { Scope::Changes } else { Scope::All };
            if scope == Scope::All {
                disk.clear();
            }
            has_base = true;
            let mut save = |table, rows| {
                disk.push((table, rows));
                Ok(())
            };
            cut.snapshot(scope, &mut save).unwrap();
            if random.flag() {
                cut = operator();
                disk.iter().for_each(|(table, rows)| cut.restore(*table, rows.clone()).unwrap());
                at(&mut *cut, now);
            }
        }
        let mut rows = Vec::new();
        for _ in 0..=random.below(5) {
            if retracts && !table.is_empty() && random.below(3) == 0 {
                rows.push(format!("-D {}", table.swap_remove(random.below(table.len() as u32) as usize)));
            } else {
                let row = format!("{} {}", random.below(4), random.below(6));
                rows.push(format!("+I {row}"));
                table.push(row);
            }
        }
        let (input, rows) = (random.below(inputs) as usize, rows.join(" / "));
        // The rows of a key may come in another order.
        let sorted = |output: String| {
            let mut lines: Vec<String> = output.split(" / ").map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let expected = sorted(put(&mut *through, input, &rows));
        assert_eq!(sorted(put(&mut *cut, input, &rows)), expected, "{rows} at {now}");
    }
}

#[test]
fn times_are_part_of_the_state() {
    checked(200, |random| {
        check(random, || sum(TTL), true, 1);
        check(random, || normalize(TTL), true, 1);
        check(random, || top(2, false, TTL), false, 1);
        check(random, || top(3, true, TTL), true, 1);
        check(random, || Box::new(join(JoinKind::Left, [TTL, None])), true, 2);
        check(random, || Box::new(join(JoinKind::Full, [TTL, TTL])), true, 2);
        check(random, || Box::new(join_of(JoinKind::Inner, [true, true], [TTL, None])), false, 2);
        check(random, || Box::new(join_of(JoinKind::Full, [true, true], [TTL, TTL])), false, 2);
    });
}

#[test]
fn what_has_expired_leaves_the_state_with_the_next_snapshot() {
    for make in [sum as fn(_) -> _, normalize, |ttl| top(2, true, ttl), |ttl| top(2, false, ttl)] {
        let mut operator: Box<dyn Operator> = make(TTL);
        at(&mut *operator, 100);
        put(&mut *operator, 0, "+I 1 5 / +I 2 6");
        let rows = |operator: &mut dyn Operator, scope| {
            let mut count = [0, 0];
            let mut add = |_: usize, rows: ChangelogBatch| {
                (0..rows.num_rows()).for_each(|row| count[usize::from(rows.kind(row).is_addition())] += 1);
                Ok(())
            };
            operator.snapshot(scope, &mut add).unwrap();
            count
        };
        let [_, all] = rows(&mut *operator, Scope::All);
        at(&mut *operator, 200);
        assert_eq!(rows(&mut *operator, Scope::Changes), [all, 0]);
        assert_eq!(rows(&mut *operator, Scope::All), [0, 0]);
    }
}

#[test]
fn the_changes_of_state_tell_when_rows_were_written() {
    checked(100, |random| {
        let mut harness = Harness::new(COLUMNS, || normalize(TTL));
        for row in 0..random.below(30) {
            harness.run(&format!("+U {} {row}", random.below(5)));
            harness.maybe_restart(random);
        }
    });
}
