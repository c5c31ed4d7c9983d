//! Random changelogs on both sides, cut into random batches, with random restarts: after every batch
//! the accumulated result is the join of the two tables, and no row is taken back that is not there.
//!
//! A failure prints the seed of its case; `SLUICE_SEED=… cargo test` runs that one only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, Int32Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion_expr::{Expr, col, lit};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use sluice_model::{ChangelogBatch, RowKind, RowKinds, from_pretty, to_pretty};
use sluice_plan::JoinKind;

use super::Join;
use crate::{Operator, Scope};

const CASES: u64 = 4000;
const KINDS: [JoinKind; 7] = [
    JoinKind::Inner,
    JoinKind::Left,
    JoinKind::Right,
    JoinKind::Full,
    JoinKind::LeftSemi,
    JoinKind::LeftAnti,
    JoinKind::LeftMark,
];

/// Columns of a side: `k`, `id`, `v`.
type Row = [Option<i32>; 3];
type Predicate = fn(&Row, &Row) -> bool;

#[derive(Debug)]
struct Case {
    seed: u64,
    node: sluice_plan::Join,
    condition: Option<Predicate>,
    /// A side with a unique key comes with `-U`, and with whole rows in `-D`.
    with_old: [bool; 2],
    batches: usize,
    largest: usize,
}

impl Case {
    fn new(seed: u64, rng: &mut StdRng) -> Self {
        let keys = [vec![], vec![(0, 0)], vec![(0, 0)], vec![(0, 0), (2, 2)], vec![(1, 0)]];
        let node = sluice_plan::Join {
            kind: *KINDS.choose(rng).unwrap(),
            keys: keys.choose(rng).unwrap().clone(),
            null_equals_null: rng.random_bool(0.3),
            condition: None,
            unique_keys: [unique_key(rng), unique_key(rng)],
            inserts_only: [rng.random_bool(0.25), rng.random_bool(0.25)],
            window_ends: None,
        };
        let (expression, condition) = condition(rng).unzip();
        let node = sluice_plan::Join { condition: expression, ..node };
        let with_old = [0, 1].map(|side| rng.random_bool(0.5) || !may_be_upsert(&node, side));
        // Some cases are long and in small batches, so that chunks are merged.
        let (batches, largest) = if seed.is_multiple_of(100) { (300, 3) } else { (rng.random_range(1..14), 6) };
        Self { seed, node, condition, with_old, batches, largest }
    }

    fn run(&self, rng: &mut StdRng) {
        let mut world = World::new(self);
        for _ in 0..self.batches {
            let side = rng.random_range(0..2);
            let size = rng.random_range(1..=self.largest);
            let changes: Vec<_> = std::iter::repeat_with(|| self.changes(side, &mut world.tables[side], rng))
                .take(size)
                .flatten()
                .collect();
            if !changes.is_empty() {
                world.put(side, &changes);
            }
            if rng.random_bool(0.15) {
                let scope = if rng.random_bool(0.3) { Scope::All } else { Scope::Changes };
                world.snapshot(scope);
                if rng.random_bool(0.5) {
                    world.restart();
                }
            }
        }
        world.clear();
    }

