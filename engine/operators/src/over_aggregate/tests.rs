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
    let node = sluice_plan::OverAggregate { partition: vec![0], time: 1, frame, calls };
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
