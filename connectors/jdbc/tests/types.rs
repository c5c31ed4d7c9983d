//! Every type, there and back, by every way that rows take.

mod support;

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray, UInt32Array,
};
use sluice_model::{ChangelogBatch, Column, Reaction, RowKinds, SqlType, TableSchema, from_pretty};
use support::{Warehouse, keyed};

const DDL: &str = "CREATE TYPE mood AS ENUM ('happy', 'sad'); CREATE DOMAIN short AS varchar(5);
  CREATE TABLE t (id int PRIMARY KEY, flag boolean, tiny smallint, small smallint, big bigint, narrowed int,
    wide numeric(20,0), unsigned bigint, real real, double double precision, single double precision,
    price numeric(7,2), any_numeric numeric, text text, name varchar(9), padded char(4), json json, jsonb jsonb,
    uuid uuid, mood mood, short short, bytes bytea, day date, midnight timestamp, time time, at timestamp,
    instant timestamptz)";

/// Columns of three rows: ordinary values, extreme ones, NULLs.
fn columns() -> Vec<(Column, ArrayRef)> {
    let column = |name: &str, sql: SqlType, array: ArrayRef| (Column::new(name, sql), array);
    let decimal = |values: [Option<i128>; 3], precision, scale| -> ArrayRef {
        Arc::new(Decimal128Array::from(values.to_vec()).with_precision_and_scale(precision, scale).unwrap())
    };
    let text = |values: [Option<&str>; 3]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
    vec![
        (Column::new("id", SqlType::Int).not_null(), Arc::new(Int32Array::from(vec![1, i32::MIN, 3])) as ArrayRef),
        column("flag", SqlType::Boolean, Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        column("tiny", SqlType::TinyInt, Arc::new(Int8Array::from(vec![Some(7), Some(-128), None]))),
        column("small", SqlType::SmallInt, Arc::new(Int16Array::from(vec![Some(7), Some(i16::MIN), None]))),
        column("big", SqlType::BigInt, Arc::new(Int64Array::from(vec![Some(7), Some(i64::MIN), None]))),
        column("narrowed", SqlType::BigInt, Arc::new(Int64Array::from(vec![Some(7), Some(2_147_483_647), None]))),
        column("wide", SqlType::BigInt, Arc::new(Int64Array::from(vec![Some(10_000), Some(i64::MIN), None]))),
        column("unsigned", SqlType::Decimal(20, 0), decimal([Some(7), Some(i64::MAX.into()), None], 20, 0)),
        column("real", SqlType::Float, Arc::new(Float32Array::from(vec![Some(1.5), Some(f32::NEG_INFINITY), None]))),
        column("double", SqlType::Double, Arc::new(Float64Array::from(vec![Some(-0.1), Some(f64::NAN), None]))),
        column("single", SqlType::Float, Arc::new(Float32Array::from(vec![Some(0.5), Some(-2.25), None]))),
        column("price", SqlType::Decimal(7, 2), decimal([Some(1050), Some(-9_999_999), None], 7, 2)),
        column("any_numeric", SqlType::Decimal(38, 10), decimal([Some(5), Some(10i128.pow(38) - 1), None], 38, 10)),
        column("text", SqlType::STRING, text([Some("grüße 🦀"), Some(""), None])),
        column("name", SqlType::VarChar(30), text([Some("ninechars"), Some("\\N"), None])),
        column("padded", SqlType::Char(4), text([Some("ab"), Some("abcd"), None])),
        column("json", SqlType::STRING, text([Some("{\"a\": 1}"), Some("null"), None])),
        column("jsonb", SqlType::STRING, text([Some("{\"a\":   [1]}"), Some("\"x\""), None])),
        column(
            "uuid",
            SqlType::STRING,
            text([Some("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"), Some("a0eebc999c0b4ef8bb6d6bb9bd380a12"), None]),
        ),
        column("mood", SqlType::STRING, text([Some("happy"), Some("sad"), None])),
        column("short", SqlType::STRING, text([Some("abc"), Some("abcde"), None])),
        column("bytes", SqlType::BYTES, Arc::new(BinaryArray::from(vec![Some(&b"\0\xff"[..]), Some(b""), None]))),
        column("day", SqlType::Date, Arc::new(Date32Array::from(vec![Some(20_000), Some(-719_162), None]))),
        column("midnight", SqlType::Date, Arc::new(Date32Array::from(vec![Some(0), Some(10_957), None]))),
        column(
            "time",
            SqlType::Time(6),
            Arc::new(Time64MicrosecondArray::from(vec![Some(1), Some(86_399_999_999), None])),
        ),
        column(
            "at",
            SqlType::Timestamp(6),
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(1_700_000_000_123_456),
                Some(-62_135_596_800_000_000),
                None,
            ])),
        ),
        column(
            "instant",
            SqlType::TimestampLtz(3),
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(1_700_000_000_123_000), Some(0), None]).with_timezone("UTC"),
            ),
        ),
    ]
}

