//! What goes wrong in a job stays in it.

use std::time::{Duration, Instant};

use sluice_model::Reaction;
use sluice_runtime::{JobConfig, JobStatus, RestartStrategy, TaskStatus};

use crate::support::{PlanBuilder, TestBed, World, eventually, final_table, updates};

fn once() -> RestartStrategy {
    RestartStrategy::FixedDelay { attempts: 1, delay: Duration::from_millis(1) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_fails_its_job_and_no_other() {
    let script = updates(2000, 100, (0, 1));
    let bed = TestBed::new(World::default().with_script("in", script.clone()));
    let healthy = bed.submit(PlanBuilder::copy(&[("delay", "1ms")], &[]), bed.config());
    let config = JobConfig { state_key: "other".into(), restart: once(), ..bed.config() };
    for fault in ["panic-write", "panic-spawned"] {
        let mut plan = PlanBuilder::default();
        let source = plan.source("in", &[], 1);
        plan.sink(source, "sick", &[("fault", fault)], sluice_plan::Distribution::Forward, 1);
        let sick = bed.submit(plan.build(), config.clone());
        let error = sick.wait().await.unwrap_err();
        assert_eq!(sick.status(), JobStatus::Failed);
        assert!(error.what().starts_with("a task panicked: the w"), "{error}");
        let exceptions = sick.exceptions();
        assert_eq!(exceptions.len(), 2, "one restart, then failed");
        assert!(exceptions[0].task.as_deref().unwrap().starts_with("Sink: sick (1/1)"));
        assert_eq!((sick.attempt(), sick.restarts()), (2, 1));
    }
    healthy.wait().await.unwrap();
    assert_eq!(healthy.attempt(), 1);
    assert_eq!(bed.world.table("out"), final_table(&script));
}

#[tokio::test]
async fn what_the_user_has_to_fix_is_not_tried_again() {
    for fault in ["fix-open", "fix-write"] {
        let bed = TestBed::new(World::default().with_script("in", updates(10, 10, (0, 1))));
        let job = bed.submit(PlanBuilder::copy(&[], &[("fault", fault)]), bed.config());
        let error = job.wait().await.unwrap_err();
        assert_eq!(error.reaction(), Reaction::Fix);
        assert_eq!((job.status(), job.attempt()), (JobStatus::Failed, 1));
        let exception = &job.exceptions()[0];
        assert_eq!(exception.task.as_deref(), Some("Sink: out (1/1)"));
        assert_eq!(job.vertices()[1].status, TaskStatus::Failed);
    }
}

#[tokio::test]
async fn wrong_options_are_told_at_once() {
    let bed = TestBed::new(World::default());
    let plan = PlanBuilder::copy(&[("bach", "5")], &[]);
    let spec = sluice_runtime::JobSpec {
        id: sluice_runtime::JobId::random(),
        name: "wrong".into(),
        plan,
        config: JobConfig::default(),
        collect: None,
    };
    let error = bed.engine.submit(spec).unwrap_err();
    assert_eq!(error.hint(), Some("did you mean 'batch'?"));
    assert!(bed.engine.jobs().is_empty());
}

#[tokio::test]
async fn a_sink_that_hangs_does_not_keep_the_job() {
    let bed = TestBed::new(World::default().with_script("in", updates(100, 10, (0, 1))));
    let job = bed.submit(PlanBuilder::copy(&[], &[("mode", "hang")]), bed.config());
    eventually("it runs", || job.status() == JobStatus::Running).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    job.cancel();
    job.wait().await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(job.status(), JobStatus::Canceled);
    assert_eq!(job.vertices()[1].status, TaskStatus::Canceled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_sink_that_blocks_its_thread_is_left_behind() {
    let bed = TestBed::new(World::default().with_script("in", updates(100, 10, (0, 1))));
    let job = bed.submit(PlanBuilder::copy(&[], &[("mode", "block")]), bed.config());
    eventually("it runs", || job.status() == JobStatus::Running).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    job.cancel();
    job.wait().await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(11), "{:?}", start.elapsed());
    assert!(job.exceptions()[0].error.contains("did not end within 10s, it was left behind"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_jobs_run_side_by_side() {
    let mut world = World::default();
    for number in 0..20 {
        world = world.with_script(&format!("in{number}"), updates(1000, 50 + number, (0, 1)));
    }
    let bed = TestBed::new(world);
    let jobs: Vec<_> = (0..20)
        .map(|number| {
            let mut plan = PlanBuilder::default();
            let source = plan.source(&format!("in{number}"), &[], 1);
            let hash = sluice_plan::Distribution::Hash(vec![0]);
            plan.sink(source, &format!("out{number}"), &[], hash, 2);
            bed.submit(plan.build(), JobConfig { state_key: format!("job{number}"), ..bed.config() })
        })
        .collect();
    for (number, job) in jobs.iter().enumerate() {
        job.wait().await.unwrap();
        let script = bed.world.lock().scripts[&format!("in{number}")].clone();
        assert_eq!(bed.world.table(&format!("out{number}")), final_table(script.iter()));
    }
    assert_eq!(bed.engine.jobs().len(), 20);
    assert_eq!(bed.engine.job(jobs[7].id()).unwrap().id(), jobs[7].id());
}

#[tokio::test]
async fn a_slow_sink_bounds_what_is_read() {
    let bed = TestBed::new(World::default().with_script("in", updates(200_000, 10, (0, 1))));
    let plan = PlanBuilder::copy(&[("batch", "1000")], &[("delay", "20ms")]);
    let job = bed.submit(plan, JobConfig::default());
    eventually("rows are written", || bed.world.written("out") > 5000).await;
    let ahead = bed.world.read("in") - bed.world.written("out");
    assert!(ahead <= 11_000, "{ahead} rows are on their way");
    let bytes = job.metrics().samples().into_iter().find(|sample| sample.name == "channel_bytes").unwrap().value;
    assert!(bytes > 0 && bytes < 2_000_000, "{bytes} bytes are on their way");
    let [source, sink] = job.vertices().try_into().unwrap();
    assert!(source.counts.backpressured_ms > source.counts.busy_ms, "{source:?}");
    assert!(sink.counts.busy_ms > sink.counts.idle_ms, "{sink:?}");
    job.cancel();
    job.wait().await.unwrap();
}
