//! Checkpoints that hold what has changed: whatever fails, state is restored as it was.

use std::collections::BTreeMap;
use std::time::Duration;

use sluice_plan::{Distribution, StreamPlan};
use sluice_runtime::{CheckpointStatus, JobConfig, JobHandle, Restore};

use crate::support::{PlanBuilder, Row, TestBed, World, eventually, final_table, materialised, updates};

/// Finds the old content of changes, from all rows that it keeps.
fn plan(parallelism: usize, bounded: &str) -> StreamPlan {
    let mut plan = PlanBuilder::default();
    let source = plan.source("in", &[("batch", "7"), ("delay", "1ms"), ("bounded", bounded)], 2);
    let normalize = plan.normalize(source, "normalize", parallelism);
    plan.sink(normalize, "log", &[("mode", "transactional")], Distribution::Hash(vec![0]), 2);
    plan.build()
}

/// No state is so small that all of it is handed out.
fn config(bed: &TestBed) -> JobConfig {
    JobConfig { incremental: true, inline_threshold: 0, restore: Restore::Latest, ..bed.config() }
}

/// Memory for all of the state, for some of it, or for hardly any.
fn memory(run: u64) -> Option<u64> {
    [None, Some(100_000), Some(1)][run as usize % 3]
}

/// Inserts all keys first, so that later changes are few beside them.
fn script() -> Vec<Row> {
    let mut script: Vec<Row> = (0..2000).map(|id| (sluice_model::RowKind::Insert, id, -1)).collect();
    let mut table: BTreeMap<i64, i64> = final_table(&script);
    for (kind, id, v) in updates(1500, 300, (0, 1)) {
        match (kind.is_addition(), table.get(&id).copied()) {
            (true, old) => {
                script.extend(old.map(|old| (sluice_model::RowKind::UpdateBefore, id, old)));
                script.push((if old.is_some() { sluice_model::RowKind::UpdateAfter } else { kind }, id, v));
                table.insert(id, v);
            }
            (false, Some(old)) => {
                script.push((sluice_model::RowKind::Delete, id, old));
                table.remove(&id);
            }
            (false, None) => {}
        }
    }
    script
}