const EXPECTED: [&str; 3] = [
    "-2147483648|f|-128|-32768|-9223372036854775808|2147483647|-9223372036854775808|9223372036854775807|-Infinity|NaN|-2.25|\
     -99999.99|9999999999999999999999999999.9999999999||\\N|abcd|null|\"x\"|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12|sad|abcde|\\x|\
     0001-01-01|2000-01-01 00:00:00|23:59:59.999999|0001-01-01 00:00:00|1970-01-01 00:00:00+00",
    "1|t|7|7|7|7|10000|7|1.5|-0.1|0.5|10.50|0.0000000005|grüße 🦀|ninechars|ab  |{\"a\": 1}|{\"a\": [1]}|\
     a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|happy|abc|\\x00ff|2024-10-04|1970-01-01 00:00:00|00:00:00.000001|\
     2023-11-14 22:13:20.123456|2023-11-14 22:13:20.123+00",
    "3||||||||||||||||||||||||||",
];

fn schema_of(columns: &[(Column, ArrayRef)]) -> TableSchema {
    TableSchema::new(columns.iter().map(|(column, _)| column.clone()).collect()).with_primary_key(vec![0])
}

async fn read_back(warehouse: &Warehouse) -> Vec<String> {
    let all = warehouse
        .client
        .query("SELECT array_to_string(ARRAY(SELECT COALESCE(value, '') FROM json_each_text(row_to_json(t)) WITH ORDINALITY ORDER BY ordinality), '|') FROM (SELECT id, left(flag::text, 1) flag, tiny, small, big, narrowed, wide, unsigned, real::text, double::text, single, price, any_numeric::text, text, name, padded, json::text, jsonb::text, uuid, mood, short, bytes::text, day::text, midnight::text, time::text, at::text, instant::text FROM t) t ORDER BY id", &[])
        .await
        .unwrap();
    all.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn few_rows_and_many() {
    for (more, repeat) in [(&[][..], 1), (&[("compatible-mode", "greenplum")][..], 1), (&[][..], 100)] {
        let warehouse = Warehouse::new(DDL).await;
        let columns = columns();
        let schema = schema_of(&columns);
        let arrays = columns.iter().map(|(_, array)| Arc::clone(array)).collect();
        let batch = RecordBatch::try_new(schema.to_arrow(), arrays).unwrap();
        let mut writer = warehouse.open("t", schema, more).await.unwrap();
        // Many rows, of which the last three keep their keys.
        let rows = ChangelogBatch::append(batch);
        if repeat > 1 {
            writer.write(with_other_keys(&rows, repeat)).await.unwrap();
        }
        writer.write(rows).await.unwrap();
        writer.flush().await.unwrap();
        warehouse.execute("DELETE FROM t WHERE id >= 1000").await;
        assert_eq!(read_back(&warehouse).await, EXPECTED, "{more:?} {repeat}");
        warehouse.drop().await;
    }
}

/// The first row `times` three times with keys from 1000 on, among updates so that it is staged.
fn with_other_keys(rows: &ChangelogBatch, times: u32) -> ChangelogBatch {
    let count = times * 3;
    let taken = rows.take(&UInt32Array::from_iter_values((0..count).map(|row| row % 3))).unwrap();
    let mut columns = taken.rows().columns().to_vec();
    columns[0] = Arc::new(Int32Array::from_iter_values(1000..1000 + count as i32));
    let batch = RecordBatch::try_new(taken.schema(), columns).unwrap();
    ChangelogBatch::try_new(batch, Some(RowKinds::from(vec![2; count as usize]))).unwrap()
}

#[tokio::test]
async fn arrays() {
    let ddl = "CREATE TABLE t (id int PRIMARY KEY, ints int[], texts varchar(5)[], ids uuid[])";
    let warehouse = Warehouse::new(ddl).await;
    let array = |element| SqlType::Array(Box::new(element));
    let columns = vec![
        Column::new("id", SqlType::Int).not_null(),
        Column::new("ints", array(SqlType::Int)),
        Column::new("texts", array(SqlType::STRING)),
        Column::new("ids", array(SqlType::STRING)),
    ];
    let schema = TableSchema::new(columns).with_primary_key(vec![0]);
    let ints: ListArray =
        ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None, Some(-3)]), Some(vec![]), None]);
    let texts = |rows: &[Option<Vec<Option<&str>>>]| {
        let mut builder = ListBuilder::new(StringBuilder::new());
        for row in rows {
            match row {
                Some(values) => builder.append_value(values.iter().copied()),
                None => builder.append_null(),
            }
        }
        builder.finish()
    };
    let names = texts(&[Some(vec![Some("a,b"), Some("\"")]), None, Some(vec![None])]);
    let ids = texts(&[Some(vec![Some("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")]), Some(vec![]), None]);
    let arrays: Vec<ArrayRef> =
        vec![Arc::new(Int32Array::from(vec![1, 2, 3])), Arc::new(ints), Arc::new(names), Arc::new(ids)];
    let batch = RecordBatch::try_new(schema.to_arrow(), arrays).unwrap();
    let mut writer = warehouse.open("t", schema, &[]).await.unwrap();
    writer.write(ChangelogBatch::append(batch)).await.unwrap();
    writer.flush().await.unwrap();
    assert_eq!(
        warehouse.rows("SELECT * FROM t ORDER BY id").await,
        "1 {1,NULL,-3} {\"a,b\",\"\\\"\"} {a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11} / 2 {} NULL {} / 3 NULL {NULL} NULL"
    );
    warehouse.drop().await;
}

