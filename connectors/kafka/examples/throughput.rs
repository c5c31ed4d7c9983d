//! How fast rows get into a topic: a changelog of the 23 columns of TPC-DS `store_sales`, as JSON,
//! into a topic with four partitions.
//!
//! ```text
//! scripts/services.sh up kafka
//! cargo run --release -p sluice-kafka --example throughput -- [ROWS] [BATCH] [property=value …]
//! ```
//!
//! Prints rows and bytes a second, and the processor time of this process for a million rows.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use sluice_connector_api::{Connectors, testing};
use sluice_model::{ChangelogBatch, ChangelogMode, Column, SqlType, TableSchema};

const SERVERS: &str = "127.0.0.1:29092";

fn schema() -> TableSchema {
    let mut columns = vec![Column::new("ss_item_sk", SqlType::Int), Column::new("ss_ticket_number", SqlType::BigInt)];
    columns.extend((0..8).map(|index| Column::new(format!("ss_dimension_{index}_sk"), SqlType::Int)));
    columns.extend((0..12).map(|index| Column::new(format!("ss_ext_amount_{index}"), SqlType::Decimal(7, 2))));
    columns.push(Column::new("ss_note", SqlType::STRING));
    TableSchema::new(columns).with_primary_key(vec![1, 0])
}

fn batch(schema: &TableSchema, first: i64, rows: i64) -> Result<ChangelogBatch, Box<dyn Error>> {
    let spread = |row: i64, column: i64, bound: i64| (row * 7_919 + column * 104_729) % bound;
    let mut arrays: Vec<ArrayRef> = vec![
        Arc::new((0..rows).map(|row| Some(spread(first + row, 1, 18_000) as i32)).collect::<Int32Array>()),
        Arc::new((0..rows).map(|row| Some(first + row)).collect::<Int64Array>()),
    ];
    for column in 0..8 {
        let values = (0..rows).map(|row| Some(spread(first + row, column, 2_500_000) as i32));
        arrays.push(Arc::new(values.collect::<Int32Array>()));
    }
    for column in 0..12 {
        let values = (0..rows).map(|row| Some(i128::from(spread(first + row, column, 2_000_000))));
        arrays.push(Arc::new(values.collect::<Decimal128Array>().with_precision_and_scale(7, 2)?));
    }
    arrays.push(Arc::new((0..rows).map(|row| Some(format!("store sale {row}"))).collect::<StringArray>()));
    Ok(ChangelogBatch::append(RecordBatch::try_new(schema.to_arrow(), arrays)?))
}

/// Processor time of this process so far, in seconds, user and system.
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').ok_or("no process name")?.1;
    let mut ticks = 0u64;
    for field in fields.split_whitespace().skip(11).take(2) {
        ticks += field.parse::<u64>()?;
    }
    Ok(ticks as f64 / 100.0)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).peekable();
    let mut number = |default: i64| -> Result<i64, Box<dyn Error>> {
        let text = arguments.next_if(|text| !text.contains('='));
        text.map_or(Ok(default), |text| Ok(text.parse()?))
    };
    let (rows, batch_rows) = (number(1_000_000)?, number(4_096)?);
    let properties: Vec<(String, String)> = arguments
        .filter_map(|text| text.split_once('=').map(|(key, value)| (format!("properties.{key}"), value.to_owned())))
        .collect();

    let topic = format!("sluice-throughput-{}", std::process::id());
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new().set("bootstrap.servers", SERVERS).create()?;
    admin.create_topics([&NewTopic::new(&topic, 4, TopicReplication::Fixed(1))], &AdminOptions::new()).await?;

    let schema = schema();
    let mut options = vec![
        ("connector", "upsert-kafka"),
        ("topic", topic.as_str()),
        ("properties.bootstrap.servers", SERVERS),
        ("key.format", "json"),
        ("value.format", "json"),
    ];
    options.extend(properties.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let connectors = Connectors::default().with(sluice_kafka::UpsertKafka).with_format(sluice_formats::Json);
    let sink = connectors.sink(&testing::table(schema.clone(), &options), ChangelogMode::RETRACT)?;
    let registry = sluice_model::MetricRegistry::default();
    let mut context = testing::sink_context(0, 1);
    context.metrics = registry.group(Vec::new());
    let mut writer = sink.open(context).await?;

    let batch = batch(&schema, 0, batch_rows)?;
    let (started, processor) = (Instant::now(), processor_seconds()?);
    let mut written = 0;
    while written < rows {
        writer.write(batch.clone()).await?;
        written += batch_rows;
    }
    writer.flush().await?;
    let (wall, processor) = (started.elapsed().as_secs_f64(), processor_seconds()? - processor);
    let bytes =
        registry.samples().iter().find(|sample| sample.name == "bytes_written").map_or(0, |sample| sample.value);
    let millions = written as f64 / 1e6;
    println!(
        "{written} rows of {} bytes in {wall:.2} s: {:.0} rows/s, {:.1} MB/s, {:.2} processor seconds a million rows",
        bytes / written,
        written as f64 / wall,
        bytes as f64 / wall / 1e6,
        processor / millions
    );
    drop(writer);
    admin.delete_topics(&[&topic], &AdminOptions::new()).await?;
    Ok(())
}
