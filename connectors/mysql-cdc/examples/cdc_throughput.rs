//! Measures how fast a table is read, and how fast its changes are.
//!
//! ```text
//! cargo run --release -p sluice-mysql-cdc --example cdc_throughput -- 127.0.0.1 3306 user password shop orders id:BIGINT,total:DOUBLE
//! ```
//!
//! Reads the rows that exist into nothing and prints rows per second, then reads the log from its beginning (of which
//! only the table's rows count) and prints them for that.

use std::time::{Duration, Instant};

use sluice_connector_api::{Connectors, SourceContext, SourceEvent, Spawner, TableDefinition, TableOptions};
use sluice_model::{ChangelogMode, Column, MetricRegistry, SqlType, SystemClock, TableSchema};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [host, port, user, password, database, table, columns] = arguments.as_slice() else {
        return Err("usage: cdc_throughput HOST PORT USER PASSWORD DATABASE TABLE COLUMN:TYPE,…".into());
    };
    let columns: Vec<Column> = columns
        .split(',')
        .filter_map(|column| column.split_once(':'))
        .map(|(name, sql_type)| Column::new(name, parse_type(sql_type)))
        .collect();
    for mode in ["snapshot", "earliest-offset"] {
        let options = TableOptions::from_pairs([
            ("connector", "mysql-cdc"),
            ("hostname", host),
            ("port", port),
            ("username", user),
            ("password", password),
            ("database-name", database),
            ("table-name", table),
            ("scan.startup.mode", mode),
        ]);
        let schema = TableSchema::new(columns.clone()).with_primary_key(vec![0]);
        let definition = TableDefinition { name: table.clone(), schema, options, ..TableDefinition::default() };
        measure(mode, definition).await?;
    }
    Ok(())
}

fn parse_type(text: &str) -> SqlType {
    match text {
        "INT" => SqlType::Int,
        "BIGINT" => SqlType::BigInt,
        "DOUBLE" => SqlType::Double,
        "DATE" => SqlType::Date,
        "TIMESTAMP" => SqlType::Timestamp(6),
        "DECIMAL" => SqlType::Decimal(10, 2),
        _ => SqlType::STRING,
    }
}

async fn measure(mode: &str, definition: TableDefinition) -> Result<(), Box<dyn std::error::Error>> {
    let connectors = Connectors::default().with(sluice_mysql_cdc::MysqlCdc);
    let source = connectors.source(vec![(definition, ChangelogMode::UPSERT)])?;
    let metrics = MetricRegistry::default();
    let context = SourceContext {
        feeds_state: false,
        subtask: 0,
        parallelism: 1,
        restored: Vec::new(),
        metrics: metrics.group(Vec::new()),
        spawner: Spawner::new(|_, task| {
            tokio::spawn(task);
        }),
        clock: SystemClock::shared(),
    };
    let begin = Instant::now();
    let mut reader = source.open(context).await?;
    let (mut rows, mut batches, mut last) = (0usize, 0usize, begin);
    while let Ok(event) = tokio::time::timeout(Duration::from_secs(2), reader.next()).await {
        match event? {
            SourceEvent::End => break,
            SourceEvent::Split { .. } => {}
            SourceEvent::Batch { batch, .. } | SourceEvent::SplitBatch { batch, .. } => {
                rows += batch.num_rows();
                batches += 1;
                last = Instant::now();
            }
        }
    }
    let seconds = (last - begin).as_secs_f64();
    println!("{mode}: {rows} rows in {batches} batches, {seconds:.2} s, {:.0} rows/s", rows as f64 / seconds);
    Ok(())
}
