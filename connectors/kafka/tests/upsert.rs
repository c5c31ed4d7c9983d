//! `upsert-kafka` against a real broker.

mod support;

use std::collections::BTreeMap;

use sluice_connector_api::testing;
use sluice_model::{ChangelogBatch, Reaction, SqlType, from_pretty};
use support::{
    SERVERS, create_topic, lines, materialize, open, people, plan, read_topic, schema, topic_setting, unique_topic,
    upsert_sink, write_all,
};

const COLUMNS: &str = "id INT, name STRING";

fn person(id: i32, name: &str) -> (String, String) {
    (format!("{{\"id\":{id}}}"), format!("{{\"id\":{id},\"name\":\"{name}\"}}"))
}

#[tokio::test]
async fn a_changelog_becomes_values_and_tombstones() {
    let topic = unique_topic("changelog");
    create_topic(SERVERS, &topic, 1, &[]).await;
    let sink = upsert_sink(SERVERS, &topic, people(), &[]);
    let batches = vec![
        from_pretty(COLUMNS, "+I 1 a / +I 2 b / -U 1 a / +U 1 c"),
        from_pretty(COLUMNS, "-D 2 b / -U 1 c"),
        from_pretty(COLUMNS, "+U 1 d / +I 3 NULL"),
    ];
    write_all(sink.as_ref(), batches).await;
    assert_eq!(
        lines(&read_topic(SERVERS, &topic)),
        [
            r#"{"id":1}={"id":1,"name":"a"}"#,
            r#"{"id":2}={"id":2,"name":"b"}"#,
            r#"{"id":1}={"id":1,"name":"c"}"#,
            r#"{"id":2}"#,
            r#"{"id":1}={"id":1,"name":"d"}"#,
            r#"{"id":3}={"id":3,"name":null}"#,
        ]
    );
}

/// A random changelog over few keys, in batches of all sizes, with updates split between batches;
/// also the table that it describes.
fn random_changelog(rows: usize) -> (Vec<ChangelogBatch>, BTreeMap<String, String>) {
    let mut state = 42u64;
    let mut random = move |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut table: BTreeMap<i32, String> = BTreeMap::new();
    let mut changes = Vec::new();
    for change in 0..rows {
        let id = random(50) as i32;
        let name = format!("v{change}");
        match (table.get(&id).cloned(), random(4)) {
            (None, _) => changes.push(format!("+I {id} {name}")),
            (Some(old), 0) => {
                changes.push(format!("-D {id} {old}"));
                table.remove(&id);
                continue;
            }
            (Some(old), _) => changes.extend([format!("-U {id} {old}"), format!("+U {id} {name}")]),
        }
        table.insert(id, name);
    }
    let mut batches = Vec::new();
    let mut rest = changes.as_slice();
    while !rest.is_empty() {
        let (batch, tail) = rest.split_at((1 + random(40) as usize).min(rest.len()));
        batches.push(from_pretty(COLUMNS, &batch.join(" / ")));
        rest = tail;
    }
    (batches, table.into_iter().map(|(id, name)| person(id, &name)).collect())
}

#[tokio::test]
async fn the_topic_materialises_to_the_table_and_keeps_the_order_of_each_key() {
    let topic = unique_topic("random");
    create_topic(SERVERS, &topic, 4, &[]).await;
    let (batches, table) = random_changelog(5_000);
    write_all(upsert_sink(SERVERS, &topic, people(), &[]).as_ref(), batches).await;
    let seen = read_topic(SERVERS, &topic);
    assert_eq!(materialize(&seen), table);
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
    for message in seen {
        let (Some(key), Some(value)) = (message.key, message.value) else { continue };
        let version: u64 = value.rsplit_once("\"v").unwrap().1.trim_end_matches("\"}").parse().unwrap();
        let before = newest.insert(key, version);
        assert!(before.is_none_or(|before| before < version), "version {version} came behind {before:?}");
    }
}

#[tokio::test]
async fn the_compaction_buffer_writes_less_and_materialises_to_the_same() {
    let topic = unique_topic("compaction");
    create_topic(SERVERS, &topic, 4, &[]).await;
    let (batches, table) = random_changelog(5_000);
    let options = [("sink.buffer-flush.max-rows", "1000"), ("sink.buffer-flush.interval", "1 min")];
    write_all(upsert_sink(SERVERS, &topic, people(), &options).as_ref(), batches).await;
    let seen = read_topic(SERVERS, &topic);
    assert!(seen.len() < 500, "{} messages", seen.len());
    assert_eq!(materialize(&seen), table);
}

