//! How fast it is; run with `--ignored --nocapture`.

use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_model::ChangelogBatch;

use super::{Case, call};
use crate::{Operator, Scope};

#[test]
#[ignore = "prints a figure"]
fn rows_per_second() {
    for keys in [10_000, 1_000_000] {
        let calls = vec![call("sum", &[1], "BIGINT"), call("count", &[], "BIGINT")];
        measure("SUM, COUNT", keys, &Case::new("k BIGINT, v BIGINT", calls).append());
        measure("MAX with rows taken back", keys, &Case::new("k BIGINT, v BIGINT", vec![call("max", &[1], "BIGINT")]));
    }
}

fn measure(name: &str, keys: i64, case: &Case) {
    const ROWS: usize = 8192;
    let schema = case.batch("").schema();
    let mut random = StdRng::seed_from_u64(7);
    let batches: Vec<ChangelogBatch> = (0..400)
        .map(|_| {
            let mut column = |limit| -> ArrayRef {
                Arc::new(Int64Array::from_iter_values((0..ROWS).map(|_| random.random_range(0..limit))))
            };
            let columns = vec![column(keys), column(1000)];
            ChangelogBatch::append(RecordBatch::try_new(schema.clone(), columns).unwrap())
        })
        .collect();
    let mut operator = case.operator();
    let (start, mut out) = (Instant::now(), 0);
    for batch in &batches {
        let count = &mut |batch: ChangelogBatch| {
            out += batch.num_rows();
            Ok(())
        };
        operator.on_batch(0, batch.clone(), count).unwrap();
    }
    let seconds = start.elapsed().as_secs_f64();
    let rate = (batches.len() * ROWS) as f64 / seconds;
    println!("{name}, {keys} keys: {rate:.0} rows/s in, {out} rows out");
    let (start, mut rows) = (Instant::now(), 0);
    let mut count = |_, batch: ChangelogBatch| {
        rows += batch.num_rows();
        Ok(())
    };
    operator.snapshot(Scope::All, &mut count).unwrap();
    println!("  snapshot of {rows} rows: {:.3} s", start.elapsed().as_secs_f64());
}
