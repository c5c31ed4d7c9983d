//! Changelogs through the operator: rows of millisecond times, and watermarks or a clock.

use sluice_model::{from_pretty, to_pretty};
use sluice_plan::SortColumn;

use super::*;

const COLUMNS: &str = "t TIMESTAMP(3), v INT";

fn operator(processing_time: bool, descending: bool) -> TemporalSort {
    let order = vec![SortColumn { column: 1, descending, nulls_first: !descending }];
    let node = sluice_plan::TemporalSort { time: 0, processing_time, order };
    TemporalSort::new(&node, &from_pretty(COLUMNS, "").schema()).unwrap()
}

fn at(rows: &str) -> ChangelogBatch {
    from_pretty(COLUMNS, &rows.replace('@', "1970-01-01T00:00:"))
}

/// What an event puts out, without the date.
fn run(event: impl FnOnce(Output<'_>) -> Result<()>) -> String {
    let mut lines = Vec::new();
    event(&mut |batch| {
        lines.push(to_pretty(&batch));
        Ok(())
    })
    .unwrap();
    lines.join(" / ").replace("1970-01-01T00:00:", "")
}

fn restarted(sort: &mut TemporalSort, scope: Scope, disk: &mut Vec<(usize, ChangelogBatch)>) {
    let keep = &mut |table, rows| {
        disk.push((table, rows));
        Ok(())
    };
    sort.snapshot(scope, keep).unwrap();
    let node = sluice_plan::TemporalSort {
        time: 0,
        processing_time: sort.clock.is_some(),
        order: vec![SortColumn { column: 1, descending: true, nulls_first: false }],
    };
    *sort = TemporalSort::new(&node, &from_pretty(COLUMNS, "").schema()).unwrap();
    disk.iter().for_each(|(table, rows)| sort.restore(*table, rows.clone()).unwrap());
}

#[test]
fn rows_wait_for_the_watermark_and_come_out_sorted() {
    let mut sort = operator(false, false);
    assert_eq!(run(|output| sort.on_batch(0, at("+I @02 3 / +I @01 5 / +I @02 1 / +I @02 NULL"), output)), "");
    assert_eq!(run(|output| sort.on_watermark(1500, output)), "+I 01 5");
    assert_eq!(run(|output| sort.on_watermark(2000, output)), "+I 02 NULL / +I 02 1 / +I 02 3");
    assert_eq!(run(|output| sort.on_batch(0, at("+I @02 9 / +I @04 7"), output)), "");
    assert_eq!(sort.take_late_rows(), 1);
    assert_eq!(run(|output| sort.on_watermark(i64::MAX, output)), "+I 04 7");
}

#[test]
fn only_the_order_of_one_time_descends() {
    let mut sort = operator(false, true);
    assert_eq!(run(|output| sort.on_batch(0, at("+I @02 3 / +I @01 5 / +I @02 NULL / +I @01 6"), output)), "");
    assert_eq!(run(|output| sort.on_watermark(9000, output)), "+I 01 6 / +I 01 5 / +I 02 3 / +I 02 NULL");
}

#[test]
fn rows_of_a_millisecond_of_the_clock_are_sorted_when_it_is_over() {
    let mut sort = operator(true, true);
    assert_eq!(run(|output| sort.on_processing_time(10, output)), "");
    assert_eq!(sort.next_timer(), None);
    assert_eq!(run(|output| sort.on_batch(0, at("+I @02 3"), output)), "");
    assert_eq!(run(|output| sort.on_batch(0, at("+I @01 5"), output)), "");
    assert_eq!(run(|output| sort.on_watermark(7000, output)), "", "event time is another time");
    assert_eq!(sort.next_timer(), Some(11));
    assert_eq!(run(|output| sort.on_processing_time(11, output)), "+I 01 5 / +I 02 3");
    assert_eq!(run(|output| sort.on_batch(0, at("+I @03 1"), output)), "");
    assert_eq!(run(|output| sort.on_watermark(i64::MAX, output)), "+I 03 1", "no row is lost at the end");
    assert_eq!(sort.next_timer(), None);
}

#[test]
fn the_clock_alone_passes_rows_on() {
    let node = sluice_plan::TemporalSort { time: 0, processing_time: true, order: Vec::new() };
    let mut sort = TemporalSort::new(&node, &from_pretty(COLUMNS, "").schema()).unwrap();
    assert_eq!(run(|output| sort.on_batch(0, at("+I @02 3 / +I @01 5"), output)), "+I 02 3 / +I 01 5");
}

#[test]
fn goes_on_where_a_snapshot_was_taken() {
    for scope in [Scope::All, Scope::Changes] {
        let (mut whole, mut cut, mut disk) = (operator(false, true), operator(false, true), Vec::new());
        for second in 1..40_i64 {
            let rows = format!("+I @{:02} {} / +I @{:02} 1 / +I @{second:02} 2", second + 1, second % 7, second - 1);
            for sort in [&mut whole, &mut cut] {
                assert_eq!(run(|output| sort.on_batch(0, at(&rows), output)), "");
            }
            let expected = run(|output| whole.on_watermark(second * 1000, output));
            assert_eq!(run(|output| cut.on_watermark(second * 1000, output)), expected, "{second}");
            assert_eq!(cut.take_late_rows(), whole.take_late_rows());
            if second % 3 == 0 {
                if scope == Scope::All {
                    disk.clear();
                }
                restarted(&mut cut, scope, &mut disk);
            }
        }
    }
    let (mut sort, mut disk) = (operator(true, true), Vec::new());
    run(|output| sort.on_processing_time(10, output));
    run(|output| sort.on_batch(0, at("+I @02 3 / +I @01 5"), output));
    restarted(&mut sort, Scope::Changes, &mut disk);
    assert_eq!(run(|output| sort.on_processing_time(11, output)), "+I 01 5 / +I 02 3");
}
