//! The connector as a job sees it.

use std::sync::Arc;
use std::time::Duration;

use sluice_connector_api::{Connectors, Source, testing};
use sluice_model::{ChangelogMode, Column, SqlType, TableSchema, from_pretty};
use sluice_values::{Values, append_source, materialized, register_source, sink_rows};

fn connectors() -> Connectors {
    Connectors::default().with(Values)
}

fn schema() -> TableSchema {
    TableSchema::new(vec![Column::new("id", SqlType::Int), Column::new("name", SqlType::STRING)])
}

fn source(schema: TableSchema, data_id: &str, options: &[(&str, &str)]) -> Arc<dyn Source> {
    let options = [&[("connector", "values"), ("data-id", data_id)], options].concat();
    testing::plan_source(&connectors(), testing::table(schema, &options))
}

const COLUMNS: &str = "id INT, name STRING";

#[tokio::test]
async fn a_source_delivers_what_is_registered_and_replays() {
    let batches = vec![from_pretty(COLUMNS, "+I 1 a / +I 2 b"), from_pretty(COLUMNS, "-U 1 a / +U 1 c / -D 2 b")];
    register_source("replays", batches);
    let source = source(schema(), "replays", &[]);
    assert!(source.is_bounded());
    assert_eq!(source.changelog_mode(0), ChangelogMode::RETRACT);
    let mut reader = source.open(testing::source_context(0, 1, Vec::new())).await.unwrap();
    assert_eq!(testing::read_rows(reader.as_mut(), 9).await, ["+I 1 a", "+I 2 b", "-U 1 a", "+U 1 c", "-D 2 b"]);
    testing::check_source_replays(source.as_ref(), 9).await;
    testing::check_source_stops(source.as_ref()).await;
}

#[tokio::test]
async fn columns_are_found_by_name() {
    register_source("projected", vec![from_pretty(COLUMNS, "+I 1 a")]);
    let source = source(TableSchema::new(vec![Column::new("name", SqlType::STRING)]), "projected", &[]);
    let mut reader = source.open(testing::source_context(0, 1, Vec::new())).await.unwrap();
    assert_eq!(testing::read_rows(reader.as_mut(), 1).await, ["+I a"]);
}

#[tokio::test]
async fn an_unbounded_source_waits_for_more() {
    register_source("grows", vec![from_pretty(COLUMNS, "+I 1 a")]);
    let source = source(schema(), "grows", &[("bounded", "false"), ("changelog-mode", "I,UA,D")]);
    assert_eq!(source.changelog_mode(0), ChangelogMode::UPSERT);
    let mut reader = source.open(testing::source_context(0, 1, Vec::new())).await.unwrap();
    assert_eq!(testing::read_rows(reader.as_mut(), 1).await, ["+I 1 a"]);
    assert!(tokio::time::timeout(Duration::from_millis(20), reader.next()).await.is_err());
    append_source("grows", from_pretty(COLUMNS, "-D 1 a"));
    assert_eq!(testing::read_rows(reader.as_mut(), 1).await, ["-D 1 a"]);
}

#[tokio::test]
async fn a_sink_keeps_what_is_written() {
    let table = testing::table(schema(), &[("connector", "values"), ("data-id", "kept")]);
    let sink = testing::plan_sink(&connectors(), &table, ChangelogMode::RETRACT);
    let batches = vec![
        from_pretty(COLUMNS, "+I 1 a / +I 2 b"),
        from_pretty(COLUMNS, "-U 1 a / +U 1 c"),
        from_pretty(COLUMNS, "-D 2 b"),
    ];
    testing::check_sink_commits_twice(sink.as_ref(), batches).await;
    assert_eq!(sink_rows("kept"), ["+I 1 a", "+I 2 b", "-U 1 a", "+U 1 c", "-D 2 b"]);
    assert_eq!(materialized("kept", &[0]), ["1 c"]);
}

#[test]
fn a_name_that_nobody_registered_is_told() {
    register_source("customers", Vec::new());
    let table = testing::table(schema(), &[("connector", "values"), ("data-id", "custmers")]);
    let error = connectors().source(vec![(table, ChangelogMode::RETRACT)]).unwrap_err().to_string();
    assert!(error.contains("did you mean 'customers'?"), "{error}");
}
