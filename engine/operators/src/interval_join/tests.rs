//! Changelogs through the operator: rows of seconds, and watermarks.

use datafusion_expr::{Expr, col};
use sluice_model::{from_pretty, to_pretty};

use super::*;

const COLUMNS: &str = "k STRING, t TIMESTAMP(3), v INT";
pub(super) const BOTH: &str = "k STRING, t TIMESTAMP(3), v INT, k2 STRING, t2 TIMESTAMP(3), v2 INT";

/// `ON l.k = r.k AND l.t - r.t BETWEEN lower AND upper` (milliseconds).
pub(super) fn node(kind: JoinKind, lower: i64, upper: i64) -> sluice_plan::IntervalJoin {
    sluice_plan::IntervalJoin {
        kind,
        keys: vec![(0, 0)],
        null_equals_null: false,
        condition: None,
        times: [1, 1],
        lower,
        upper,
        processing_time: false,
    }
}

/// An operator, and what it has handed out of its state.
pub(super) struct World {
    node: sluice_plan::IntervalJoin,
    pub(super) operator: IntervalJoin,
    disk: Vec<(usize, ChangelogBatch)>,
}

impl World {
    pub(super) fn new(node: sluice_plan::IntervalJoin) -> Self {
        Self { operator: operator(&node), node, disk: Vec::new() }
    }

    /// What rows put out, each row `k second v`.
    pub(super) fn push(&mut self, input: usize, rows: &str) -> String {
        let row = |row: &str| {
            let mut cells = row.split(' ').map(str::to_owned).collect::<Vec<_>>();
            if cells[1] != "NULL" {
                cells[1] = format!("1970-01-01T00:00:{:0>2}", cells[1]);
            }
            format!("+I {}", cells.join(" "))
        };
        let rows: Vec<_> = rows.split(" / ").map(row).collect();
        let batch = from_pretty(COLUMNS, &rows.join(" / "));
        collect(|output| self.operator.on_batch(input, batch, output))
    }

    /// What a watermark at this second puts out.
    pub(super) fn watermark(&mut self, second: i64) -> String {
        collect(|output| self.operator.on_watermark(second.saturating_mul(1000), output))
    }

    fn clock(&mut self, second: i64) -> String {
        collect(|output| self.operator.on_processing_time(second * 1000, output))
    }

    /// Adds a snapshot to the disk.
    pub(super) fn snapshot(&mut self, scope: Scope) -> Vec<String> {
        if scope == Scope::All {
            self.disk.clear();
        }
        let mut lines = Vec::new();
        let tables = self.operator.tables.clone();
        let mut checked = |table: usize, rows: ChangelogBatch| {
            assert_eq!(rows.schema(), tables[table].schema);
            if table < WATERMARK {
                lines.push(format!("{table}: {}", to_pretty(&rows).replace("1970-01-01T00:00:", "")));
            }
            self.disk.push((table, rows));
            Ok(())
        };
        self.operator.snapshot(scope, &mut checked).unwrap();
        lines
    }

    /// Starts anew with what is on the disk.
    pub(super) fn restart(&mut self) {
        self.operator = operator(&self.node);
        for (table, rows) in &self.disk {
            self.operator.restore(*table, rows.clone()).unwrap();
        }
    }
}

fn operator(node: &sluice_plan::IntervalJoin) -> IntervalJoin {
    let (input, output) = (from_pretty(COLUMNS, "").schema(), from_pretty(BOTH, "").schema());
    IntervalJoin::new(node, [&input, &input], &output).unwrap()
}

