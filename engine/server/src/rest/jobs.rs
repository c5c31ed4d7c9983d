//! `GET /jobs` and what lies below it: state, vertices and plan of a job.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Map, Value, json};
use sluice_runtime::{JobHandle, TaskCounts, VertexInfo};

use crate::error::{ApiError, ApiResult};
use crate::keeper::LostJob;
use crate::state::{App, KnownJob};

/// The states of a task, in Flink's order and spelling.
const TASK_STATES: [&str; 10] = [
    "CREATED",
    "SCHEDULED",
    "DEPLOYING",
    "RUNNING",
    "FINISHED",
    "CANCELING",
    "CANCELED",
    "FAILED",
    "RECONCILING",
    "INITIALIZING",
];
/// The states of a job, in Flink's order and spelling.
const JOB_STATES: [&str; 11] = [
    "INITIALIZING",
    "CREATED",
    "RUNNING",
    "FAILING",
    "FAILED",
    "CANCELLING",
    "CANCELED",
    "FINISHED",
    "RESTARTING",
    "SUSPENDED",
    "RECONCILING",
];
/// Key groups: the most subtasks that keyed state can be split over.
pub(super) const MAX_PARALLELISM: u32 = sluice_model::KEY_GROUPS as u32;

pub(super) async fn list(State(state): App) -> Json<Value> {
    let engine = state.environment.engine.jobs();
    let running = engine.iter().map(|job| json!({ "id": job.id().to_string(), "status": job.status().to_string() }));
    let lost = state.keeper.lost();
    let lost = lost.iter().map(|job| json!({ "id": job.id, "status": "FAILED" }));
    Json(json!({ "jobs": running.chain(lost).collect::<Vec<_>>() }))
}

pub(super) async fn overview(State(state): App) -> Json<Value> {
    let now = state.now();
    let mut jobs: Vec<Value> = state.environment.engine.jobs().iter().map(|job| summary(job, now)).collect();
    jobs.extend(state.keeper.lost().iter().map(|job| lost_summary(job, now)));
    Json(json!({ "jobs": jobs }))
}

pub(super) async fn status(State(state): App, Path(id): Path<String>) -> ApiResult {
    let status = match state.job(&id)? {
        KnownJob::Engine(job) => job.status().to_string(),
        KnownJob::Lost(_) => "FAILED".to_owned(),
    };
    Ok(Json(json!({ "status": status })))
}

pub(super) async fn plan(State(state): App, Path(id): Path<String>) -> ApiResult {
    let job = state.running_job(&id)?;
    Ok(Json(json!({ "plan": plan_of(&job, &job.vertices()) })))
}

pub(super) async fn detail(State(state): App, Path(id): Path<String>) -> ApiResult {
    match state.job(&id)? {
        KnownJob::Engine(job) => Ok(Json(detail_of(&job, state.now()))),
        KnownJob::Lost(job) => {
            let mut detail = lost_summary(&job, state.now());
            detail["vertices"] = json!([]);
            detail["plan"] = json!({ "jid": job.id, "name": job.name, "type": "STREAMING", "nodes": [] });
            Ok(Json(detail))
        }
    }
}

/// Finds a vertex by its id.
///
/// # Errors
/// 404 if the job has none of this id.
pub(super) fn vertex(job: &JobHandle, id: &str) -> ApiResult<VertexInfo> {
    let found = job.vertices().into_iter().find(|vertex| vertex.id == id);
    found.ok_or_else(|| ApiError::not_found(format!("job {} has no such vertex", job.id())))
}

fn summary(job: &JobHandle, now: i64) -> Value {
    let end = job.end_time();
    let mut tasks: Map<String, Value> = Map::new();
    let mut total = 0_u64;
    let counts = subtask_counts(&job.vertices());
    for state in TASK_STATES {
        let count = counts.get(state).copied().unwrap_or(0);
        total += count;
        tasks.insert(state.to_lowercase(), json!(count));
    }
    tasks.insert("total".to_owned(), json!(total));
    json!({
        "jid": job.id().to_string(),
        "name": job.name(),
        "state": job.status().to_string(),
        "start-time": job.start_time(),
        "end-time": end.unwrap_or(-1),
        "duration": end.unwrap_or(now) - job.start_time(),
        "last-modification": job.timestamps().values().copied().max().unwrap_or(job.start_time()),
        "tasks": tasks,
        "jobType": "STREAMING",
        "restarts": job.restarts(),
    })
}

