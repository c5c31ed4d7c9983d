//! The connector as a job sees it.

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, TimestampMicrosecondType};
use sluice_connector_api::{Connectors, Source, testing};
use sluice_datagen::Datagen;
use sluice_model::{ChangelogMode, Column, ManualClock, SqlType, TableSchema};

fn connectors() -> Connectors {
    Connectors::default().with(Datagen)
}

fn schema(columns: Vec<(&str, SqlType)>) -> TableSchema {
    TableSchema::new(columns.into_iter().map(|(name, sql_type)| Column::new(name, sql_type)).collect())
}

fn source(columns: Vec<(&str, SqlType)>, options: &[(&str, &str)]) -> Arc<dyn Source> {
    let options = [&[("connector", "datagen"), ("rows-per-second", "100000")], options].concat();
    testing::plan_source(&connectors(), testing::table(schema(columns), &options))
}

fn refusal(columns: Vec<(&str, SqlType)>, options: &[(&str, &str)]) -> String {
    let options = [&[("connector", "datagen")], options].concat();
    let table = testing::table(schema(columns), &options);
    connectors().source(vec![(table, ChangelogMode::APPEND)]).unwrap_err().to_string()
}

async fn all_rows(source: &dyn Source) -> Vec<String> {
    let mut reader = source.open(testing::source_context(0, 1, Vec::new())).await.unwrap();
    testing::read_rows(reader.as_mut(), 1_000_000).await
}

#[tokio::test]
async fn a_sequence_counts_and_ends() {
    let options = [("fields.id.kind", "sequence"), ("fields.id.start", "5"), ("fields.id.end", "8")];
    let source = source(vec![("id", SqlType::BigInt)], &options);
    assert!(source.is_bounded());
    assert_eq!(all_rows(source.as_ref()).await, ["+I 5", "+I 6", "+I 7", "+I 8"]);
}

#[tokio::test]
async fn sequences_of_every_type_that_can_count() {
    let columns = vec![("a", SqlType::STRING), ("b", SqlType::Decimal(5, 2)), ("c", SqlType::Double)];
    let mut options = Vec::new();
    for (kind, start, end) in [
        ("fields.a.kind", "fields.a.start", "fields.a.end"),
        ("fields.b.kind", "fields.b.start", "fields.b.end"),
        ("fields.c.kind", "fields.c.start", "fields.c.end"),
    ] {
        options.extend([(kind, "sequence"), (start, "1"), (end, "2")]);
    }
    let source = source(columns, &options);
    assert_eq!(all_rows(source.as_ref()).await, ["+I 1 1.00 1.0", "+I 2 2.00 2.0"]);
}

#[tokio::test]
async fn the_shortest_end_counts() {
    let options =
        [("number-of-rows", "2"), ("fields.id.kind", "sequence"), ("fields.id.start", "1"), ("fields.id.end", "9")];
    assert_eq!(all_rows(source(vec![("id", SqlType::Int)], &options).as_ref()).await, ["+I 1", "+I 2"]);
}

#[tokio::test]
async fn columns_that_nobody_wants_have_options_and_end_the_table() {
    let options = [
        ("connector", "datagen"),
        ("fields.id.kind", "sequence"),
        ("fields.id.start", "1"),
        ("fields.id.end", "3"),
        ("fields.v.min", "0"),
        ("fields.w.length", "1"),
    ];
    let declared = schema(vec![("id", SqlType::Int), ("v", SqlType::Int), ("w", SqlType::STRING)]);
    for (wanted, rows) in [(vec!["w"], 3), (vec![], 3)] {
        let mut table = testing::table(declared.clone(), &options);
        table.schema.columns.retain(|column| wanted.contains(&column.name.as_str()));
        let source = testing::plan_source(&connectors(), table);
        assert!(source.is_bounded());
        let mut reader = source.open(testing::source_context(0, 1, Vec::new())).await.unwrap();
        let mut read = 0;
        while let Some(batch) = testing::next_batch(reader.as_mut()).await {
            read += batch.num_rows();
        }
        assert_eq!(read, rows, "{wanted:?}");
    }
}

#[tokio::test]
async fn subtasks_share_the_rows() {
    let options = [("fields.id.kind", "sequence"), ("fields.id.start", "1"), ("fields.id.end", "7")];
    let source = source(vec![("id", SqlType::Int)], &options);
    let mut rows = Vec::new();
    for subtask in 0..3 {
        let mut reader = source.open(testing::source_context(subtask, 3, Vec::new())).await.unwrap();
        rows.extend(testing::read_rows(reader.as_mut(), 1_000).await);
    }
    rows.sort();
    assert_eq!(rows, ["+I 1", "+I 2", "+I 3", "+I 4", "+I 5", "+I 6", "+I 7"]);
}

