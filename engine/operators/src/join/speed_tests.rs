//! How fast a join is. Not a test of anything: it prints.
//!
//! `cargo test -p sluice-operators join::speed -- --ignored --nocapture`

use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use sluice_model::ChangelogBatch;
use sluice_plan::JoinKind;

use super::Join;
use crate::Operator;

const BATCH: i64 = 4096;

fn schema(sides: usize) -> SchemaRef {
    let fields = [("id", DataType::Int64), ("name", DataType::Utf8), ("price", DataType::Int64)];
    let field = |(name, data_type): &(&str, DataType)| Field::new(*name, data_type.clone(), true);
    Arc::new(Schema::new((0..sides).flat_map(|_| fields.iter().map(field)).collect::<Vec<_>>()))
}

/// Rows with ids in an order that jumps about.
fn batches(rows: i64) -> Vec<ChangelogBatch> {
    let id = |row: i64| row.wrapping_mul(7_919) % rows;
    let batch = |start: i64| {
        let ids: Vec<_> = (start..(start + BATCH).min(rows)).map(id).collect();
        let names: StringArray = ids.iter().map(|id| Some(format!("name of {id}"))).collect();
        let prices: Int64Array = ids.iter().map(|id| id * 3).collect();
        let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(ids)), Arc::new(names), Arc::new(prices)];
        ChangelogBatch::append(RecordBatch::try_new(schema(1), columns).unwrap())
    };
    (0..rows).step_by(BATCH as usize).map(batch).collect()
}

fn measure(name: &str, rows: i64, unique: bool, inserts_only: bool, kind: JoinKind) {
    let key = || unique.then(|| vec![0]);
    let node = sluice_plan::Join {
        kind,
        keys: vec![(0, 0)],
        null_equals_null: false,
        condition: None,
        unique_keys: [key(), key()],
        inserts_only: [inserts_only; 2],
        window_ends: None,
    };
    let mut join = Join::new(&node, [&schema(1), &schema(1)], &schema(2)).unwrap();
    let mut put_out = 0;
    let mut put = |side: usize, batches: Vec<ChangelogBatch>| {
        let start = Instant::now();
        for batch in batches {
            let mut output = |batch: ChangelogBatch| {
                put_out += batch.num_rows();
                Ok(())
            };
            join.on_batch(side, batch, &mut output).unwrap();
        }
        rows as f64 / start.elapsed().as_secs_f64() / 1e6
    };
    let build = put(0, batches(rows));
    let mut right = batches(rows);
    right.reverse();
    let probe = put(1, right);
    print!("{name}, {rows} rows a side: {build:.2} M rows/s without a partner, {probe:.2} M rows/s with one");
    if unique {
        print!(", {:.2} M updates/s", put(1, batches(rows)));
    }
    println!("; {put_out} rows put out");
}

#[test]
#[ignore = "prints figures"]
fn one_to_one() {
    for rows in [100_000, 1_000_000] {
        measure("inner, unique keys", rows, true, false, JoinKind::Inner);
        measure("inner, no unique keys", rows, false, false, JoinKind::Inner);
        measure("inner, insertions", rows, false, true, JoinKind::Inner);
        measure("left, unique keys", rows, true, false, JoinKind::Left);
    }
}
