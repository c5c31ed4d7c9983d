//! Failures and restarts: the result is as if there had been none.

use std::time::Duration;

use sluice_plan::Distribution;
use sluice_runtime::{JobConfig, JobStatus, RestartStrategy, Restore};

use crate::support::{PlanBuilder, TestBed, World, assert_rows, eventually, final_table, updates};

fn hash() -> Distribution {
    Distribution::Hash(vec![0])
}

/// A source, an exchange, an upsert sink and a transactional one.
fn plan(parallelism: usize, bounded: &str) -> sluice_plan::StreamPlan {
    let mut plan = PlanBuilder::default();
    let source = plan.source("in", &[("batch", "7"), ("delay", "1ms"), ("bounded", bounded)], 2);
    let calc = plan.calc(source, "exchange", None, hash(), parallelism);
    plan.sink(calc, "table", &[], hash(), parallelism);
    plan.sink(calc, "log", &[("mode", "transactional")], hash(), 2);
    plan.build()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_and_panics_at_random_points_change_nothing() {
    let script = updates(1500, 100, (0, 1));
    for seed in 0..12 {
        let bed = TestBed::new(World::default().with_script("in", script.clone()));
        bed.world.lock().checkpoints = Some(bed.path("checkpoints/job"));
        bed.world.faults.arm(seed, 15, 150);
        let job = bed.submit(plan(1 + seed as usize % 4, "true"), bed.config());
        job.wait().await.unwrap();
        assert_eq!(job.restarts() + 1, job.attempt());
        assert_eq!(bed.world.table("table"), final_table(&script), "seed {seed}");
        assert_rows(&bed.world.log("log"), &script, &format!("seed {seed}"));
        assert!(job.restarts() > 0 && bed.world.faults.left() < 15);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_points_change_nothing() {
    let script = updates(1500, 100, (0, 1));
    let mut bed = TestBed::new(World::default().with_script("in", script.clone()));
    bed.world.lock().checkpoints = Some(bed.path("checkpoints/job"));
    let config = JobConfig { restore: Restore::Latest, ..bed.config() };
    for kill in 0..30_u64 {
        let job = bed.submit(plan(1 + kill as usize % 4, "true"), config.clone());
        tokio::time::sleep(Duration::from_millis(5 + (kill * 37) % 41)).await;
        if kill % 2 == 0 {
            job.cancel();
            job.wait().await.unwrap();
        }
        // Else the old process still runs for a moment beside the new one.
        bed.crash();
    }
    let job = bed.submit(plan(3, "true"), config);
    job.wait().await.unwrap();
    assert_eq!(bed.world.table("table"), final_table(&script));
    assert_rows(&bed.world.log("log"), &script, "log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_least_once_loses_nothing() {
    let script = updates(1000, 50, (0, 1));
    let bed = TestBed::new(World::default().with_script("in", script.clone()));
    bed.world.faults.arm(3, 10, 150);
    let job = bed.submit(plan(3, "true"), JobConfig { at_least_once: true, ..bed.config() });
    job.wait().await.unwrap();
    assert_eq!(bed.world.table("table"), final_table(&script));
    let log = bed.world.log("log");
    let missing = script.iter().filter(|row| log.binary_search(row).is_err()).count();
    assert_eq!(missing, 0);
}

#[tokio::test]
async fn without_checkpoints_a_restart_begins_at_the_beginning() {
    let script = updates(300, 50, (0, 1));
    let bed = TestBed::new(World::default().with_script("in", script.clone()));
    bed.world.faults.arm(1, 2, 40);
    let job = bed.submit(plan(2, "true"), JobConfig { checkpoint_interval: None, ..bed.config() });
    job.wait().await.unwrap();
    assert_eq!(bed.world.table("table"), final_table(&script));
    assert!(!std::path::Path::new(&bed.path("checkpoints")).exists());
}

#[tokio::test]
async fn a_strategy_that_is_used_up_fails_the_job() {
    let bed = TestBed::new(World::default().with_script("in", updates(100, 10, (0, 1))));
    bed.world.faults.arm(0, 1000, 1);
    let restart = RestartStrategy::FixedDelay { attempts: 3, delay: Duration::from_millis(1) };
    let job = bed.submit(PlanBuilder::copy(&[], &[]), JobConfig { restart, ..bed.config() });
    job.wait().await.unwrap_err();
    assert_eq!((job.status(), job.attempt(), job.restarts()), (JobStatus::Failed, 4, 3));
    assert_eq!(job.exceptions().len(), 4);
    let metrics = job.metrics().samples();
    assert_eq!(metrics.iter().find(|sample| sample.name == "restarts").unwrap().value, 3);
}

#[tokio::test]
async fn a_restarting_job_can_be_cancelled() {
    let bed = TestBed::new(World::default().with_script("in", updates(100, 10, (0, 1))));
    bed.world.faults.arm(0, 1000, 1);
    let restart = RestartStrategy::FixedDelay { attempts: 3, delay: Duration::from_secs(3600) };
    let job = bed.submit(PlanBuilder::copy(&[], &[]), JobConfig { restart, ..bed.config() });
    eventually("it waits to restart", || job.status() == JobStatus::Restarting).await;
    assert!(job.savepoint(None).await.unwrap_err().what().contains("is restarting"));
    job.cancel();
    job.wait().await.unwrap();
    assert_eq!(job.status(), JobStatus::Canceled);
}

#[tokio::test]
async fn the_engine_stops_its_jobs_so_that_they_can_go_on() {
    let script = updates(1000, 50, (0, 1));
    let mut bed = TestBed::new(World::default().with_script("in", script.clone()));
    let config = JobConfig { checkpoint_interval: Some(Duration::from_secs(3600)), ..bed.config() };
    let job = bed.submit(plan(2, "false"), config.clone());
    eventually("rows are written", || bed.world.written("table") > 100).await;
    bed.engine.shutdown().await;
    assert_eq!(job.status(), JobStatus::Suspended);
    let read = bed.world.read("in");
    assert!(read < 1000);
    bed.crash();
    let job = bed.submit(plan(2, "true"), JobConfig { restore: Restore::Latest, ..config });
    job.wait().await.unwrap();
    assert_eq!(bed.world.read("in"), script.len() as u64, "no row was read twice");
    assert_rows(&bed.world.log("log"), &script, "log");
}
