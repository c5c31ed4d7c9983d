//! Jobs that end by themselves.

use std::time::Duration;

use sluice_plan::Distribution;
use sluice_runtime::{JobConfig, JobStatus, TaskStatus};

use crate::support::{PlanBuilder, TestBed, World, assert_rows, eventually, final_table, updates};

const HASH: fn() -> Distribution = || Distribution::Hash(vec![0]);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_arrives_at_every_parallelism() {
    let script = updates(3000, 200, (0, 1));
    for parallelism in 1..=4 {
        for checkpointing in [false, true] {
            let bed = TestBed::new(World::default().with_script("in", script.clone()));
            let mut plan = PlanBuilder::default();
            let source = plan.source("in", &[("batch", "64")], parallelism);
            let calc = plan.calc(source, "exchange", None, HASH(), 5 - parallelism);
            plan.sink(calc, "table", &[], HASH(), parallelism);
            plan.sink(calc, "log", &[("mode", "transactional")], HASH(), 2);
            let config = if checkpointing { bed.config() } else { JobConfig::default() };
            let job = bed.submit(plan.build(), config);
            job.wait().await.unwrap();
            assert_eq!(job.status(), JobStatus::Finished);
            assert_eq!(bed.world.table("table"), final_table(&script));
            assert_rows(&bed.world.log("log"), &script, "log");
            for vertex in job.vertices() {
                assert_eq!(vertex.status, TaskStatus::Finished);
                assert_eq!(vertex.counts.records_in, script.len() as u64, "{}", vertex.name);
            }
            let channel_bytes =
                job.metrics().samples().into_iter().find(|sample| sample.name == "channel_bytes").unwrap();
            assert_eq!(channel_bytes.value, 0);
        }
    }
}

#[tokio::test]
async fn constant_rows_are_put_out_once() {
    for parallelism in [1, 3] {
        let bed = TestBed::new(World::default());
        let mut plan = PlanBuilder::default();
        let values = plan.values("+I 1 10 / +I 2 20", parallelism);
        plan.sink(values, "log", &[("mode", "transactional")], HASH(), 2);
        let job = bed.submit(plan.build(), JobConfig::default());
        job.wait().await.unwrap();
        assert_eq!(bed.world.log("log").len(), 2);
    }
}

#[tokio::test]
async fn a_finished_job_leaves_a_checkpoint_that_has_nothing_left_to_do() {
    let script = updates(100, 10, (0, 1));
    let bed = TestBed::new(World::default().with_script("in", script.clone()));
    let plan = || PlanBuilder::copy(&[], &[("mode", "transactional")]);
    let config = JobConfig { checkpoint_interval: Some(Duration::from_secs(3600)), ..bed.config() };
    let job = bed.submit(plan(), config.clone());
    job.wait().await.unwrap();
    assert_eq!(job.checkpoints().counts.completed, 2, "where it began, and where it ended");
    let job = bed.submit(plan(), JobConfig { restore: sluice_runtime::Restore::Latest, ..config });
    job.wait().await.unwrap();
    assert_eq!(bed.world.log("out").len(), script.len());
    assert_eq!(job.vertices()[0].counts.records_in, 0);
}

#[tokio::test]
async fn no_row_leaves_a_new_job_before_its_beginning_is_durable() {
    let script = updates(100, 10, (0, 1));
    let bed = TestBed::new(World::default().with_script("in", script.clone()));
    let plan = || PlanBuilder::copy(&[("bounded", "false")], &[]);
    let config = JobConfig { checkpoint_interval: Some(Duration::from_secs(3600)), ..bed.config() };
    let job = bed.submit(plan(), config.clone());
    eventually("a row is read", || job.vertices()[0].counts.records_in > 0).await;
    assert_eq!(job.checkpoints().counts.completed, 1);
    job.cancel();
    job.wait().await.unwrap();
    let job = bed.submit(plan(), JobConfig { restore: sluice_runtime::Restore::Latest, ..config });
    let all = script.len() as u64;
    eventually("all rows are read again", || job.vertices()[0].counts.records_in == all).await;
    assert_eq!(job.checkpoints().counts.completed, 0, "it began where the first checkpoint is");
    job.cancel();
    job.wait().await.unwrap();
}

#[tokio::test]
async fn checkpoints_go_on_when_one_source_has_ended_and_the_other_is_idle() {
    let world = World::default().with_script("ends", updates(50, 10, (0, 2))).with_script("idles", vec![]);
    let bed = TestBed::new(world);
    let mut plan = PlanBuilder::default();
    let ends = plan.source("ends", &[], 1);
    let idles = plan.source("idles", &[("bounded", "false")], 1);
    let union = plan.union(&[ends, idles], "union");
    plan.sink(union, "out", &[("mode", "transactional")], Distribution::Forward, 1);
    let job = bed.submit(plan.build(), bed.config());
    eventually("five checkpoints are complete", || job.checkpoints().counts.completed >= 5).await;
    assert_eq!(job.status(), JobStatus::Running);
    assert!(bed.world.log("out").len() >= 50);
    job.cancel();
    job.wait().await.unwrap();
    assert_eq!(job.status(), JobStatus::Canceled);
}
