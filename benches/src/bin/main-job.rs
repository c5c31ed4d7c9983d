//! Job 01, measured: snapshot into each sink, start to first row, latency of single changes.
//!
//! Prints one line per measurement with the goal beside it. Everything is measured in one run on one
//! machine, with the servers on it; compare lines with each other rather than with other machines.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use sluice_benches::process::MeasuredClient;
use sluice_demo::Result;
use sluice_demo::endpoints::{Endpoints, Flavor};
use sluice_demo::tpcds::STORE_SALES;

/// Rows of the snapshot, unless `SLUICE_BENCH_ROWS` says otherwise.
const ROWS: u64 = 1_000_000;
const DATABASE: &str = "sluice_bench";
const TOPIC: &str = "sluice_bench.store_sales";
const WAREHOUSE_TABLE: &str = "sluice_bench.store_sales_heap";
/// Single-row changes of the latency measurement, and their rate per second.
const CHANGES: i32 = 10_000;
const CHANGE_RATE: u64 = 1_000;

#[tokio::main]
async fn main() -> Result<()> {
    sluice_demo::choose_tls();
    let rows = std::env::var("SLUICE_BENCH_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(ROWS);
    let endpoints = Endpoints::default();
    let mut mysql = endpoints.mysql(Flavor::MariaDb).await?;
    mysql.query_drop(format!("CREATE DATABASE IF NOT EXISTS {DATABASE}")).await?;
    mysql.query_drop(format!("USE {DATABASE}")).await?;
    STORE_SALES.create_in_mysql(&mut mysql, rows).await?;
    println!("store_sales: {rows} rows of {} columns on MariaDB", STORE_SALES.columns.len());
    for sinks in [&["blackhole"][..], &["kafka"], &["warehouse"], &["kafka", "warehouse"]] {
        snapshot(endpoints, rows, sinks).await?;
    }
    first_row(endpoints).await?;
    latency(endpoints, &mut mysql).await?;
    mysql.query_drop(format!("DROP DATABASE {DATABASE}")).await?;
    Ok(())
}

/// Job 01 with some of its sinks, or with a blackhole.
fn job(sinks: &[&str]) -> Result<String> {
    let text = std::fs::read_to_string("jobs/01-sales-cdc-sync.sql")?;
    let mut text = text
        .replace("'database-name' = 'business_db'", &format!("'database-name' = '{DATABASE}'"))
        .replace("'tpcds.store_sales'", &format!("'{TOPIC}'"))
        .replace("'tpcds.store_sales_heap'", &format!("'{WAREHOUSE_TABLE}'"))
        .replace("'5001-5010'", "'7001-7010'");
    for (sink, insert) in [
        ("kafka", "INSERT INTO kafka_store_sales SELECT * FROM store_sales;"),
        ("warehouse", "INSERT INTO warehouse_store_sales SELECT * FROM store_sales;"),
    ] {
        if !sinks.contains(&sink) {
            text = text.replace(insert, "");
        }
    }
    if sinks.contains(&"blackhole") {
        text.push_str("CREATE TABLE nowhere WITH ('connector' = 'blackhole') LIKE store_sales (EXCLUDING ALL);\n");
        text.push_str("INSERT INTO nowhere SELECT * FROM store_sales;\n");
    }
    Ok(text)
}

fn start(home: &Path, sinks: &[&str]) -> Result<MeasuredClient> {
    let file = home.join("job.sql");
    std::fs::write(&file, job(sinks)?)?;
    MeasuredClient::start(&file, home)
}

async fn empty_sinks(endpoints: Endpoints) -> Result<()> {
    use rdkafka::admin::{AdminClient, AdminOptions};
    let admin: AdminClient<rdkafka::client::DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", endpoints.kafka()).create()?;
    admin.delete_topics(&[TOPIC], &AdminOptions::new()).await?;
    let warehouse = endpoints.warehouse().await?;
    STORE_SALES.create_in_warehouse(&warehouse, WAREHOUSE_TABLE).await
}

async fn snapshot(endpoints: Endpoints, rows: u64, sinks: &[&str]) -> Result<()> {
    empty_sinks(endpoints).await?;
    let home = tempfile::tempdir()?;
    let mut client = start(home.path(), sinks)?;
    let time = client.wait_for_rows(rows, Duration::from_secs(600)).await?;
    let usage = client.usage()?;
    client.stop()?;
    let millions = rows as f64 / 1e6;
    let goal = match sinks {
        ["blackhole"] => "goal 1.0 CPU s",
        ["kafka", "warehouse"] => "goal 1.5 CPU s, 150 MiB",
        _ => "",
    };
    println!(
        "snapshot to {:<18} {:>10.0} rows/s   {:>5.2} engine CPU s per million rows   peak {:>4.0} MiB   {goal}",
        sinks.join(" and "),
        rows as f64 / time.as_secs_f64(),
        usage.cpu_seconds / millions,
        usage.peak_memory_mib
    );
    Ok(())
}

/// From starting the program to the first row in the sink.
async fn first_row(endpoints: Endpoints) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..5 {
        empty_sinks(endpoints).await?;
        let home = tempfile::tempdir()?;
        let mut client = start(home.path(), &["blackhole"])?;
        times.push(client.wait_for_rows(1, Duration::from_secs(30)).await?);
        client.stop()?;
    }
    times.sort();
    println!("start to first row in a blackhole: median {} ms   goal 300 ms", times[times.len() / 2].as_millis());
    Ok(())
}

