//! State that expires by the engine's clock.

use std::sync::Arc;
use std::time::Duration;

use sluice_model::{ManualClock, RowKind};
use sluice_plan::{Distribution, StreamPlan};
use sluice_runtime::{Engine, JobConfig, Restore};

use crate::support::{PlanBuilder, Row, TestBed, World, eventually};

const TTL: Duration = Duration::from_secs(3600);
const START: i64 = 1_700_000_000_000;

fn plan() -> StreamPlan {
    let mut plan = PlanBuilder::default();
    let source = plan.source("in", &[("batch", "1"), ("delay", "1ms")], 1);
    let normalize = plan.normalize(source, "normalize", 1);
    plan.sink(normalize, "log", &[("mode", "transactional")], Distribution::Forward, 1);
    let mut plan = plan.build();
    plan.set_state_ttl(Some(TTL));
    plan
}

/// A row, a while of others, and the row again.
fn script() -> Vec<Row> {
    let others = (0..400).map(|id| (RowKind::Insert, 100 + id, 0));
    let first = std::iter::once((RowKind::Insert, 1, 1));
    first.chain(others).chain([(RowKind::UpdateAfter, 1, 2)]).collect()
}

fn bed() -> (TestBed, Arc<ManualClock>) {
    let mut bed = TestBed::new(World::default().with_script("in", script()));
    let clock = Arc::new(ManualClock::at(START));
    bed.engine = Engine::new(bed.world.connectors(), Arc::clone(&clock) as _);
    (bed, clock)
}

fn changes_of_the_row(bed: &TestBed) -> Vec<Row> {
    bed.world.log("log").into_iter().filter(|(_, id, _)| *id == 1).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_is_new_again_after_its_time() {
    for (passed, expected) in [
        (TTL / 2, vec![(RowKind::Insert, 1, 1), (RowKind::UpdateBefore, 1, 1), (RowKind::UpdateAfter, 1, 2)]),
        (TTL + TTL / 8, vec![(RowKind::Insert, 1, 1), (RowKind::Insert, 1, 2)]),
    ] {
        let (bed, clock) = bed();
        let job = bed.submit(plan(), bed.config());
        eventually("rows are written", || bed.world.written("log") > 10).await;
        clock.advance(passed.as_millis() as i64);
        job.wait().await.unwrap();
        let mut expected = expected;
        expected.sort_unstable();
        assert_eq!(changes_of_the_row(&bed), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_passes_while_the_job_is_down() {
    for incremental in [false, true] {
        let (mut bed, clock) = bed();
        let config = JobConfig { incremental, inline_threshold: 0, restore: Restore::Latest, ..bed.config() };
        let job = bed.submit(plan(), config.clone());
        eventually("rows are committed", || !changes_of_the_row(&bed).is_empty()).await;
        job.cancel();
        job.wait().await.ok();
        bed.crash();
        clock.advance(2 * TTL.as_millis() as i64);
        bed.engine = Engine::new(bed.world.connectors(), Arc::clone(&clock) as _);
        bed.submit(plan(), config).wait().await.unwrap();
        assert_eq!(changes_of_the_row(&bed), [(RowKind::Insert, 1, 1), (RowKind::Insert, 1, 2)]);
    }
}
