//! `GET /taskmanagers`, `GET /jobmanager/config`: this process, seen as Flink's cluster.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use sluice_model::Secret;

use super::overview::slots;
use crate::error::{ApiError, ApiResult};
use crate::metrics::Process;
use crate::state::{App, AppState};

/// Id of the one task manager.
pub(super) const ID: &str = "sluice-local";

pub(super) async fn task_managers(State(state): App) -> Json<Value> {
    Json(json!({ "taskmanagers": [this_process(&state)] }))
}

pub(super) async fn task_manager(State(state): App, Path(id): Path<String>) -> ApiResult {
    if id != ID {
        return Err(ApiError::not_found("there is no such task manager; GET /taskmanagers lists them"));
    }
    let process = Process::read();
    let mut manager = this_process(&state);
    manager["metrics"] = json!({ "heapUsed": process.resident_bytes, "heapCommitted": process.resident_bytes });
    manager["allocatedSlots"] = json!([]);
    Ok(Json(manager))
}

fn this_process(state: &AppState) -> Value {
    let process = Process::read();
    let resources = json!({
        "cpuCores": slots(), "taskHeapMemory": 0, "taskOffHeapMemory": 0,
        "managedMemory": 0, "networkMemory": 0, "extendedResources": {},
    });
    json!({
        "id": ID,
        "path": format!("http://{}", state.address),
        "dataPort": -1,
        "jmxPort": -1,
        "timeSinceLastHeartbeat": state.now(),
        "slotsNumber": slots(),
        "freeSlots": slots(),
        "totalResource": resources.clone(),
        "freeResource": resources,
        "hardware": {
            "cpuCores": slots(),
            "physicalMemory": process.machine_bytes,
            "freeMemory": process.machine_free_bytes,
            "managedMemory": 0,
        },
        "memoryConfiguration": { "totalProcessMemory": process.resident_bytes },
        "blocked": false,
    })
}

pub(super) async fn job_manager_config(State(state): App) -> Json<Value> {
    let home = &state.environment.home;
    let pairs = [
        ("rest.address", state.address.ip().to_string()),
        ("rest.port", state.address.port().to_string()),
        ("rest.token", state.token.as_ref().map_or_else(|| "(none)".to_owned(), |_| Secret::MASK.to_owned())),
        ("execution.checkpointing.dir", home.checkpoints().display().to_string()),
        ("execution.checkpointing.savepoint-dir", home.savepoints().display().to_string()),
        ("sluice.home", home.root().display().to_string()),
    ];
    let pairs = pairs.map(|(key, value)| json!({ "key": key, "value": value }));
    Json(Value::Array(pairs.to_vec()))
}
