use sluice_model::{from_pretty, to_pretty};

use arrow_schema::{DataType, Field, Schema, TimeUnit};
use chrono_tz::Tz;

use super::*;

const COLUMNS: &str = "ts TIMESTAMP(3), k STRING, v INT";

fn operator_of(processing_time: bool) -> SessionWindow {
    let node = sluice_plan::SessionWindow { partition: vec![1], time: 0, gap: 10_000, processing_time, zone: Tz::UTC };
    let input = from_pretty(COLUMNS, "").schema();
    let mut fields: Vec<_> = input.fields().iter().cloned().collect();
    for name in ["window_start", "window_end", "window_time"] {
        fields.push(Arc::new(Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, None), false)));
    }
    SessionWindow::new(&node, &input, &Arc::new(Schema::new(fields))).unwrap()
}

fn operator() -> SessionWindow {
    operator_of(false)
}

/// Rows as kind, second, key and value.
fn push(operator: &mut SessionWindow, rows: &str) {
    let row = |row: &str| {
        let (kind, rest) = row.split_once(' ').unwrap();
        format!("{kind} 1970-01-01T00:00:{rest}")
    };
    let rows: Vec<_> = rows.split(" / ").map(row).collect();
    let silent = |batch: ChangelogBatch| panic!("{} before the end of the session", to_pretty(&batch));
    operator.on_batch(0, from_pretty(COLUMNS, &rows.join(" / ")), &mut { silent }).unwrap();
}

fn text(batch: &ChangelogBatch) -> Vec<String> {
    to_pretty(batch).split(" / ").map(|row| row.replace("1970-01-01T00:", "").replace("00:", "")).collect()
}

fn advance(operator: &mut SessionWindow, seconds: i64) -> Vec<String> {
    let mut out = Vec::new();
    let mut output = |batch: ChangelogBatch| {
        out.extend(text(&batch));
        Ok(())
    };
    operator.on_watermark(seconds.saturating_mul(1000), &mut output).unwrap();
    out
}

#[test]
fn a_gap_ends_a_session() {
    let mut operator = operator();
    push(&mut operator, "+I 01 a 1 / +I 08 a 2 / +I 31 a 3 / +I 05 b 4");
    assert_eq!(advance(&mut operator, 14), [""; 0]);
    assert_eq!(advance(&mut operator, 15), ["+I 05 b 4 05 15 14.999"]);
    assert_eq!(advance(&mut operator, 20), ["+I 01 a 1 01 18 17.999", "+I 08 a 2 01 18 17.999"]);
    assert_eq!(advance(&mut operator, i64::MAX), ["+I 31 a 3 31 41 40.999"]);
    assert_eq!(operator.rows.index.slots().count(), 0, "nothing is kept");
}

#[test]
fn a_row_between_sessions_joins_them() {
    let mut operator = operator();
    push(&mut operator, "+I 01 a 1 / +I 25 a 2 / +I 21 a 3");
    push(&mut operator, "+I 11 a 4");
    assert_eq!(advance(&mut operator, 34), [""; 0]);
    let rows = ["01 a 1", "25 a 2", "21 a 3", "11 a 4"].map(|row| format!("+I {row} 01 35 34.999"));
    assert_eq!(advance(&mut operator, 35), rows);
}

#[test]
fn late_rows_are_dropped_unless_they_reach_an_open_session() {
    let mut operator = operator();
    push(&mut operator, "+I 01 a 1 / +I 15 b 2");
    advance(&mut operator, 20);
    // Behind the watermark, but within the gap of the session of 15.
    push(&mut operator, "+I 05 a 3 / +I 06 b 4 / +I 07 c 5");
    assert_eq!(operator.open.take_late(), 2);
    assert_eq!(advance(&mut operator, 25), ["+I 15 b 2 06 25 24.999", "+I 06 b 4 06 25 24.999"]);
    assert_eq!(operator.rows.index.slots().count(), 0, "nothing is kept");
}

#[test]
fn what_takes_a_row_back_keeps_its_place_behind_it() {
    let mut operator = operator();
    push(&mut operator, "+I 01 a 1 / -U 01 a 1 / +U 03 a 2 / -D 02 c 1");
    let rows = ["+I 01 a 1 01 13 12.999", "-U 01 a 1 01 13 12.999", "+U 03 a 2 01 13 12.999"];
    let mut out = advance(&mut operator, i64::MAX);
    assert_eq!(out.pop().as_deref(), Some("-D 02 c 1 02 12 11.999"));
    assert_eq!(out, rows);
}

#[test]
fn open_sessions_and_the_watermark_survive_a_restart() {
    for scope in [Scope::All, Scope::Changes] {
        let (mut first, mut second) = (operator(), operator());
        push(&mut first, "+I 01 a 1 / +I 12 b 2 / +I 30 a 3");
        first.snapshot(scope, &mut |table, rows| second.restore(table, rows)).unwrap();
        push(&mut first, "+I 18 b 4");
        advance(&mut first, 12);
        first.snapshot(Scope::Changes, &mut |table, rows| second.restore(table, rows)).unwrap();
        push(&mut second, "+I 01 a 9 / +I 20 b 5");
        let rows = ["12 b 2", "18 b 4", "20 b 5"].map(|row| format!("+I {row} 12 30 29.999"));
        assert_eq!(advance(&mut second, 30), rows, "{scope:?}");
        assert_eq!(advance(&mut second, 40), ["+I 30 a 3 30 40 39.999"], "{scope:?}");
        second.snapshot(Scope::All, &mut |_, _| Ok(())).unwrap();
        assert_eq!(second.rows.index.slots().count(), 0, "{scope:?}: nothing is kept");
    }
}

#[test]
fn by_processing_time_the_clock_ends_sessions() {
    let mut operator = operator_of(true);
    let tell = |operator: &mut SessionWindow, now: i64| {
        let mut out = Vec::new();
        let mut output = |batch: ChangelogBatch| {
            out.extend(text(&batch));
            Ok(())
        };
        operator.on_processing_time(now, &mut output).unwrap();
        (out, operator.new_watermark())
    };
    assert_eq!(tell(&mut operator, 1_000), (vec![], Some(999)));
    push(&mut operator, "+I 50 a 1");
    assert_eq!(tell(&mut operator, 5_000), (vec![], None));
    push(&mut operator, "+I 40 a 2");
    assert_eq!(operator.next_timer(), Some(11_000));
    // A tick for those who wait, but the session has grown.
    assert_eq!(tell(&mut operator, 11_000), (vec![], Some(10_999)));
    assert_eq!(operator.next_timer(), Some(15_000));
    let rows = vec!["+I 50 a 1 01 15 14.999".to_owned(), "+I 40 a 2 01 15 14.999".to_owned()];
    assert_eq!(tell(&mut operator, 15_000), (rows, Some(14_999)));
    assert_eq!((operator.passed_watermark(9), operator.passed_watermark(i64::MAX)), (None, Some(i64::MAX)));
}
