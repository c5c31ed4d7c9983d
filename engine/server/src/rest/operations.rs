//! Cancel, stop, savepoint and checkpoint.
//!
//! ```text
//! PATCH /jobs/:id?mode=cancel                    202 {}
//! PATCH /jobs/:id          {"state":"cancelled"} 202 {}
//! POST  /jobs/:id/stop     {"drain":false}       202 {"request-id":"…"}
//! GET   /jobs/:id/savepoints/:request-id         {"status":{"id":"COMPLETED"},"operation":{"location":"…"}}
//! ```

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use sluice_model::{Result, suggest};
use sluice_runtime::{JobHandle, StopRequest};

use super::json_body;
use super::triggers::Outcome;
use crate::error::{ApiError, ApiResult};
use crate::state::{App, AppState, KnownJob};

type Accepted = ApiResult<(StatusCode, Json<Value>)>;

/// `PATCH /jobs/:id`: cancels, or with `stop` makes a final checkpoint first. The mode is a query
/// parameter as in Flink, or `mode` or `state` in a JSON body.
pub(super) async fn terminate(
    State(state): App,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    body: Bytes,
) -> Accepted {
    let job = state.job(&id)?;
    let body = json_body(&body)?;
    let mode =
        query.get("mode").map(String::as_str).or_else(|| body["mode"].as_str()).or_else(|| body["state"].as_str());
    let mode = mode.unwrap_or("cancel").to_lowercase();
    match (mode.as_str(), job) {
        ("cancel" | "canceled" | "cancelled" | "stop" | "stopped", KnownJob::Lost(job)) => {
            state.keeper.forget(&job.id)?
        }
        ("cancel" | "canceled" | "cancelled", KnownJob::Engine(job)) => job.cancel(),
        ("stop" | "stopped", KnownJob::Engine(job)) => {
            tokio::spawn(async move {
                if let Err(error) = job.stop(StopRequest::default()).await {
                    tracing::warn!(job = %job.id(), "cannot be stopped: {error}");
                }
            });
        }
        (other, _) => {
            let hint = suggest(other, ["cancel", "stop"]).unwrap_or("cancel");
            return Err(ApiError::bad_request(format!("unknown mode in the request; did you mean '{hint}'?")));
        }
    }
    Ok((StatusCode::ACCEPTED, Json(json!({}))))
}

pub(super) async fn stop(State(state): App, Path(id): Path<String>, body: Bytes) -> Accepted {
    let job = state.running_job(&id)?;
    let body = json_body(&body)?;
    let request = StopRequest {
        drain: body["drain"].as_bool().unwrap_or(false),
        savepoint: true,
        savepoint_dir: text(&body, &["targetDirectory", "target-directory"]),
    };
    accept(&state, &job, &body, |job| async move { stop_with_savepoint(&job, request).await })
}

pub(super) async fn savepoint(State(state): App, Path(id): Path<String>, body: Bytes) -> Accepted {
    let job = state.running_job(&id)?;
    let body = json_body(&body)?;
    let directory = text(&body, &["target-directory", "targetDirectory"]);
    let cancel = body["cancel-job"].as_bool().or_else(|| body["cancelJob"].as_bool()).unwrap_or(false);
    accept(&state, &job, &body, move |job| async move {
        if cancel {
            let request = StopRequest { drain: false, savepoint: true, savepoint_dir: directory };
            return stop_with_savepoint(&job, request).await;
        }
        job.savepoint(directory).await.map(Outcome::Savepoint)
    })
}

pub(super) async fn checkpoint(State(state): App, Path(id): Path<String>, body: Bytes) -> Accepted {
    let job = state.running_job(&id)?;
    let body = json_body(&body)?;
    accept(&state, &job, &body, |job| async move { Ok(Outcome::Checkpoint(job.checkpoint().await?)) })
}

pub(super) async fn savepoint_status(State(state): App, Path((id, trigger)): Path<(String, String)>) -> ApiResult {
    let job = state.running_job(&id)?;
    Ok(Json(state.triggers.status(job.id().as_str(), &trigger)?))
}

pub(super) async fn checkpoint_status(State(state): App, Path((id, trigger)): Path<(String, String)>) -> ApiResult {
    savepoint_status(State(state), Path((id, trigger))).await
}

async fn stop_with_savepoint(job: &JobHandle, request: StopRequest) -> Result<Outcome> {
    let path = job.stop(request).await?;
    Ok(Outcome::Savepoint(path.unwrap_or_default()))
}

/// Starts an operation in the background and answers with its id.
fn accept<F, W>(state: &Arc<AppState>, job: &JobHandle, body: &Value, work: F) -> Accepted
where
    F: FnOnce(JobHandle) -> W,
    W: Future<Output = Result<Outcome>> + Send + 'static,
{
    if job.status().is_terminal() {
        let message = format!("job {} has ended: it is {}", job.id(), job.status());
        return Err(ApiError::new(StatusCode::CONFLICT, message));
    }
    let trigger = state.triggers.begin(job.id().as_str(), body["triggerId"].as_str())?;
    let work = work(job.clone());
    let (triggers, job, id) = (Arc::clone(&state.triggers), job.id().to_string(), trigger.clone());
    tokio::spawn(async move { triggers.end(&job, &id, work.await) });
    Ok((StatusCode::ACCEPTED, Json(json!({ "request-id": trigger }))))
}

fn text(body: &Value, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| body[*key].as_str()).filter(|text| !text.is_empty()).map(str::to_owned)
}
