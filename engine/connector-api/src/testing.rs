//! Checks that every connector passes, and what a test needs to run one without an engine.
//!
//! ```no_run
//! # async fn check(connectors: sluice_connector_api::Connectors, table: sluice_model::TableDefinition) {
//! use sluice_connector_api::testing;
//! use sluice_model::ChangelogMode;
//! let source = connectors.source(vec![(table, ChangelogMode::RETRACT)]).unwrap();
//! testing::check_source_replays(source.as_ref(), 10).await;
//! # }
//! ```
//!
//! They report by panicking, as tests do.

#![allow(clippy::expect_used, clippy::panic, reason = "test helpers report by panicking")]

use std::time::Duration;

use sluice_model::{
    ChangelogBatch, ChangelogMode, Clock, MetricRegistry, SystemClock, TableDefinition, TableOptions, TableSchema,
    to_pretty,
};
use std::sync::Arc;

use crate::{Connectors, Sink, SinkContext, SinkWriter, Source, SourceContext, SourceEvent, SourceReader, Spawner};

/// How long anything may take before a check calls it stuck.
pub const BOUND: Duration = Duration::from_secs(30);

/// A spawner that spawns on the test's own runtime; an error of a task is printed.
pub fn spawner() -> Spawner {
    Spawner::new(|name, task| {
        tokio::spawn(async move {
            if let Err(error) = task.await {
                eprintln!("task '{name}' failed: {error}");
            }
        });
    })
}

/// The context of subtask `subtask` of `parallelism`, on the machine's clock.
pub fn source_context(subtask: usize, parallelism: usize, restored: Vec<Vec<u8>>) -> SourceContext {
    source_context_at(SystemClock::shared(), subtask, parallelism, restored)
}

/// The same on a clock of the test's own.
pub fn source_context_at(
    clock: Arc<dyn Clock>,
    subtask: usize,
    parallelism: usize,
    restored: Vec<Vec<u8>>,
) -> SourceContext {
    let metrics = MetricRegistry::default().group(Vec::new());
    SourceContext { subtask, parallelism, restored, feeds_state: false, metrics, spawner: spawner(), clock }
}

/// The context of writer `subtask` of `parallelism`, on the machine's clock.
pub fn sink_context(subtask: usize, parallelism: usize) -> SinkContext {
    SinkContext {
        subtask,
        parallelism,
        restored: Vec::new(),
        metrics: MetricRegistry::default().group(Vec::new()),
        spawner: spawner(),
        clock: SystemClock::shared(),
    }
}

/// A table called `t` with these columns and options.
pub fn table(schema: TableSchema, options: &[(&str, &str)]) -> TableDefinition {
    let options = TableOptions::from_pairs(options.iter().copied());
    let declared = schema.clone();
    TableDefinition { name: "t".to_owned(), schema, declared, options, ..TableDefinition::default() }
}

/// Plans the source of a table.
///
/// # Panics
/// The table is refused.
pub fn plan_source(connectors: &Connectors, table: TableDefinition) -> Arc<dyn Source> {
    connectors.source(vec![(table, ChangelogMode::RETRACT)]).unwrap_or_else(|error| panic!("{error}"))
}

/// Plans the sink of a table for a query of this mode.
///
/// # Panics
/// The table is refused.
pub fn plan_sink(connectors: &Connectors, table: &TableDefinition, changelog: ChangelogMode) -> Arc<dyn Sink> {
    connectors.sink(table, changelog).unwrap_or_else(|error| panic!("{error}"))
}

/// The next batch, `None` at the end.
///
/// # Panics
/// The source fails, or takes too long.
pub async fn next_batch(reader: &mut dyn SourceReader) -> Option<ChangelogBatch> {
    loop {
        let event =
            tokio::time::timeout(BOUND, reader.next()).await.expect("the source delivers within the time limit");
        match event.unwrap_or_else(|error| panic!("the source failed: {error}")) {
            SourceEvent::Batch { batch, .. } | SourceEvent::SplitBatch { batch, .. } => return Some(batch),
            SourceEvent::Split { .. } => {}
            SourceEvent::End => return None,
        }
    }
}

/// The rows of up to `batches` batches, in the pretty form, one a line.
///
/// # Panics
/// The source fails, or takes too long.
pub async fn read_rows(reader: &mut dyn SourceReader, batches: usize) -> Vec<String> {
    let mut rows = Vec::new();
    for _ in 0..batches {
        match next_batch(reader).await {
            Some(batch) if batch.is_empty() => {}
            Some(batch) => rows.extend(to_pretty(&batch).split(" / ").map(str::to_owned)),
            None => break,
        }
    }
    rows
}

/// Whatever a source has delivered since a position, it delivers again when it is opened there:
/// the same rows in the same order, however they are cut into batches.
///
/// # Panics
/// It does not.
pub async fn check_source_replays(source: &dyn Source, batches: usize) {
    let mut reader = source.open(source_context(0, 1, Vec::new())).await.expect("the source opens");
    let mut positions = vec![(0, None)];
    let mut rows = Vec::new();
    for _ in 0..batches {
        let Some(batch) = next_batch(reader.as_mut()).await else { break };
        if !batch.is_empty() {
            rows.extend(to_pretty(&batch).split(" / ").map(str::to_owned));
        }
        positions.push((rows.len(), Some(reader.position().expect("a position"))));
    }
    drop(reader);
    for (from, position) in positions {
        let context = source_context(0, 1, position.into_iter().collect());
        let mut reader = source.open(context).await.expect("the source opens at a position");
        let mut again = Vec::new();
        while again.len() < rows.len() - from {
            let more = read_rows(reader.as_mut(), 1).await;
            assert!(!more.is_empty(), "the source ended at row {} of {}", from + again.len(), rows.len());
            again.extend(more);
        }
        again.truncate(rows.len() - from);
        assert_eq!(again, rows[from..], "a source opened behind row {from} delivers the rows behind it");
    }
}

/// A reader that is waiting can be dropped at once, and a dropped call of `next` loses no row.
///
/// # Panics
/// It cannot, or does.
pub async fn check_source_stops(source: &dyn Source) {
    let mut reader = source.open(source_context(0, 1, Vec::new())).await.expect("the source opens");
    for _ in 0..20 {
        // Dropped in the middle, as a runtime does when a barrier is due.
        let _ = tokio::time::timeout(Duration::from_micros(50), reader.next()).await;
    }
    let stopping = async { drop(reader) };
    tokio::time::timeout(BOUND, stopping).await.expect("the source stops within the time limit");
}

/// A sink takes batches, survives a checkpoint that is committed twice, and stops in time.
///
/// # Panics
/// It does not.
pub async fn check_sink_commits_twice(sink: &dyn Sink, batches: Vec<ChangelogBatch>) {
    let checks = async {
        let mut writer = sink.open(sink_context(0, 1)).await.expect("the sink opens");
        for (checkpoint, batch) in (1..).zip(batches) {
            writer.write(batch).await.expect("the sink takes a batch");
            writer.idle().await.expect("the sink may be idle");
            commit_twice(writer.as_mut(), checkpoint).await;
        }
        writer.flush().await.expect("the sink flushes");
        writer.flush().await.expect("the sink flushes when there is nothing to flush");
    };
    tokio::time::timeout(BOUND, checks).await.expect("the sink is done within the time limit");
}

async fn commit_twice(writer: &mut dyn SinkWriter, checkpoint: u64) {
    let token = writer.prepare(checkpoint).await.expect("the sink prepares");
    writer.commit(checkpoint, &token).await.expect("the sink commits");
    writer.commit(checkpoint, &token).await.expect("the sink commits again");
}
