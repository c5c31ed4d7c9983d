//! Changelogs in, changelogs out.

use datafusion_expr::{Expr, col, lit};
use sluice_model::{ChangelogBatch, from_pretty, to_pretty};
use sluice_plan::JoinKind::{self, Full, Inner, Left, LeftAnti, LeftMark, LeftSemi, Right};

use super::Join;
use crate::{Operator, Scope};

const LEFT: &str = "id INT, a STRING";
const RIGHT: &str = "id INT, b STRING";
const PAIR: &str = "id INT, a STRING, id2 INT, b STRING";

/// A join `ON l0 = r0` of rows without unique keys.
fn node(kind: JoinKind) -> sluice_plan::Join {
    sluice_plan::Join {
        kind,
        keys: vec![(0, 0)],
        null_equals_null: false,
        condition: None,
        unique_keys: [None, None],
        inserts_only: [false, false],
        window_ends: None,
    }
}

fn unique(kind: JoinKind) -> sluice_plan::Join {
    sluice_plan::Join { unique_keys: [Some(vec![0]), Some(vec![0])], ..node(kind) }
}

struct Harness {
    node: sluice_plan::Join,
    columns: [&'static str; 2],
    join: Join,
}

impl Harness {
    fn new(node: sluice_plan::Join) -> Self {
        Self::with_columns(node, [LEFT, RIGHT], PAIR)
    }

