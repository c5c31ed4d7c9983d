//! The Nexmark queries: the stream's final result equals DataFusion's batch result over the same events.
//!
//! Events are the same in every run for a given parallelism, so that the comparison is exact, row by
//! row: changes that the sink gets are counted. A hundred events a second make windows and auctions
//! end many times among the events of a test; `SLUICE_NEXMARK_EVENTS` sets their number,
//! `SLUICE_NEXMARK_QUERY` the only query to check, such as `q4`.

mod batch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use sluice_connector_api::{SourceEvent, testing};
use sluice_model::{ChangelogMode, Column, SqlType, SystemClock, TableSchema};
use sluice_runtime::Engine;
use sluice_sql::{Environment, Home, Outcome, Session};

use self::batch::{Check, QUERIES};
use crate::oracle::{counted, rows_of};

/// Enough for some bidders to have the ids of persons: q23 asks for them.
const EVENTS: u64 = 80_000;
const EVENTS_PER_SECOND: u32 = 100;

#[test]
fn streams_of_events_equal_batches() {
    crate::with_deep_stacks(async {
        let mut failures = check_all(1).await;
        failures.extend(check_all(2).await);
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    });
}

fn events() -> u64 {
    std::env::var("SLUICE_NEXMARK_EVENTS").ok().and_then(|events| events.parse().ok()).unwrap_or(EVENTS)
}

/// What is wrong, a line for each query.
async fn check_all(parallelism: usize) -> Vec<String> {
    let only = std::env::var("SLUICE_NEXMARK_QUERY").unwrap_or_default();
    let context = batch_context(parallelism).await;
    let mut failures = Vec::new();
    for (query, check) in QUERIES.iter().filter(|(query, _)| only.is_empty() || *query == only) {
        let verdict = verdict(&context, query, check, parallelism).await.unwrap_or_else(Some);
        failures.extend(verdict.map(|why| format!("{query} at parallelism {parallelism}: {why}")));
    }
    failures
}

/// What is wrong, if something is.
async fn verdict(
    context: &SessionContext,
    query: &str,
    check: &Check,
    parallelism: usize,
) -> Result<Option<String>, String> {
    let result = stream_result(query, parallelism).await;
    Ok(match check {
        Check::Refused(refusal) => refused(result, refusal),
        Check::Equal(sql) => difference(&result?, &batch_result(context, sql).await?),
        Check::Sums(sql) => different_sum(&result?, &batch_result(context, sql).await?),
    })
}

/// What is wrong about a query that is expected to be refused with these words.
fn refused(result: Result<Vec<String>, String>, refusal: &str) -> Option<String> {
    match result {
        Ok(_) => Some("it runs: give its batch query in nexmark/batch.rs".to_owned()),
        Err(error) => (!error.contains(refusal)).then_some(error),
    }
}

/// How two sorted results differ.
fn difference(actual: &[String], expected: &[String]) -> Option<String> {
    if expected.is_empty() {
        return Some("there is nothing to compare".to_owned());
    }
    let differs = actual.iter().zip(expected).find(|(actual, expected)| actual != expected);
    match differs {
        None if actual.len() == expected.len() => None,
        _ => Some(format!(
            "stream has {} rows, batch has {}; they first differ in\n  {:?}",
            actual.len(),
            expected.len(),
            differs
        )),
    }
}

/// A key, which is the first column, whose numbers in the second one do not add up to the same.
fn different_sum(actual: &[String], expected: &[String]) -> Option<String> {
    let sums = |rows: &[String]| {
        let mut sums: BTreeMap<String, i64> = BTreeMap::new();
        for row in rows {
            let mut cells = row.split('|');
            let (key, number) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
            *sums.entry(key.to_owned()).or_default() += number.parse::<i64>().expect("a number");
        }
        sums.into_iter().map(|(key, sum)| format!("{key}|{sum}")).collect::<Vec<_>>()
    };
    difference(&sums(actual), &sums(expected))
}

/// Declarations and query with all placeholders filled in, into a sink that keeps what it gets.
fn job_text(query: &str, sink: &str, home: &Path) -> String {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../benches/nexmark");
    let read = |name: String| std::fs::read_to_string(directory.join(name)).expect("a file of the benchmark");
    let text = read("ddl.sql".to_owned()) + &read(format!("{query}.sql"));
    let side_input = home.join("side-input.csv");
    let lines: Vec<String> = (0..10_000).map(|row| format!("{row},{row}\n")).collect();
    std::fs::write(&side_input, lines.concat()).expect("a file");
    text.replace("${SIDE_INPUT}", &side_input.display().to_string())
        .replace("${OUTPUT_DIR}", &home.display().to_string())
        .replace("${TPS}", &EVENTS_PER_SECOND.to_string())
        .replace("${EVENTS_NUM}", &events().to_string())
        .replace("'connector' = 'blackhole'", &format!("'connector' = 'values', 'data-id' = '{sink}'"))
        .replace("CREATE FUNCTION count_char AS 'com.github.nexmark.flink.udf.CountChar';", "")
        .replace("count_char(extra, 'c')", "CHAR_LENGTH(extra) - CHAR_LENGTH(REPLACE(extra, 'c', ''))")
}

