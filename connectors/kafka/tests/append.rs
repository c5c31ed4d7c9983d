//! `kafka` against a real broker.

mod support;

use sluice_connector_api::testing;
use sluice_model::{ChangelogMode, SqlType, from_pretty};
use support::{SERVERS, connectors, create_topic, lines, plan, read_topic, schema, unique_topic, write_all};

const COLUMNS: &str = "id INT, name STRING";

fn log() -> sluice_model::TableSchema {
    schema(&[("id", SqlType::Int), ("name", SqlType::STRING)], &[])
}

#[tokio::test]
async fn every_row_is_a_message() {
    let topic = unique_topic("append");
    create_topic(SERVERS, &topic, 1, &[]).await;
    let sink = plan(SERVERS, &topic, log(), &[], "kafka", &[("format", "json")]).unwrap();
    write_all(sink.as_ref(), vec![from_pretty(COLUMNS, "+I 1 a / +I 1 a"), from_pretty(COLUMNS, "+I 2 b")]).await;
    assert_eq!(
        lines(&read_topic(SERVERS, &topic)),
        [r#"{"id":1,"name":"a"}"#, r#"{"id":1,"name":"a"}"#, r#"{"id":2,"name":"b"}"#]
    );
}

#[tokio::test]
async fn a_key_is_written_when_there_are_key_fields() {
    let topic = unique_topic("append-key");
    create_topic(SERVERS, &topic, 1, &[]).await;
    let options = [("key.fields", "id"), ("key.format", "json"), ("value.fields-include", "EXCEPT_KEY")];
    let sink = plan(SERVERS, &topic, log(), &options, "kafka", &[("value.format", "json")]).unwrap();
    write_all(sink.as_ref(), vec![from_pretty(COLUMNS, "+I 1 a")]).await;
    assert_eq!(lines(&read_topic(SERVERS, &topic)), [r#"{"id":1}={"name":"a"}"#]);
}

#[tokio::test]
async fn a_fixed_partitioner_gives_each_writer_one_partition() {
    let topic = unique_topic("append-fixed");
    create_topic(SERVERS, &topic, 3, &[]).await;
    let options = [("sink.partitioner", "fixed")];
    let sink = plan(SERVERS, &topic, log(), &options, "kafka", &[("format", "json")]).unwrap();
    for subtask in 0..2 {
        let mut writer = sink.open(testing::sink_context(subtask, 2)).await.unwrap();
        writer.write(from_pretty(COLUMNS, "+I 1 a / +I 2 b")).await.unwrap();
        writer.flush().await.unwrap();
    }
    let partitions: Vec<_> = read_topic(SERVERS, &topic).iter().map(|seen| seen.partition).collect();
    assert_eq!(partitions, [0, 0, 1, 1]);
}

#[test]
fn updates_and_keys_belong_to_upsert_kafka() {
    let given = [("connector", "kafka"), ("topic", "t"), ("properties.bootstrap.servers", SERVERS), ("format", "json")];
    let error = connectors().sink(&testing::table(log(), &given), ChangelogMode::RETRACT).unwrap_err().to_string();
    assert!(error.contains("only takes insertions") && error.contains("I,UB,UA,D"), "{error}");
    assert!(error.contains("'connector' = 'upsert-kafka'"), "{error}");

    let keyed = support::people();
    let error = connectors().sink(&testing::table(keyed, &given), ChangelogMode::APPEND).unwrap_err().to_string();
    assert!(error.contains("doesn't support defining PRIMARY KEY constraint"), "{error}");
    assert!(error.contains("'connector' = 'upsert-kafka'"), "{error}");
}

#[test]
fn wrong_options_are_told() {
    let told = |options: &[(&str, &str)], formats: &[(&str, &str)]| {
        plan(SERVERS, "t", log(), options, "kafka", formats).unwrap_err().to_string()
    };
    let json = [("format", "json")];
    assert!(told(&[], &[]).contains("could not find required sink format 'format'"));
    assert!(told(&[("key.format", "json")], &json).contains("requires the declaration of one or more of key fields"));
    assert!(told(&[("key.fields", "id")], &json).contains("can only be declared if a key format is defined"));
    let missing = told(&[("key.fields", "nope"), ("key.format", "json")], &json);
    assert!(missing.contains("could not find the field 'nope'"), "{missing}");
}
