//! A real broker, topics of one test's own, and what is in them.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use sluice_connector_api::{Connectors, Sink, SinkWriter, testing};
use sluice_kafka::{Kafka, UpsertKafka};
use sluice_model::{ChangelogBatch, ChangelogMode, Column, SqlType, TableSchema};

/// The broker that `scripts/services.sh up kafka` starts.
pub const SERVERS: &str = "127.0.0.1:29092";
const TIMEOUT: Duration = Duration::from_secs(30);

/// A message as a consumer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub partition: i32,
    pub key: Option<String>,
    pub value: Option<String>,
}

pub fn connectors() -> Connectors {
    Connectors::default().with(Kafka).with(UpsertKafka).with_format(sluice_formats::Json)
}

/// Fails the test if there is no broker, and says how to start one.
pub fn require_broker(servers: &str) {
    let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", servers).create().unwrap();
    if consumer.fetch_metadata(None, Duration::from_secs(10)).is_err() {
        panic!("no Kafka broker at {servers}; start it with: scripts/services.sh up kafka");
    }
}

/// The name of a topic that nobody else uses.
pub fn unique_topic(name: &str) -> String {
    require_broker(SERVERS);
    format!("sluice-test-{name}-{}", uuid::Uuid::new_v4())
}

fn admin(servers: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", servers).create().unwrap()
}

/// A new topic with these partitions.
pub async fn create_topic(servers: &str, topic: &str, partitions: i32, config: &[(&str, &str)]) {
    let mut new_topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    for (name, value) in config {
        new_topic = new_topic.set(name, value);
    }
    let created = admin(servers).create_topics([&new_topic], &AdminOptions::new()).await.unwrap();
    created.into_iter().for_each(|result| _ = result.unwrap());
}

/// A setting of a topic.
pub async fn topic_setting(topic: &str, name: &str) -> Option<String> {
    let described = admin(SERVERS).describe_configs(&[ResourceSpecifier::Topic(topic)], &AdminOptions::new()).await;
    described.unwrap().remove(0).unwrap().get(name).and_then(|entry| entry.value.clone())
}

/// Everything that is in a topic, partition by partition, in order.
pub fn read_topic(servers: &str, topic: &str) -> Vec<Seen> {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", servers).set("group.id", "reader").create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).unwrap();
    let mut wanted = TopicPartitionList::new();
    let mut missing = BTreeMap::new();
    for partition in metadata.topics()[0].partitions() {
        wanted.add_partition_offset(topic, partition.id(), Offset::Beginning).unwrap();
        let (low, high) = consumer.fetch_watermarks(topic, partition.id(), TIMEOUT).unwrap();
        if high > low {
            missing.insert(partition.id(), high);
        }
    }
    consumer.assign(&wanted).unwrap();
    let mut seen: Vec<Seen> = Vec::new();
    let started = Instant::now();
    while !missing.is_empty() {
        assert!(started.elapsed() < 4 * TIMEOUT, "the topic is read within the time limit");
        let Some(message) = consumer.poll(Duration::from_millis(200)) else { continue };
        let message = message.unwrap();
        let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        let partition = message.partition();
        seen.push(Seen { partition, key: text(message.key()), value: text(message.payload()) });
        if missing.get(&partition).is_some_and(|high| message.offset() + 1 >= *high) {
            missing.remove(&partition);
        }
    }
    seen.sort_by_key(|seen| seen.partition);
    seen
}

/// Messages as `key=value`, a tombstone as `key`.
pub fn lines(seen: &[Seen]) -> Vec<String> {
    let line = |seen: &Seen| match (&seen.key, &seen.value) {
        (Some(key), Some(value)) => format!("{key}={value}"),
        (Some(key), None) => key.clone(),
        (None, value) => value.clone().unwrap_or_default(),
    };
    seen.iter().map(line).collect()
}

/// What a consumer that goes by key ends up with.
pub fn materialize(seen: &[Seen]) -> BTreeMap<String, String> {
    let mut table = BTreeMap::new();
    for Seen { key, value, .. } in seen {
        let key = key.clone().expect("a keyed message");
        match value {
            Some(value) => _ = table.insert(key, value.clone()),
            None => _ = table.remove(&key),
        }
    }
    table
}

pub fn schema(columns: &[(&str, SqlType)], key: &[usize]) -> TableSchema {
    let columns = columns.iter().map(|(name, sql_type)| Column::new(*name, sql_type.clone())).collect();
    TableSchema::new(columns).with_primary_key(key.to_vec())
}

/// `id INT, name STRING, PRIMARY KEY (id)`.
pub fn people() -> TableSchema {
    schema(&[("id", SqlType::Int), ("name", SqlType::STRING)], &[0])
}

pub fn upsert_sink(servers: &str, topic: &str, schema: TableSchema, options: &[(&str, &str)]) -> Arc<dyn Sink> {
    plan(servers, topic, schema, options, "upsert-kafka", &[("key.format", "json"), ("value.format", "json")])
        .unwrap_or_else(|error| panic!("{error}"))
}

pub fn plan(
    servers: &str,
    topic: &str,
    schema: TableSchema,
    options: &[(&str, &str)],
    connector: &str,
    formats: &[(&str, &str)],
) -> sluice_model::Result<Arc<dyn Sink>> {
    let given = [("connector", connector), ("topic", topic), ("properties.bootstrap.servers", servers)];
    let table = testing::table(schema, &[&given, formats, options].concat());
    connectors().sink(&table, if connector == "kafka" { ChangelogMode::APPEND } else { ChangelogMode::RETRACT })
}

pub async fn open(sink: &dyn Sink) -> Box<dyn SinkWriter> {
    sink.open(testing::sink_context(0, 1)).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Writes the batches and waits for the broker.
pub async fn write_all(sink: &dyn Sink, batches: Vec<ChangelogBatch>) {
    let mut writer = open(sink).await;
    for batch in batches {
        writer.write(batch).await.unwrap();
    }
    writer.flush().await.unwrap();
}
