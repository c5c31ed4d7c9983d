//! How long a row takes through an idle job, and what an idle job costs.

use std::time::Duration;

use sluice_runtime::JobConfig;

use crate::support::{PlanBuilder, TestBed, World, eventually, updates};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_row_passes_at_once() {
    let bed = TestBed::new(World::default().with_script("in", updates(200, 10_000, (0, 1))));
    let mut plan = PlanBuilder::default();
    let source = plan.source("in", &[("batch", "1"), ("delay", "2ms"), ("bounded", "false")], 1);
    let calc = plan.calc(source, "exchange", None, sluice_plan::Distribution::Hash(vec![0]), 2);
    plan.sink(calc, "out", &[], sluice_plan::Distribution::Forward, 2);
    let job = bed.submit(plan.build(), JobConfig::default());
    let total = bed.world.lock().scripts["in"].len();
    eventually("all rows are written", || bed.world.lock().latencies.len() >= total).await;
    let mut latencies = std::mem::take(&mut bed.world.lock().latencies);
    latencies.sort_unstable();
    let (median, p99) = (latencies[latencies.len() / 2], latencies[latencies.len() * 99 / 100]);
    println!("row latency over two channels: median {} µs, p99 {} µs", median / 1000, p99 / 1000);
    assert!(median < 2_000_000, "median {median} ns");
    // Nothing waits any more: the subtasks are idle, and say so as time passes.
    let idle = |job: &sluice_runtime::JobHandle| job.vertices().iter().map(|vertex| vertex.counts.idle_ms).sum::<u64>();
    let before = idle(&job);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(idle(&job) >= before + 4 * 90, "{} after {before}", idle(&job));
    job.cancel();
    job.wait().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_of_an_idle_job_takes_a_moment() {
    let bed = TestBed::new(World::default());
    let plan = PlanBuilder::copy(&[("bounded", "false")], &[]);
    let config = JobConfig { checkpoint_interval: Some(Duration::from_secs(3600)), ..bed.config() };
    let job = bed.submit(plan, config);
    let mut durations = Vec::new();
    // The first was taken when the job began.
    for expected in 2..=51 {
        let start = std::time::Instant::now();
        assert_eq!(job.checkpoint().await.unwrap(), expected);
        durations.push(start.elapsed());
    }
    durations.sort_unstable();
    println!("checkpoint, durable: median {:?}, slowest {:?}", durations[25], durations[49]);
    assert!(durations[25] < Duration::from_secs(1), "median {:?}", durations[25]);
    // One sweep runs at a time: the next checkpoint removes what this one left.
    tokio::time::sleep(Duration::from_millis(200)).await;
    job.checkpoint().await.unwrap();
    let retained = || std::fs::read_dir(bed.path("checkpoints/job")).unwrap().count();
    eventually("three checkpoints and the epochs are left", || retained() <= 4).await;
    job.cancel();
    job.wait().await.unwrap();
}
