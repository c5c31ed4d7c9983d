//! Lookups: the rows of keys, as they are when they are asked for.

mod support;

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use sluice_connector_api::{Connectors, Found, Lookup, LookupContext, Spawner, TableDefinition};
use sluice_jdbc::JdbcConnector;
use sluice_model::{ChangelogBatch, Column, ManualClock, Result, SqlType, TableSchema, to_pretty};
use support::Warehouse;

const CUSTOMERS: &str = "CREATE TABLE customer (id int PRIMARY KEY, name varchar(20));
    INSERT INTO customer VALUES (1, 'ann'), (2, 'bob'), (3, NULL)";

fn customer() -> TableSchema {
    TableSchema::new(vec![Column::new("id", SqlType::BigInt), Column::new("name", SqlType::STRING)])
}

struct Asked {
    lookup: Box<dyn Lookup>,
    clock: Arc<ManualClock>,
}

async fn open(
    warehouse: &Warehouse,
    table: &str,
    schema: TableSchema,
    keys: &[usize],
    more: &[(&str, &str)],
) -> Result<Asked> {
    let definition =
        TableDefinition { name: table.into(), schema, options: warehouse.options(table, more), ..Default::default() };
    let clock = Arc::new(ManualClock::at(0));
    let context = LookupContext {
        metrics: warehouse.metrics.group(Vec::new()),
        spawner: Spawner::new(|_, task| drop(tokio::spawn(task))),
        clock: clock.clone(),
    };
    let source = Connectors::default().with(JdbcConnector).lookup(&definition, keys.to_vec())?;
    Ok(Asked { lookup: source.open(context).await?, clock })
}

fn ids(ids: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(ids.to_vec()))
}

/// `0: 1 ann / 2: 3 NULL`: position of the key and row.
fn show(found: &Found) -> String {
    let rows = to_pretty(&ChangelogBatch::append(found.rows.clone()));
    let rows = rows.split(" / ").map(|row| row.trim_start_matches("+I "));
    let both = found.keys.iter().zip(rows).map(|(key, row)| format!("{key}: {row}"));
    both.collect::<Vec<_>>().join(" / ")
}

impl Asked {
    async fn ask(&mut self, keys: &[ArrayRef]) -> String {
        show(&self.lookup.lookup(keys).await.unwrap())
    }
}

#[tokio::test]
async fn many_keys_in_one_question() {
    let warehouse = Warehouse::new(CUSTOMERS).await;
    let mut asked = open(&warehouse, "customer", customer(), &[0], &[]).await.unwrap();
    assert_eq!(asked.ask(&[ids(&[3, 9, 1])]).await, "0: 3 NULL / 2: 1 ann");
    assert_eq!(asked.ask(&[ids(&[9])]).await, "");
    assert_eq!(asked.ask(&[ids(&[])]).await, "");
    // Without a cache every question sees the table as it is.
    warehouse.execute("UPDATE customer SET name = 'anna' WHERE id = 1; DELETE FROM customer WHERE id = 3").await;
    assert_eq!(asked.ask(&[ids(&[3, 9, 1])]).await, "2: 1 anna");
    let all: Vec<i64> = (0..10_000).rev().collect();
    assert_eq!(asked.ask(&[ids(&all)]).await, "9997: 2 bob / 9998: 1 anna");
    warehouse.drop().await;
}

