//! `GET /overview`, `GET /config`.

use axum::Json;
use axum::extract::State;
use chrono::Offset;
use serde_json::{Value, json};
use sluice_runtime::JobStatus;

use crate::state::App;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Number of slots: subtasks are not limited by slots here, so it is the number of cores.
pub(super) fn slots() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub(super) async fn overview(State(state): App) -> Json<Value> {
    let jobs = state.environment.engine.jobs();
    let count = |wanted: fn(JobStatus) -> bool| jobs.iter().filter(|job| wanted(job.status())).count();
    Json(json!({
        "taskmanagers": 1,
        "slots-total": slots(),
        "slots-available": slots(),
        "jobs-running": count(|status| !status.is_terminal()),
        "jobs-finished": count(|status| matches!(status, JobStatus::Finished)),
        "jobs-cancelled": count(|status| matches!(status, JobStatus::Canceled)),
        "jobs-failed": count(|status| matches!(status, JobStatus::Failed)) + state.keeper.lost().len(),
        "flink-version": format!("sluice-{VERSION}"),
        "flink-commit": "",
        "taskmanagers-blocked": 0,
        "slots-free-and-blocked": 0,
        "sluice-version": VERSION,
    }))
}

pub(super) async fn config() -> Json<Value> {
    let offset = chrono::Local::now().offset().fix();
    Json(json!({
        "refresh-interval": 3000,
        "timezone-name": offset.to_string(),
        "timezone-offset": i64::from(offset.local_minus_utc()) * 1000,
        "flink-version": format!("sluice-{VERSION}"),
        "flink-revision": "",
        "features": { "web-submit": false, "web-cancel": true, "web-rescale": false, "web-history": false },
    }))
}
