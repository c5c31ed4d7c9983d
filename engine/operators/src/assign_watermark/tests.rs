use arrow_schema::Field;
use datafusion_expr::col;
use sluice_functions::{SessionInfo, cast_udf};
use sluice_model::{SqlType, from_pretty};

use super::*;

const COLUMNS: &str = "ts TIMESTAMP(3)";
const INTERVAL: i64 = 200;

fn node(emit: WatermarkEmit, idle_timeout: Option<Duration>) -> sluice_plan::AssignWatermark {
    sluice_plan::AssignWatermark { column: "ts".to_owned(), watermark: col("ts"), idle_timeout, emit, alignment: None }
}

fn operator_of(node: &sluice_plan::AssignWatermark) -> AssignWatermark {
    AssignWatermark::compile(node, &from_pretty(COLUMNS, "").schema()).unwrap()
}

fn operator() -> AssignWatermark {
    operator_of(&node(WatermarkEmit::Periodic(Duration::from_millis(INTERVAL as u64)), None))
}

/// Rows at these times after 1970-01-01 00:00, in seconds.
fn rows(seconds: &str) -> ChangelogBatch {
    let rows = seconds.split(' ').map(|second| match second {
        "NULL" => "+I NULL".to_owned(),
        second => format!("+I '1970-01-01 00:00:{second}'"),
    });
    from_pretty(COLUMNS, &rows.collect::<Vec<_>>().join(" / "))
}

fn push(operator: &mut AssignWatermark, seconds: &str) -> Option<i64> {
    operator.on_batch(0, rows(seconds), &mut |_| Ok(())).unwrap();
    operator.new_watermark()
}

fn tell(operator: &mut AssignWatermark, now: i64) -> Option<i64> {
    operator.on_processing_time(now, &mut |_| Ok(())).unwrap();
    operator.new_watermark()
}

#[test]
fn only_a_later_time_moves_the_watermark() {
    let mut operator = operator();
    assert_eq!(push(&mut operator, "02 01"), Some(2000));
    assert_eq!(push(&mut operator, "01 NULL"), None);
    assert_eq!(push(&mut operator, "02.500"), Some(2500));
}

#[test]
fn a_small_step_waits_for_the_interval() {
    let mut operator = operator();
    tell(&mut operator, 10_000);
    assert_eq!(push(&mut operator, "07"), Some(7000));
    assert_eq!(operator.next_timer(), None, "nothing waits");
    tell(&mut operator, 10_100);
    assert_eq!(push(&mut operator, "07.100"), None);
    assert_eq!(operator.next_timer(), Some(10_200));
    assert_eq!(push(&mut operator, "07.200"), None);
    assert_eq!(tell(&mut operator, 10_200), Some(7200));
    assert_eq!(push(&mut operator, "07.401"), Some(7401), "further than the interval");
    tell(&mut operator, 11_000);
    assert_eq!(push(&mut operator, "07.402"), Some(7402), "the last one is long ago");
}

#[test]
fn on_event_a_batch_is_cut_behind_rows_that_move_the_watermark() {
    let mut operator = operator_of(&node(WatermarkEmit::OnEvent, None));
    assert_eq!(operator.parts(&rows("02 01 03 03 04 NULL 01")).unwrap(), Some(vec![1, 3, 5, 7]));
    assert_eq!(push(&mut operator, "04"), Some(4000));
    assert_eq!(operator.parts(&rows("04 01")).unwrap(), Some(vec![2]));
    assert_eq!(operator.parts(&rows("05")).unwrap(), Some(vec![1]));
    assert_eq!(push(&mut operator, "04.001"), Some(4001));
}

/// Evaluated for one row of a batch, or for all of them: the watermark is the same.
#[test]
fn an_expression_that_grows_with_time_needs_one_row() {
    let interval = ScalarValue::new_interval_mdn(0, 0, 4_000_000_000);
    let cast = cast_udf(SqlType::Timestamp(3), false, &SessionInfo::default());
    let lag = cast.call(vec![col("ts") - Expr::Literal(interval, None)]);
    let rows = "+I 1 '1970-01-01 00:00:07.123' / +I 2 '1970-01-01 00:00:09.987' / +I 3 NULL / \
                +I 4 '1970-01-01 00:00:09.987' / +I 5 '1970-01-01 00:00:01'";
    let batch = from_pretty("id INT, ts TIMESTAMP(3)", rows);
    let node = sluice_plan::AssignWatermark { watermark: lag, ..node(WatermarkEmit::OnEvent, None) };
    let mut operator = AssignWatermark::compile(&node, &batch.schema()).unwrap();
    assert_eq!(operator.candidates(batch.rows()).unwrap(), batch.rows().slice(1, 1));
    let nothing = operator.candidates(&batch.rows().slice(2, 1)).unwrap();
    assert_eq!(nothing.num_rows(), 0);
    operator.on_batch(0, batch.clone(), &mut |_| Ok(())).unwrap();
    assert_eq!(operator.new_watermark(), Some(5987));
    let mut operator = AssignWatermark::compile(&node, &batch.schema()).unwrap();
    operator.grows_with = None;
    operator.on_batch(0, batch, &mut |_| Ok(())).unwrap();
    assert_eq!(operator.new_watermark(), Some(5987));
}