/// The error of writing `rows` to a table made by `ddl`.
async fn refused(ddl: &str, batch: ChangelogBatch) -> String {
    let warehouse = Warehouse::new(ddl).await;
    let mut writer = warehouse.open("t", keyed(&batch, &[0]), &[]).await.unwrap();
    writer.write(batch).await.unwrap();
    let error = writer.flush().await.unwrap_err();
    assert_eq!(error.reaction(), Reaction::Fix, "{error}");
    assert_eq!(warehouse.rows("SELECT * FROM t").await, "", "all or nothing");
    // Whoever comes later is told the same.
    assert_eq!(writer.flush().await.unwrap_err().to_string(), error.to_string());
    let text = error.to_string().replace(&format!("{}.", warehouse.schema), "");
    warehouse.drop().await;
    text
}

#[tokio::test]
async fn a_text_that_is_too_long() {
    let ddl = "CREATE TABLE t (id int PRIMARY KEY, name varchar(5))";
    let text = refused(ddl, from_pretty("id INT, name STRING", "+I 1 short / +I 17 'far too long'")).await;
    assert!(
        text.starts_with(
            "table 't' refused a row (id = 17) into column 'name': value too long for type character varying(5)"
        ),
        "{text}"
    );
    assert!(text.contains("ALTER TABLE t ALTER COLUMN name TYPE text"), "{text}");
    assert!(text.contains("[SQLSTATE 22001]"), "{text}");
}

#[tokio::test]
async fn numbers_that_are_too_large() {
    let ddl = "CREATE TABLE t (id int PRIMARY KEY, n int)";
    let text = refused(ddl, from_pretty("id INT, n BIGINT", "+I 1 5 / +I 2 3000000000")).await;
    assert!(
        text.starts_with("table 't': column 'n' holds a number that does not fit into integer (row id = 2)"),
        "{text}"
    );
    let ddl = "CREATE TABLE t (id int PRIMARY KEY, n numeric(3,1))";
    let text = refused(ddl, from_pretty("id INT, n DECIMAL(5,1)", "+I 1 5.5 / +I 2 1000.5")).await;
    assert!(text.starts_with("table 't' refused a row (id = 2) into column 'n': numeric field overflow"), "{text}");
}

#[tokio::test]
async fn texts_that_the_server_cannot_store_or_read() {
    let nul = from_pretty("id INT, v STRING", "+I 1 x / +I 2 a\0b");
    let text = refused("CREATE TABLE t (id int PRIMARY KEY, v text)", nul).await;
    assert!(
        text.starts_with(
            "table 't': column 'v' holds a text with the character U+0000, which PostgreSQL cannot store (row id = 2)"
        ),
        "{text}"
    );
    let text =
        refused("CREATE TABLE t (id int PRIMARY KEY, v uuid)", from_pretty("id INT, v STRING", "+I 1 nonsense")).await;
    assert!(text.contains("invalid input syntax for type uuid: \"nonsense\""), "{text}");
    let text = refused("CREATE TABLE t (id int PRIMARY KEY, v jsonb)", from_pretty("id INT, v STRING", "+I 3 {")).await;
    assert!(
        text.starts_with("table 't' refused a row (id = 3) into column 'v': invalid input syntax for type json"),
        "{text}"
    );
}

#[tokio::test]
async fn rows_that_break_a_constraint() {
    let rows = || from_pretty("id INT, v STRING", "+I 1 a / +I 2 NULL");
    let text = refused("CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL)", rows()).await;
    assert!(text.starts_with("table 't' refused into column 'v': null value in column \"v\""), "{text}");
    let text = refused("CREATE TABLE t (id int PRIMARY KEY, v text CHECK (v <> 'a'))", rows()).await;
    assert!(text.contains("violates check constraint") && text.contains("[SQLSTATE 23514]"), "{text}");
    let twice = from_pretty("id INT, v STRING", "+I 1 a / +I 2 a");
    let text = refused("CREATE TABLE t (id int PRIMARY KEY, v text UNIQUE)", twice).await;
    assert!(text.starts_with("table 't' refused a row (id = 2): duplicate key value"), "{text}");
    assert!(text.contains("unique constraint that the query's rows do not keep"), "{text}");
}
