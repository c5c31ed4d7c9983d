//! Checkpoints that fail, or are damaged.

use std::time::Duration;

use sluice_runtime::{CheckpointStatus, JobConfig, JobStatus, Restore, StopRequest};

use crate::support::{PlanBuilder, TestBed, World, eventually, final_table, updates};

fn endless() -> sluice_plan::StreamPlan {
    PlanBuilder::copy(&[("bounded", "false"), ("delay", "1ms")], &[])
}

/// Puts a file where the directory of the job was: every write fails from now on.
fn break_storage(bed: &TestBed) {
    let dir = bed.path("checkpoints");
    std::fs::rename(&dir, bed.path("away")).unwrap();
    std::fs::write(&dir, "in the way").unwrap();
}

fn mend_storage(bed: &TestBed) {
    let dir = bed.path("checkpoints");
    std::fs::remove_file(&dir).unwrap();
    std::fs::rename(bed.path("away"), &dir).unwrap();
}

#[tokio::test]
async fn failed_checkpoints_are_borne_as_long_as_the_user_says() {
    let bed = TestBed::new(World::default().with_script("in", updates(100, 10, (0, 1))));
    let config = JobConfig { tolerable_failed_checkpoints: 1000, ..bed.config() };
    let job = bed.submit(endless(), config);
    eventually("a checkpoint is complete", || job.checkpoints().counts.completed > 0).await;
    break_storage(&bed);
    eventually("checkpoints fail", || job.checkpoints().counts.failed > 3).await;
    let failed = job.checkpoints().latest_failed.unwrap();
    assert_eq!(failed.status, CheckpointStatus::Failed);
    assert!(failed.failure.unwrap().contains("cannot"));
    mend_storage(&bed);
    let completed = job.checkpoints().counts.completed;
    eventually("checkpoints are complete again", || job.checkpoints().counts.completed > completed).await;
    assert_eq!((job.status(), job.attempt()), (JobStatus::Running, 1));
    job.cancel();
    job.wait().await.unwrap();
}

#[tokio::test]
async fn one_more_than_that_restarts_the_job() {
    let bed = TestBed::new(World::default().with_script("in", updates(100, 10, (0, 1))));
    let job = bed.submit(endless(), bed.config());
    eventually("a checkpoint is complete", || job.checkpoints().counts.completed > 0).await;
    break_storage(&bed);
    eventually("the job restarts", || job.restarts() > 2).await;
    mend_storage(&bed);
    eventually("it runs again", || job.status() == JobStatus::Running).await;
    assert!(job.exceptions()[0].error.contains("failed: cannot"), "{:?}", job.exceptions()[0]);
    eventually("it goes on from its checkpoint", || job.checkpoints().restored.is_some()).await;
    job.cancel();
    job.wait().await.unwrap();
}

#[tokio::test]
async fn a_checkpoint_that_takes_too_long_is_given_up() {
    let bed = TestBed::new(World::default().with_script("in", updates(3000, 10, (0, 1))));
    let config =
        JobConfig { checkpoint_timeout: Duration::from_millis(30), tolerable_failed_checkpoints: 1000, ..bed.config() };
    // Some ten batches wait in front of the sink: a barrier takes at least 10 × 20 ms.
    let plan = PlanBuilder::copy(&[("batch", "100")], &[("delay", "20ms"), ("mode", "transactional")]);
    let job = bed.submit(plan, config);
    eventually("checkpoints are given up", || job.checkpoints().counts.failed > 2).await;
    let failure = job.checkpoints().latest_failed.unwrap().failure.unwrap();
    assert!(failure.starts_with("not all subtasks answered within 30ms"), "{failure}");
    job.wait().await.unwrap();
    // What was prepared for them was committed with the last one.
    let script = bed.world.lock().scripts["in"].clone();
    assert_eq!(bed.world.log("out").len(), script.len());
}

#[tokio::test]
async fn a_damaged_checkpoint_is_skipped_and_told() {
    let script = updates(2000, 50, (0, 1));
    let bed = TestBed::new(World::default().with_script("in", script.clone()));
    let plan = |bounded| PlanBuilder::copy(&[("bounded", bounded), ("delay", "1ms")], &[("mode", "transactional")]);
    let job = bed.submit(plan("false"), bed.config());
    eventually("checkpoints are complete", || job.checkpoints().counts.completed > 3).await;
    job.cancel();
    job.wait().await.unwrap();
    let latest = job.checkpoints().latest_completed.unwrap();
    let manifest = std::path::Path::new(latest.path.as_deref().unwrap()).join("MANIFEST.json");
    let mut bytes = std::fs::read(&manifest).unwrap();
    bytes[60] ^= 4;
    std::fs::write(&manifest, bytes).unwrap();

    let job = bed.submit(plan("true"), JobConfig { restore: Restore::Latest, ..bed.config() });
    job.wait().await.unwrap();
    let exception = &job.exceptions()[0];
    assert!(exception.error.contains("is damaged and was skipped"), "{exception:?}");
    assert!(exception.error.contains("because: the manifest is damaged"), "{exception:?}");
    // The damaged one was committed already, so that its rows come twice; none is lost.
    assert_eq!(final_table(&script), final_table(&dedup(bed.world.log("out"), &script)));
}

/// The rows of the script that have arrived, in the order of the script.
fn dedup(log: Vec<crate::support::Row>, script: &[crate::support::Row]) -> Vec<crate::support::Row> {
    script.iter().filter(|row| log.binary_search(row).is_ok()).copied().collect()
}

#[tokio::test]
async fn a_second_process_ends_the_first() {
    let bed = TestBed::new(World::default().with_script("in", updates(100, 10, (0, 1))));
    let first = bed.submit(endless(), bed.config());
    eventually("a checkpoint is complete", || first.checkpoints().counts.completed > 0).await;
    let second = bed.submit(endless(), JobConfig { restore: Restore::Latest, ..bed.config() });
    let error = first.wait().await.unwrap_err();
    assert!(error.what().contains("another process has taken over the checkpoints of this job"), "{error}");
    let completed = second.checkpoints().counts.completed;
    eventually("the second goes on", || second.checkpoints().counts.completed > completed).await;
    second.stop(StopRequest::default()).await.unwrap();
}

#[tokio::test]
async fn an_unknown_storage_is_refused_at_once() {
    let bed = TestBed::new(World::default());
    let config = JobConfig { checkpoint_dir: "gs://bucket/checkpoints".into(), ..bed.config() };
    let id = sluice_runtime::JobId::random();
    let spec = sluice_runtime::JobSpec { id, name: "x".into(), plan: endless(), config, collect: None };
    let error = bed.engine.submit(spec).unwrap_err();
    assert_eq!(error.what(), "storage 'gs' for checkpoints is not supported");
}