#[test]
fn other_expressions_need_every_row() {
    let schema = from_pretty("ts TIMESTAMP(3), other TIMESTAMP(3)", "").schema();
    let day = Expr::Literal(ScalarValue::new_interval_mdn(0, 1, 0), None);
    assert_eq!(grows_with(&(col("other") - day.clone()), &schema), Some(1));
    assert_eq!(grows_with(&(col("ts") - col("other")), &schema), None);
    let zoned = Schema::new(vec![Field::new("ts", SqlType::TimestampLtz(3).to_arrow(), true)]);
    assert_eq!(grows_with(&(col("ts") - day), &zoned), None);
}

fn idle_after(seconds: u64) -> AssignWatermark {
    operator_of(&node(WatermarkEmit::OnEvent, Some(Duration::from_secs(seconds))))
}

#[test]
fn without_rows_for_so_long_it_is_idle() {
    let mut operator = idle_after(5);
    let mut at = |now: i64, seconds: &str| {
        tell(&mut operator, now);
        if !seconds.is_empty() {
            push(&mut operator, seconds);
        }
        (operator.new_idleness(), operator.next_timer())
    };
    assert_eq!(at(10_000, ""), (None, Some(15_000)), "it counts from the beginning");
    assert_eq!(at(12_000, "02"), (None, Some(17_000)));
    assert_eq!(at(17_000, ""), (Some(true), None));
    assert_eq!(at(30_000, ""), (None, None));
    assert_eq!(at(31_000, "01"), (Some(false), Some(36_000)));
}

#[test]
fn a_source_that_is_held_back_is_not_idle() {
    let mut operator = idle_after(5);
    tell(&mut operator, 10_000);
    operator.on_held(true);
    tell(&mut operator, 30_000);
    assert_eq!((operator.new_idleness(), operator.next_timer()), (None, None));
    operator.on_held(false);
    assert_eq!(operator.next_timer(), Some(35_000));
    tell(&mut operator, 35_000);
    assert_eq!(operator.new_idleness(), Some(true));
}

/// `b0` and `e0`: split 0 begins, ends; `0=07`: its row at 7 seconds.
fn split(operator: &mut AssignWatermark, text: &str) -> Option<i64> {
    let number = |text: &str| text.parse().unwrap();
    match (text.split_once('='), text.split_at(1)) {
        (Some((id, seconds)), _) => {
            operator.on_split(number(id), SplitStatus::Read);
            return push(operator, seconds);
        }
        (None, ("b", id)) => operator.on_split(number(id), SplitStatus::Begun),
        (None, (_, id)) => operator.on_split(number(id), SplitStatus::Finished),
    }
    operator.new_watermark()
}

#[test]
fn the_least_of_the_splits_counts() {
    let mut operator = operator();
    assert_eq!([split(&mut operator, "b0"), split(&mut operator, "b1")], [None, None]);
    assert_eq!(split(&mut operator, "0=10"), None, "rows of split 1 may be older");
    assert_eq!(split(&mut operator, "1=04"), Some(4000));
    assert_eq!(split(&mut operator, "1=07"), Some(7000));
    assert_eq!(split(&mut operator, "2=06"), None, "time does not go back");
    assert_eq!(split(&mut operator, "2=08"), None);
    assert_eq!(split(&mut operator, "1=09"), Some(8000));
    assert_eq!(split(&mut operator, "e2"), Some(9000));
    assert_eq!(split(&mut operator, "e0"), None);
    assert_eq!(operator.new_idleness(), None);
    assert_eq!(split(&mut operator, "e1"), Some(10_000), "none is left: the latest counts");
    assert_eq!(operator.new_idleness(), Some(true));
    assert_eq!(split(&mut operator, "3=12"), Some(12_000));
    assert_eq!(operator.new_idleness(), Some(false));
}

#[test]
fn nobody_waits_for_a_split_that_is_idle() {
    let mut operator = idle_after(5);
    tell(&mut operator, 10_000);
    assert_eq!([split(&mut operator, "b0"), split(&mut operator, "b1")], [None, None]);
    assert_eq!(split(&mut operator, "0=07"), None);
    tell(&mut operator, 14_000);
    assert_eq!(split(&mut operator, "0=08"), None);
    assert_eq!(operator.next_timer(), Some(15_000));
    assert_eq!(tell(&mut operator, 15_000), Some(8000));
    assert_eq!(operator.new_idleness(), None, "split 0 is not");
    assert_eq!(split(&mut operator, "1=03"), None);
    assert_eq!(split(&mut operator, "0=09"), None, "split 1 is back, at 3");
    assert_eq!(split(&mut operator, "1=08.500"), Some(8500));
}
