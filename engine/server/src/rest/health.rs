//! `GET /health`, `/health/live`, `/health/ready`: for probes, without a token.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use sluice_runtime::{JobHandle, JobStatus};

use crate::protocol::PRODUCT;
use crate::state::{App, AppState};

/// A checkpoint is late when none completed for this many intervals (and this many milliseconds).
const LATE_INTERVALS: i64 = 10;
const LATE_AT_LEAST_MS: i64 = 60_000;

/// Says that this is a Sluice server, which version, and whether it is ready.
pub(super) async fn health(State(state): App) -> Json<Value> {
    let problems = problems(&state);
    Json(json!({
        "status": if problems.is_empty() { "UP" } else { "DEGRADED" },
        "product": PRODUCT,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime-seconds": state.started.elapsed().as_secs(),
        "authentication": state.token.is_some(),
        // A client hands its job file only to a server that lives longer than the file's own process.
        "keeps-jobs": state.keeper.keeps_jobs(),
    }))
}

/// The process answers.
pub(super) async fn live() -> Json<Value> {
    Json(json!({ "status": "UP" }))
}

/// Every job runs, and its checkpoints complete; else 503 and the reasons.
pub(super) async fn ready(State(state): App) -> (StatusCode, Json<Value>) {
    let problems = problems(&state);
    if problems.is_empty() {
        return (StatusCode::OK, Json(json!({ "status": "UP" })));
    }
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "DOWN", "reasons": problems })))
}

/// One sentence each; ids only, because health needs no token.
fn problems(state: &AppState) -> Vec<String> {
    let mut problems = Vec::new();
    if !state.keeper.has_recovered() {
        problems.push("jobs are being started again".to_owned());
    }
    problems.extend(state.keeper.lost().iter().map(|job| format!("job {} could not be started again", job.id)));
    let now = state.now();
    problems.extend(state.environment.engine.jobs().iter().filter_map(|job| problem_of(job, now)));
    problems
}

fn problem_of(job: &JobHandle, now: i64) -> Option<String> {
    match job.status() {
        JobStatus::Failed | JobStatus::Failing => return Some(format!("job {} has failed", job.id())),
        JobStatus::Restarting => return Some(format!("job {} is being restarted", job.id())),
        JobStatus::Running => {}
        _ => return None,
    }
    let interval = i64::try_from(job.config().checkpoint_interval?.as_millis()).unwrap_or(i64::MAX);
    let late = interval.saturating_mul(LATE_INTERVALS).max(LATE_AT_LEAST_MS);
    let checkpoints = job.checkpoints();
    let newest = checkpoints.latest_completed.and_then(|info| info.latest_ack_timestamp).unwrap_or(job.start_time());
    let age = now - newest;
    (age > late).then(|| format!("job {} has completed no checkpoint for {} s", job.id(), age / 1000))
}
