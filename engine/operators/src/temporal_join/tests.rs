//! Changelogs through the operator: rows of seconds, and watermarks; then at random, against a list.

use datafusion_expr::{Expr, col};
use sluice_model::{from_pretty, to_pretty};

use super::*;
use crate::testing::{Random, checked};

const COLUMNS: &str = "c STRING, t TIMESTAMP(3), v INT";
const BOTH: &str = "c STRING, t TIMESTAMP(3), v INT, c2 STRING, t2 TIMESTAMP(3), r INT";

/// `l JOIN r FOR SYSTEM_TIME AS OF l.t ON l.c = r.c`, and a condition.
struct World {
    node: sluice_plan::TemporalJoin,
    operator: TemporalJoin,
    disk: Vec<(usize, ChangelogBatch)>,
}

impl World {
    fn new(kind: JoinKind, condition: Option<Expr>) -> Self {
        let node = sluice_plan::TemporalJoin { kind, keys: vec![(0, 0)], condition, times: [1, 1] };
        Self { operator: operator(&node), node, disk: Vec::new() }
    }

    /// Hands rows in, each `kind c second v`.
    fn push(&mut self, input: usize, rows: &str) -> Result<()> {
        let row = |row: &str| {
            let mut cells = row.split(' ').map(str::to_owned).collect::<Vec<_>>();
            if cells[2] != "NULL" {
                cells[2] = format!("1970-01-01T00:00:{:0>2}", cells[2]);
            }
            cells.join(" ")
        };
        let rows: Vec<_> = rows.split(" / ").map(row).collect();
        let silent = &mut |_| -> Result<()> { panic!("rows wait for the watermark") };
        self.operator.on_batch(input, from_pretty(COLUMNS, &rows.join(" / ")), silent)
    }

    fn left(&mut self, rows: &str) {
        self.push(LEFT, rows).unwrap();
    }

    fn right(&mut self, rows: &str) {
        self.push(RIGHT, rows).unwrap();
    }

    /// What a watermark at this second puts out.
    fn watermark(&mut self, second: i64) -> String {
        let mut lines = Vec::new();
        let output = &mut |batch: ChangelogBatch| {
            lines.push(to_pretty(&batch));
            Ok(())
        };
        self.operator.on_watermark(second.saturating_mul(1000), output).unwrap();
        lines.join(" / ").replace("1970-01-01T00:00:", "")
    }

    /// Adds a snapshot to the disk; its rows.
    fn snapshot(&mut self, scope: Scope) -> Vec<String> {
        if scope == Scope::All {
            self.disk.clear();
        }
        let (mut lines, tables) = (Vec::new(), self.operator.tables.clone());
        let mut output = |table: usize, rows: ChangelogBatch| {
            assert_eq!(rows.schema(), tables[table].schema);
            if table < WATERMARK {
                lines.push(format!("{table}: {}", to_pretty(&rows).replace("1970-01-01T00:00:", "")));
            }
            self.disk.push((table, rows));
            Ok(())
        };
        self.operator.snapshot(scope, &mut output).unwrap();
        lines
    }

    /// Starts anew with what is on the disk.
    fn restart(&mut self) {
        self.operator = operator(&self.node);
        for (table, rows) in &self.disk {
            self.operator.restore(*table, rows.clone()).unwrap();
        }
    }
}

fn operator(node: &sluice_plan::TemporalJoin) -> TemporalJoin {
    let (input, output) = (from_pretty(COLUMNS, "").schema(), from_pretty(BOTH, "").schema());
    TemporalJoin::new(node, [&input, &input], &output).unwrap()
}

#[test]
fn rows_meet_the_version_of_their_time() {
    let mut world = World::new(JoinKind::Left, None);
    world.right("+I e 10 110 / +I d 11 90");
    world.left("+I e 15 1 / +I e 09 2 / +I e 10 3 / +I x 12 4 / +I d 13 5 / +I NULL 10 6");
    world.right("-U e 10 110 / +U e 14 120");
    assert_eq!(
        world.watermark(13),
        "+I e 09 2 NULL NULL NULL / +I e 10 3 e 10 110 / +I x 12 4 NULL NULL NULL / +I d 13 5 d 11 90 / \
         +I NULL 10 6 NULL NULL NULL"
    );
    assert_eq!(world.watermark(14), "");
    assert_eq!(world.watermark(15), "+I e 15 1 e 14 120");
}