#[tokio::test]
async fn the_buffer_is_sent_when_nothing_more_comes() {
    let topic = unique_topic("idle");
    create_topic(SERVERS, &topic, 1, &[]).await;
    let options = [("sink.buffer-flush.max-rows", "1000"), ("sink.buffer-flush.interval", "1 h")];
    let mut writer = open(upsert_sink(SERVERS, &topic, people(), &options).as_ref()).await;
    writer.write(from_pretty(COLUMNS, "+I 1 a / -U 1 a")).await.unwrap();
    writer.idle().await.unwrap();
    let mut seen = Vec::new();
    while seen.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        seen = lines(&read_topic(SERVERS, &topic));
    }
    assert_eq!(seen, [r#"{"id":1}"#]);
}

#[tokio::test]
async fn a_composite_key_is_in_the_order_of_the_primary_key() {
    let topic = unique_topic("composite");
    create_topic(SERVERS, &topic, 3, &[]).await;
    let columns = [("k_line", SqlType::Int), ("price", SqlType::Decimal(7, 2)), ("k_order", SqlType::BigInt)];
    let options = [("key.fields-prefix", "k_"), ("value.fields-include", "EXCEPT_KEY")];
    let sink = upsert_sink(SERVERS, &topic, schema(&columns, &[2, 0]), &options);
    let text = "k_line INT, price DECIMAL(7,2), k_order BIGINT";
    write_all(sink.as_ref(), vec![from_pretty(text, "+I 1 12.50 7 / -U 1 12.50 7 / +U 1 9.00 7")]).await;
    assert_eq!(
        lines(&read_topic(SERVERS, &topic)),
        [r#"{"order":7,"line":1}={"price":12.5}"#, r#"{"order":7,"line":1}={"price":9}"#]
    );
}

/// `org.apache.kafka.common.utils.Utils.murmur2`, written down again to compare with.
fn java_murmur2(data: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c_u32 ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut bits = u32::from_le_bytes(word.try_into().unwrap()).wrapping_mul(M);
        bits = (bits ^ (bits >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ bits;
    }
    let rest = words.remainder();
    for (index, byte) in rest.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * index);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    (hash ^ (hash >> 15)) as i32
}

#[tokio::test]
async fn keys_go_where_java_puts_them() {
    // The vectors of Kafka's own UtilsTest.
    for (key, hash) in [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ] {
        assert_eq!(java_murmur2(key.as_bytes()), hash, "{key}");
    }
    let topic = unique_topic("partitions");
    let partitions = 7;
    create_topic(SERVERS, &topic, partitions, &[]).await;
    let rows: Vec<_> = (0..500).map(|id| format!("+I {id} x")).collect();
    let sink = upsert_sink(SERVERS, &topic, people(), &[]);
    write_all(sink.as_ref(), vec![from_pretty(COLUMNS, &rows.join(" / "))]).await;
    let seen = read_topic(SERVERS, &topic);
    assert_eq!(seen.len(), 500);
    for message in seen {
        let key = message.key.unwrap();
        assert_eq!(message.partition, (java_murmur2(key.as_bytes()) & i32::MAX) % partitions, "{key}");
    }
}

#[tokio::test]
async fn a_missing_topic_is_created_compacted() {
    let topic = unique_topic("created");
    write_all(upsert_sink(SERVERS, &topic, people(), &[]).as_ref(), vec![from_pretty(COLUMNS, "+I 1 a")]).await;
    assert_eq!(lines(&read_topic(SERVERS, &topic)), [r#"{"id":1}={"id":1,"name":"a"}"#]);
    assert_eq!(topic_setting(&topic, "cleanup.policy").await.as_deref(), Some("compact"));
}

#[tokio::test]
async fn passes_the_shared_checks() {
    let topic = unique_topic("conformance");
    let sink = upsert_sink(SERVERS, &topic, people(), &[]);
    let batches =
        vec![from_pretty(COLUMNS, "+I 1 a / -U 1 a"), from_pretty(COLUMNS, "+U 1 b"), from_pretty(COLUMNS, "-D 1 b")];
    testing::check_sink_commits_twice(sink.as_ref(), batches).await;
}

#[tokio::test]
async fn counts_what_it_writes() {
    let topic = unique_topic("metrics");
    let sink = upsert_sink(SERVERS, &topic, people(), &[]);
    let registry = sluice_model::MetricRegistry::default();
    let mut context = testing::sink_context(0, 1);
    context.metrics = registry.group(Vec::new());
    let mut writer = sink.open(context).await.unwrap();
    writer.write(from_pretty(COLUMNS, "+I 1 a / -D 1 a / -U 2 b / +U 2 c")).await.unwrap();
    writer.flush().await.unwrap();
    let value = |name: &str| registry.samples().into_iter().find(|sample| sample.name == name).unwrap().value;
    assert_eq!((value("messages_written"), value("tombstones_written"), value("queue_messages")), (3, 1, 0));
    assert_eq!(value("bytes_written"), 3 * 8 + 2 * 19);
}

#[tokio::test]
async fn a_message_that_is_too_large_is_the_users_to_fix() {
    let topic = unique_topic("large");
    create_topic(SERVERS, &topic, 1, &[("max.message.bytes", "2000")]).await;
    let sink = upsert_sink(SERVERS, &topic, people(), &[]);
    let mut writer = open(sink.as_ref()).await;
    let large = from_pretty(COLUMNS, &format!("+I 7 {}", "x".repeat(5_000)));
    let error = match writer.write(large).await {
        Ok(()) => writer.flush().await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.reaction(), Reaction::Fix, "{error}");
    assert!(error.what().contains(&topic) && error.what().contains("{\"id\":7}"), "{error}");
    assert!(error.hint().unwrap().contains("max.message.bytes"), "{error}");
    // The writer stays failed: nothing later is taken for delivered.
    assert!(writer.flush().await.is_err());
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_told() {
    let sink = upsert_sink("127.0.0.1:1", "t", people(), &[]);
    let started = std::time::Instant::now();
    let error = sink.open(testing::sink_context(0, 1)).await.err().unwrap();
    assert_eq!(error.reaction(), Reaction::Retry);
    let text = error.to_string();
    assert!(text.contains("no Kafka broker can be reached at 127.0.0.1:1"), "{text}");
    assert!(text.contains("refused"), "{text}");
    assert!(text.contains("check 'properties.bootstrap.servers'"), "{text}");
    assert!(started.elapsed().as_secs() < 15);
}

fn refusal(options: &[(&str, &str)], key: &[usize]) -> String {
    let formats = [("key.format", "json"), ("value.format", "json")];
    let mut table = people();
    table.primary_key = key.to_vec();
    plan(SERVERS, "t", table, options, "upsert-kafka", &formats).unwrap_err().to_string()
}

#[test]
fn wrong_options_are_told() {
    let told = refusal(&[("properties.linger.msec", "5")], &[0]);
    assert!(told.contains("unknown Kafka property 'linger.msec'"), "{told}");
    assert!(told.contains("did you mean 'properties.linger.ms'?"), "{told}");
    let told = refusal(&[], &[]);
    assert!(told.contains("'upsert-kafka' tables require to define a PRIMARY KEY constraint"), "{told}");
    let told = refusal(&[("sink.buffer-flush.max-rows", "5")], &[0]);
    assert!(told.contains("must be set to be greater than zero together"), "{told}");
    let told = refusal(&[("sink.delivery-guarantee", "exactly-once")], &[0]);
    assert!(told.contains("not supported yet") && told.contains("effectively once by key"), "{told}");
    let told = refusal(&[("key.fields-prefix", "k_"), ("value.fields-include", "EXCEPT_KEY")], &[0]);
    assert!(told.contains("must be prefixed with 'k_'"), "{told}");
    let told = refusal(&[("topic", "a;b")], &[0]);
    assert!(told.contains("a sink writes one"), "{told}");
    let told = refusal(&[("topic-pattern", "a.*")], &[0]);
    assert!(told.contains("shouldn't be set together"), "{told}");
    let told = refusal(&[("value.format", "jsn")], &[0]);
    assert!(told.contains("did you mean 'json'?"), "{told}");
}

#[test]
fn what_has_no_effect_is_noted() {
    let options = [
        ("sink.partitioner", "round-robin"),
        ("json.ignore-parse-errors", "true"),
        ("value.json.timestamp-format.standard", "ISO-8601"),
        ("scan.topic-partition-discovery.interval", "1 min"),
        ("properties.group.id", "g"),
        ("properties.max.block.ms", "100"),
    ];
    let notes = upsert_sink(SERVERS, "t", people(), &options).notes();
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(notes[0].contains("properties.max.block.ms"), "{notes:?}");
    assert!(notes[1].contains("partitioned by key, so that changes of one key keep their order"), "{notes:?}");
    assert!(notes[2].contains("'json.ignore-parse-errors' has no effect when writing"), "{notes:?}");
}
