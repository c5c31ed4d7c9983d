//! The connector as a job sees it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use sluice_connector_api::{Connectors, LookupContext, Sink, SinkContext, SinkWriter, SourceEvent, testing};
use sluice_filesystem::Filesystem;
use sluice_model::{
    ChangelogBatch, ChangelogMode, Clock, Column, ManualClock, MetricRegistry, SqlType, SystemClock, TableDefinition,
    TableSchema, from_pretty, to_pretty,
};

const COLUMNS: &str = "id BIGINT, name STRING, dt STRING";

fn connectors() -> Connectors {
    Connectors::default().with(Filesystem).with_format(sluice_formats::Csv).with_format(sluice_formats::Json)
}

/// Table `(id BIGINT, name STRING, dt STRING) PARTITIONED BY (dt)`.
fn partitioned(folder: &Path, options: &[(&str, &str)]) -> TableDefinition {
    let text = |name| Column::new(name, SqlType::STRING);
    let mut table = table(folder, vec![Column::new("id", SqlType::BigInt), text("name"), text("dt")], options);
    table.partitioned_by = vec!["dt".to_owned()];
    table
}

fn table(folder: &Path, columns: Vec<Column>, options: &[(&str, &str)]) -> TableDefinition {
    let path = format!("file://{}", folder.display());
    let mut all = vec![("connector", "filesystem"), ("path", path.as_str())];
    if !options.iter().any(|(key, _)| *key == "format") {
        all.push(("format", "csv"));
    }
    all.extend_from_slice(options);
    let mut table = testing::table(TableSchema::new(columns), &all);
    table.declared = table.schema.clone();
    table
}

fn sink(table: &TableDefinition) -> Arc<dyn Sink> {
    testing::plan_sink(&connectors(), table, ChangelogMode::APPEND)
}

async fn read(table: &TableDefinition) -> Vec<String> {
    let source = testing::plan_source(&connectors(), table.clone());
    let mut reader = source.open(testing::source_context(0, 1, Vec::new())).await.unwrap();
    let mut rows = testing::read_rows(reader.as_mut(), 1000).await;
    rows.sort();
    rows
}

/// Writes rows, and commits them.
async fn write(writer: &mut dyn SinkWriter, checkpoint: u64, rows: &str) {
    writer.write(from_pretty(COLUMNS, rows)).await.unwrap();
    let token = writer.prepare(checkpoint).await.unwrap();
    writer.commit(checkpoint, &token).await.unwrap();
}

fn refusal(table: &TableDefinition) -> String {
    connectors().sink(table, ChangelogMode::APPEND).unwrap_err().to_string()
}

/// Names below a folder that readers see.
fn visible(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).map(|entries| entries.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let count = |entry: &fs::DirEntry| match entry.path() {
        path if path.is_dir() => visible(&path),
        path => usize::from(!path.file_name().unwrap().to_string_lossy().starts_with(['.', '_'])),
    };
    entries.iter().map(count).sum()
}

#[tokio::test]
async fn what_is_written_is_read() {
    for format in ["csv", "json"] {
        let folder = tempfile::tempdir().unwrap();
        let table = partitioned(folder.path(), &[("format", format), ("sink.rolling-policy.file-size", "1 b")]);
        let mut writer = sink(&table).open(testing::sink_context(0, 1)).await.unwrap();
        write(writer.as_mut(), 1, "+I 1 'a, \"b\"' x/y / +I 2 NULL NULL / +I 3 c x/y").await;
        write(writer.as_mut(), 2, "+I 4 d z").await;
        let null = if format == "csv" { "''" } else { "NULL" };
        let expected =
            ["+I 1 'a, \"b\"' x/y".to_owned(), format!("+I 2 {null} NULL"), "+I 3 c x/y".into(), "+I 4 d z".into()];
        assert_eq!(read(&table).await, expected);
        assert!(folder.path().join("dt=x%2Fy").is_dir());
        assert!(folder.path().join("dt=__DEFAULT_PARTITION__").is_dir());
    }
}

#[tokio::test]
async fn rows_are_seen_when_their_checkpoint_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let table = partitioned(folder.path(), &[("sink.rolling-policy.file-size", "1 b")]);
    let mut writer = sink(&table).open(testing::sink_context(0, 1)).await.unwrap();
    writer.write(from_pretty(COLUMNS, "+I 1 a x")).await.unwrap();
    let token = writer.prepare(1).await.unwrap();
    assert_eq!(visible(folder.path()), 0);
    writer.commit(1, &token).await.unwrap();
    writer.commit(1, &token).await.unwrap();
    assert_eq!(visible(folder.path()), 1);
    let batches = ["+I 2 b x", "+I 3 c y"].map(|rows| from_pretty(COLUMNS, rows)).to_vec();
    testing::check_sink_commits_twice(sink(&table).as_ref(), batches).await;
}