/// Single-row updates at a steady rate; when each is seen by a Kafka consumer and in the warehouse.
async fn latency(endpoints: Endpoints, mysql: &mut mysql_async::Conn) -> Result<()> {
    mysql.query_drop(format!("DELETE FROM {} WHERE ss_ticket_number > 1000", STORE_SALES.name)).await?;
    empty_sinks(endpoints).await?;
    let warehouse = endpoints.warehouse().await?;
    // A trigger notes the time at which the warehouse applies a row; it is committed right after.
    warehouse
        .batch_execute(&format!(
            "CREATE TABLE IF NOT EXISTS sluice_bench.arrivals (marker INT, at TIMESTAMPTZ);
             TRUNCATE sluice_bench.arrivals;
             CREATE OR REPLACE FUNCTION sluice_bench.note() RETURNS trigger LANGUAGE plpgsql AS $$
               BEGIN INSERT INTO sluice_bench.arrivals VALUES (NEW.ss_quantity, clock_timestamp()); RETURN NULL; END $$;
             CREATE TRIGGER note AFTER UPDATE ON {WAREHOUSE_TABLE} FOR EACH ROW EXECUTE FUNCTION sluice_bench.note()"
        ))
        .await?;
    let rows: u64 = mysql.query_first(format!("SELECT COUNT(*) FROM {}", STORE_SALES.name)).await?.unwrap_or(0);
    let home = tempfile::tempdir()?;
    let mut client = start(home.path(), &["kafka", "warehouse"])?;
    client.wait_for_rows(rows, Duration::from_secs(120)).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let brokers = endpoints.kafka();
    let reader = std::thread::spawn(move || kafka_arrivals(&brokers));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let sent = send_changes(mysql, rows).await?;
    let in_kafka = reader.join().map_err(|_| "the reader failed")??;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let arrivals = warehouse
        .query(
            "SELECT marker, (EXTRACT(EPOCH FROM min(at)) * 1000000)::bigint FROM sluice_bench.arrivals GROUP BY 1",
            &[],
        )
        .await?;
    let in_warehouse = arrivals.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_>>()?;
    client.stop()?;
    report("Kafka", &sent, &in_kafka);
    report("warehouse", &sent, &in_warehouse);
    Ok(())
}

fn now_micros() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    since.as_micros() as i64
}

/// Updates one row after the other; returns when each was committed, by its marker.
async fn send_changes(mysql: &mut mysql_async::Conn, rows: u64) -> Result<HashMap<i32, i64>> {
    let start = Instant::now();
    let mut sent = HashMap::new();
    for change in 0..CHANGES {
        let (item, ticket) = STORE_SALES.key_of(change as u64 % rows.min(10_000));
        let marker = 1_000_000 + change;
        mysql
            .query_drop(format!(
                "UPDATE store_sales SET ss_quantity = {marker} WHERE ss_item_sk = {item} AND ss_ticket_number = {ticket}"
            ))
            .await?;
        sent.insert(marker, now_micros());
        let due = start + Duration::from_micros(1_000_000 / CHANGE_RATE * (change as u64 + 1));
        tokio::time::sleep_until(due.into()).await;
    }
    Ok(sent)
}

/// Reads the topic from its end until nothing has come for three seconds.
fn kafka_arrivals(brokers: &str) -> Result<HashMap<i32, i64>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "sluice-bench-latency")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "5")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(TOPIC), Duration::from_secs(10))?;
    let mut assignment = rdkafka::TopicPartitionList::new();
    for partition in metadata.topics().first().map_or(&[][..], |topic| topic.partitions()) {
        assignment.add_partition_offset(TOPIC, partition.id(), rdkafka::Offset::End)?;
    }
    consumer.assign(&assignment)?;
    let mut arrivals = HashMap::new();
    let mut last = Instant::now() + Duration::from_secs(10);
    while last.elapsed() < Duration::from_secs(3) {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message?;
        let at = now_micros();
        last = Instant::now();
        let value: serde_json::Value = serde_json::from_slice(message.payload().unwrap_or(b"null"))?;
        if let Some(marker) = value["ss_quantity"].as_i64().filter(|marker| *marker >= 1_000_000) {
            arrivals.entry(marker as i32).or_insert(at);
        }
    }
    Ok(arrivals)
}

fn report(place: &str, sent: &HashMap<i32, i64>, arrived: &HashMap<i32, i64>) {
    let mut delays: Vec<i64> =
        sent.iter().filter_map(|(marker, at)| Some((arrived.get(marker)? - at).max(0))).collect();
    delays.sort_unstable();
    let at =
        |share: f64| delays.get((delays.len() as f64 * share) as usize).map_or(f64::NAN, |delay| *delay as f64 / 1e3);
    println!(
        "latency to {place:<10} at {CHANGE_RATE} changes/s: p50 {:>6.1} ms   p99 {:>6.1} ms   seen {} of {}   goal p99 50 ms",
        at(0.5),
        at(0.99),
        delays.len(),
        sent.len()
    );
}
