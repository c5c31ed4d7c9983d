//! The connector as a job sees it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch, StructArray};
use arrow_schema::DataType;
use sluice_connector_api::{Connectors, Source, SourceReader, testing};
use sluice_model::{ChangelogMode, Column, ManualClock, SqlType, TableSchema};
use sluice_nexmark::Nexmark;

const PERSON: &str = "id BIGINT, name STRING, emailAddress STRING, creditCard STRING, city STRING, state STRING, \
                      dateTime TIMESTAMP, extra STRING";
const AUCTION: &str = "id BIGINT, itemName STRING, description STRING, initialBid BIGINT, reserve BIGINT, \
                       dateTime TIMESTAMP, expires TIMESTAMP, seller BIGINT, category BIGINT, extra STRING";
const BID: &str = "auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, dateTime TIMESTAMP, \
                   extra STRING";

fn row(fields: &str) -> SqlType {
    let field = |text: &str| {
        let (name, sql_type) = text.trim().split_once(' ').unwrap();
        let sql_type = match sql_type {
            "BIGINT" => SqlType::BigInt,
            "STRING" => SqlType::STRING,
            _ => SqlType::Timestamp(3),
        };
        (name.to_owned(), sql_type)
    };
    SqlType::Row(fields.split(", ").map(field).collect())
}

fn schema(columns: &[(&str, SqlType)]) -> TableSchema {
    TableSchema::new(columns.iter().map(|(name, sql_type)| Column::new(*name, sql_type.clone())).collect())
}

fn whole_schema() -> TableSchema {
    let event_type = ("event_type", SqlType::Int);
    schema(&[event_type, ("person", row(PERSON)), ("auction", row(AUCTION)), ("bid", row(BID))])
}

fn source(schema: TableSchema, options: &[(&str, &str)]) -> Arc<dyn Source> {
    let options = [&[("connector", "nexmark")], options].concat();
    testing::plan_source(&Connectors::default().with(Nexmark), testing::table(schema, &options))
}

fn refusal(schema: TableSchema, options: &[(&str, &str)]) -> String {
    let options = [&[("connector", "nexmark")], options].concat();
    let connectors = Connectors::default().with(Nexmark);
    connectors.source(vec![(testing::table(schema, &options), ChangelogMode::APPEND)]).unwrap_err().to_string()
}

async fn open(source: &dyn Source, subtask: usize, parallelism: usize, position: &str) -> Box<dyn SourceReader> {
    let restored = if position.is_empty() { Vec::new() } else { vec![position.as_bytes().to_vec()] };
    source.open(testing::source_context(subtask, parallelism, restored)).await.unwrap()
}

async fn all_rows(source: &dyn Source) -> Vec<String> {
    testing::read_rows(open(source, 0, 1, "").await.as_mut(), usize::MAX).await
}

fn text_of(array: &dyn Array, row: usize) -> String {
    match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Timestamp(..) => (array.as_primitive::<TimestampMicrosecondType>().value(row) / 1_000).to_string(),
        _ => array.as_string::<i32>().value(row).to_owned(),
    }
}

/// The rows of a batch of the whole table as `tests/golden.csv` has them.
fn golden_rows(batch: &RecordBatch) -> Vec<String> {
    let types = batch.column(0).as_primitive::<Int32Type>();
    let row = |row: usize| {
        let kind = types.value(row);
        let records: Vec<&StructArray> = (1..4).map(|column| batch.column(column).as_struct()).collect();
        for (other, record) in records.iter().enumerate() {
            assert_eq!(record.is_valid(row), other == kind as usize, "row {row} of type {kind}, column {other}");
        }
        let fields = records[kind as usize].columns().iter().map(|field| text_of(field, row));
        std::iter::once(kind.to_string()).chain(fields).collect::<Vec<_>>().join(",")
    };
    (0..batch.num_rows()).map(row).collect()
}

/// The rows of `tests/golden.csv` by their configuration, from the event of this number on.
fn golden(configuration: &str, from: u64) -> Vec<String> {
    let lines = include_str!("golden.csv").lines().filter(|line| !line.starts_with('#'));
    let of_configuration = lines.filter_map(|line| line.strip_prefix(configuration)?.strip_prefix(','));
    let numbered = of_configuration.map(|line| line.split_once(',').unwrap());
    let from = numbered.skip_while(|(number, _)| number.parse::<u64>().unwrap() < from);
    from.map(|(_, event)| event.to_owned()).collect()
}

