//! Rows for a client.

use sluice_model::{ChangelogBatch, to_pretty};
use sluice_runtime::{JobConfig, JobId, JobSpec, JobStatus};
use tokio::sync::mpsc;

use crate::support::{PlanBuilder, TestBed, World, eventually, updates};

fn spec(plan: sluice_plan::StreamPlan, rows: mpsc::Sender<ChangelogBatch>) -> JobSpec {
    JobSpec { id: JobId::random(), name: "select".into(), plan, config: JobConfig::default(), collect: Some(rows) }
}

#[tokio::test]
async fn a_client_gets_all_rows_and_then_the_end() {
    let bed = TestBed::new(World::default());
    let mut plan = PlanBuilder::default();
    let values = plan.values("+I 1 10 / +I 2 20", 1);
    plan.collect(values);
    let (sender, mut rows) = mpsc::channel(1);
    let job = bed.engine.submit(spec(plan.build(), sender)).unwrap();
    let mut seen = Vec::new();
    while let Some(batch) = rows.recv().await {
        seen.push(to_pretty(&batch));
    }
    assert_eq!(seen, ["+I 1 10 / +I 2 20"]);
    job.wait().await.unwrap();
    assert_eq!(job.status(), JobStatus::Finished);
}

#[tokio::test]
async fn a_client_that_goes_ends_the_job_quietly() {
    for script in [updates(10_000, 10, (0, 1)), vec![]] {
        let bed = TestBed::new(World::default().with_script("in", script));
        let mut plan = PlanBuilder::default();
        let source = plan.source("in", &[("bounded", "false")], 1);
        plan.collect(source);
        let (sender, rows) = mpsc::channel(1);
        let job = bed.engine.submit(spec(plan.build(), sender)).unwrap();
        eventually("it runs", || job.status() == JobStatus::Running).await;
        drop(rows);
        job.wait().await.unwrap();
        assert_eq!(job.status(), JobStatus::Finished);
        assert!(job.exceptions().is_empty());
    }
}

#[tokio::test]
async fn a_slow_client_holds_the_source_up() {
    let bed = TestBed::new(World::default().with_script("in", updates(100_000, 10, (0, 1))));
    let mut plan = PlanBuilder::default();
    let source = plan.source("in", &[("batch", "100")], 1);
    plan.collect(source);
    let (sender, rows) = mpsc::channel(1);
    let job = bed.engine.submit(spec(plan.build(), sender)).unwrap();
    eventually("the source waits", || job.vertices()[0].counts.backpressured_ms > 50).await;
    assert!(bed.world.read("in") < 2000, "{} rows were read", bed.world.read("in"));
    drop(rows);
    job.wait().await.unwrap();
}