/// What the sink has in the end, sorted.
async fn stream_result(query: &str, parallelism: usize) -> Result<Vec<String>, String> {
    let sink = format!("nexmark-{query}-{parallelism}");
    let home = sluice_tests::scratch().expect("a directory");
    let environment = Environment {
        connectors: sluice_registry::connectors(),
        engine: Arc::new(Engine::new(sluice_registry::connectors(), SystemClock::shared())),
        home: Home::at(home.path()),
        clock: SystemClock::shared(),
    };
    let mut session = Session::new(Arc::new(environment));
    let settings = format!("SET 'parallelism.default' = '{parallelism}';\n");
    let mut job = None;
    for statement in statements(&(settings + &job_text(query, &sink, home.path()))) {
        if let Outcome::Submitted { mut jobs, .. } =
            session.execute_text(&statement).await.map_err(|error| error.to_string())?
        {
            job = jobs.pop();
        }
    }
    job.ok_or("no job")?.handle.wait().await.map_err(|error| error.to_string())?;
    if query == "q10" {
        read_back(&mut session, &sink).await?;
        check_success_files(&home.path().join("bid"));
    }
    let contents = sluice_values::sink_contents(&sink);
    sluice_values::clear_sink(&sink);
    counted(&contents)
}

/// Reads the files that q10 has written.
async fn read_back(session: &mut Session, sink: &str) -> Result<(), String> {
    let columns =
        "auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3), extra VARCHAR, dt STRING, hm STRING";
    let declared = format!("CREATE TABLE read_back ({columns}) WITH ('connector' = 'values', 'data-id' = '{sink}')");
    session.execute_text(&declared).await.map_err(|error| error.to_string())?;
    let copy = "INSERT INTO read_back SELECT * FROM nexmark_q10";
    match session.execute_text(copy).await.map_err(|error| error.to_string())? {
        Outcome::Submitted { mut jobs, .. } => {
            let job = jobs.pop().ok_or("no job")?;
            job.handle.wait().await.map(|_| ()).map_err(|error| error.to_string())
        }
        _ => Err("INSERT does not submit".to_owned()),
    }
}

/// Every minute's folder is told to be complete, and holds nothing hidden but that.
fn check_success_files(folder: &Path) {
    let below =
        |folder: &Path| std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut minutes = 0;
    for minute in below(folder).flat_map(|day| below(&day).collect::<Vec<_>>()) {
        assert!(minute.join("_SUCCESS").exists(), "{} is not complete", minute.display());
        assert!(below(&minute).all(|file| !file.to_string_lossy().contains(".inprogress")));
        minutes += 1;
    }
    assert!(minutes > 1, "bids of one minute only");
}

/// The statements of a text whose comments are whole lines.
fn statements(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
    let code = code.join("\n");
    code.split(";\n")
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(|text| text.trim_end_matches(';').to_owned())
        .collect()
}

/// Tables `person`, `auction` and `bid` with the events that sources at this parallelism make.
async fn batch_context(parallelism: usize) -> SessionContext {
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.enable_ident_normalization = false;
    let context = SessionContext::new_with_config(config);
    let row = |fields: &str| {
        let field = |field: &str| match (field.strip_suffix(':'), field.strip_suffix('@')) {
            (Some(name), _) => (name.to_owned(), SqlType::STRING),
            (_, Some(name)) => (name.to_owned(), SqlType::Timestamp(3)),
            _ => (field.to_owned(), SqlType::BigInt),
        };
        SqlType::Row(fields.split(' ').map(field).collect())
    };
    let mut columns = vec![Column::new("event_type", SqlType::Int)];
    columns.extend(batch::EVENTS.map(|(name, fields)| Column::new(name, row(fields))));
    let (rate, number) = (EVENTS_PER_SECOND.to_string(), events().to_string());
    let options = [("connector", "nexmark"), ("first-event.rate", rate.as_str()), ("events.num", number.as_str())];
    let table = testing::table(TableSchema::new(columns), &options);
    let source = testing::plan_source(&sluice_registry::connectors(), table);
    assert_eq!(source.changelog_mode(0), ChangelogMode::APPEND);
    let mut batches = Vec::new();
    for subtask in 0..parallelism {
        let mut reader =
            source.open(testing::source_context(subtask, parallelism, Vec::new())).await.expect("a reader");
        while let SourceEvent::Batch { batch, .. } = reader.next().await.expect("an event") {
            batches.push(batch.rows().clone());
        }
    }
    let table = MemTable::try_new(batches[0].schema(), vec![batches]).expect("a table");
    context.register_table("datagen", Arc::new(table)).expect("a table");
    for (kind, (name, fields)) in batch::EVENTS.iter().enumerate() {
        let fields: Vec<&str> = fields.split(' ').map(|field| field.trim_end_matches([':', '@'])).collect();
        let fields: Vec<String> = fields.iter().map(|field| format!("{name}['{field}'] AS `{field}`")).collect();
        let select = format!("SELECT {} FROM datagen WHERE event_type = {kind}", fields.join(", "));
        let created = context.sql(&format!("CREATE TABLE {name} AS {select}")).await.expect("a table");
        created.collect().await.expect("a table");
    }
    context
}

/// Rows as text, sorted.
async fn batch_result(context: &SessionContext, sql: &str) -> Result<Vec<String>, String> {
    let frame = context.sql(sql).await.map_err(|error| format!("batch: {error}"))?;
    let batches = frame.collect().await.map_err(|error| format!("batch: {error}"))?;
    let mut rows: Vec<String> = batches.iter().flat_map(rows_of).collect();
    rows.sort();
    Ok(rows)
}