#[tokio::test]
async fn events_are_those_of_upstream() {
    let source = source(whole_schema(), &[]);
    for (from, expected) in [(0, &golden("default", 0)[..52]), (1_000_000, &golden("default", 1_000_000)[..])] {
        assert_eq!(expected.len(), 52);
        let position = format!(r#"[{{"split":0,"of":1,"made":{from}}}]"#);
        let batch = testing::next_batch(open(source.as_ref(), 0, 1, &position).await.as_mut()).await.unwrap();
        assert_eq!(golden_rows(&batch.rows().slice(0, 52)), expected);
    }
}

#[tokio::test]
async fn splits_and_other_proportions_are_those_of_upstream() {
    let options = [
        ("events.num", "100"),
        ("first-event.rate", "700"),
        ("person.proportion", "2"),
        ("auction.proportion", "3"),
        ("bid.proportion", "5"),
        ("person.avg-size", "60b"),
        ("auction.avg-size", "100b"),
        ("bid.avg-size", "40b"),
        ("bid.hot-ratio.auctions", "3"),
        ("bid.hot-ratio.bidders", "5"),
        ("auction.hot-ratio.sellers", "7"),
    ];
    let source = source(whole_schema(), &options);
    assert!(source.is_bounded());
    for split in 0..3 {
        let mut reader = open(source.as_ref(), split, 3, "").await;
        let batch = testing::next_batch(reader.as_mut()).await.unwrap();
        assert_eq!(golden_rows(batch.rows()), golden(&format!("split-{split}"), 0));
        assert!(testing::next_batch(reader.as_mut()).await.is_none());
    }
}

/// Powers of ten are the machine's own, so many are compared.
#[tokio::test]
async fn prices_are_those_of_upstream() {
    let columns = [("auction", row("initialBid BIGINT, reserve BIGINT")), ("bid", row("price BIGINT"))];
    let source = source(schema(&columns), &[("events.num", "300000")]);
    let mut reader = open(source.as_ref(), 0, 1, "").await;
    let mut sum = 0;
    while let Some(batch) = testing::next_batch(reader.as_mut()).await {
        for fields in batch.rows().columns() {
            let numbers = fields.as_struct().columns().iter().map(|field| field.as_primitive::<Int64Type>());
            sum += numbers.map(|field| field.values().iter().sum::<i64>()).sum::<i64>();
        }
    }
    assert_eq!(sum, 2_391_516_346_185);
}

#[tokio::test]
async fn fields_are_the_same_alone_and_in_any_order() {
    let options = [("events.num", "3000")];
    let whole = source(whole_schema(), &options);
    let batch = testing::next_batch(open(whole.as_ref(), 0, 1, "").await.as_mut()).await.unwrap();
    for (column, fields) in [("person", PERSON), ("auction", AUCTION), ("bid", BID)] {
        for field in fields.split(", ").map(str::to_owned).chain([reversed(fields)]) {
            let narrow = source(schema(&[(column, row(&field))]), &options);
            let narrow = testing::next_batch(open(narrow.as_ref(), 0, 1, "").await.as_mut()).await.unwrap();
            let all = batch.rows().column_by_name(column).unwrap().as_struct();
            let some = narrow.rows().column(0).as_struct();
            for (name, values) in some.column_names().iter().zip(some.columns()) {
                assert_eq!(values, all.column_by_name(name).unwrap(), "{column}.{name}");
            }
        }
    }
}

fn reversed(fields: &str) -> String {
    fields.rsplit(", ").map(str::trim).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn a_table_may_have_any_of_the_columns() {
    let bid = schema(&[("bid", row("price BIGINT, auction BIGINT")), ("event_type", SqlType::Int)]);
    let rows = all_rows(source(bid, &[("events.num", "4")]).as_ref()).await;
    let expected =
        ["+I NULL 1", "+I NULL 1", "+I '{price: 2105, auction: 1012}' 2", "+I '{price: 4102893, auction: 1009}' 2"];
    assert_eq!(rows, expected);
    let none = source(schema(&[]), &[("events.num", "4")]);
    assert_eq!(all_rows(none.as_ref()).await.len(), 4);
}

#[tokio::test]
async fn hot_keys_get_their_share() {
    let columns = [("auction", row("seller BIGINT")), ("bid", row("auction BIGINT, bidder BIGINT, channel STRING"))];
    let source = source(schema(&columns), &[("events.num", "100000")]);
    let mut reader = open(source.as_ref(), 0, 1, "").await;
    let (mut hot, mut all) = (BTreeMap::<_, u64>::new(), BTreeMap::<_, u64>::new());
    while let Some(batch) = testing::next_batch(reader.as_mut()).await {
        let (auctions, bids) = (batch.rows().column(0).as_struct(), batch.rows().column(1).as_struct());
        let keys = [("seller", auctions.column(0), 0), ("auction", bids.column(0), 0), ("bidder", bids.column(1), 1)];
        for (name, ids, rest) in keys {
            for id in ids.as_primitive::<Int64Type>().iter().flatten() {
                *all.entry(name).or_default() += 1;
                *hot.entry(name).or_default() += u64::from(id % 100 == rest);
            }
        }
        for channel in bids.column(2).as_string::<i32>().iter().flatten() {
            *all.entry("channel").or_default() += 1;
            *hot.entry("channel").or_default() += u64::from(!channel.starts_with("channel-"));
        }
    }
    assert_eq!((all["seller"], all["auction"]), (6_000, 92_000));
    let share = |name: &str| hot[name] as f64 / all[name] as f64;
    for (name, expected) in [("seller", 0.75), ("auction", 0.5), ("bidder", 0.75), ("channel", 0.5)] {
        // A hundredth of the others are of a hot one too.
        assert!((expected - 0.02..expected + 0.02).contains(&share(name)), "{name}: {}", share(name));
    }
}

#[tokio::test]
async fn replays_and_stops() {
    let source = source(whole_schema(), &[("events.num", "30000")]);
    testing::check_source_replays(source.as_ref(), 3).await;
    testing::check_source_stops(source.as_ref()).await;
}

/// Two subtasks stop; three, and then one, make the rest.
#[tokio::test]
async fn a_restore_at_another_parallelism_makes_the_rest() {
    let columns = [("auction", row("id BIGINT")), ("bid", row("auction BIGINT, price BIGINT, dateTime TIMESTAMP"))];
    let source = source(schema(&columns), &[("events.num", "60000")]);
    let mut expected = Vec::new();
    for subtask in 0..2 {
        expected.extend(testing::read_rows(open(source.as_ref(), subtask, 2, "").await.as_mut(), usize::MAX).await);
    }
    let (mut rows, mut positions) = (Vec::new(), Vec::new());
    for (parallelism, batches) in [(2, 1), (3, 1), (1, usize::MAX)] {
        let mut left = Vec::new();
        for subtask in 0..parallelism {
            let context = testing::source_context(subtask, parallelism, positions.clone());
            let mut reader = source.open(context).await.unwrap();
            rows.extend(testing::read_rows(reader.as_mut(), batches).await);
            left.push(reader.position().unwrap());
        }
        positions = left;
    }
    expected.sort();
    rows.sort();
    assert_eq!(rows.len(), 60_000);
    assert!(rows == expected);
}

#[tokio::test]
async fn the_clock_paces_events_if_told() {
    for option in [("rate.limited", "true"), ("max-emit-speed", "false")] {
        let source = source(whole_schema(), &[("first-event.rate", "100"), option]);
        let clock = Arc::new(ManualClock::at(1_000_000));
        let mut reader = source.open(testing::source_context_at(clock.clone(), 0, 1, Vec::new())).await.unwrap();
        let nothing = tokio::time::timeout(Duration::from_millis(30), reader.next()).await;
        assert!(nothing.is_err());
        clock.advance(2_000);
        assert_eq!(testing::next_batch(reader.as_mut()).await.unwrap().num_rows(), 200);
    }
}

#[tokio::test]
async fn a_table_ends_unless_it_is_kept_alive() {
    let whole = || whole_schema();
    assert!(!source(whole(), &[]).is_bounded());
    assert_eq!(all_rows(source(whole(), &[("events.num", "7")]).as_ref()).await.len(), 7);
    assert_eq!(all_rows(source(whole(), &[("events.num", "7"), ("stop-at", "5")]).as_ref()).await.len(), 5);
    assert_eq!(all_rows(source(whole(), &[("stop-at", "5")]).as_ref()).await.len(), 5);
    let kept = source(whole(), &[("events.num", "7"), ("keep-alive", "true")]);
    assert!(!kept.is_bounded());
    let mut reader = open(kept.as_ref(), 0, 1, "").await;
    assert_eq!(testing::next_batch(reader.as_mut()).await.unwrap().num_rows(), 7);
    assert!(tokio::time::timeout(Duration::from_millis(30), reader.next()).await.is_err());
}

#[tokio::test]
async fn times_count_from_the_base_time() {
    let table = schema(&[("auction", row("dateTime TIMESTAMP"))]);
    let options = [("events.num", "1"), ("first-event.rate", "2"), ("base-time", "2026-01-02T03:04:05Z")];
    assert_eq!(all_rows(source(table, &options).as_ref()).await, ["+I '{dateTime: 2026-01-02T03:04:05.500}'"]);
}

#[test]
fn wrong_tables_and_options_are_told() {
    let told = refusal(schema(&[("bids", row(BID))]), &[]);
    assert!(told.contains("has no column called 'bids'") && told.contains("did you mean 'bid'?"), "{told}");
    let told = refusal(schema(&[("bid", row("auktion BIGINT"))]), &[]);
    assert!(told.contains("has no field of column 'bid' called 'auktion'"), "{told}");
    assert!(told.contains("did you mean 'auction'?"), "{told}");
    let told = refusal(schema(&[("bid", row("price STRING"))]), &[]);
    assert!(told.contains("'bid.price' of connector 'nexmark' cannot be"), "{told}");
    assert!(told.contains("declare it as BIGINT"), "{told}");
    let told = refusal(schema(&[("event_type", SqlType::STRING)]), &[]);
    assert!(told.contains("declare it as INT"), "{told}");
    let options = [
        ("first-event.rate", "0"),
        ("bid.avg-size", "1mb"),
        ("bid.proportion", "0"),
        ("person.proportion", "0"),
        ("auction.proportion", "0"),
        ("event.num", "3"),
        ("rate.shape", "ROUND"),
    ];
    let told = refusal(whole_schema(), &options);
    for part in ["from 1 to", "400 kb", "cannot add up", "did you mean 'events.num'?", "SQUARE, SINE"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}