fn builds_on_others(job: &JobHandle) -> bool {
    let history = job.checkpoints().history;
    history.iter().any(|info| info.status == CheckpointStatus::Completed && info.size_bytes < info.full_size_bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_and_panics_at_random_points_change_nothing() {
    let script = script();
    for seed in 0..6 {
        let bed = TestBed::new(World::default().with_script("in", script.clone()));
        bed.world.faults.arm(seed, 8, 600);
        let config = JobConfig { state_memory: memory(seed), ..config(&bed) };
        let job = bed.submit(plan(1 + seed as usize % 4, "true"), config);
        job.wait().await.unwrap();
        let context = format!("seed {seed}");
        assert_eq!(materialised(&bed.world.log("log"), &context), final_table(&script), "{context}");
        assert!(job.restarts() > 0 && builds_on_others(&job), "{context}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_points_change_nothing_at_any_parallelism() {
    let script = script();
    let mut bed = TestBed::new(World::default().with_script("in", script.clone()));
    let mut built = 0;
    for kill in 0..16_u64 {
        let config = JobConfig { state_memory: memory(kill), ..config(&bed) };
        let job = bed.submit(plan(1 + kill as usize % 4, "true"), config);
        tokio::time::sleep(Duration::from_millis(25 + (kill * 37) % 71)).await;
        if kill % 3 == 0 {
            // A savepoint in between holds everything, and takes nothing from the checkpoints.
            job.savepoint(None).await.ok();
        }
        built += u32::from(builds_on_others(&job));
        if kill % 2 == 0 {
            job.cancel();
            job.wait().await.ok();
        }
        bed.crash();
    }
    let job = bed.submit(plan(3, "true"), config(&bed));
    job.wait().await.unwrap();
    assert_eq!(materialised(&bed.world.log("log"), "after kills"), final_table(&script));
    assert!(built > 5, "{built}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checkpoints_that_fail_lose_no_changes() {
    let script = script();
    let bed = TestBed::new(World::default().with_script("in", script.clone()));
    let config = JobConfig { tolerable_failed_checkpoints: 1000, ..config(&bed) };
    let job = bed.submit(plan(2, "false"), config.clone());
    for round in 0..5 {
        let completed = job.checkpoints().counts.completed;
        eventually("checkpoints are complete", || job.checkpoints().counts.completed > completed + 5).await;
        let failed = job.checkpoints().counts.failed;
        let (dir, away) = (bed.path("checkpoints"), bed.path("away"));
        std::fs::rename(&dir, &away).unwrap();
        std::fs::write(&dir, "in the way").unwrap();
        eventually("checkpoints fail", || job.checkpoints().counts.failed > failed + round % 3).await;
        std::fs::remove_file(&dir).unwrap();
        std::fs::rename(&away, &dir).unwrap();
    }
    eventually("all is read", || bed.world.read("in") == script.len() as u64).await;
    let completed = job.checkpoints().counts.completed;
    eventually("and is in a checkpoint", || job.checkpoints().counts.completed > completed + 2).await;
    assert!(builds_on_others(&job));
    job.cancel();
    job.wait().await.ok();
    assert_eq!(job.attempt(), 1);
    // What the checkpoint has kept tells of every row that is changed now.
    let all: Vec<Row> =
        final_table(&script).into_iter().map(|(id, v)| (sluice_model::RowKind::Delete, id, v)).collect();
    let longer = [script, all].concat();
    bed.world.lock().scripts.insert("in".to_owned(), std::sync::Arc::new(longer));
    let job = bed.submit(plan(3, "true"), config);
    job.wait().await.unwrap();
    assert_eq!(materialised(&bed.world.log("log"), "behind failures"), BTreeMap::new());
}

/// Prints what checkpoints of a large state cost when 1 % of it has changed. Not a test of anything.
///
/// `cargo test -p sluice-runtime --test it incremental::figures -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures"]
async fn figures_of_a_million_keys() {
    const KEYS: i64 = 1_000_000;
    const ROUNDS: i64 = 6;
    let value = |id: i64, round: i64| (id + round).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed());
    let mut script: Vec<Row> = (0..KEYS).map(|id| (sluice_model::RowKind::Insert, id, value(id, 0))).collect();
    // A batch, which is half a second, changes each key of a hundredth five times.
    for change in 0..ROUNDS * 5 {
        let ids = (0..KEYS / 100).map(|n| (n * 97 + change / 5) % KEYS);
        script.extend(ids.map(|id| (sluice_model::RowKind::UpdateAfter, id, value(id, change + 1))));
    }
    for incremental in [false, true] {
        let bed = TestBed::new(World::default().with_script("in", script.clone()));
        let every = Some(Duration::from_secs(3600));
        let config = JobConfig { checkpoint_interval: every, incremental, ..bed.config() };
        let mut plan = PlanBuilder::default();
        let source = plan.source("in", &[("batch", "50000"), ("delay", "1s"), ("bounded", "false")], 1);
        let normalize = plan.normalize(source, "normalize", 1);
        plan.sink(normalize, "out", &[], Distribution::Forward, 1);
        let job = bed.submit(plan.build(), config);
        for round in 0..=ROUNDS {
            let wanted = (KEYS + round * KEYS / 20) as u64;
            while bed.world.written("out") < wanted.min(KEYS as u64) || bed.world.read("in") < wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            job.checkpoint().await.unwrap();
            let info = job.checkpoints().history[0].clone();
            let (written, all) = (info.size_bytes, info.full_size_bytes);
            let millis = info.duration_ms.unwrap_or_default();
            println!("incremental: {incremental}, {written} bytes written, {all} bytes in all, {millis} ms");
        }
        job.cancel();
        job.wait().await.ok();
    }
}
