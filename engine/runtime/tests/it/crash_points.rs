//! The process dies at every single step that it takes on the storage of its checkpoints: what the sinks
//! have in the end is what the rows give when nothing dies.
//!
//! A step is whatever may come between two moments at which the power fails: making a file, a part of its
//! content, a sync, a rename, the second name that publishes a checkpoint, a removal, a look into a
//! directory; in buckets a request. The storages are disks and buckets that lose what real ones lose.

use std::time::Duration;

use sluice_model::RowKind;
use sluice_plan::{Distribution, StreamPlan};
use sluice_runtime::{JobConfig, RestartStrategy, Restore};
use sluice_state::testing::{CrashStorage, FATES, Fate};

use crate::support::{PlanBuilder, Row, TestBed, World, final_table, materialised, updates};

/// Finds the old content of changes, and writes both in transactions.
fn plan(parallelism: usize) -> StreamPlan {
    let mut plan = PlanBuilder::default();
    let source = plan.source("in", &[("batch", "11"), ("delay", "2ms")], 2);
    let normalize = plan.normalize(source, "normalize", parallelism);
    plan.sink(normalize, "log", &[("mode", "transactional")], Distribution::Hash(vec![0]), 2);
    plan.build()
}

/// Incremental or not, within a budget or without, at another parallelism: every run is another one.
fn config(storage: &CrashStorage, run: usize) -> JobConfig {
    JobConfig {
        checkpoint_dir: storage.directory(),
        checkpoint_interval: Some(Duration::from_millis(4)),
        incremental: !run.is_multiple_of(3),
        inline_threshold: 0,
        retained: 1 + run % 2,
        state_memory: [None, Some(1), Some(100_000)][run / 2 % 3],
        restart: RestartStrategy::None,
        restore: Restore::Latest,
        ..JobConfig::default()
    }
}

/// Runs a job whose storage dies at one step, and another one at a step of the next run; then lets it end.
/// Returns whether the storage died in the first run.
async fn dies_and_comes_back(script: &[Row], fate: Fate, step: usize) -> bool {
    let mut bed = TestBed::new(World::default().with_script("in", script.to_vec()));
    let storage = CrashStorage::new(fate);
    let mut died = false;
    // The second run dies while it restores, or soon after.
    for (run, step) in [(0, step), (1, step % 37)] {
        storage.die_at(step);
        let job = bed.submit(plan(1 + (step + run) % 3), config(&storage, step + run));
        job.wait().await.ok();
        died |= run == 0 && storage.is_dead();
        bed.crash();
        storage.restart();
    }
    let job = bed.submit(plan(2), config(&storage, step + 2));
    let context = format!("{fate:?}, step {step}");
    job.wait().await.unwrap_or_else(|error| panic!("{context}: {error}"));
    assert!(job.exceptions().is_empty(), "{context}: {:?}", job.exceptions());
    assert_eq!(materialised(&bed.world.log("log"), &context), final_table(script), "{context}");
    died
}

/// Every step of a fate, in turn with the others.
async fn every_step_of(fate: Fate) {
    let mut script: Vec<Row> = (0..60).map(|id| (RowKind::Insert, id, -1 - id)).collect();
    script.extend(updates(120, 20, (1000, 1)));
    let mut step = 0;
    while dies_and_comes_back(&script, fate, step).await {
        step += 1;
        if step == MOST {
            return;
        }
    }
    assert!(step > 40, "{fate:?}: only {step} steps were tried");
}

/// Steps of later checkpoints are those of the first ones.
const MOST: usize = 160;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_dies_at_any_step_when_a_process_is_killed() {
    every_step_of(Fate::DiskKept).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_loses_what_was_not_synced_at_any_step() {
    every_step_of(Fate::DiskLost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_keeps_names_without_contents_at_any_step() {
    every_step_of(Fate::DiskNamesKept).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_loses_any_request() {
    every_step_of(Fate::BucketLost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_does_not_answer_any_request() {
    every_step_of(Fate::BucketUnanswered).await;
    assert_eq!(FATES.len(), 5, "each has its test");
}