    /// A change of the table of a side: one row, or the old and the new content of one.
    fn changes(&self, side: usize, table: &mut Vec<Row>, rng: &mut StdRng) -> Vec<(RowKind, Row)> {
        let row = random_row(rng);
        let inserts_only = self.node.inserts_only[side];
        let Some(unique) = &self.node.unique_keys[side] else {
            if table.is_empty() || inserts_only || rng.random_bool(0.6) {
                table.push(row);
                return vec![(RowKind::Insert, row)];
            }
            if rng.random_bool(0.1) && !table.contains(&row) {
                return vec![(RowKind::Delete, row)];
            }
            let old = table.swap_remove(rng.random_range(0..table.len()));
            if rng.random_bool(0.5) {
                return vec![(RowKind::Delete, old)];
            }
            table.push(row);
            return vec![(RowKind::UpdateBefore, old), (RowKind::UpdateAfter, row)];
        };
        let same = |other: &Row| unique.iter().all(|column| other[*column] == row[*column]);
        let Some(position) = table.iter().position(same) else {
            if rng.random_bool(0.1) && !inserts_only {
                return vec![(RowKind::Delete, row)];
            }
            table.push(row);
            return vec![(RowKind::Insert, row)];
        };
        if inserts_only {
            return Vec::new();
        }
        let old = table.swap_remove(position);
        if rng.random_bool(0.4) {
            return vec![(RowKind::Delete, if self.with_old[side] { old } else { row })];
        }
        table.push(row);
        let new = (if rng.random_bool(0.8) { RowKind::UpdateAfter } else { RowKind::Insert }, row);
        if self.with_old[side] { vec![(RowKind::UpdateBefore, old), new] } else { vec![new] }
    }

    fn matches(&self, left: &Row, right: &Row) -> bool {
        let equal =
            |(l, r): &(usize, usize)| left[*l] == right[*r] && (left[*l].is_some() || self.node.null_equals_null);
        self.node.keys.iter().all(equal) && self.condition.is_none_or(|condition| condition(left, right))
    }

    /// The join by its definition.
    fn expected(&self, tables: &[Vec<Row>; 2]) -> BTreeMap<Vec<Option<i32>>, i64> {
        let kind = self.node.kind;
        let [left, right] = tables;
        let mut result = BTreeMap::new();
        let mut add = |row: Vec<Option<i32>>| *result.entry(row).or_insert(0) += 1;
        for l in left {
            let partners: Vec<_> = right.iter().filter(|r| self.matches(l, r)).collect();
            match kind {
                JoinKind::LeftSemi | JoinKind::LeftAnti => {
                    if partners.is_empty() == (kind == JoinKind::LeftAnti) {
                        add(l.to_vec());
                    }
                    continue;
                }
                JoinKind::LeftMark => {
                    add([&l[..], &[Some(i32::from(!partners.is_empty()))]].concat());
                    continue;
                }
                JoinKind::Left | JoinKind::Full if partners.is_empty() => add([*l, [None; 3]].concat()),
                _ => {}
            }
            partners.iter().for_each(|r| add([*l, **r].concat()));
        }
        if matches!(kind, JoinKind::Right | JoinKind::Full) {
            let lonely = right.iter().filter(|r| !left.iter().any(|l| self.matches(l, r)));
            lonely.for_each(|r| add([[None; 3], *r].concat()));
        }
        result
    }

    /// What identifies a row of the result, if it can be said: for reading it with `-U` dropped.
    fn result_key(&self) -> Option<Vec<usize>> {
        let left = self.node.unique_keys[0].clone()?;
        match self.node.kind {
            JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::LeftMark => Some(left),
            JoinKind::Inner => {
                let right = self.node.unique_keys[1].clone()?;
                Some(left.into_iter().chain(right.into_iter().map(|column| column + 3)).collect())
            }
            _ => None,
        }
    }
}

/// A join, its input tables and what has become of its output and its state.
struct World<'a> {
    case: &'a Case,
    join: Join,
    tables: [Vec<Row>; 2],
    result: BTreeMap<Vec<Option<i32>>, i64>,
    /// The result of one who goes by key and drops `-U`.
    by_key: BTreeMap<Vec<Option<i32>>, Vec<Option<i32>>>,
    /// Rows of state by table and key, as text.
    state: BTreeMap<(usize, Vec<String>), Vec<String>>,
}

impl<'a> World<'a> {
    fn new(case: &'a Case) -> Self {
        Self {
            case,
            join: new_join(&case.node),
            tables: Default::default(),
            result: BTreeMap::new(),
            by_key: BTreeMap::new(),
            state: BTreeMap::new(),
        }
    }

