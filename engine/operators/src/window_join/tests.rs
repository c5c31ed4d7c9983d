use datafusion_expr::col;
use sluice_model::{from_pretty, to_pretty};

use super::*;

const END: WindowEnd = WindowEnd { column: 0, zone: chrono_tz::Tz::UTC };
const COLUMNS: &str = "window_end TIMESTAMP(3), k STRING, v INT";
const LEFT: &str = "+I 1970-01-01T00:00:10 a 1 / +I 1970-01-01T00:00:10 b 2 / +I 1970-01-01T00:00:10 NULL 3 / \
                    +I 1970-01-01T00:00:20 a 4 / +I 1970-01-01T00:00:10 a 5";
const RIGHT: &str = "+I 1970-01-01T00:00:10 a 6 / +I 1970-01-01T00:00:10 c 7 / +I 1970-01-01T00:00:30 a 8 / \
                     +I 1970-01-01T00:00:10 NULL 9";

/// `ON l.window_end = r.window_end AND l.k = r.k`, and a condition.
fn operator_of(kind: JoinKind, condition: Option<Expr>) -> WindowJoin {
    let keys = vec![(0, 0), (1, 1)];
    let node = sluice_plan::Join {
        kind,
        keys,
        null_equals_null: false,
        condition,
        unique_keys: [None, None],
        inserts_only: [true, true],
        window_ends: Some([END, END]),
    };
    let input = from_pretty(COLUMNS, "").schema();
    let is_left_only = matches!(kind, JoinKind::LeftSemi | JoinKind::LeftAnti);
    let both = from_pretty(&format!("{COLUMNS}, end2 TIMESTAMP(3), k2 STRING, v2 INT"), "").schema();
    let output = if is_left_only { SchemaRef::clone(&input) } else { both };
    WindowJoin::new(&node, [END, END], [&input, &input], &output).unwrap()
}

fn operator(kind: JoinKind) -> WindowJoin {
    operator_of(kind, None)
}

fn push(operator: &mut WindowJoin, input: usize, rows: &str) {
    let silent = |batch: ChangelogBatch| panic!("{} before the end of the window", to_pretty(&batch));
    operator.on_batch(input, from_pretty(COLUMNS, rows), &mut { silent }).unwrap();
}

fn advance(operator: &mut WindowJoin, seconds: i64) -> Vec<String> {
    let mut out = Vec::new();
    let mut output = |batch: ChangelogBatch| {
        out.extend(to_pretty(&batch).split(" / ").map(|row| row.replace("1970-01-01T00:00:", "")));
        Ok(())
    };
    operator.on_watermark(seconds.saturating_mul(1000), &mut output).unwrap();
    out.sort();
    out
}

/// The results of both windows.
fn results(kind: JoinKind) -> Vec<String> {
    let mut operator = operator(kind);
    push(&mut operator, 0, LEFT);
    push(&mut operator, 1, RIGHT);
    assert_eq!(advance(&mut operator, 9), [""; 0]);
    let mut results = advance(&mut operator, 10);
    results.extend(advance(&mut operator, i64::MAX));
    assert!(operator.sides.iter().all(|side| side.ends().next().is_none()), "nothing is kept");
    results
}

#[test]
fn windows_are_joined_once_when_their_time_is_over() {
    let pairs = ["+I 10 a 1 10 a 6", "+I 10 a 5 10 a 6"];
    assert_eq!(results(JoinKind::Inner), pairs);
    let left_alone = ["+I 10 NULL 3 NULL NULL NULL", "+I 10 b 2 NULL NULL NULL"];
    let right_alone = ["+I NULL NULL NULL 10 NULL 9", "+I NULL NULL NULL 10 c 7"];
    let left_later = "+I 20 a 4 NULL NULL NULL";
    let right_later = "+I NULL NULL NULL 30 a 8";
    assert_eq!(results(JoinKind::Left), [left_alone[0], pairs[0], pairs[1], left_alone[1], left_later]);
    assert_eq!(results(JoinKind::Right), [pairs[0], pairs[1], right_alone[0], right_alone[1], right_later]);
    let first = [left_alone[0], pairs[0], pairs[1], left_alone[1], right_alone[0], right_alone[1]];
    assert_eq!(results(JoinKind::Full), [&first[..], &[left_later, right_later]].concat());
    assert_eq!(results(JoinKind::LeftSemi), ["+I 10 a 1", "+I 10 a 5"]);
    assert_eq!(results(JoinKind::LeftAnti), ["+I 10 NULL 3", "+I 10 b 2", "+I 20 a 4"]);
}

#[test]
fn a_condition_sees_both_sides() {
    let mut operator = operator_of(JoinKind::Full, Some(col("l2").gt(col("r2"))));
    push(&mut operator, 0, "+I 1970-01-01T00:00:10 a 1 / +I 1970-01-01T00:00:10 a 7");
    push(&mut operator, 1, "+I 1970-01-01T00:00:10 a 6 / +I 1970-01-01T00:00:10 a 8");
    let results = ["+I 10 a 1 NULL NULL NULL", "+I 10 a 7 10 a 6", "+I NULL NULL NULL 10 a 8"];
    assert_eq!(advance(&mut operator, 10), results);
}

#[test]
fn late_rows_are_dropped() {
    let mut operator = operator(JoinKind::Inner);
    push(&mut operator, 0, LEFT);
    advance(&mut operator, 10);
    push(&mut operator, 1, "+I 1970-01-01T00:00:10 a 6 / +I 1970-01-01T00:00:20 a 6");
    assert_eq!(advance(&mut operator, 20), ["+I 20 a 4 20 a 6"]);
    assert_eq!(operator.windows.take_late(), 1);
}

#[test]
fn open_windows_and_the_watermark_survive_a_restart() {
    for scope in [Scope::All, Scope::Changes] {
        let (mut first, mut second) = (operator(JoinKind::Full), operator(JoinKind::Full));
        push(&mut first, 0, LEFT);
        first.snapshot(scope, &mut |table, rows| second.restore(table, rows)).unwrap();
        push(&mut first, 1, RIGHT);
        advance(&mut first, 10);
        first.snapshot(Scope::Changes, &mut |table, rows| second.restore(table, rows)).unwrap();
        push(&mut second, 1, "+I 1970-01-01T00:00:10 a 6 / +I 1970-01-01T00:00:20 a 7");
        assert_eq!(advance(&mut second, 20), ["+I 20 a 4 20 a 7"], "{scope:?}");
        assert_eq!(advance(&mut second, 30), ["+I NULL NULL NULL 30 a 8"], "{scope:?}");
    }
}