    fn with_columns(node: sluice_plan::Join, columns: [&'static str; 2], pair: &str) -> Self {
        let inputs = columns.map(|columns| from_pretty(columns, "").schema());
        let columns_out = match node.kind {
            LeftSemi | LeftAnti => columns[0],
            LeftMark => "id INT, a STRING, mark BOOLEAN",
            _ => pair,
        };
        let output = from_pretty(columns_out, "").schema();
        let join = Join::new(&node, [&inputs[0], &inputs[1]], &output).unwrap();
        Self { node, columns, join }
    }

    fn put(&mut self, input: usize, batch: ChangelogBatch) -> String {
        let mut results = Vec::new();
        let mut output = |batch| {
            results.push(to_pretty(&batch));
            Ok(())
        };
        self.join.on_batch(input, batch, &mut output).unwrap();
        results.join(" | ")
    }

    fn left(&mut self, rows: &str) -> String {
        self.put(0, from_pretty(self.columns[0], rows))
    }

    fn right(&mut self, rows: &str) -> String {
        self.put(1, from_pretty(self.columns[1], rows))
    }

    fn snapshot(&mut self, scope: Scope) -> Vec<(usize, ChangelogBatch)> {
        let mut tables = Vec::new();
        let mut output = |table, batch| {
            tables.push((table, batch));
            Ok(())
        };
        self.join.snapshot(scope, &mut output).unwrap();
        tables
    }

    fn snapshot_text(&mut self, scope: Scope) -> String {
        let names = ["left", "right"];
        let tables = self.snapshot(scope);
        let tables: Vec<_> =
            tables.iter().map(|(table, rows)| format!("{}: {}", names[*table], to_pretty(rows))).collect();
        tables.join(" | ")
    }

    fn restored(&self, state: &[(usize, ChangelogBatch)]) -> Self {
        let mut restored = Self::new(self.node.clone());
        for (table, rows) in state {
            restored.join.restore(*table, rows.clone()).unwrap();
        }
        restored
    }
}

#[test]
fn inner_join_puts_out_pairs() {
    let mut join = Harness::new(node(Inner));
    assert_eq!(join.left("+I 1 x / +I 2 y"), "");
    assert_eq!(join.right("+I 1 p / +I 1 q / +I 3 r"), "+I 1 x 1 p / +I 1 x 1 q");
    assert_eq!(join.left("+I 3 z / +I 1 w"), "+I 3 z 3 r / +I 1 w 1 p / +I 1 w 1 q");
    assert_eq!(join.right("-D 1 p"), "-D 1 x 1 p / -D 1 w 1 p");
    assert_eq!(join.left("-D 1 x"), "-D 1 x 1 q");
}

#[test]
fn left_join_pads_rows_without_a_partner() {
    let mut join = Harness::new(node(Left));
    assert_eq!(join.left("+I 1 x"), "+I 1 x NULL NULL");
    assert_eq!(join.right("+I 1 y"), "-D 1 x NULL NULL / +I 1 x 1 y");
    assert_eq!(join.right("-D 1 y"), "-D 1 x 1 y / +I 1 x NULL NULL");
    assert_eq!(join.right("+I 1 y / +I 1 z"), "-D 1 x NULL NULL / +I 1 x 1 y / +I 1 x 1 z");
    assert_eq!(join.left("-D 1 x"), "-D 1 x 1 y / -D 1 x 1 z");
    assert_eq!(join.right("-D 1 y / -D 1 z"), "");
}

#[test]
fn right_join_pads_the_other_way_round() {
    let mut join = Harness::new(node(Right));
    assert_eq!(join.right("+I 1 y / +I 2 z"), "+I NULL NULL 1 y / +I NULL NULL 2 z");
    assert_eq!(join.left("+I 1 x / +I 3 w"), "-D NULL NULL 1 y / +I 1 x 1 y");
    assert_eq!(join.left("-D 1 x"), "-D 1 x 1 y / +I NULL NULL 1 y");
    assert_eq!(join.right("-D 2 z"), "-D NULL NULL 2 z");
}

#[test]
fn full_join_pads_both() {
    let mut join = Harness::new(node(Full));
    assert_eq!(join.left("+I 1 x / +I 2 w"), "+I 1 x NULL NULL / +I 2 w NULL NULL");
    assert_eq!(join.right("+I 1 y / +I 3 z"), "-D 1 x NULL NULL / +I 1 x 1 y / +I NULL NULL 3 z");
    assert_eq!(join.left("-D 1 x"), "-D 1 x 1 y / +I NULL NULL 1 y");
}

#[test]
fn semi_join_puts_out_a_row_once() {
    let mut join = Harness::new(node(LeftSemi));
    assert_eq!(join.left("+I 1 x / +I 2 y"), "");
    assert_eq!(join.right("+I 1 p / +I 1 q"), "+I 1 x");
    assert_eq!(join.right("-D 1 p"), "");
    assert_eq!(join.left("+I 1 w"), "+I 1 w");
    assert_eq!(join.right("-D 1 q"), "-D 1 x / -D 1 w");
    assert_eq!(join.left("-D 1 x"), "");
}

#[test]
fn anti_join_puts_out_the_others() {
    let mut join = Harness::new(node(LeftAnti));
    assert_eq!(join.left("+I 1 x / +I NULL n"), "+I 1 x / +I NULL n");
    assert_eq!(join.right("+I 1 p / +I 1 q / +I NULL r"), "-D 1 x");
    assert_eq!(join.right("-D 1 p / -D 1 q"), "+I 1 x");
    assert_eq!(join.left("-D NULL n"), "-D NULL n");
}

#[test]
fn mark_join_says_who_has_a_partner() {
    let mut join = Harness::new(node(LeftMark));
    assert_eq!(join.left("+I 1 x / +I 2 y"), "+I 1 x false / +I 2 y false");
    assert_eq!(join.right("+I 1 p / +I 1 q"), "-U 1 x false / +U 1 x true");
    assert_eq!(join.right("-D 1 p"), "");
    assert_eq!(join.left("+I 1 w / -D 2 y"), "+I 1 w true / -D 2 y false");
    assert_eq!(join.right("-D 1 q"), "-U 1 x true / +U 1 x false / -U 1 w true / +U 1 w false");
}

#[test]
fn null_joins_nothing() {
    let mut join = Harness::new(node(Full));
    assert_eq!(join.left("+I NULL x"), "+I NULL x NULL NULL");
    assert_eq!(join.right("+I NULL y / +I 1 z"), "+I NULL NULL NULL y / +I NULL NULL 1 z");
    assert_eq!(join.left("-D NULL x / -D NULL x"), "-D NULL x NULL NULL");
    let mut join = Harness::new(node(Inner));
    assert_eq!(join.left("+I NULL x"), "");
    assert_eq!(join.snapshot_text(Scope::All), "");
}

#[test]
fn null_joins_null_if_it_is_equal() {
    let mut join = Harness::new(sluice_plan::Join { null_equals_null: true, ..node(Inner) });
    join.left("+I NULL x");
    assert_eq!(join.right("+I NULL y"), "+I NULL x NULL y");
}

#[test]
fn rows_without_a_unique_key_are_counted() {
    let mut join = Harness::new(node(Left));
    assert_eq!(join.left("+I 1 x / +I 1 x"), "+I 1 x NULL NULL / +I 1 x NULL NULL");
    assert_eq!(join.right("+I 1 y"), "-D 1 x NULL NULL / -D 1 x NULL NULL / +I 1 x 1 y / +I 1 x 1 y");
    assert_eq!(join.left("-D 1 x"), "-D 1 x 1 y");
    assert_eq!(join.right("+I 1 y"), "+I 1 x 1 y");
    assert_eq!(join.right("-D 1 y"), "-D 1 x 1 y");
    assert_eq!(join.right("-D 1 y"), "-D 1 x 1 y / +I 1 x NULL NULL");
}

#[test]
fn a_row_of_a_unique_key_replaces_the_one_before() {
    let mut join = Harness::new(unique(Left));
    assert_eq!(join.left("+I 1 x"), "+I 1 x NULL NULL");
    assert_eq!(join.left("+U 1 y"), "-U 1 x NULL NULL / +U 1 y NULL NULL");
    assert_eq!(join.right("+I 1 p"), "-D 1 y NULL NULL / +I 1 y 1 p");
    assert_eq!(join.left("-U 1 y / +U 1 z"), "-U 1 y 1 p / +U 1 z 1 p");
    assert_eq!(join.right("+I 1 q"), "-U 1 z 1 p / +U 1 z 1 q");
    assert_eq!(join.right("-D 1 NULL"), "-D 1 z 1 q / +I 1 z NULL NULL");
}

#[test]
fn an_update_that_no_longer_meets_the_condition_is_a_deletion() {
    let condition: Option<Expr> = Some(col("l1").lt(col("r1")));
    let mut join = Harness::new(sluice_plan::Join { condition: condition.clone(), ..unique(Inner) });
    join.left("+I 1 a");
    assert_eq!(join.right("+I 1 b"), "+I 1 a 1 b");
    assert_eq!(join.left("-U 1 a / +U 1 c"), "-D 1 a 1 b");
    assert_eq!(join.left("+U 1 aa"), "+I 1 aa 1 b");
    let mut join = Harness::new(sluice_plan::Join { condition, ..unique(Left) });
    join.left("+I 1 a");
    assert_eq!(join.right("+I 1 b"), "-D 1 a NULL NULL / +I 1 a 1 b");
    assert_eq!(join.left("-U 1 a / +U 1 c"), "-D 1 a 1 b / +I 1 c NULL NULL");
    assert_eq!(join.left("-U 1 c / +U 1 d"), "-U 1 c NULL NULL / +U 1 d NULL NULL");
    assert_eq!(join.right("-U 1 b / +U 1 e"), "-D 1 d NULL NULL / +I 1 d 1 e");
}

#[test]
fn what_is_not_there_cannot_be_taken_back() {
    let mut join = Harness::new(node(Full));
    assert_eq!(join.left("-D 1 x / -U 2 y"), "");
    assert_eq!(join.snapshot_text(Scope::Changes), "");
}

#[test]
fn rows_of_one_batch_act_in_their_order() {
    let mut join = Harness::new(unique(Left));
    join.right("+I 1 p");
    assert_eq!(
        join.left("+I 1 a / +U 1 b / -D 1 b / +I 2 c / -D 2 c"),
        "+I 1 a 1 p / -U 1 a 1 p / +U 1 b 1 p / -D 1 b 1 p / +I 2 c NULL NULL / -D 2 c NULL NULL"
    );
    assert_eq!(join.snapshot_text(Scope::Changes), "right: +I 1 p");
}

#[test]
fn without_keys_every_row_meets_every_row() {
    let cross = sluice_plan::Join { keys: Vec::new(), condition: Some(col("l0").gt(col("r0"))), ..node(Left) };
    let mut join = Harness::new(cross);
    assert_eq!(join.left("+I 1 a / +I 3 b"), "+I 1 a NULL NULL / +I 3 b NULL NULL");
    assert_eq!(
        join.right("+I 2 p / +I 0 q"),
        "-D 3 b NULL NULL / +I 3 b 2 p / -D 1 a NULL NULL / +I 1 a 0 q / +I 3 b 0 q"
    );
    assert_eq!(join.join.state_tables().iter().map(|table| table.distribution).collect::<Vec<_>>(), [0, 0]);
}

#[test]
fn a_condition_may_divide_by_zero() {
    let mut join = Harness::new(sluice_plan::Join { condition: Some((lit(1) / col("l0")).gt(lit(0))), ..node(Inner) });
    join.left("+I 0 a");
    let error = join.join.on_batch(1, from_pretty(RIGHT, "+I 0 p"), &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.what(), "/ by zero");
}

#[test]
fn state_holds_the_key_first_and_only_what_changed() {
    let keyed = sluice_plan::Join { keys: vec![(1, 1)], unique_keys: [Some(vec![0]), None], ..node(Left) };
    let mut join = Harness::new(keyed);
    let names = |table: usize, join: &Harness| {
        let table = &join.join.state_tables()[table];
        let names: Vec<_> = table.schema.fields().iter().map(|field| field.name().clone()).collect();
        (names.join(" "), table.key, table.distribution)
    };
    assert_eq!(names(0, &join), ("k0 c0 degree".to_owned(), 2, 1));
    assert_eq!(names(1, &join), ("k0 c0 count".to_owned(), 2, 1));
    join.left("+I 1 a / +I 2 b");
    join.right("+I 7 a / +I 7 a");
    assert_eq!(join.snapshot_text(Scope::Changes), "left: +I a 1 2 / +I b 2 0 | right: +I a 7 2");
    assert_eq!(join.snapshot_text(Scope::Changes), "");
    join.right("+I 8 b / -D 7 a");
    join.left("+I 3 c / -D 3 c / -D 1 a");
    assert_eq!(join.snapshot_text(Scope::Changes), "left: +U b 2 1 | left: -D a 1 NULL | right: +I b 8 1 / +U a 7 1");
    assert_eq!(join.snapshot_text(Scope::All), "left: +I b 2 1 | right: +I a 7 1 / +I b 8 1");
}

#[test]
fn a_restored_join_goes_on() {
    let mut join = Harness::new(node(Full));
    join.left("+I 1 x / +I 1 x / +I NULL n");
    let mut state = join.snapshot(Scope::All);
    join.right("+I 1 y / +I 2 z");
    join.left("-D NULL n / +I 2 w");
    state.extend(join.snapshot(Scope::Changes));
    let mut restored = join.restored(&state);
    assert_eq!(restored.snapshot_text(Scope::Changes), "");
    for join in [&mut join, &mut restored] {
        assert_eq!(join.left("-D NULL n"), "");
        assert_eq!(join.right("-D 1 y"), "-D 1 x 1 y / -D 1 x 1 y / +I 1 x NULL NULL / +I 1 x NULL NULL");
        assert_eq!(join.left("-D 2 w"), "-D 2 w 2 z / +I NULL NULL 2 z");
    }
    assert_eq!(restored.snapshot_text(Scope::Changes), join.snapshot_text(Scope::Changes));
}

#[test]
fn state_of_another_join_is_refused() {
    let mut join = Harness::new(node(Inner));
    assert!(join.join.restore(0, from_pretty("k0 INT", "+I 1")).is_err());
    assert!(join.join.restore(2, from_pretty("k0 INT", "+I 1")).is_err());
}

#[test]
fn many_pairs_come_in_several_batches() {
    let cross = sluice_plan::Join { condition: Some(col("l1").lt_eq(col("r1"))), keys: Vec::new(), ..node(Inner) };
    let mut join = Harness::with_columns(cross, ["id INT, v INT"; 2], "id INT, v INT, id2 INT, v2 INT");
    let rows: Vec<_> = (0..400).map(|row| format!("+I {row} {row}")).collect();
    join.left(&rows.join(" / "));
    let mut sizes = Vec::new();
    let batch = from_pretty("id INT, v INT", &rows.join(" / "));
    let mut output = |batch: ChangelogBatch| {
        sizes.push(batch.num_rows());
        Ok(())
    };
    join.join.on_batch(1, batch, &mut output).unwrap();
    assert_eq!(sizes.iter().sum::<usize>(), 400 * 401 / 2);
    assert!(sizes.iter().all(|size| *size <= 8192));
}

#[test]
fn keys_of_different_types_are_a_bug_in_the_planner() {
    let [left, right, output] = [LEFT, "id BIGINT, b STRING", PAIR].map(|columns| from_pretty(columns, "").schema());
    assert!(Join::new(&node(Inner), [&left, &right], &output).is_err());
}
