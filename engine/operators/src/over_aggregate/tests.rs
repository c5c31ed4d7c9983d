//! Changelogs through the operator: rows of millisecond times, and watermarks.

use arrow_schema::{DataType, Field};
use sluice_model::{from_pretty, to_pretty};
use sluice_plan::AggregateCall;

use super::*;

const COLUMNS: &str = "k STRING, t TIMESTAMP(3), v INT";

fn call(function: &str, result: DataType) -> AggregateCall {
    AggregateCall {
        function: function.to_owned(),
        arguments: vec![2],
        literals: Vec::new(),
        distinct: false,
        filter: None,
        result: Arc::new(Field::new(function, result, true)),
    }
}

/// `SUM(v), MAX(v), COUNT(v)` over a frame.
fn operator(frame: Frame) -> OverAggregate {
    let calls = vec![call("sum", DataType::Int32), call("max", DataType::Int32), call("count", DataType::Int64)];
    with_calls(frame, false, calls)
}

fn with_calls(frame: Frame, processing_time: bool, calls: Vec<AggregateCall>) -> OverAggregate {
    let node = sluice_plan::OverAggregate { partition: vec![0], time: 1, processing_time, frame, calls };
    let input = from_pretty(COLUMNS, "").schema();
    let fields = input.fields().iter().cloned().chain(node.calls.iter().map(|call| Arc::clone(&call.result)));
    let output = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    OverAggregate::new(&node, &input, &output).unwrap()
}

fn add(operator: &mut OverAggregate, rows: &str) {
    let nothing = &mut |_| -> Result<()> { panic!("rows wait for the watermark") };
    operator.on_batch(0, from_pretty(COLUMNS, rows), nothing).unwrap();
}

/// What a watermark at this second of 1970 puts out, without the date.
fn watermark(operator: &mut OverAggregate, second: i64) -> String {
    let mut lines = Vec::new();
    let output = &mut |batch| {
        lines.push(to_pretty(&batch));
        Ok(())
    };
    operator.on_watermark(second * 1000, output).unwrap();
    lines.join(" / ").replace("1970-01-01T00:00:", "")
}

fn at(rows: &str) -> String {
    rows.replace("@", "1970-01-01T00:00:")
}

/// Hands the state of an operator to a new one.
fn restarted(
    mut operator: OverAggregate,
    frame: Frame,
    disk: &mut Vec<(usize, ChangelogBatch)>,
    scope: Scope,
) -> OverAggregate {
    operator
        .snapshot(scope, &mut |table, rows| {
            disk.push((table, rows));
            Ok(())
        })
        .unwrap();
    let mut fresh = self::operator(frame);
    disk.iter().for_each(|(table, rows)| fresh.restore(*table, rows.clone()).unwrap());
    fresh
}

#[test]
fn rows_wait_for_the_watermark_and_come_out_sorted() {
    let mut over = operator(Frame::Rows(1));
    add(&mut over, &at("+I a @02 3 / +I a @01 5 / +I b @02 7 / +I a @03 1"));
    assert_eq!(watermark(&mut over, 0), "");
    assert_eq!(watermark(&mut over, 2), "+I a 01 5 5 5 1 / +I a 02 3 8 5 2 / +I b 02 7 7 7 1");
    add(&mut over, &at("+I a @02 9 / +I b @04 2"));
    assert_eq!(watermark(&mut over, 9), "+I a 03 1 4 3 2 / +I b 04 2 9 7 2");
}

#[test]
fn rows_of_one_time_see_each_other_in_ranges_only() {
    let rows = at("+I a @01 1 / +I a @01 2 / +I a @02 4 / +I a @04 NULL");
    let expect = |frame, expected: &str| {
        let mut over = operator(frame);
        add(&mut over, &rows);
        assert_eq!(watermark(&mut over, 9), expected, "{frame:?}");
    };
    expect(Frame::AllRows, "+I a 01 1 1 1 1 / +I a 01 2 3 2 2 / +I a 02 4 7 4 3 / +I a 04 NULL 7 4 3");
    expect(Frame::AllTime, "+I a 01 1 3 2 2 / +I a 01 2 3 2 2 / +I a 02 4 7 4 3 / +I a 04 NULL 7 4 3");
    expect(Frame::Millis(1000), "+I a 01 1 3 2 2 / +I a 01 2 3 2 2 / +I a 02 4 7 4 3 / +I a 04 NULL NULL NULL 0");
    expect(Frame::Rows(0), "+I a 01 1 1 1 1 / +I a 01 2 2 2 1 / +I a 02 4 4 4 1 / +I a 04 NULL NULL NULL 0");
}