    fn put(&mut self, side: usize, changes: &[(RowKind, Row)]) {
        let mut outputs = Vec::new();
        let mut output = |batch: ChangelogBatch| {
            outputs.push(batch);
            Ok(())
        };
        self.join.on_batch(side, batch(changes), &mut output).unwrap();
        for output in &outputs {
            self.accumulate(output);
        }
        let seed = self.case.seed;
        let expected = self.case.expected(&self.tables);
        assert_eq!(self.result, expected, "seed {seed}: {:?} after {changes:?} on {side}", self.case);
        if self.case.result_key().is_some() {
            let by_key: BTreeSet<_> = self.by_key.values().cloned().collect();
            assert_eq!(by_key, expected.into_keys().collect(), "seed {seed}: by key, {:?}", self.case);
        }
    }

    fn accumulate(&mut self, output: &ChangelogBatch) {
        let seed = self.case.seed;
        let key = self.case.result_key();
        let columns: Vec<_> = output.rows().columns().iter().map(numbers).collect();
        for index in 0..output.num_rows() {
            let row: Vec<_> =
                columns.iter().map(|column| column.is_valid(index).then(|| column.value(index))).collect();
            let kind = output.kind(index);
            let count = self.result.entry(row.clone()).or_insert(0);
            *count += if kind.is_addition() { 1 } else { -1 };
            assert!(*count >= 0, "seed {seed}: {row:?} is taken back and was not there");
            if *count == 0 {
                self.result.remove(&row);
            }
            if kind == RowKind::UpdateBefore {
                assert_eq!(output.kind(index + 1), RowKind::UpdateAfter, "seed {seed}: a lone -U");
            }
            let key: Option<Vec<_>> = key.as_ref().map(|key| key.iter().map(|column| row[*column]).collect());
            match (key, kind) {
                (None, _) | (_, RowKind::UpdateBefore) => {}
                (Some(key), RowKind::Delete) => assert_eq!(self.by_key.remove(&key), Some(row), "seed {seed}"),
                (Some(key), _) => drop(self.by_key.insert(key, row)),
            }
        }
    }

    fn snapshot(&mut self, scope: Scope) {
        let seed = self.case.seed;
        let keys: Vec<_> = self.join.state_tables().iter().map(|table| table.key).collect();
        let mut state = if scope == Scope::All { BTreeMap::new() } else { std::mem::take(&mut self.state) };
        let mut output = |table: usize, batch: ChangelogBatch| {
            for line in to_pretty(&batch).split(" / ") {
                let mut values = line.split(' ').map(str::to_owned);
                let kind = RowKind::from_symbol(&values.next().unwrap()).unwrap();
                let values: Vec<_> = values.collect();
                let before = match kind {
                    RowKind::Delete => state.remove(&(table, values[..keys[table]].to_vec())),
                    _ => state.insert((table, values[..keys[table]].to_vec()), values),
                };
                assert_eq!(before.is_some(), kind != RowKind::Insert, "seed {seed}: {line} in the state");
            }
            Ok(())
        };
        self.join.snapshot(scope, &mut output).unwrap();
        self.state = state;
        self.join.snapshot(Scope::Changes, &mut |_, rows| panic!("seed {seed}: changed again: {rows:?}")).unwrap();
    }

    /// Takes everything back: nothing is left but what nobody takes back.
    fn clear(&mut self) {
        if self.case.node.inserts_only.contains(&true) {
            return;
        }
        for side in 0..2 {
            let rows: Vec<_> = self.tables[side].drain(..).map(|row| (RowKind::Delete, row)).collect();
            for rows in rows.chunks(7) {
                let mut output = |_| Ok(());
                self.join.on_batch(side, batch(rows), &mut output).unwrap();
            }
        }
        self.snapshot(Scope::Changes);
        assert!(self.state.is_empty() && self.join.is_empty(), "seed {}: something is left", self.case.seed);
    }