#[test]
fn a_row_without_a_version_is_padded_in_outer_joins_only() {
    for (kind, expected) in
        [(JoinKind::Inner, "+I a 03 2 a 02 7"), (JoinKind::Left, "+I a 01 1 NULL NULL NULL / +I a 03 2 a 02 7")]
    {
        let mut world = World::new(kind, None);
        world.left("+I a 01 1 / +I a 03 2 / +I NULL 59 3");
        world.right("+I a 02 7");
        assert_eq!(world.watermark(9), expected);
        assert_eq!(world.operator.is_idle(), kind == JoinKind::Inner);
    }
}

#[test]
fn a_deleted_row_has_no_version() {
    let mut world = World::new(JoinKind::Left, None);
    world.right("+I a 01 7 / -D a 05 7 / +I a 08 9");
    world.left("+I a 04 1 / +I a 05 2 / +I a 07 3 / +I a 08 4");
    assert_eq!(
        world.watermark(9),
        "+I a 04 1 a 01 7 / +I a 05 2 NULL NULL NULL / +I a 07 3 NULL NULL NULL / +I a 08 4 a 08 9"
    );
}

#[test]
fn of_versions_of_one_time_the_last_counts() {
    let mut world = World::new(JoinKind::Inner, None);
    world.right("+I a 01 7 / +U a 01 8");
    world.right("-D a 02 8 / +I a 02 9");
    world.left("+I a 01 1 / +I a 02 2");
    assert_eq!(world.watermark(2), "+I a 01 1 a 01 8 / +I a 02 2 a 02 9");
}

#[test]
fn the_version_comes_first_and_the_condition_then() {
    let mut world = World::new(JoinKind::Left, Some(col("l2").lt(col("r2"))));
    world.right("+I a 01 7 / +I a 05 2");
    world.left("+I a 04 3 / +I a 06 3 / +I b 06 3");
    assert_eq!(world.watermark(9), "+I a 04 3 a 01 7 / +I a 06 3 NULL NULL NULL / +I b 06 3 NULL NULL NULL");
}

#[test]
fn changes_of_the_left_are_joined_like_rows() {
    let mut world = World::new(JoinKind::Inner, None);
    world.right("+I a 01 7");
    world.left("+I a 02 1 / -U a 02 1 / +U a 03 2 / -D a 03 2");
    let expected = "+I a 02 1 a 01 7 / -D a 02 1 a 01 7 / +I a 03 2 a 01 7 / -D a 03 2 a 01 7";
    assert_eq!(world.watermark(9), expected);
}

#[test]
fn late_rows_meet_what_is_there_at_the_next_watermark() {
    let mut world = World::new(JoinKind::Left, None);
    world.right("+I a 01 7 / +I a 05 8 / +I b 01 9");
    world.watermark(6);
    world.left("+I a 03 1 / +I b 02 2");
    // The version of second 1 is outdated, that of b is not.
    assert_eq!(world.watermark(7), "+I a 03 1 NULL NULL NULL / +I b 02 2 b 01 9");
    world.right("+I b 00 5");
    world.left("+I b 00 3");
    assert_eq!(world.watermark(8), "+I b 00 3 b 00 5");
    world.left("+I b 00 3");
    assert_eq!(world.watermark(9), "+I b 00 3 NULL NULL NULL");
}

#[test]
fn a_row_without_a_time_is_an_error() {
    for (input, side) in [(LEFT, "left"), (RIGHT, "versioned table")] {
        let error = World::new(JoinKind::Inner, None).push(input, "+I a NULL 1").unwrap_err().to_string();
        assert!(error.contains(&format!("the time attribute of the {side}")), "{error}");
    }
}