#[test]
fn goes_on_where_a_snapshot_was_taken() {
    for frame in [Frame::AllRows, Frame::AllTime, Frame::Rows(1), Frame::Millis(1500)] {
        for scope in [Scope::All, Scope::Changes] {
            let (mut whole, mut cut, mut disk) = (operator(frame), operator(frame), Vec::new());
            for second in 1..40_i64 {
                let rows =
                    format!("+I a @{second:02} {} / +I b @{:02} 1 / +I a @{:02} 2", second % 7, second + 1, second + 2);
                add(&mut whole, &at(&rows));
                add(&mut cut, &at(&rows));
                assert_eq!(watermark(&mut cut, second), watermark(&mut whole, second), "{frame:?} {second}");
                if second % 3 == 0 {
                    if scope == Scope::All {
                        disk.clear();
                    }
                    cut = restarted(cut, frame, &mut disk, scope);
                }
            }
            assert_eq!(watermark(&mut cut, 59), watermark(&mut whole, 59));
        }
    }
}

fn text(lines: &[String]) -> String {
    lines.join(" / ").replace("1970-01-01T00:00:", "")
}

/// What the clock at `now`, then rows put out.
fn tick(operator: &mut OverAggregate, now: i64, rows: &str) -> String {
    let mut lines = Vec::new();
    let output = &mut |batch| {
        lines.push(to_pretty(&batch));
        Ok(())
    };
    operator.on_processing_time(now, output).unwrap();
    operator.on_batch(0, from_pretty(COLUMNS, &at(rows)), output).unwrap();
    text(&lines)
}

#[test]
fn by_the_clock_rows_come_out_as_they_come() {
    let sum = || vec![call("sum", DataType::Int32)];
    let mut over = with_calls(Frame::Rows(1), true, sum());
    assert_eq!(tick(&mut over, 10, "+I a @05 1 / +I a @01 2 / +I b @01 7"), "+I a 05 1 1 / +I a 01 2 3 / +I b 01 7 7");
    assert_eq!(tick(&mut over, 9, "+I a @00 4"), "+I a 00 4 6", "a clock that is set back stands still");
    assert_eq!(over.next_timer(), None);
    let mut over = with_calls(Frame::AllRows, true, sum());
    assert_eq!(tick(&mut over, 10, "+I a @05 1 / +I a @01 2"), "+I a 05 1 1 / +I a 01 2 3");
    assert_eq!(watermark(&mut over, 7), "");
}

#[test]
fn by_the_clock_rows_of_a_millisecond_see_each_other_in_ranges() {
    let mut over = with_calls(Frame::Millis(5), true, vec![call("sum", DataType::Int32)]);
    assert_eq!(tick(&mut over, 10, "+I a @05 1 / +I a @01 2"), "");
    assert_eq!(over.next_timer(), Some(11));
    assert_eq!(tick(&mut over, 14, "+I a @02 4"), "+I a 05 1 3 / +I a 01 2 3");
    let mut disk = Vec::new();
    over.snapshot(Scope::All, &mut |table, rows| {
        disk.push((table, rows));
        Ok(())
    })
    .unwrap();
    let mut over = with_calls(Frame::Millis(5), true, vec![call("sum", DataType::Int32)]);
    disk.into_iter().for_each(|(table, rows)| over.restore(table, rows).unwrap());
    assert_eq!(tick(&mut over, 16, "+I a @03 8"), "+I a 02 4 7");
    assert_eq!(tick(&mut over, 17, "+I a @03 9"), "+I a 03 8 12", "the first rows are more than 5 ms old");
    over.on_watermark(i64::MAX, &mut |batch| {
        assert_eq!(text(&[to_pretty(&batch)]), "+I a 03 9 21");
        Ok(())
    })
    .unwrap();
}

/// `RANK()`, `DENSE_RANK()` and `LAG(v, 2)`.
fn in_order() -> OverAggregate {
    let rank = |function| AggregateCall { arguments: vec![1], ..call(function, DataType::Int64) };
    let lag = AggregateCall { literals: vec!["2".to_owned()], ..call("lag", DataType::Int32) };
    let default = AggregateCall { arguments: vec![2, 2], ..call("lag", DataType::Int32) };
    with_calls(Frame::AllRows, false, vec![rank("rank"), rank("dense_rank"), lag, default])
}

#[test]
fn ranks_and_values_of_rows_before() {
    let mut over = in_order();
    add(&mut over, &at("+I a @01 5 / +I a @02 NULL / +I b @01 7 / +I a @02 8"));
    assert_eq!(
        watermark(&mut over, 2),
        "+I a 01 5 1 1 NULL 5 / +I b 01 7 1 1 NULL 7 / +I a 02 NULL 2 2 NULL 5 / +I a 02 8 2 2 5 NULL"
    );
    let mut disk = Vec::new();
    over.snapshot(Scope::All, &mut |table, rows| {
        disk.push((table, rows));
        Ok(())
    })
    .unwrap();
    let mut over = in_order();
    disk.into_iter().for_each(|(table, rows)| over.restore(table, rows).unwrap());
    add(&mut over, &at("+I a @03 9 / +I b @04 1"));
    assert_eq!(watermark(&mut over, 9), "+I a 03 9 4 3 NULL 8 / +I b 04 1 2 2 NULL 7");
}