#[tokio::test]
async fn a_restored_writer_goes_on_where_its_checkpoint_says() {
    let folder = tempfile::tempdir().unwrap();
    let table = partitioned(folder.path(), &[]);
    let sink = sink(&table);
    let mut writer = sink.open(testing::sink_context(0, 1)).await.unwrap();
    // Two checkpoints, neither committed: the file grows on behind both.
    writer.write(from_pretty(COLUMNS, "+I 1 a x")).await.unwrap();
    let first = writer.prepare(1).await.unwrap();
    writer.write(from_pretty(COLUMNS, "+I 2 b x")).await.unwrap();
    let second = writer.prepare(2).await.unwrap();
    writer.write(from_pretty(COLUMNS, "+I 3 c x / +I 4 d y")).await.unwrap();
    drop(writer);
    assert_eq!(visible(folder.path()), 0);
    let context = SinkContext { restored: vec![first, second], ..testing::sink_context(0, 1) };
    let mut writer = sink.open(context).await.unwrap();
    assert_eq!(read(&table).await, ["+I 1 a x", "+I 2 b x"]);
    writer.write(from_pretty(COLUMNS, "+I 3 c x")).await.unwrap();
    writer.flush().await.unwrap();
    let token = writer.prepare(3).await.unwrap();
    writer.commit(3, &token).await.unwrap();
    assert_eq!(read(&table).await, ["+I 1 a x", "+I 2 b x", "+I 3 c x"]);
    let hidden = fs::read_dir(folder.path().join("dt=x")).unwrap().flatten();
    assert_eq!(hidden.filter(|entry| entry.file_name().to_string_lossy().starts_with('.')).count(), 0);
}

#[tokio::test]
async fn a_complete_partition_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let options = [
        ("sink.partition-commit.policy.kind", "success-file"),
        ("sink.partition-commit.trigger", "partition-time"),
        ("sink.partition-commit.delay", "1 h"),
    ];
    let table = partitioned(folder.path(), &options);
    let sink = sink(&table);
    assert_eq!(sink.parallelism(), Some(1));
    let mut writer = sink.open(testing::sink_context(0, 1)).await.unwrap();
    writer.watermark(23 * 3_600_000).await.unwrap();
    write(writer.as_mut(), 1, "+I 1 a 1970-01-01 / +I 2 b 1970-01-02").await;
    let told = |day: &str| folder.path().join(format!("dt={day}/_SUCCESS")).exists();
    assert!(told("1970-01-01") && !told("1970-01-02"));
    writer.flush().await.unwrap();
    let token = writer.prepare(2).await.unwrap();
    writer.commit(2, &token).await.unwrap();
    assert!(told("1970-01-02"));
    assert_eq!(read(&table).await, ["+I 1 a 1970-01-01", "+I 2 b 1970-01-02"]);
}

#[tokio::test]
async fn old_files_get_no_more_rows() {
    let folder = tempfile::tempdir().unwrap();
    let table = partitioned(folder.path(), &[("sink.rolling-policy.rollover-interval", "10 s")]);
    let clock = Arc::new(ManualClock::at(0));
    let context = SinkContext { clock: Arc::clone(&clock) as Arc<dyn Clock>, ..testing::sink_context(0, 1) };
    let mut writer = sink(&table).open(context).await.unwrap();
    write(writer.as_mut(), 1, "+I 1 a x").await;
    assert_eq!(visible(folder.path()), 0);
    clock.advance(10_000);
    write(writer.as_mut(), 2, "+I 2 b x").await;
    assert_eq!(visible(folder.path()), 1);
}

#[tokio::test]
async fn a_source_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for file in 0..3 {
        let lines: Vec<String> = (0..20_000).map(|row| format!("{},n{row}\n", file * 20_000 + row)).collect();
        fs::write(folder.path().join(format!("f{file}")), lines.concat()).unwrap();
    }
    let columns = vec![Column::new("id", SqlType::BigInt), Column::new("name", SqlType::STRING)];
    let table = table(folder.path(), columns, &[]);
    let source = testing::plan_source(&connectors(), table.clone());
    assert!(source.is_bounded());
    testing::check_source_replays(source.as_ref(), 20).await;
    testing::check_source_stops(source.as_ref()).await;
    let mut count = 0;
    for subtask in 0..2 {
        let mut reader = source.open(testing::source_context(subtask, 2, Vec::new())).await.unwrap();
        while let SourceEvent::Batch { batch, .. } = reader.next().await.unwrap() {
            count += batch.num_rows();
        }
    }
    assert_eq!(count, 60_000);
}

