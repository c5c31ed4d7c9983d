//! Groups that are windows of time.

use chrono_tz::Tz;
use sluice_model::{from_pretty, to_pretty};

use super::call;
use crate::group_aggregate::GroupAggregate;
use crate::{Operator, Scope};

const COLUMNS: &str = "window_end TIMESTAMP(3), k STRING, x INT";

fn operator() -> GroupAggregate {
    operator_in(Tz::UTC)
}

fn operator_in(zone: Tz) -> GroupAggregate {
    let node = sluice_plan::GroupAggregate {
        group: vec![0, 1],
        calls: vec![call("count", &[], "BIGINT"), call("sum", &[2], "INT")],
        retracts: true,
        update_before: true,
        window_end: Some(sluice_plan::WindowEnd { column: 0, zone }),
        row_count: None,
    };
    let output = from_pretty("window_end TIMESTAMP(3), k STRING, n BIGINT, total INT", "");
    GroupAggregate::new(&node, &from_pretty(COLUMNS, "").schema(), &output.schema()).unwrap()
}

fn push(operator: &mut GroupAggregate, rows: &str) -> String {
    let mut out = Vec::new();
    let batch = from_pretty(COLUMNS, rows);
    operator
        .on_batch(0, batch, &mut |batch| {
            out.push(to_pretty(&batch));
            Ok(())
        })
        .unwrap();
    out.join(" / ")
}

fn advance(operator: &mut GroupAggregate, seconds: i64) -> Vec<String> {
    let mut out = Vec::new();
    operator
        .on_watermark(seconds * 1000, &mut |batch| {
            out.extend(to_pretty(&batch).split(" / ").map(str::to_owned));
            Ok(())
        })
        .unwrap();
    out.sort();
    out
}

const ROWS: &str = "+I 1970-01-01T00:00:10 a 1 / +I 1970-01-01T00:00:10 a 2 / +I 1970-01-01T00:00:10 b 5 / \
                    +I 1970-01-01T00:00:20 a 7";

#[test]
fn a_window_is_put_out_once_when_its_time_is_over() {
    let mut operator = operator();
    assert_eq!(push(&mut operator, ROWS), "");
    assert_eq!(advance(&mut operator, 9), [""; 0]);
    assert_eq!(advance(&mut operator, 10), ["+I 1970-01-01T00:00:10 a 2 3", "+I 1970-01-01T00:00:10 b 1 5"]);
    // Late: the window is gone.
    assert_eq!(push(&mut operator, "+I 1970-01-01T00:00:10 a 9 / +I 1970-01-01T00:00:20 a 1"), "");
    assert_eq!((operator.take_late_rows(), operator.take_late_rows()), (1, 0));
    assert_eq!(advance(&mut operator, 30), ["+I 1970-01-01T00:00:20 a 2 8"]);
    assert_eq!(advance(&mut operator, i64::MAX / 1000), [""; 0]);
}

#[test]
fn a_group_that_was_taken_back_is_not_put_out() {
    let mut operator = operator();
    push(&mut operator, "+I 1970-01-01T00:00:10 a 1 / -D 1970-01-01T00:00:10 a 1 / +I 1970-01-01T00:00:10 b 2");
    // The slot of the first group may serve a window that ends later.
    push(&mut operator, "+I 1970-01-01T00:00:40 c 3");
    assert_eq!(advance(&mut operator, 20), ["+I 1970-01-01T00:00:10 b 1 2"]);
    assert_eq!(advance(&mut operator, 40), ["+I 1970-01-01T00:00:40 c 1 3"]);
}

#[test]
fn open_windows_and_the_watermark_survive_a_restart() {
    for scope in [Scope::All, Scope::Changes] {
        let mut first = operator();
        push(&mut first, ROWS);
        advance(&mut first, 10);
        let mut second = operator();
        first.snapshot(scope, &mut |table, rows| second.restore(table, rows)).unwrap();
        push(&mut second, "+I 1970-01-01T00:00:10 a 9 / +I 1970-01-01T00:00:20 b 1");
        let results = ["+I 1970-01-01T00:00:20 a 1 7", "+I 1970-01-01T00:00:20 b 1 1"];
        assert_eq!(advance(&mut second, 20), results, "{scope:?}");
    }
}

/// In Los Angeles 01:00 to 02:00 comes twice that night, and 02:00 to 03:00 not at all on the other.
#[test]
fn windows_of_a_time_zone_end_by_its_clock() {
    let mut operator = operator_in(Tz::America__Los_Angeles);
    push(&mut operator, "+I 2021-11-07T01:00:00 a 1 / +I 2021-11-07T02:00:00 a 2");
    let instant = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp();
    assert_eq!(advance(&mut operator, instant("2021-11-07T07:59:59Z")), [""; 0]);
    assert_eq!(advance(&mut operator, instant("2021-11-07T08:00:00Z")), ["+I 2021-11-07T01:00:00 a 1 1"]);
    // The clock shows 02:00, and is set back.
    assert_eq!(advance(&mut operator, instant("2021-11-07T09:00:00Z")), [""; 0]);
    assert_eq!(push(&mut operator, "+I 2021-11-07T02:00:00 a 3"), "", "in time for the second hour");
    assert_eq!(advance(&mut operator, instant("2021-11-07T10:00:00Z")), ["+I 2021-11-07T02:00:00 a 2 5"]);
    assert_eq!(operator.take_late_rows(), 0);

    let mut operator = operator_in(Tz::America__Los_Angeles);
    push(&mut operator, "+I 2021-03-14T02:00:00 a 1 / +I 2021-03-14T03:00:00 a 2 / +I 2021-03-14T04:00:00 a 3");
    let skipped = advance(&mut operator, instant("2021-03-14T10:00:00Z"));
    assert_eq!(skipped, ["+I 2021-03-14T02:00:00 a 1 1", "+I 2021-03-14T03:00:00 a 1 2"]);
    assert_eq!(advance(&mut operator, instant("2021-03-14T11:00:00Z")), ["+I 2021-03-14T04:00:00 a 1 3"]);
}
