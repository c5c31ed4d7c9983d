//! Opening, showing and closing sessions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use sluice_sql::session::Session;

use super::operation::Operation;
use crate::error::{ApiError, ApiResult};
use crate::rest::json_body;
use crate::state::App;

/// Sessions at a time.
const MOST_SESSIONS: usize = 256;
/// As `sql-gateway.session.idle-timeout`.
const IDLE: Duration = Duration::from_secs(600);

/// One client's session and its operations.
pub(crate) struct GatewaySession {
    pub(super) name: Option<String>,
    /// One statement at a time, in the order they came.
    pub(super) session: tokio::sync::Mutex<Session>,
    pub(super) operations: Mutex<HashMap<String, Arc<Operation>>>,
    used: Mutex<Instant>,
}

impl GatewaySession {
    fn is_idle(&self) -> bool {
        let used = *self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let operations = self.operations.lock().unwrap_or_else(PoisonError::into_inner);
        used.elapsed() > IDLE && !operations.values().any(|operation| operation.is_open())
    }

    fn end(&self) {
        for operation in self.operations.lock().unwrap_or_else(PoisonError::into_inner).values() {
            operation.cancel();
        }
    }
}

/// All sessions by handle.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Arc<GatewaySession>>>);

impl Sessions {
    /// The session of a handle.
    ///
    /// # Errors
    /// 404 if there is none.
    pub(super) fn get(&self, handle: &str) -> ApiResult<Arc<GatewaySession>> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(handle).cloned();
        let session = session.ok_or_else(|| {
            ApiError::not_found("Session does not exist: it was closed, or nothing was heard of it for 10 minutes")
        })?;
        *session.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Ok(session)
    }

    fn add(&self, name: Option<String>, session: Session) -> ApiResult<String> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= MOST_SESSIONS {
            let message =
                format!("there are {MOST_SESSIONS} sessions already; close some with DELETE /v1/sessions/:id");
            return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, message));
        }
        let handle = uuid::Uuid::new_v4().to_string();
        let session = GatewaySession {
            name,
            session: tokio::sync::Mutex::new(session),
            operations: Mutex::default(),
            used: Mutex::new(Instant::now()),
        };
        sessions.insert(handle.clone(), Arc::new(session));
        Ok(handle)
    }

    fn remove(&self, handle: &str) -> ApiResult<()> {
        let session = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(handle);
        session.ok_or_else(|| ApiError::not_found("Session does not exist"))?.end();
        Ok(())
    }

    /// Closes sessions that nobody has used for a while. Their jobs go on; their queries end.
    pub(crate) fn sweep(&self) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| {
            let idle = session.is_idle();
            if idle {
                session.end();
            }
            !idle
        });
    }
}

pub(super) async fn open(State(state): App, body: Bytes) -> ApiResult {
    let body = json_body(&body)?;
    let mut session = Session::new(Arc::clone(&state.environment));
    for (key, value) in body["properties"].as_object().into_iter().flatten() {
        session.set(key, &text_of(value), None)?;
    }
    let name = body["sessionName"].as_str().map(str::to_owned);
    Ok(Json(json!({ "sessionHandle": state.sessions.add(name, session)? })))
}

/// What is set, secrets masked, and what a client needs to show results.
pub(super) async fn properties(State(state): App, Path(handle): Path<String>) -> ApiResult {
    let session = state.sessions.get(&handle)?;
    let settings = session.session.lock().await.settings().clone();
    let mut properties: Map<String, Value> = SHOWN
        .iter()
        .filter_map(|key| settings.get(key).map(|value| ((*key).to_owned(), Value::from(value.to_owned()))))
        .collect();
    properties.extend(settings.list().into_iter().map(|(key, value)| (key, Value::from(value))));
    if let Some(name) = &session.name {
        properties.insert("sluice.session-name".to_owned(), Value::from(name.clone()));
    }
    Ok(Json(json!({ "properties": properties })))
}

/// Settings that are told with their defaults.
const SHOWN: [&str; 7] = [
    "sql-client.execution.result-mode",
    "sql-client.execution.max-table-result.rows",
    "sql-client.display.print-time-cost",
    "sql-client.verbose",
    "table.display.max-column-width",
    "table.local-time-zone",
    "execution.runtime-mode",
];

pub(super) async fn close(State(state): App, Path(handle): Path<String>) -> ApiResult {
    state.sessions.remove(&handle)?;
    Ok(Json(json!({ "status": "CLOSED" })))
}

pub(super) async fn heartbeat(State(state): App, Path(handle): Path<String>) -> ApiResult {
    state.sessions.get(&handle)?;
    Ok(Json(json!({})))
}

/// A JSON value as the text of a setting.
pub(super) fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