fn collect(run: impl FnOnce(Output<'_>) -> Result<()>) -> String {
    let mut lines = Vec::new();
    run(&mut |batch| {
        assert!(batch.num_rows() > 0 && batch.kinds().is_none());
        lines.push(to_pretty(&batch));
        Ok(())
    })
    .unwrap();
    lines.join(" / ").replace("1970-01-01T00:00:", "")
}

#[test]
fn rows_meet_within_the_bounds_and_are_padded_when_their_time_is_over() {
    // l.t BETWEEN r.t - 5 AND r.t
    let mut world = World::new(node(JoinKind::Full, -5000, 0));
    assert_eq!(world.push(0, "a 10 1 / b 11 2 / NULL 12 3"), "+I NULL 12 3 NULL NULL NULL");
    assert_eq!(world.push(1, "a 09 4 / a 10 5 / a 15 6 / a 16 7"), "+I a 10 1 a 10 5 / +I a 10 1 a 15 6");
    assert_eq!(world.watermark(10), "+I NULL NULL NULL a 09 4");
    assert_eq!(world.watermark(15), "");
    assert_eq!(world.watermark(16), "+I b 11 2 NULL NULL NULL / +I NULL NULL NULL a 16 7");
    assert!(world.operator.is_empty());
}

#[test]
fn bounds_may_lie_on_one_side_of_the_row() {
    // l.t BETWEEN r.t + 2 AND r.t + 4
    let mut world = World::new(node(JoinKind::Full, 2000, 4000));
    assert_eq!(world.push(1, "a 01 1 / b 01 2"), "");
    assert_eq!(world.push(0, "a 02 3 / a 03 4 / a 05 5 / a 06 6"), "+I a 03 4 a 01 1 / +I a 05 5 a 01 1");
    // A row of the left meets older rows only: soon none comes any more.
    assert_eq!(world.watermark(1), "+I a 02 3 NULL NULL NULL");
    assert_eq!(world.watermark(4), "+I a 06 6 NULL NULL NULL");
    assert_eq!(world.watermark(5), "+I NULL NULL NULL b 01 2");
    assert!(world.operator.is_empty());
    assert_eq!(world.operator.passed_watermark(9_000), Some(5_000));
    assert_eq!(world.operator.passed_watermark(i64::MAX), Some(i64::MAX));
}

#[test]
fn only_outer_sides_are_padded() {
    let results = |kind| {
        let mut world = World::new(node(kind, -1000, 1000));
        let pairs = [world.push(0, "a 01 1 / b 01 2"), world.push(1, "a 02 3 / c 02 4")].concat();
        let rest = world.watermark(i64::MAX);
        assert!(world.operator.is_empty());
        (pairs, rest)
    };
    let pair = "+I a 01 1 a 02 3".to_owned();
    let (left, right) = ("+I b 01 2 NULL NULL NULL", "+I NULL NULL NULL c 02 4");
    assert_eq!(results(JoinKind::Inner), (pair.clone(), String::new()));
    assert_eq!(results(JoinKind::Left), (pair.clone(), left.to_owned()));
    assert_eq!(results(JoinKind::Right), (pair.clone(), right.to_owned()));
    assert_eq!(results(JoinKind::Full), (pair, format!("{left} / {right}")));
}

#[test]
fn a_condition_decides_as_well() {
    let node =
        sluice_plan::IntervalJoin { condition: Some(col("l2").lt(col("r2"))), ..node(JoinKind::Left, -1000, 1000) };
    let mut world = World::new(node);
    world.push(0, "a 01 1 / a 01 5");
    assert_eq!(world.push(1, "a 01 3 / a 02 1"), "+I a 01 1 a 01 3");
    assert_eq!(world.watermark(9), "+I a 01 5 NULL NULL NULL");
}

#[test]
fn late_rows_meet_what_is_kept() {
    let mut world = World::new(node(JoinKind::Full, -5000, 0));
    world.push(0, "a 08 1");
    world.watermark(12);
    // The row of second 8 waits until 13; one of second 3 has nobody to wait for.
    assert_eq!(world.push(1, "a 10 2 / a 05 3"), "+I a 08 1 a 10 2 / +I NULL NULL NULL a 05 3");
    assert_eq!(world.push(0, "a 03 4 / a 09 5"), "+I a 03 4 NULL NULL NULL");
    assert_eq!(world.watermark(99), "+I a 09 5 NULL NULL NULL");
    assert!(world.operator.is_empty());
}

#[test]
fn without_a_time_there_is_no_partner() {
    let mut world = World::new(node(JoinKind::Left, 0, 0));
    assert_eq!(world.push(1, "a NULL 1"), "");
    assert_eq!(world.push(0, "a NULL 2"), "+I a NULL 2 NULL NULL NULL");
}

#[test]
fn bounds_that_nothing_meets_keep_nothing() {
    let mut world = World::new(node(JoinKind::Left, 1000, -1000));
    assert_eq!(world.push(0, "a 01 1"), "+I a 01 1 NULL NULL NULL");
    assert_eq!(world.push(1, "a 01 1"), "");
    assert!(world.operator.is_empty());
}

#[test]
fn without_keys_all_rows_may_meet() {
    let mut world = World::new(sluice_plan::IntervalJoin { keys: Vec::new(), ..node(JoinKind::Inner, 0, 1000) });
    world.push(0, "a 01 1 / b 02 2");
    assert_eq!(world.push(1, "c 01 3 / NULL 02 4"), "+I a 01 1 c 01 3 / +I b 02 2 c 01 3 / +I b 02 2 NULL 02 4");
}

#[test]
fn the_clock_tells_the_time_of_rows() {
    let node = sluice_plan::IntervalJoin { processing_time: true, ..node(JoinKind::Left, -5000, 0) };
    let mut world = World::new(node);
    assert_eq!((world.clock(1), world.push(0, "a 50 1 / b 51 2")), (String::new(), String::new()));
    assert_eq!(world.operator.next_timer(), Some(6001));
    assert_eq!(world.clock(6), "");
    assert_eq!(world.push(1, "a 00 3"), "+I a 50 1 a 00 3");
    assert_eq!(world.watermark(80), "", "event time says nothing");
    assert_eq!((world.operator.passed_watermark(80), world.clock(7).as_str()), (Some(80), "+I b 51 2 NULL NULL NULL"));
    assert_eq!(world.push(1, "a 00 4"), "");
    world.push(0, "c 01 5");
    assert_eq!(world.watermark(i64::MAX), "+I c 01 5 NULL NULL NULL", "the stream has ended");
    assert!(world.operator.is_empty());
}

#[test]
fn snapshots_hold_what_has_changed() {
    let mut world = World::new(node(JoinKind::Left, -5000, 0));
    world.push(0, "a 01 1 / b 02 2");
    assert_eq!(world.snapshot(Scope::Changes), ["0: +I a 0 01 1 1000 0 / +I b 1 02 2 2000 0"]);
    world.push(1, "a 03 3");
    assert_eq!(world.snapshot(Scope::Changes), ["0: +U a 0 01 1 1000 1", "1: +I a 0 03 3 3000 1"]);
    world.restart();
    assert_eq!(world.snapshot(Scope::Changes), [""; 0]);
    assert_eq!(world.watermark(6), "");
    assert_eq!(world.snapshot(Scope::Changes), ["0: -D a 0 NULL NULL NULL NULL", "1: -D a 0 NULL NULL NULL NULL"]);
    world.restart();
    assert_eq!(world.push(1, "b 07 4 / a 07 5"), "+I b 02 2 b 07 4");
    assert_eq!(world.snapshot(Scope::All), ["0: +I b 1 02 2 2000 1", "1: +I b 1 07 4 7000 1 / +I a 2 07 5 7000 0"]);
    world.watermark(99);
    assert!(world.operator.sides.iter().all(RowsByTime::is_empty));
    world.snapshot(Scope::Changes);
    assert!(world.operator.is_empty(), "keys are free when the end of their rows is saved");
}

#[test]
fn a_row_with_many_partners_fills_several_batches() {
    let mut world = World::new(sluice_plan::IntervalJoin {
        condition: Some(Expr::IsNotNull(Box::new(col("l2")))),
        ..node(JoinKind::Left, 0, 0)
    });
    let rows = vec!["a 01 1"; 300].join(" / ");
    assert_eq!(world.push(0, &rows), "");
    assert_eq!(world.push(1, &rows).split(" / ").count(), 300 * 300);
    assert_eq!(world.watermark(2), "");
}