#[tokio::test]
async fn random_values_keep_their_bounds() {
    let columns = vec![
        ("n", SqlType::Int),
        ("d", SqlType::Decimal(7, 2)),
        ("s", SqlType::STRING),
        ("v", SqlType::VarChar(10)),
        ("x", SqlType::Int),
    ];
    let options = [
        ("number-of-rows", "1000"),
        ("fields.n.min", "10"),
        ("fields.n.max", "20"),
        ("fields.d.min", "1.50"),
        ("fields.d.max", "2"),
        ("fields.s.length", "8"),
        ("fields.v.var-len", "true"),
        ("fields.x.null-rate", "0.5"),
    ];
    let source = source(columns, &options);
    let mut reader = source.open(testing::source_context(0, 1, Vec::new())).await.unwrap();
    let (mut rows, mut nulls, mut seen) = (0, 0, std::collections::BTreeSet::new());
    while let Some(batch) = testing::next_batch(reader.as_mut()).await {
        let columns = batch.rows().columns();
        seen.extend(columns[0].as_primitive::<Int32Type>().values().iter().copied());
        assert!(columns[1].as_primitive::<Decimal128Type>().values().iter().all(|value| (150..=200).contains(value)));
        assert!(columns[2].as_string::<i32>().iter().flatten().all(|text| text.len() == 8));
        assert!(columns[3].as_string::<i32>().iter().flatten().all(|text| (1..=10).contains(&text.len())));
        nulls += columns[4].null_count();
        rows += batch.num_rows();
    }
    assert_eq!(rows, 1000);
    assert_eq!(seen, (10..=20).collect());
    assert!((400..600).contains(&nulls), "{nulls}");
}

#[tokio::test]
async fn timestamps_are_now_less_max_past() {
    let source = source(vec![("t", SqlType::Timestamp(3))], &[("number-of-rows", "100"), ("fields.t.max-past", "10s")]);
    let clock = Arc::new(ManualClock::at(1_618_344_731_123));
    let mut reader = source.open(testing::source_context_at(clock.clone(), 0, 1, Vec::new())).await.unwrap();
    clock.advance(1_000);
    let batch = testing::next_batch(reader.as_mut()).await.unwrap();
    let now = 1_618_344_732_123_000;
    let times = batch.rows().column(0).as_primitive::<TimestampMicrosecondType>();
    assert!(times.values().iter().all(|time| (now - 10_000_000..=now).contains(time)));
}

#[tokio::test]
async fn every_type_can_be_made() {
    let row = SqlType::Row(vec![("a".into(), SqlType::Int), ("b".into(), SqlType::STRING)]);
    let columns = vec![
        ("c1", SqlType::Boolean),
        ("c2", SqlType::TinyInt),
        ("c3", SqlType::SmallInt),
        ("c4", SqlType::BigInt),
        ("c5", SqlType::Float),
        ("c6", SqlType::Char(3)),
        ("c7", SqlType::BYTES),
        ("c8", SqlType::Date),
        ("c9", SqlType::Time(0)),
        ("c10", SqlType::TimestampLtz(9)),
        ("c11", SqlType::Array(Box::new(SqlType::Int))),
        ("c12", SqlType::Map(Box::new(SqlType::STRING), Box::new(SqlType::Int))),
        ("c13", row),
        ("c14", SqlType::IntervalYearMonth),
        ("c15", SqlType::IntervalDaySecond),
        ("c16", SqlType::Decimal(38, 10)),
    ];
    let options = [
        ("number-of-rows", "5"),
        ("fields.c11.element.max", "9"),
        ("fields.c11.element.min", "0"),
        ("fields.c12.length", "1"),
        ("fields.c13.b.length", "2"),
    ];
    assert_eq!(all_rows(source(columns, &options).as_ref()).await.len(), 5);
}

#[tokio::test]
async fn replays_and_stops() {
    let columns = vec![("id", SqlType::Int), ("s", SqlType::STRING), ("f", SqlType::Double)];
    let source = source(columns, &[("number-of-rows", "2000")]);
    testing::check_source_replays(source.as_ref(), 4).await;
    testing::check_source_stops(source.as_ref()).await;
}

#[test]
fn wrong_fields_are_told() {
    let int = || vec![("id", SqlType::Int)];
    let told = refusal(int(), &[("fields.id.knd", "random")]);
    assert!(told.contains("did you mean 'fields.id.kind'?"), "{told}");
    let told = refusal(int(), &[("fields.ids.kind", "random")]);
    assert!(told.contains("there is no column 'ids'; did you mean 'fields.id.kind'?"), "{told}");
    let told = refusal(int(), &[("fields.id.kind", "sequence")]);
    assert!(told.contains("needs 'start' and 'end'"), "{told}");
    let told = refusal(int(), &[("fields.id.min", "5"), ("fields.id.max", "1")]);
    assert!(told.contains("leave no number of type INT"), "{told}");
    let told = refusal(int(), &[("fields.id.length", "5")]);
    assert!(told.contains("means nothing for the type"), "{told}");
    let told = refusal(int(), &[("rows-per-second", "0")]);
    assert!(told.contains("greater than zero"), "{told}");
    let told = refusal(vec![("b", SqlType::Boolean)], &[("fields.b.kind", "sequence"), ("fields.b.start", "1")]);
    assert!(told.contains("cannot be a sequence"), "{told}");
}
