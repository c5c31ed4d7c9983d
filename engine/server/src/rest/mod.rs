//! Flink's JobManager REST, one file per group of endpoints. Every path also works behind `/v1`.

mod checkpoints;
mod cluster;
mod config;
mod exceptions;
mod health;
mod jobs;
mod metrics;
mod operations;
mod overview;
mod triggers;
mod vertices;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, Uri};
use axum::routing::{get, post};
use axum::{Router, middleware};
use serde_json::Value;

use crate::error::{ApiError, ApiResult};
use crate::state::AppState;
use crate::{auth, gateway, metrics as prometheus, script, web};

pub(crate) use triggers::Triggers;

/// Largest request, in bytes. A job file of this size has some fifty thousand lines.
const LARGEST_REQUEST: usize = 4 << 20;

/// All endpoints.
pub(crate) fn router(state: Arc<AppState>) -> Router {
    let api =
        Router::new().merge(cluster_routes()).merge(job_routes()).merge(gateway::routes()).merge(script::routes());
    Router::new()
        .merge(api.clone())
        .nest("/v1", api.clone())
        // The SQL gateway's later versions, which its drivers ask for; the shapes are the same.
        .nest("/v2", gateway::routes())
        .nest("/v3", gateway::routes())
        .nest("/v4", gateway::routes())
        .merge(health_routes())
        .route("/", get(web::page))
        .fallback(unknown_path)
        .layer(DefaultBodyLimit::max(LARGEST_REQUEST))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), auth::guard))
        .layer(middleware::from_fn(web::secure_headers))
        .with_state(state)
}

/// What the Prometheus port serves.
pub(crate) fn metrics_router(state: Arc<AppState>) -> Router {
    Router::new()
        .route("/metrics", get(prometheus::scrape))
        .fallback(unknown_path)
        .layer(middleware::from_fn_with_state(Arc::clone(&state), auth::guard))
        .with_state(state)
}

fn health_routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/health", get(health::health))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(prometheus::scrape))
}

fn cluster_routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/overview", get(overview::overview))
        .route("/config", get(overview::config))
        .route("/taskmanagers", get(cluster::task_managers))
        .route("/taskmanagers/{id}", get(cluster::task_manager))
        .route("/jobmanager/config", get(cluster::job_manager_config))
        .route("/jobmanager/metrics", get(metrics::of_process))
}

fn job_routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/jobs", get(jobs::list))
        .route("/jobs/overview", get(jobs::overview))
        .route("/jobs/{id}", get(jobs::detail).patch(operations::terminate))
        .route("/jobs/{id}/status", get(jobs::status))
        .route("/jobs/{id}/plan", get(jobs::plan))
        .route("/jobs/{id}/config", get(config::of_job))
        .route("/jobs/{id}/exceptions", get(exceptions::of_job))
        .route("/jobs/{id}/metrics", get(metrics::of_job))
        .route("/jobs/{id}/checkpoints", get(checkpoints::overview).post(operations::checkpoint))
        .route("/jobs/{id}/checkpoints/config", get(config::of_checkpoints))
        .route("/jobs/{id}/checkpoints/details/{checkpoint}", get(checkpoints::details))
        .route("/jobs/{id}/checkpoints/details/{checkpoint}/subtasks/{vertex}", get(checkpoints::subtasks))
        .route("/jobs/{id}/checkpoints/{trigger}", get(operations::checkpoint_status))
        .route("/jobs/{id}/savepoints", post(operations::savepoint))
        .route("/jobs/{id}/savepoints/{trigger}", get(operations::savepoint_status))
        .route("/jobs/{id}/stop", post(operations::stop))
        .route("/jobs/{id}/vertices/{vertex}", get(vertices::detail))
        .route("/jobs/{id}/vertices/{vertex}/metrics", get(metrics::of_vertex))
        .route("/jobs/{id}/vertices/{vertex}/backpressure", get(vertices::backpressure))
}

async fn unknown_path(uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(200).collect();
    ApiError::new(StatusCode::NOT_FOUND, format!("Not found: {path}"))
}

/// The JSON object of a request, whatever its content type says (`curl -d` says "form"); an empty
/// body is an empty object.
///
/// # Errors
/// 400 for anything else.
pub(crate) fn json_body(body: &[u8]) -> ApiResult<Value> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(ApiError::bad_request("the body of the request must be a JSON object")),
        Err(error) => Err(ApiError::bad_request(format!(
            "the body of the request is not JSON: line {}, column {}",
            error.line(),
            error.column()
        ))),
    }
}
