//! Measures how fast rows of TPC-DS's `store_sales` (23 columns) are written.
//!
//! ```text
//! cargo run --release -p sluice-jdbc --example load -- URL USER PASSWORD [ROWS] [WAY]
//! ```
//!
//! WAY is `insert` (new rows), `upsert` (half of them are there already), `update` (all are), or
//! `trickle` (one row at a time, for latency). Prints rows per second, and seconds of processor time
//! per million rows of this process and of the server's process.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Decimal128Array, Int32Array, Int64Array, RecordBatch};
use sluice_connector_api::{Connectors, JobTask, SinkContext, SinkWriter, Spawner, TableDefinition, TableOptions};
use sluice_jdbc::JdbcConnector;
use sluice_model::{
    ChangelogBatch, ChangelogMode, Column, MetricRegistry, RowKinds, SqlType, SystemClock, TableSchema,
};
use tokio_postgres::{Client, NoTls};

const INTS: [&str; 10] = [
    "ss_item_sk",
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
const BATCH: i64 = 8192;

fn schema() -> TableSchema {
    let mut columns: Vec<Column> = INTS.iter().map(|name| Column::new(*name, SqlType::Int)).collect();
    columns[0] = columns[0].clone().not_null();
    columns.push(Column::new("ss_ticket_number", SqlType::BigInt).not_null());
    columns.extend(DECIMALS.iter().map(|name| Column::new(*name, SqlType::Decimal(7, 2))));
    TableSchema::new(columns).with_primary_key(vec![10, 0])
}

fn ddl(table: &str) -> String {
    let ints = INTS.map(|name| format!("{name} int")).join(", ");
    let decimals = DECIMALS.map(|name| format!("{name} numeric(7,2)")).join(", ");
    format!(
        "DROP TABLE IF EXISTS {table}; CREATE TABLE {table} ({ints}, ss_ticket_number bigint, {decimals}, \
         PRIMARY KEY (ss_ticket_number, ss_item_sk))"
    )
}

/// Rows with the tickets `first ..`, all of one kind.
fn rows(schema: &TableSchema, first: i64, count: i64, update: bool) -> Result<ChangelogBatch, Box<dyn Error>> {
    let tickets = first..first + count;
    let mut columns: Vec<ArrayRef> = Vec::new();
    for column in 0..INTS.len() as i64 {
        let values = tickets.clone().map(|row| Some(((row * 7919 + column * 104_729) % 1_000_000) as i32));
        // Every thirtieth value is NULL, as in the benchmark's data.
        let values =
            values.enumerate().map(|(row, value)| value.filter(|_| column == 0 || (row as i64 + column) % 30 != 0));
        columns.push(Arc::new(values.collect::<Int32Array>()));
    }
    columns.push(Arc::new(Int64Array::from_iter_values(tickets.clone())));
    for column in 0..DECIMALS.len() as i64 {
        let values = tickets.clone().map(|row| Some(i128::from((row * 31 + column * 977) % 2_000_000)));
        columns.push(Arc::new(values.collect::<Decimal128Array>().with_precision_and_scale(7, 2)?));
    }
    let batch = RecordBatch::try_new(schema.to_arrow(), columns)?;
    Ok(ChangelogBatch::try_new(batch, update.then(|| RowKinds::from(vec![2; count as usize])))?)
}

/// Seconds of processor time that a process of this machine has used.
fn processor_seconds(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

async fn server_process(client: &Client, application: &str) -> Result<String, tokio_postgres::Error> {
    let sql = "SELECT pid::text FROM pg_stat_activity WHERE application_name = $1 LIMIT 1";
    client.query_one(sql, &[&application]).await?.try_get(0)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, user, password, rest @ ..] = arguments.as_slice() else {
        return Err("usage: load URL USER PASSWORD [ROWS] [insert|upsert|update|trickle]".into());
    };
    let total: i64 = rest.first().map_or(Ok(1_000_000), |rows| rows.parse())?;
    let way = rest.get(1).map_or("insert", String::as_str);
    let (table, application) = ("sluice_load", "sluice_load");
    let mut config: tokio_postgres::Config = url.trim_start_matches("jdbc:").parse()?;
    let (client, connection) = config.user(user).password(password).connect(NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute(&ddl(table)).await?;
    let schema = schema();
    let mut writer = open(url, user, password, table, application, &schema).await?;
    if way == "upsert" || way == "update" {
        fill(&mut writer, &schema, if way == "update" { total } else { total / 2 }, false).await?;
    }
    if way == "trickle" {
        trickle(&mut writer, &schema, total.min(10_000)).await?;
        client.batch_execute(&format!("DROP TABLE {table}")).await?;
        return Ok(());
    }
    let server = server_process(&client, application).await?;
    let (own, theirs, started) = (processor_seconds("self"), processor_seconds(&server), Instant::now());
    let generated = fill(&mut writer, &schema, total, way != "insert").await?;
    let (wall, million) = (started.elapsed().as_secs_f64(), total as f64 / 1e6);
    let own = processor_seconds("self") - own - generated.as_secs_f64();
    let theirs = processor_seconds(&server) - theirs;
    println!(
        "{way}: {total} rows in {wall:.2} s = {:.0} rows/s; processor seconds per million rows: sink {:.2}, server {:.2}",
        total as f64 / wall,
        own / million,
        theirs / million
    );
    client.batch_execute(&format!("DROP TABLE {table}")).await?;
    Ok(())
}

async fn open(
    url: &str,
    user: &str,
    password: &str,
    table: &str,
    application: &str,
    schema: &TableSchema,
) -> Result<Box<dyn SinkWriter>, Box<dyn Error>> {
    let url = format!("{url}?ApplicationName={application}");
    let options = TableOptions::from_pairs([
        ("connector", "jdbc"),
        ("url", url.as_str()),
        ("table-name", table),
        ("username", user),
        ("password", password),
    ]);
    let definition =
        TableDefinition { name: table.to_owned(), schema: schema.clone(), options, ..TableDefinition::default() };
    let sink = Connectors::default().with(JdbcConnector).sink(&definition, ChangelogMode::UPSERT)?;
    let writer = sink
        .open(SinkContext {
            subtask: 0,
            parallelism: 1,
            restored: Vec::new(),
            metrics: MetricRegistry::default().group(Vec::new()),
            spawner: Spawner::new(|_, task: JobTask| drop(tokio::spawn(task))),
            clock: SystemClock::shared(),
        })
        .await?;
    Ok(writer)
}

/// Writes `total` rows; returns the time that making them took.
async fn fill(
    writer: &mut Box<dyn SinkWriter>,
    schema: &TableSchema,
    total: i64,
    update: bool,
) -> Result<Duration, Box<dyn Error>> {
    let mut generated = Duration::ZERO;
    for first in (0..total).step_by(BATCH as usize) {
        let started = Instant::now();
        let batch = rows(schema, first, BATCH.min(total - first), update)?;
        generated += started.elapsed();
        writer.write(batch).await?;
    }
    writer.flush().await?;
    Ok(generated)
}

async fn trickle(writer: &mut Box<dyn SinkWriter>, schema: &TableSchema, total: i64) -> Result<(), Box<dyn Error>> {
    let mut times = Vec::new();
    for ticket in 0..total {
        let batch = rows(schema, ticket, 1, true)?;
        let started = Instant::now();
        writer.write(batch).await?;
        writer.flush().await?;
        times.push(started.elapsed());
    }
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("trickle: {total} rows, p50 {:?}, p99 {:?}, max {:?}", at(0.5), at(0.99), at(1.0));
    Ok(())
}