    fn restart(&mut self) {
        self.join = new_join(&self.case.node);
        for (number, table) in self.join.state_tables().to_vec().iter().enumerate() {
            let name = |field: &Field| {
                let data_type = if *field.data_type() == DataType::Int64 { "BIGINT" } else { "INT" };
                format!("{} {data_type}", field.name())
            };
            let columns: Vec<_> = table.schema.fields().iter().map(|field| name(field)).collect();
            let of_table = self.state.iter().filter(|((table, _), _)| *table == number);
            let rows: Vec<_> = of_table.map(|(_, row)| format!("+I {}", row.join(" "))).collect();
            for rows in rows.chunks(5) {
                self.join.restore(number, from_pretty(&columns.join(", "), &rows.join(" / "))).unwrap();
            }
        }
    }
}

/// The values of a column; a mark is 0 or 1.
fn numbers(column: &ArrayRef) -> Int32Array {
    match column.as_boolean_opt() {
        Some(marks) => marks.iter().map(|mark| mark.map(i32::from)).collect(),
        None => column.as_primitive::<Int32Type>().clone(),
    }
}

fn schema(columns: usize) -> SchemaRef {
    let fields: Vec<_> = (0..columns).map(|column| Field::new(format!("c{column}"), DataType::Int32, true)).collect();
    Arc::new(Schema::new(fields))
}

fn new_join(node: &sluice_plan::Join) -> Join {
    let mut output: Vec<_> = schema(if node.kind.keeps_right() { 6 } else { 3 }).fields().iter().cloned().collect();
    if node.kind == JoinKind::LeftMark {
        output.push(Arc::new(Field::new("mark", DataType::Boolean, false)));
    }
    Join::new(node, [&schema(3), &schema(3)], &Arc::new(Schema::new(output))).unwrap()
}

fn batch(changes: &[(RowKind, Row)]) -> ChangelogBatch {
    let column =
        |column: usize| Arc::new(changes.iter().map(|(_, row)| row[column]).collect::<Int32Array>()) as ArrayRef;
    let rows = RecordBatch::try_new(schema(3), (0..3).map(column).collect()).unwrap();
    let kinds: Vec<_> = changes.iter().map(|(kind, _)| *kind as u8).collect();
    let kinds = kinds.iter().any(|kind| *kind != RowKind::Insert as u8).then(|| RowKinds::from(kinds));
    ChangelogBatch::try_new(rows, kinds).unwrap()
}

fn random_row(rng: &mut StdRng) -> Row {
    let mut value = |largest: i32| rng.random_bool(0.85).then(|| rng.random_range(0..=largest));
    [value(2), value(4), value(2)]
}

fn unique_key(rng: &mut StdRng) -> Option<Vec<usize>> {
    let keys = [None, None, Some(vec![0]), Some(vec![0, 1]), Some(vec![1]), Some(vec![])];
    keys.choose(rng).unwrap().clone()
}

/// A side may come without `-U` if its join key is part of its unique key.
fn may_be_upsert(node: &sluice_plan::Join, side: usize) -> bool {
    let keys = node.keys.iter().map(|(left, right)| if side == 0 { *left } else { *right });
    node.unique_keys[side].as_ref().is_some_and(|unique| keys.into_iter().all(|key| unique.contains(&key)))
}

fn condition(rng: &mut StdRng) -> Option<(Expr, Predicate)> {
    let conditions: [Option<(Expr, Predicate)>; 5] = [
        None,
        None,
        Some((col("l2").lt_eq(col("r2")), |l, r| l[2].zip(r[2]).is_some_and(|(l, r)| l <= r))),
        Some((col("r1").gt(lit(1)), |_, r| r[1].is_some_and(|r| r > 1))),
        Some((col("l1").not_eq(col("r2")), |l, r| l[1].zip(r[2]).is_some_and(|(l, r)| l != r))),
    ];
    conditions.choose(rng).unwrap().clone()
}

#[test]
fn the_result_is_the_join_of_the_tables_at_any_time() {
    let seed = std::env::var("SLUICE_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    for seed in seed.map_or(0..CASES, |seed| seed..seed + 1) {
        let mut rng = StdRng::seed_from_u64(seed);
        let case = Case::new(seed, &mut rng);
        case.run(&mut rng);
    }
}