fn lost_summary(job: &LostJob, now: i64) -> Value {
    let mut tasks: Map<String, Value> = TASK_STATES.iter().map(|state| (state.to_lowercase(), json!(0))).collect();
    tasks.insert("total".to_owned(), json!(0));
    json!({
        "jid": job.id,
        "name": job.name,
        "state": "FAILED",
        "start-time": job.since,
        "end-time": job.since,
        "duration": now - job.since,
        "last-modification": job.since,
        "tasks": tasks,
        "jobType": "STREAMING",
        "restarts": 0,
    })
}

fn detail_of(job: &JobHandle, now: i64) -> Value {
    let end = job.end_time();
    let vertices = job.vertices();
    let entered: BTreeMap<String, i64> = job.timestamps().iter().map(|(state, at)| (state.to_string(), *at)).collect();
    let timestamps: Map<String, Value> = JOB_STATES
        .iter()
        .map(|state| ((*state).to_owned(), json!(entered.get(*state).copied().unwrap_or(0))))
        .collect();
    let mut status_counts: Map<String, Value> =
        TASK_STATES.iter().map(|state| ((*state).to_owned(), json!(0))).collect();
    for vertex in &vertices {
        let count = &mut status_counts[&vertex.status.to_string()];
        *count = json!(count.as_u64().unwrap_or(0) + 1);
    }
    json!({
        "jid": job.id().to_string(),
        "name": job.name(),
        "isStoppable": false,
        "state": job.status().to_string(),
        "job-type": "STREAMING",
        "start-time": job.start_time(),
        "end-time": end.unwrap_or(-1),
        "duration": end.unwrap_or(now) - job.start_time(),
        "maxParallelism": MAX_PARALLELISM,
        "now": now,
        "timestamps": timestamps,
        "vertices": vertices.iter().map(|vertex| vertex_of(job, vertex, now)).collect::<Vec<_>>(),
        "status-counts": status_counts,
        "plan": plan_of(job, &vertices),
        "explain": job.explain(),
    })
}

fn vertex_of(job: &JobHandle, vertex: &VertexInfo, now: i64) -> Value {
    let end = job.end_time();
    let counts = subtask_counts(std::slice::from_ref(vertex));
    let tasks: Map<String, Value> = TASK_STATES
        .iter()
        .map(|state| ((*state).to_owned(), json!(counts.get(*state).copied().unwrap_or(0))))
        .collect();
    json!({
        "id": vertex.id,
        "slotSharingGroupId": job.id().to_string(),
        "name": vertex.name,
        "maxParallelism": MAX_PARALLELISM,
        "parallelism": vertex.parallelism,
        "status": vertex.status.to_string(),
        "start-time": job.start_time(),
        "end-time": end.unwrap_or(-1),
        "duration": end.unwrap_or(now) - job.start_time(),
        "tasks": tasks,
        "metrics": io_metrics(&vertex.counts),
    })
}

/// The `metrics` object of a vertex or a subtask.
pub(super) fn io_metrics(counts: &TaskCounts) -> Value {
    json!({
        "read-bytes": counts.bytes_in,
        "read-bytes-complete": true,
        "write-bytes": counts.bytes_out,
        "write-bytes-complete": true,
        "read-records": counts.records_in,
        "read-records-complete": true,
        "write-records": counts.records_out,
        "write-records-complete": true,
        "accumulated-backpressured-time": counts.backpressured_ms,
        "accumulated-idle-time": counts.idle_ms,
        "accumulated-busy-time": counts.busy_ms,
        "busy-for": counts.busy_for_ms,
    })
}

fn subtask_counts(vertices: &[VertexInfo]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for subtask in vertices.iter().flat_map(|vertex| &vertex.subtasks) {
        *counts.entry(subtask.status.to_string()).or_insert(0) += 1;
    }
    counts
}

fn plan_of(job: &JobHandle, vertices: &[VertexInfo]) -> Value {
    let nodes: Vec<Value> = vertices.iter().map(node_of).collect();
    json!({ "jid": job.id().to_string(), "name": job.name(), "type": "STREAMING", "nodes": nodes })
}

fn node_of(vertex: &VertexInfo) -> Value {
    let inputs: Vec<Value> = vertex
        .inputs
        .iter()
        .enumerate()
        .map(|(number, input)| {
            json!({ "num": number, "id": input.id, "ship_strategy": input.ship_strategy, "exchange": "pipelined_bounded" })
        })
        .collect();
    let mut node = json!({
        "id": vertex.id,
        "parallelism": vertex.parallelism,
        "operator": "",
        "operator_strategy": "",
        "description": vertex.name,
        "optimizer_properties": {},
    });
    if !inputs.is_empty() {
        node["inputs"] = Value::Array(inputs);
    }
    node
}
