//! How fast rows become JSON: 1024 rows of the 23 columns of TPC-DS `store_sales`, with
//! `serde_json` building a value of each row as its peer.
//!
//! Run with `cargo bench -p sluice-benches --bench json_encode`.

use std::hint::black_box;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_connector_api::{EncodedRows, Format, TableOptions};
use sluice_formats::Json;
use sluice_model::{Column, SqlType, TableSchema};

const ROWS: usize = 1024;
const INTEGERS: [&str; 9] = [
    "ss_sold_date_sk",
    "ss_sold_time_sk",
    "ss_customer_sk",
    "ss_cdemo_sk",
    "ss_hdemo_sk",
    "ss_addr_sk",
    "ss_store_sk",
    "ss_promo_sk",
    "ss_quantity",
];
const DECIMALS: [&str; 12] = [
    "ss_wholesale_cost",
    "ss_list_price",
    "ss_sales_price",
    "ss_ext_discount_amt",
    "ss_ext_sales_price",
    "ss_ext_wholesale_cost",
    "ss_ext_list_price",
    "ss_ext_tax",
    "ss_coupon_amt",
    "ss_net_paid",
    "ss_net_paid_inc_tax",
    "ss_net_profit",
];

/// 23 columns: a key of an integer and a long, 8 more integers, 12 decimals, a string.
fn store_sales() -> RecordBatch {
    let mut random = StdRng::seed_from_u64(7);
    let mut columns = vec![Column::new("ss_item_sk", SqlType::Int), Column::new("ss_ticket_number", SqlType::BigInt)];
    let mut arrays: Vec<ArrayRef> = vec![
        Arc::new((0..ROWS).map(|_| Some(random.random_range(1..18_000))).collect::<Int32Array>()),
        Arc::new((0..ROWS).map(|row| Some(1_000_000 + row as i64)).collect::<Int64Array>()),
    ];
    for name in &INTEGERS[..8] {
        columns.push(Column::new(*name, SqlType::Int));
        let value = |random: &mut StdRng| (random.random_range(0..25) > 0).then(|| random.random_range(1..2_500_000));
        arrays.push(Arc::new((0..ROWS).map(|_| value(&mut random)).collect::<Int32Array>()));
    }
    for name in DECIMALS {
        columns.push(Column::new(name, SqlType::Decimal(7, 2)));
        let value = |random: &mut StdRng| (random.random_range(0..25) > 0).then(|| random.random_range(0..2_000_000));
        let array = (0..ROWS).map(|_| value(&mut random)).collect::<Decimal128Array>();
        arrays.push(Arc::new(array.with_precision_and_scale(7, 2).unwrap()));
    }
    columns.push(Column::new("ss_note", SqlType::STRING));
    arrays.push(Arc::new((0..ROWS).map(|row| Some(format!("store sale number {row}"))).collect::<StringArray>()));
    RecordBatch::try_new(TableSchema::new(columns).to_arrow(), arrays).unwrap()
}

/// The peer: a `serde_json::Value` of each row, written to the same buffer.
fn encode_with_serde(batch: &RecordBatch, out: &mut EncodedRows) {
    let schema = batch.schema();
    for row in 0..batch.num_rows() {
        let mut object = serde_json::Map::with_capacity(batch.num_columns());
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            let value = if column.is_null(row) {
                serde_json::Value::Null
            } else if let Some(integers) = column.as_primitive_opt::<Int32Type>() {
                integers.value(row).into()
            } else if let Some(integers) = column.as_primitive_opt::<Int64Type>() {
                integers.value(row).into()
            } else if let Some(decimals) = column.as_primitive_opt::<Decimal128Type>() {
                (decimals.value(row) as f64 / 100.0).into()
            } else {
                column.as_string::<i32>().value(row).into()
            };
            object.insert(field.name().clone(), value);
        }
        serde_json::to_writer(&mut out.bytes, &object).unwrap();
        out.end_row();
    }
}

fn json_encode(criterion: &mut Criterion) {
    let batch = store_sales();
    assert_eq!(batch.num_columns(), 23);
    let formats = Json.encoders(&TableOptions::default()).unwrap();
    let mut encoder = formats.encoder(batch.schema()).unwrap();
    let key = batch.project(&[0, 1]).unwrap();
    let mut key_encoder = formats.encoder(key.schema()).unwrap();
    let mut out = EncodedRows::default();

    let mut group = criterion.benchmark_group("json_encode");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("sluice 23 columns", |bencher| {
        bencher.iter(|| {
            out.clear();
            encoder.encode(black_box(&batch), &mut out).unwrap();
            out.bytes.len()
        });
    });
    group.bench_function("sluice key of 2 columns", |bencher| {
        bencher.iter(|| {
            out.clear();
            key_encoder.encode(black_box(&key), &mut out).unwrap();
            out.bytes.len()
        });
    });
    group.bench_function("serde_json 23 columns", |bencher| {
        bencher.iter(|| {
            out.clear();
            encode_with_serde(black_box(&batch), &mut out);
            out.bytes.len()
        });
    });
    group.finish();
}

criterion_group!(benches, json_encode);
criterion_main!(benches);
