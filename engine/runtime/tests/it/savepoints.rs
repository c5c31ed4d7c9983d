//! Stopping, savepoints, and what a job may start from.

use std::path::Path;
use std::time::Duration;

use sluice_model::{BarrierKind, Reaction};
use sluice_plan::{Distribution, StreamPlan};
use sluice_runtime::{JobConfig, JobStatus, Restore, StopRequest};

use crate::support::{PlanBuilder, TestBed, World, assert_rows, eventually, updates};

fn plan(sink: &str, parallelism: usize, bounded: &str) -> StreamPlan {
    let mut plan = PlanBuilder::default();
    let source = plan.source("in", &[("batch", "5"), ("delay", "1ms"), ("bounded", bounded)], 1);
    plan.sink(source, sink, &[("mode", "transactional")], Distribution::Hash(vec![0]), parallelism);
    plan.build()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_goes_on_from_a_savepoint_at_another_parallelism() {
    let script = updates(1500, 100, (0, 1));
    for checkpoint_interval in [Some(Duration::from_millis(20)), None] {
        let bed = TestBed::new(World::default().with_script("in", script.clone()));
        let config = JobConfig { checkpoint_interval, ..bed.config() };
        let job = bed.submit(plan("log", 1, "false"), config.clone());
        eventually("rows are written", || bed.world.written("log") > 200).await;
        let request = StopRequest { savepoint: true, drain: false, savepoint_dir: Some(bed.path("mine")) };
        let path = job.stop(request).await.unwrap().unwrap();
        assert!(Path::new(&path).starts_with(bed.path("mine")));
        job.wait().await.unwrap();
        assert_eq!(job.status(), JobStatus::Finished);
        let stopped_at = bed.world.read("in");
        assert_eq!(bed.world.log("log").len() as u64, stopped_at, "what was read is committed");

        let config = JobConfig { restore: Restore::Path(path.clone()), ..config };
        let job = bed.submit(plan("log", 4, "true"), config);
        job.wait().await.unwrap();
        assert_eq!(bed.world.read("in"), script.len() as u64, "no row was read twice");
        assert_rows(&bed.world.log("log"), &script, "log");
        let restored = job.checkpoints().restored.unwrap();
        assert_eq!((restored.is_savepoint, restored.path), (true, path));
    }
}

#[tokio::test]
async fn a_savepoint_commits_nothing_but_holds_everything() {
    let script = updates(60, 10, (0, 1));
    let rows = script.len();
    let bed = TestBed::new(World::default().with_script("in", script));
    let config = JobConfig { checkpoint_interval: Some(Duration::from_secs(3600)), ..bed.config() };
    let job = bed.submit(plan("log", 1, "false"), config.clone());
    eventually("all rows are written", || bed.world.written("log") == rows as u64).await;
    let path = job.savepoint(None).await.unwrap();
    assert!(Path::new(&path).starts_with(bed.path("savepoints")));
    assert_eq!(bed.world.log("log").len(), 0);
    let id = job.checkpoint().await.unwrap();
    eventually("the checkpoint is committed", || bed.world.log("log").len() == rows).await;
    let overview = job.checkpoints();
    assert_eq!(overview.latest_completed.unwrap().id, id);
    assert_eq!(overview.latest_savepoint.unwrap().kind, BarrierKind::Savepoint);
    job.cancel();
    job.wait().await.unwrap();
    // Its rows are committed from the savepoint too, but only once.
    let job = bed.submit(plan("log", 1, "true"), JobConfig { restore: Restore::Path(path), ..config });
    job.wait().await.unwrap();
    assert_eq!(bed.world.log("log").len(), rows);
}

#[tokio::test]
async fn stopping_without_a_savepoint_leaves_a_checkpoint_or_nothing() {
    let script = updates(100, 10, (0, 1));
    let bed = TestBed::new(World::default().with_script("in", script.clone()));
    let job = bed.submit(plan("log", 1, "false"), bed.config());
    eventually("rows are written", || bed.world.written("log") >= 100).await;
    let path = job.stop(StopRequest::default()).await.unwrap().unwrap();
    assert!(path.starts_with(&bed.path("checkpoints/job/chk-")), "{path}");
    let error = job.stop(StopRequest::default()).await.unwrap_err();
    assert_eq!(error.what(), "job 'test' is not running, it is FINISHED");

    let bed = TestBed::new(World::default().with_script("in", script));
    let job = bed.submit(plan("log", 1, "false"), JobConfig { checkpoint_interval: None, ..bed.config() });
    eventually("it runs", || job.status() == JobStatus::Running).await;
    assert!(job.checkpoint().await.unwrap_err().what().contains("takes no checkpoints"));
    let request = StopRequest { drain: true, ..StopRequest::default() };
    assert_eq!(job.stop(request).await.unwrap(), None);
}

#[tokio::test]
async fn a_savepoint_that_cannot_be_written_leaves_the_job_running() {
    let script = updates(400, 10, (0, 1));
    let bed = TestBed::new(World::default().with_script("in", script.clone()));
    let job = bed.submit(plan("log", 1, "true"), bed.config());
    eventually("it runs", || job.status() == JobStatus::Running).await;
    let file = bed.path("file");
    std::fs::write(&file, "not a directory").unwrap();
    let dir = Some(format!("{file}/below"));
    let request = StopRequest { savepoint: true, savepoint_dir: dir.clone(), ..StopRequest::default() };
    assert!(job.stop(request).await.unwrap_err().what().contains("failed: cannot create"));
    assert!(job.savepoint(dir).await.unwrap_err().what().contains("failed: cannot create"));
    assert!(job.savepoint(Some("gs://bucket/x".into())).await.unwrap_err().what().contains("is not supported"));
    job.wait().await.unwrap();
    assert_rows(&bed.world.log("log"), &script, "log");
    assert_eq!(job.attempt(), 1);
}

#[tokio::test]
async fn state_without_a_taker_is_refused_unless_it_is_waived() {
    let bed = TestBed::new(World::default().with_script("in", updates(300, 10, (0, 1))));
    let config = JobConfig { checkpoint_interval: Some(Duration::from_secs(3600)), ..bed.config() };
    let job = bed.submit(plan("log", 1, "false"), config.clone());
    eventually("rows are written", || bed.world.written("log") > 50).await;
    let path = job.savepoint(None).await.unwrap();
    job.cancel();
    job.wait().await.unwrap();

    let restore = Restore::Path(path);
    let job = bed.submit(plan("logs", 1, "true"), JobConfig { restore: restore.clone(), ..config.clone() });
    let error = job.wait().await.unwrap_err();
    assert_eq!(error.reaction(), Reaction::Fix);
    assert_eq!(error.why(), Some("nothing in the job is called 'log' (the job has 'logs')"));
    let job = bed.submit(plan("logs", 1, "true"), JobConfig { restore, ignore_unclaimed: true, ..config });
    job.wait().await.unwrap();
    // The rows of the savepoint were prepared by the sink that is gone; the others have arrived.
    assert_eq!(bed.world.log("log").len(), 0);
    assert!(!bed.world.log("logs").is_empty());
}

#[tokio::test]
async fn another_sink_does_not_disturb_the_state_of_the_others() {
    let script = updates(300, 10, (0, 1));
    let bed = TestBed::new(World::default().with_script("in", script.clone()));
    let job = bed.submit(plan("log", 1, "false"), bed.config());
    eventually("rows are written", || bed.world.written("log") > 50).await;
    job.stop(StopRequest::default()).await.unwrap();
    let mut more = PlanBuilder::default();
    let source = more.source("in", &[("batch", "5")], 1);
    more.sink(source, "new", &[], Distribution::Forward, 1);
    more.sink(source, "log", &[("mode", "transactional")], Distribution::Hash(vec![0]), 2);
    let job = bed.submit(more.build(), JobConfig { restore: Restore::Latest, ..bed.config() });
    job.wait().await.unwrap();
    assert_rows(&bed.world.log("log"), &script, "log");
    assert!(!bed.world.table("new").is_empty());
}
