//! The part of Flink's SQL gateway that clients need: sessions, statements, results.
//!
//! ```text
//! POST /v1/sessions                         {"sessionName":"a"}           {"sessionHandle":"S"}
//! POST /v1/sessions/S/statements            {"statement":"SHOW TABLES"}   {"operationHandle":"O"}
//! GET  /v1/sessions/S/operations/O/result/0?rowFormat=JSON
//!      {"resultType":"PAYLOAD","results":{"columns":[…],"data":[{"kind":"INSERT","fields":["t"]}]},"nextResultUri":"…/1…"}
//! ```
//!
//! Each result page is asked for by its token; the page that was given last can be asked for again,
//! so that a client may repeat a request whose answer it lost.

mod operation;
mod page;
mod rows;
mod sessions;
mod statements;

use std::sync::Arc;

use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::state::AppState;

pub(crate) use sessions::Sessions;

/// The gateway's endpoints.
pub(crate) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/info", get(info))
        .route("/api_versions", get(versions))
        .route("/sessions", post(sessions::open))
        .route("/sessions/{session}", get(sessions::properties).delete(sessions::close))
        .route("/sessions/{session}/heartbeat", post(sessions::heartbeat))
        .route("/sessions/{session}/configure-session", post(statements::configure))
        .route("/sessions/{session}/complete-statement", get(statements::complete).post(statements::complete))
        .route("/sessions/{session}/statements", post(statements::execute))
        .route("/sessions/{session}/operations/{operation}/status", get(statements::status))
        .route("/sessions/{session}/operations/{operation}/cancel", post(statements::cancel))
        .route("/sessions/{session}/operations/{operation}/close", delete(statements::close))
        .route("/sessions/{session}/operations/{operation}/result/{token}", get(statements::result))
}

async fn info() -> Json<Value> {
    Json(json!({ "productName": "Apache Flink", "version": format!("sluice-{}", env!("CARGO_PKG_VERSION")) }))
}

async fn versions() -> Json<Value> {
    Json(json!({ "versions": ["V1", "V2", "V3", "V4"] }))
}
