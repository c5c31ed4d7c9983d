//! The corpus of functions and types: `tests/slt/*.slt`, in the format of sqllogictest.
//!
//! Every query runs through the whole engine: session, planner, runtime. What is expected is what
//! Flink gives, printed as its client prints it. `SLUICE_CORPUS` picks files by a part of their name.
//!
//! ```text
//! query TI rowsort
//! SELECT UPPER(s), CHAR_LENGTH(s) FROM (VALUES ('ab'), (CAST(NULL AS STRING)), ('')) AS t(s)
//! ----
//! AB | 2
//! NULL | NULL
//!  | 0
//!
//! statement error / by zero
//! SELECT 1 / 0
//! ```

mod page;
mod record;
mod surface;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluice_model::{RowKind, SqlType, SystemClock};
use sluice_runtime::Engine;
use sluice_server::cells::CellFormatter;
use sluice_sql::{Environment, Home, Outcome, QueryResult, Session};

use self::record::{Expected, Record};

/// Planning recurses deeper than the 2 MiB of a test's thread; the programs have 32 as well.
const STACK_SIZE: usize = 32 << 20;

#[test]
fn functions_give_what_flink_gives() {
    let test = std::thread::Builder::new().stack_size(STACK_SIZE).spawn(|| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.enable_all().thread_stack_size(STACK_SIZE).build().expect("a runtime");
        runtime.block_on(run_files())
    });
    let failures = test.expect("a thread").join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    assert!(failures.is_empty(), "{} records fail:\n\n{}", failures.len(), failures.join("\n\n"));
}

/// The files of the corpus, by name.
fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("slt");
    let entries = std::fs::read_dir(&folder).expect("the corpus");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "slt"));
    files.sort();
    files
}

async fn run_files() -> Vec<String> {
    let part = std::env::var("SLUICE_CORPUS").unwrap_or_default();
    let home = sluice_tests::scratch().expect("a directory");
    let connectors = sluice_registry::connectors();
    let environment = Arc::new(Environment {
        connectors: connectors.clone(),
        engine: Arc::new(Engine::new(connectors, SystemClock::shared())),
        home: Home::at(home.path()),
        clock: SystemClock::shared(),
    });
    let mut failures = Vec::new();
    for file in files() {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.contains(&part) {
            continue;
        }
        let mut session = Session::new(Arc::clone(&environment));
        for record in record::read(&file) {
            if let Err(why) = check(&mut session, &record).await {
                failures.push(format!("{name}:{}: {}\n{why}", record.line, record.sql));
            }
        }
    }
    failures
}

async fn check(session: &mut Session, record: &Record) -> Result<(), String> {
    let outcome = run(session, &record.sql).await;
    match (&record.expected, outcome) {
        (Expected::Error(text), Err(error)) if error.contains(text.as_str()) => Ok(()),
        (Expected::Error(text), Err(error)) => Err(format!("expected the error: {text}\nbut it is: {error}")),
        (Expected::Error(text), Ok((_, rows))) => Err(format!("expected the error: {text}\nbut there is {rows:?}")),
        (_, Err(error)) => Err(format!("error: {error}")),
        (Expected::Ok, Ok(_)) => Ok(()),
        (Expected::Rows { types, sorted, rows }, Ok((actual_types, mut actual))) => {
            if *sorted {
                actual.sort();
            }
            let mut difference = String::new();
            if *types != actual_types {
                difference = format!("expected the types {types} but they are {actual_types}\n");
            }
            if *rows != actual {
                let lines = |rows: &[String]| rows.iter().map(|row| format!("  {row}\n")).collect::<String>();
                difference += &format!("expected\n{}but there is\n{}", lines(rows), lines(&actual));
            }
            if difference.is_empty() { Ok(()) } else { Err(difference) }
        }
    }
}

/// Types and rows that a statement returns.
async fn run(session: &mut Session, sql: &str) -> Result<(String, Vec<String>), String> {
    match session.execute_text(sql).await.map_err(|error| error.to_string())? {
        Outcome::Query(result) => {
            let zone = session.settings().given("table.local-time-zone").unwrap_or("UTC").to_owned();
            let types = result.columns.iter().map(|column| type_letter(&column.data_type)).collect();
            Ok((types, materialized(result, &zone).await?))
        }
        Outcome::Rows(table) => {
            let line = |row: &Vec<Option<String>>| line(row);
            Ok(("T".repeat(table.columns.len()), table.rows.iter().map(line).collect()))
        }
        _ => Ok((String::new(), Vec::new())),
    }
}

/// The letters of DataFusion's corpus.
fn type_letter(sql_type: &SqlType) -> char {
    match sql_type {
        SqlType::Char(_) | SqlType::VarChar(_) => 'T',
        SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt => 'I',
        SqlType::Float | SqlType::Double | SqlType::Decimal(..) => 'R',
        SqlType::Boolean => 'B',
        SqlType::Date => 'D',
        SqlType::Timestamp(_) | SqlType::TimestampLtz(_) => 'P',
        _ => '?',
    }
}

/// The rows that are there when the query has ended.
async fn materialized(mut result: QueryResult, zone: &str) -> Result<Vec<String>, String> {
    let formatter = CellFormatter::new(&result.columns, zone);
    let mut rows: VecDeque<String> = VecDeque::new();
    while let Some(batch) = result.batches.recv().await {
        let texts = formatter.rows(&batch).map_err(|error| error.to_string())?;
        for (number, row) in texts.iter().enumerate() {
            let text = line(&row.cells);
            if matches!(batch.kind(number), RowKind::Insert | RowKind::UpdateAfter) {
                rows.push_back(text);
            } else {
                let place = rows.iter().position(|row| *row == text);
                place.and_then(|place| rows.remove(place)).ok_or(format!("'{text}' is deleted but is not there"))?;
            }
        }
    }
    result.job.wait().await.map_err(|error| error.to_string())?;
    Ok(rows.into())
}

/// Cells as the files of the corpus have them.
fn line(cells: &[Option<String>]) -> String {
    let cells = cells.iter().map(|cell| cell.as_deref().unwrap_or("NULL").replace('\n', "\\n"));
    cells.collect::<Vec<_>>().join(" | ").trim_end().to_owned()
}