#[test]
fn snapshots_hold_what_has_changed() {
    let mut world = World::new(JoinKind::Inner, None);
    world.left("+I a 04 1");
    world.right("+I a 01 7 / -D a 03 7");
    assert_eq!(world.snapshot(Scope::Changes), ["0: +I a 0 04 1 4000 0", "1: +I a 0 01 7 1000 0 / +I a 1 03 7 3000 1"]);
    world.restart();
    assert_eq!(world.snapshot(Scope::Changes), [""; 0]);
    world.right("+I a 04 8");
    assert_eq!(world.watermark(4), "+I a 04 1 a 04 8");
    assert_eq!(
        world.snapshot(Scope::Changes),
        [
            "0: -D a 0 NULL NULL NULL NULL",
            "1: -D a 0 NULL NULL NULL NULL / -D a 1 NULL NULL NULL NULL",
            "1: +I a 2 04 8 4000 0"
        ]
    );
    world.restart();
    world.left("+I a 09 2");
    assert_eq!(world.watermark(9), "+I a 09 2 a 04 8");
}

/// A row: key, second, value, and whether it is there.
type Row = (u32, i64, u32, bool);

/// Everything that ever came, searched from end to end.
#[derive(Default)]
struct Model {
    left: Vec<Row>,
    right: Vec<Row>,
}

impl Model {
    fn advance(&mut self, second: i64, kind: JoinKind) -> Vec<String> {
        let (due, waiting) = std::mem::take(&mut self.left).into_iter().partition(|row: &Row| row.1 <= second);
        self.left = waiting;
        let mut out = Vec::new();
        for (key, time, value, _) in due {
            let versions = self.right.iter().filter(|version| version.0 == key && version.1 <= time);
            // Of equal times the last.
            let version = versions.fold(None, |best: Option<&Row>, row| match best {
                Some(best) if best.1 > row.1 => Some(best),
                _ => Some(row),
            });
            match version.filter(|version| version.3) {
                Some(version) => out.push(format!("+I k{key} {time:02} {value} k{key} {:02} {}", version.1, version.2)),
                None if kind == JoinKind::Left => out.push(format!("+I k{key} {time:02} {value} NULL NULL NULL")),
                None => {}
            }
        }
        out
    }
}

fn random_rows(random: &mut Random, second: i64, deletes: bool) -> Vec<Row> {
    let count = random.below(6) + 1;
    let row = |random: &mut Random| {
        let is_there = !deletes || random.below(4) > 0;
        (random.below(3), (second + 1 + i64::from(random.below(8))).min(59), random.below(100), is_there)
    };
    (0..count).map(|_| row(random)).collect()
}

#[test]
fn does_what_a_list_does() {
    checked(300, |random| {
        let kind = random.of(&[JoinKind::Inner, JoinKind::Left]);
        let (mut world, mut model, mut second) = (World::new(kind, None), Model::default(), 0);
        while second < 50 {
            match random.below(3) {
                0 => {
                    second += i64::from(random.below(4));
                    let actual = world.watermark(second);
                    assert_eq!(actual, model.advance(second, kind).join(" / "), "at {second}");
                }
                side => {
                    let is_left = side == 1;
                    let rows = random_rows(random, second, !is_left);
                    let text = |(key, time, value, is_there): &Row| {
                        format!("{} k{key} {time} {value}", if *is_there { "+I" } else { "-D" })
                    };
                    let lines: Vec<String> = rows.iter().map(text).collect();
                    world.push(if is_left { LEFT } else { RIGHT }, &lines.join(" / ")).unwrap();
                    if is_left { &mut model.left } else { &mut model.right }.extend(rows);
                }
            }
            if random.below(4) == 0 {
                world.snapshot(random.of(&[Scope::All, Scope::Changes, Scope::Changes]));
                if random.flag() {
                    world.restart();
                }
            }
        }
        assert_eq!(world.watermark(99), model.advance(99, kind).join(" / "));
        assert!(world.operator.is_idle());
    });
}