#[tokio::test]
async fn only_wanted_columns_are_read_and_files_are_described() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("f.csv"), "# comment\n1;'x;y';2020-01-01 10:00:00\n-;z;\\N\n").unwrap();
    let columns = vec![
        Column::new("id", SqlType::BigInt),
        Column::new("name", SqlType::STRING),
        Column::new("at", SqlType::Timestamp(3)),
    ];
    let options = [
        ("csv.field-delimiter", ";"),
        ("csv.quote-character", "'"),
        ("csv.null-literal", "\\N"),
        ("csv.allow-comments", "true"),
        ("csv.ignore-parse-errors", "true"),
    ];
    let mut table = table(folder.path(), columns, &options);
    table.schema.columns.swap(0, 2);
    table.schema.columns.remove(1);
    table.metadata = vec![
        ("file.name".to_owned(), Column::new("f", SqlType::STRING)),
        ("file.size".to_owned(), Column::new("n", SqlType::BigInt)),
    ];
    let expected = ["+I 2020-01-01T10:00:00 1 f.csv 45", "+I NULL NULL f.csv 45"];
    assert_eq!(read(&table).await, expected);
}

#[tokio::test]
async fn new_files_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let columns = vec![Column::new("id", SqlType::BigInt)];
    let options = [("source.monitor-interval", "20 ms"), ("format", "json")];
    let source = testing::plan_source(&connectors(), table(folder.path(), columns, &options));
    assert!(!source.is_bounded());
    let mut reader = source.open(testing::source_context(0, 1, Vec::new())).await.unwrap();
    fs::write(folder.path().join("a"), "{\"id\": 1}\n").unwrap();
    assert_eq!(testing::read_rows(reader.as_mut(), 1).await, ["+I 1"]);
    fs::write(folder.path().join("b"), "{\"id\": \"2\"}\n").unwrap();
    assert_eq!(testing::read_rows(reader.as_mut(), 1).await, ["+I 2"]);
}

#[tokio::test]
async fn rows_are_looked_up_by_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("side.csv");
    fs::write(&file, "7,x\n8,y\n7,z\n").unwrap();
    let columns = vec![Column::new("id", SqlType::BigInt), Column::new("name", SqlType::STRING)];
    let table = table(&file, columns, &[]);
    let lookup = connectors().lookup(&table, vec![0]).unwrap();
    let metrics = MetricRegistry::default().group(Vec::new());
    let context = LookupContext { metrics, spawner: testing::spawner(), clock: SystemClock::shared() };
    let mut lookup = lookup.open(context).await.unwrap();
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![9, 7, 8]));
    let found = lookup.lookup(&[keys]).await.unwrap();
    assert_eq!(found.keys, [1, 1, 2]);
    assert_eq!(to_pretty(&ChangelogBatch::append(found.rows)), "+I 7 x / +I 7 z / +I 8 y");
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("f"), "1\nx\n").unwrap();
    let table = table(folder.path(), vec![Column::new("id", SqlType::Int)], &[]);
    let source = testing::plan_source(&connectors(), table);
    let mut reader = source.open(testing::source_context(0, 1, Vec::new())).await.unwrap();
    let error = reader.next().await.unwrap_err().to_string();
    assert!(error.contains("'x' in column 'id' is no INT") && error.contains("row 2 of file"), "{error}");
}

#[test]
fn what_cannot_be_done_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let remote = partitioned(folder.path(), &[("path", "s3://bucket/x")]);
    assert!(refusal(&remote).contains("reads and writes local files, not s3://"));
    let compacted = partitioned(folder.path(), &[("auto-compaction", "true")]);
    assert!(refusal(&compacted).contains("'auto-compaction' is not supported"));
    let nested = SqlType::Array(Box::new(SqlType::Int));
    let nested = table(folder.path(), vec![Column::new("a", nested)], &[]);
    assert!(refusal(&nested).contains("no place for column 'a' of type ARRAY<INT>"));
    let unknown = partitioned(folder.path(), &[("format", "cvs")]);
    assert!(refusal(&unknown).contains("did you mean 'csv'?"));
}

#[tokio::test]
async fn lines_of_json_are_read_one_by_one_when_they_have_to() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("f"), "{\"id\":1,\"name\":2}\n{\"id\":\n\n{\"id\":3,\"x\":[]}\n").unwrap();
    let columns = vec![Column::new("id", SqlType::BigInt), Column::new("name", SqlType::STRING)];
    let lenient = [("format", "json"), ("json.ignore-parse-errors", "true")];
    assert_eq!(read(&table(folder.path(), columns.clone(), &lenient)).await, ["+I 1 2", "+I 3 NULL"]);
    let source = testing::plan_source(&connectors(), table(folder.path(), columns, &[("format", "json")]));
    let mut reader = source.open(testing::source_context(0, 1, Vec::new())).await.unwrap();
    let error = reader.next().await.unwrap_err().to_string();
    assert!(error.contains("line 2 of file"), "{error}");
}
