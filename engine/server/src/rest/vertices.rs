//! `GET /jobs/:id/vertices/:vertex` and its backpressure.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use sluice_runtime::TaskCounts;

use super::jobs::{MAX_PARALLELISM, io_metrics, vertex};
use crate::error::ApiResult;
use crate::state::App;

/// How long backpressure is looked at: the tasks count milliseconds, so that 200 of them give half a percent.
const SAMPLE: Duration = Duration::from_millis(200);

pub(super) async fn detail(State(state): App, Path((id, vertex_id)): Path<(String, String)>) -> ApiResult {
    let job = state.running_job(&id)?;
    let vertex = vertex(&job, &vertex_id)?;
    let now = state.now();
    let end = job.end_time();
    let subtasks: Vec<Value> = vertex
        .subtasks
        .iter()
        .enumerate()
        .map(|(index, subtask)| {
            json!({
                "subtask": index,
                "status": subtask.status.to_string(),
                "attempt": job.attempt().saturating_sub(1),
                "endpoint": "localhost",
                "host": "localhost",
                "start-time": job.start_time(),
                "end-time": end.unwrap_or(-1),
                "duration": end.unwrap_or(now) - job.start_time(),
                "metrics": io_metrics(&subtask.counts),
                "taskmanager-id": super::cluster::ID,
            })
        })
        .collect();
    Ok(Json(json!({
        "id": vertex.id,
        "name": vertex.name,
        "parallelism": vertex.parallelism,
        "maxParallelism": MAX_PARALLELISM,
        "now": now,
        "subtasks": subtasks,
        "aggregated": { "metrics": io_metrics(&vertex.counts) },
    })))
}

pub(super) async fn backpressure(State(state): App, Path((id, vertex_id)): Path<(String, String)>) -> ApiResult {
    let job = state.running_job(&id)?;
    let before = vertex(&job, &vertex_id)?;
    tokio::time::sleep(SAMPLE).await;
    let after = vertex(&job, &vertex_id)?;
    let ratios: Vec<Ratios> =
        before.subtasks.iter().zip(&after.subtasks).map(|(a, b)| Ratios::between(&a.counts, &b.counts)).collect();
    let worst = ratios.iter().map(|ratios| ratios.backpressured).fold(0.0, f64::max);
    let subtasks: Vec<Value> = ratios
        .iter()
        .enumerate()
        .map(|(subtask, ratios)| {
            json!({
                "subtask": subtask,
                "attempt-number": job.attempt().saturating_sub(1),
                "backpressureLevel": level(ratios.backpressured),
                "backpressure-level": level(ratios.backpressured),
                "ratio": ratios.backpressured,
                "idleRatio": ratios.idle,
                "busyRatio": ratios.busy,
            })
        })
        .collect();
    Ok(Json(json!({
        "status": "ok",
        "backpressureLevel": level(worst),
        "backpressure-level": level(worst),
        "end-timestamp": state.now(),
        "subtasks": subtasks,
    })))
}

struct Ratios {
    backpressured: f64,
    idle: f64,
    busy: f64,
}

impl Ratios {
    fn between(before: &TaskCounts, after: &TaskCounts) -> Self {
        let backpressured = after.backpressured_ms.saturating_sub(before.backpressured_ms) as f64;
        let idle = after.idle_ms.saturating_sub(before.idle_ms) as f64;
        let busy = after.busy_ms.saturating_sub(before.busy_ms) as f64;
        let total = (backpressured + idle + busy).max(SAMPLE.as_millis() as f64);
        Self { backpressured: backpressured / total, idle: idle / total, busy: busy / total }
    }
}

/// Flink's limits: 10 % and 50 %.
fn level(ratio: f64) -> &'static str {
    match ratio {
        ratio if ratio <= 0.1 => "ok",
        ratio if ratio <= 0.5 => "low",
        _ => "high",
    }
}