#[tokio::test]
async fn a_key_may_have_several_columns_and_rows() {
    let warehouse = Warehouse::new(
        "CREATE TABLE price (price numeric(9, 3), shop uuid, item char(4), at timestamp);
         INSERT INTO price VALUES
           (1.005, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'ab', '2024-01-01 00:00:00.123456'),
           (2, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'ab', NULL),
           (3, 'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'ab', NULL)",
    )
    .await;
    let schema = TableSchema::new(vec![
        Column::new("item", SqlType::STRING),
        Column::new("price", SqlType::Decimal(5, 2)),
        Column::new("shop", SqlType::STRING),
        Column::new("at", SqlType::Timestamp(3)),
    ]);
    let mut asked = open(&warehouse, "price", schema, &[2, 0], &[]).await.unwrap();
    let texts = |texts: &[&str]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
    let shop = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
    let found = asked.lookup.lookup(&[texts(&[shop, shop]), texts(&["cd", "ab"])]).await.unwrap();
    let mut rows: Vec<_> = show(&found).split(" / ").map(str::to_owned).collect();
    rows.sort();
    assert_eq!(rows, [format!("1: 'ab  ' 1.01 {shop} 2024-01-01T00:00:00.123"), format!("1: 'ab  ' 2.00 {shop} NULL")],);
    warehouse.drop().await;
}

#[tokio::test]
async fn a_cache_answers_for_as_long_as_it_may() {
    let warehouse = Warehouse::new(CUSTOMERS).await;
    let options = [
        ("lookup.cache", "PARTIAL"),
        ("lookup.partial-cache.max-rows", "100"),
        ("lookup.partial-cache.expire-after-write", "10 s"),
    ];
    let mut asked = open(&warehouse, "customer", customer(), &[0], &options).await.unwrap();
    assert_eq!(asked.ask(&[ids(&[1, 9])]).await, "0: 1 ann");
    warehouse.execute("UPDATE customer SET name = 'anna' WHERE id = 1; INSERT INTO customer VALUES (9, 'ian')").await;
    assert_eq!(asked.ask(&[ids(&[9, 2, 1])]).await, "1: 2 bob / 2: 1 ann", "that 9 has no row is remembered");
    assert_eq!((warehouse.metric("lookupCacheHits"), warehouse.metric("lookupCacheMisses")), (2, 3));
    asked.clock.advance(10_000);
    assert_eq!(asked.ask(&[ids(&[9, 2, 1])]).await, "0: 9 ian / 1: 2 bob / 2: 1 anna");
    let options = [&options[..], &[("lookup.partial-cache.cache-missing-key", "false")]].concat();
    let mut asked = open(&warehouse, "customer", customer(), &[0], &options).await.unwrap();
    assert_eq!(asked.ask(&[ids(&[8])]).await, "");
    warehouse.execute("INSERT INTO customer VALUES (8, 'hal')").await;
    assert_eq!(asked.ask(&[ids(&[8])]).await, "0: 8 hal");
    warehouse.drop().await;
}

#[tokio::test]
async fn a_lost_connection_is_sought_again() {
    let warehouse = Warehouse::new(CUSTOMERS).await;
    let kill = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{}'",
        warehouse.schema
    );
    let mut asked = open(&warehouse, "customer", customer(), &[0], &[]).await.unwrap();
    warehouse.execute(&kill).await;
    assert_eq!(asked.ask(&[ids(&[1])]).await, "0: 1 ann");
    let mut asked = open(&warehouse, "customer", customer(), &[0], &[("lookup.max-retries", "0")]).await.unwrap();
    warehouse.execute(&kill).await;
    let error = asked.lookup.lookup(&[ids(&[1])]).await.unwrap_err();
    assert_eq!(error.what(), "table 'customer' cannot be looked up");
    assert_eq!(error.reaction(), sluice_model::Reaction::Retry);
    warehouse.drop().await;
}

#[tokio::test]
async fn what_does_not_fit_is_told_at_once() {
    let warehouse = Warehouse::new("CREATE TABLE customer (id bigint, name text, day date)").await;
    let schema = TableSchema::new(vec![
        Column::new("id", SqlType::Int),
        Column::new("nane", SqlType::STRING),
        Column::new("day", SqlType::Timestamp(3)),
    ]);
    let error = open(&warehouse, "customer", schema, &[0], &[]).await.err().unwrap();
    let all: Vec<_> = std::iter::once(&error).chain(error.also()).map(|error| error.what().to_owned()).collect();
    let found = format!("{}.customer", warehouse.schema);
    assert_eq!(
        all,
        [
            format!("column 'id' of table 'customer' is INT, and 'id' in '{found}' is bigint"),
            format!("'{found}' has no column 'nane' of table 'customer'"),
            format!("column 'day' of table 'customer' is TIMESTAMP(3), and 'day' in '{found}' is date"),
        ]
    );
    let error = open(&warehouse, "customers", customer(), &[0], &[]).await.err().unwrap();
    assert_eq!(error.hint(), Some(format!("did you mean '{found}'?").as_str()));
    warehouse.drop().await;
}

#[tokio::test]
async fn a_value_outside_the_declared_type_is_no_panic() {
    let warehouse =
        Warehouse::new("CREATE TABLE t (id int, n numeric); INSERT INTO t VALUES (1, 123456), (2, 'NaN')").await;
    let schema = TableSchema::new(vec![Column::new("id", SqlType::BigInt), Column::new("n", SqlType::Decimal(4, 2))]);
    let mut asked = open(&warehouse, "t", schema, &[0], &[]).await.unwrap();
    for id in [1, 2] {
        let error = asked.lookup.lookup(&[ids(&[id])]).await.unwrap_err();
        assert_eq!(error.what(), "a value in column 'n' of table 't' is no DECIMAL(4, 2)");
    }
    let empty: RecordBatch = asked.lookup.lookup(&[ids(&[3])]).await.unwrap().rows;
    assert_eq!(empty.num_rows(), 0);
    warehouse.drop().await;
}
