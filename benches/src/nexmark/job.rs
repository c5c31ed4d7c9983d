//! The text of a query, filled in for one of the engines.

use std::path::{Path, PathBuf};

use sluice_demo::Result;

/// Numbers of the queries.
pub const QUERIES: std::ops::RangeInclusive<u32> = 0..=23;

/// Rows of the bounded table of q13.
const SIDE_INPUT_ROWS: u32 = 10_000;

/// Who runs a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runner {
    /// This engine.
    Sluice,
    /// Apache Flink.
    Flink,
}

/// How a query is run.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Number of the query.
    pub query: u32,
    /// Events in all.
    pub events: u64,
    /// Events a second of event time.
    pub rate: u32,
    /// Subtasks of each operator.
    pub parallelism: usize,
    /// Time between checkpoints, such as `1 s`.
    pub checkpoint_interval: Option<String>,
}

/// Where the files of the benchmark are.
#[must_use]
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("nexmark")
}

/// Settings, as a configuration file has them.
#[must_use]
pub fn settings(setup: &Setup, home: &Path) -> Vec<(String, String)> {
    let mut settings = vec![("parallelism.default".to_owned(), setup.parallelism.to_string())];
    if let Some(interval) = &setup.checkpoint_interval {
        settings.push(("execution.checkpointing.interval".to_owned(), interval.clone()));
        let path = format!("file://{}/checkpoints", home.display());
        settings.push(("execution.checkpointing.dir".to_owned(), path));
    }
    settings
}

/// Declarations and query, filled in; `home` takes the files that a query reads or writes.
///
/// # Errors
/// A file cannot be read or written.
pub fn text(setup: &Setup, runner: Runner, home: &Path) -> Result<String> {
    let read =
        |name: String| std::fs::read_to_string(directory().join(&name)).map_err(|error| format!("{name}: {error}"));
    let mut text = read("ddl.sql".to_owned())? + &read(format!("q{}.sql", setup.query))?;
    let side_input = home.join("side-input.csv");
    if text.contains("${SIDE_INPUT}") {
        let lines: Vec<String> = (0..SIDE_INPUT_ROWS).map(|row| format!("{row},{row}\n")).collect();
        std::fs::write(&side_input, lines.concat())?;
    }
    text = text
        .replace("${TPS}", &setup.rate.to_string())
        .replace("${EVENTS_NUM}", &setup.events.to_string())
        .replace("${OUTPUT_DIR}", &home.join("output").display().to_string());
    text = match runner {
        // Flink's file connector answers no lookups any more; a connector of its own for this file does.
        Runner::Flink => text
            .replace("'connector' = 'filesystem',\n  'path' = 'file://${SIDE_INPUT}',\n  'format' = 'csv'", SIDE_INPUT),
        // Java classes are Flink's alone.
        Runner::Sluice => text
            .replace("CREATE FUNCTION count_char AS 'com.github.nexmark.flink.udf.CountChar';\n", "")
            .replace("count_char(extra, 'c')", "CHAR_LENGTH(extra) - CHAR_LENGTH(REPLACE(extra, 'c', ''))"),
    };
    Ok(text.replace("${SIDE_INPUT}", &side_input.display().to_string()))
}

const SIDE_INPUT: &str = "'connector' = 'side-input',\n  'path' = '${SIDE_INPUT}'";

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: u32, runner: Runner) -> String {
        let home = tempfile::tempdir().unwrap();
        let setup = Setup { query, events: 7, rate: 1_000, parallelism: 1, checkpoint_interval: None };
        text(&setup, runner, home.path()).unwrap()
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        for query in QUERIES {
            for runner in [Runner::Sluice, Runner::Flink] {
                let text = of(query, runner);
                let statements: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
                assert!(!statements.join("\n").contains("${"), "{text}");
                assert!(text.contains("'events.num' = '7'") && text.contains("INSERT INTO"), "{text}");
            }
        }
    }

    #[test]
    fn only_what_an_engine_has_is_used() {
        assert!(of(14, Runner::Flink).contains("CREATE FUNCTION") && !of(14, Runner::Sluice).contains("count_char("));
        assert!(of(13, Runner::Flink).contains("'side-input'") && of(13, Runner::Sluice).contains("'filesystem'"));
    }
}
