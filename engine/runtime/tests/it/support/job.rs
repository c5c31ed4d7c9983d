//! An engine with a world and a directory of its own.

use std::time::Duration;

use sluice_model::SystemClock;
use sluice_plan::StreamPlan;
use sluice_runtime::{Engine, JobConfig, JobHandle, JobId, JobSpec, RestartStrategy};

use super::World;

pub(crate) struct TestBed {
    pub(crate) world: World,
    pub(crate) engine: Engine,
    dir: tempfile::TempDir,
}

impl TestBed {
    pub(crate) fn new(world: World) -> Self {
        let engine = Engine::new(world.connectors(), SystemClock::shared());
        Self { world, engine, dir: tempfile::tempdir().unwrap() }
    }

    /// The engine's process was killed and started again; what is outside goes on.
    pub(crate) fn crash(&mut self) {
        for job in self.engine.jobs() {
            job.cancel();
        }
        self.engine = Engine::new(self.world.connectors(), SystemClock::shared());
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// Takes a checkpoint every few milliseconds, and restarts often and at once.
    pub(crate) fn config(&self) -> JobConfig {
        JobConfig { checkpoint_dir: self.path("checkpoints"), savepoint_dir: Some(self.path("savepoints")), ..config() }
    }

    pub(crate) fn submit(&self, plan: StreamPlan, config: JobConfig) -> JobHandle {
        let spec = JobSpec { id: JobId::random(), name: "test".to_owned(), plan, config, collect: None };
        self.engine.submit(spec).unwrap()
    }
}

fn config() -> JobConfig {
    JobConfig {
        checkpoint_interval: Some(Duration::from_millis(10)),
        restart: RestartStrategy::FixedDelay { attempts: 1000, delay: Duration::from_millis(1) },
        ..JobConfig::default()
    }
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("waited 10 s until {what}");
}
