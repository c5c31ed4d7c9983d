//! Sinks that are slower than their sources: checkpoints stay short, and nothing is lost or repeated.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sluice_plan::{Distribution, StreamPlan};
use sluice_runtime::{JobConfig, Restore};

use crate::support::{PlanBuilder, TestBed, World, eventually, final_table, updates};

/// A source, an exchange to an operator with state, another to sinks that take a tenth of a millisecond a row.
fn plan(batch: &str, bounded: &str, parallelism: usize) -> StreamPlan {
    let mut plan = PlanBuilder::default();
    let source = plan.source("in", &[("batch", batch), ("bounded", bounded)], 2);
    let normalize = plan.normalize(source, "normalize", parallelism);
    let slow = [("mode", "transactional"), ("row-delay", "100 us")];
    plan.sink(normalize, "log", &slow, Distribution::Rebalance, 2);
    plan.build()
}

/// How long a checkpoint takes when everything is full; the longest of some.
async fn longest_checkpoint(channel_time: Option<Duration>) -> Duration {
    let bed = TestBed::new(World::default().with_script("in", updates(400_000, 100_000, (0, 1))));
    let config = JobConfig { channel_time, checkpoint_interval: Some(Duration::from_secs(3600)), ..bed.config() };
    let job = bed.submit(plan("2000", "false", 2), config);
    eventually("the sinks are at work", || bed.world.written("log") > 0).await;
    // What had come before anybody knew how slow the sinks are has to be gone.
    tokio::time::sleep(Duration::from_secs(15)).await;
    let mut longest = Duration::ZERO;
    for _ in 0..3 {
        let start = Instant::now();
        job.checkpoint().await.unwrap();
        longest = longest.max(start.elapsed());
    }
    job.cancel();
    job.wait().await.ok();
    longest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn barriers_wait_for_what_is_worked_off_in_time() {
    let (unbounded, bounded) =
        tokio::join!(longest_checkpoint(None), longest_checkpoint(Some(Duration::from_millis(200))));
    println!("a checkpoint takes {unbounded:?}, and {bounded:?} with a bound of time");
    assert!(bounded * 2 < unbounded, "{bounded:?} with a bound of time, {unbounded:?} without");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_under_backpressure_change_nothing() {
    let script = updates(6000, 500, (0, 1));
    let mut bed = TestBed::new(World::default().with_script("in", script.clone()));
    let config = JobConfig {
        channel_time: Some(Duration::from_millis(20)),
        checkpoint_interval: Some(Duration::from_millis(30)),
        restore: Restore::Latest,
        ..bed.config()
    };
    for kill in 0..12_u64 {
        let job = bed.submit(plan("1000", "true", 1 + kill as usize % 3), config.clone());
        tokio::time::sleep(Duration::from_millis(100 + (kill * 37) % 171)).await;
        if kill % 2 == 0 {
            job.cancel();
            job.wait().await.ok();
        }
        bed.crash();
    }
    let job = bed.submit(plan("1000", "true", 2), config);
    job.wait().await.unwrap();
    // Each row was committed once: what was added and not taken back is the table.
    let mut counts: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for (kind, id, v) in bed.world.log("log") {
        *counts.entry((id, v)).or_default() += if kind.is_addition() { 1 } else { -1 };
    }
    counts.retain(|_, count| *count != 0);
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    assert_eq!(counts.into_keys().collect::<BTreeMap<_, _>>(), final_table(&script));
}
