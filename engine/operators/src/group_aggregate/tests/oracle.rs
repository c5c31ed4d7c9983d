//! What is left of any changelog equals the functions over the table that is left of its input.

use std::collections::BTreeMap;

use arrow_array::{Array, RecordBatch, UInt32Array};
use arrow_schema::FieldRef;
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take_record_batch;
use datafusion_common::ScalarValue;
use datafusion_expr::function::AccumulatorArgs;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sluice_functions::{SessionInfo, aggregate_functions};
use sluice_model::{ChangelogBatch, from_pretty};
use sluice_plan::AggregateCall;

use super::restore::{COLUMNS, changes, every_call};
use super::{Case, call};
use crate::Operator;

/// A row as scalars, in text that tells NULL from the word.
fn key(batch: &RecordBatch, row: usize) -> String {
    let cells = batch.columns().iter().map(|column| ScalarValue::try_from_array(column, row).unwrap());
    cells.map(|cell| format!("{cell:?}")).collect::<Vec<_>>().join(" ")
}

/// The rows that are there in the end.
fn table(batches: &[ChangelogBatch]) -> RecordBatch {
    let rows: Vec<&RecordBatch> = batches.iter().map(ChangelogBatch::rows).collect();
    let all = concat_batches(&rows[0].schema(), rows.iter().copied()).unwrap();
    let mut left: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let kinds = batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| batch.kind(row)));
    for (row, kind) in kinds.enumerate() {
        let same = left.entry(key(&all, row)).or_default();
        if kind.is_addition() {
            same.push(row as u32);
        } else {
            same.pop().unwrap();
        }
    }
    let rows: UInt32Array = left.into_values().flatten().map(Some).collect();
    take_record_batch(&all, &rows).unwrap()
}

/// The result of a call over a whole table.
fn whole(call: &AggregateCall, rows: &RecordBatch) -> ScalarValue {
    let rows = match call.filter {
        Some(filter) => filter_record_batch(rows, rows.column(filter).as_any().downcast_ref().unwrap()).unwrap(),
        None => rows.clone(),
    };
    let arguments = if call.arguments.is_empty() { rows.clone() } else { rows.project(&call.arguments).unwrap() };
    let mut arguments_or_rows = arguments.columns().to_vec();
    if call.arguments.is_empty() {
        arguments_or_rows = vec![std::sync::Arc::new(UInt32Array::from(vec![1; rows.num_rows()]))];
    }
    let fields: Vec<FieldRef> = arguments.schema().fields().iter().cloned().collect();
    let functions = aggregate_functions(&SessionInfo::default());
    let function = functions.iter().find(|function| function.name() == call.function).unwrap();
    let return_field = function.return_field(&fields).unwrap();
    assert_eq!(return_field.data_type(), call.result.data_type(), "{}", call.function);
    let args = AccumulatorArgs {
        return_field,
        schema: &arguments.schema(),
        ignore_nulls: false,
        order_bys: &[],
        is_reversed: false,
        name: &call.function,
        is_distinct: call.distinct,
        exprs: &[],
        expr_fields: &fields,
    };
    let mut accumulator = function.accumulator(args).unwrap();
    accumulator.update_batch(&arguments_or_rows).unwrap();
    accumulator.evaluate().unwrap()
}

/// The rows that an operator leaves, as text.
fn streamed(case: &Case, batches: &[ChangelogBatch]) -> Vec<String> {
    let (mut operator, mut counts) = (case.operator(), BTreeMap::<String, i64>::new());
    for batch in batches {
        operator
            .on_batch(0, batch.clone(), &mut |out| {
                for row in 0..out.num_rows() {
                    let count = counts.entry(key(out.rows(), row)).or_default();
                    *count += if out.kind(row).is_addition() { 1 } else { -1 };
                    assert!((0..=1).contains(count), "{}", key(out.rows(), row));
                }
                Ok(())
            })
            .unwrap();
    }
    counts.into_iter().filter(|(_, count)| *count > 0).map(|(row, _)| row).collect()
}

fn check(seed: u64, retracts: bool) {
    let mut calls = every_call();
    let by_arrival = ["first_value", "last_value", "listagg", "array_agg"];
    // Sums of squares are rounded in other places.
    calls.retain(|call| !by_arrival.contains(&call.function.as_str()) && call.function != "stddev_samp");
    calls.push(call("sum0", &[1], "INT"));
    calls.push(call("approx_count_distinct", &[3], "BIGINT"));
    let batches = changes(&mut StdRng::seed_from_u64(seed), retracts);
    let table = table(&batches);
    let mut groups: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for row in 0..table.num_rows() {
        groups.entry(key(&table.project(&[0]).unwrap(), row)).or_default().push(row as u32);
    }
    let mut expected: Vec<String> = groups
        .into_iter()
        .map(|(group, rows)| {
            let rows = take_record_batch(&table, &UInt32Array::from(rows)).unwrap();
            let results = calls.iter().map(|call| format!("{:?}", whole(call, &rows)));
            std::iter::once(group).chain(results).collect::<Vec<_>>().join(" ")
        })
        .collect();
    expected.sort();
    let case = Case { input: COLUMNS, groups: 1, calls, retracts, update_before: true };
    assert_eq!(streamed(&case, &batches), expected, "seed {seed}");
}

#[test]
fn streams_equal_whole_tables() {
    assert_eq!(table(&[from_pretty("x INT", "+I 1 / +I 2 / -D 1")]).num_rows(), 1);
    for seed in 0..200 {
        check(seed, true);
        check(seed, false);
    }
}
