//! Running statements and fetching what they came to.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sluice_model::Result;
use sluice_sql::session::{Outcome, Session};

use super::operation::{Operation, Status};
use super::page::{Place, canceled, not_ready, page};
use super::rows::RowFormat;
use super::sessions::{GatewaySession, text_of};
use crate::error::{ApiError, ApiResult};
use crate::rest::json_body;
use crate::state::App;

/// Operations that a session may keep open.
const MOST_OPERATIONS: usize = 256;
/// How long a request for a result waits for the statement before it says "not ready".
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn execute(State(state): App, Path(handle): Path<String>, body: Bytes) -> ApiResult {
    let session = state.sessions.get(&handle)?;
    let body = json_body(&body)?;
    let statement =
        body["statement"].as_str().ok_or_else(|| ApiError::bad_request("the request has no 'statement'"))?;
    let settings: Vec<(String, String)> = body["executionConfig"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), text_of(value)))
        .collect();
    let operation = Operation::new();
    let id = uuid::Uuid::new_v4().to_string();
    {
        let mut operations = session.operations.lock().unwrap_or_else(PoisonError::into_inner);
        if operations.len() >= MOST_OPERATIONS {
            operations.retain(|_, operation| operation.is_open());
        }
        if operations.len() >= MOST_OPERATIONS {
            let message = "too many statements of this session are open; close their operations";
            return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, message));
        }
        operations.insert(id.clone(), Arc::clone(&operation));
    }
    let (running, keeper, statement) = (Arc::clone(&operation), Arc::clone(&state.keeper), statement.to_owned());
    let task = tokio::spawn(async move {
        let mut session = session.session.lock().await;
        running.started();
        let outcome = run(&mut session, &statement, &settings).await;
        let zone = session.settings().get("table.local-time-zone").unwrap_or("UTC").to_owned();
        drop(session);
        running.finish(outcome, &keeper, &zone).await;
    });
    operation.runs_in(task.abort_handle());
    tokio::spawn(report_panic(task, operation));
    Ok(Json(json!({ "operationHandle": id })))
}

/// A statement that panics is an operation that failed, not one that never ends.
async fn report_panic(task: tokio::task::JoinHandle<()>, operation: Arc<Operation>) {
    if let Err(error) = task.await
        && error.is_panic()
    {
        operation.fail(sluice_model::Error::bug("the statement could not be run: a part of the engine panicked"));
    }
}

/// Runs a statement under settings that hold for it alone.
async fn run(session: &mut Session, statement: &str, settings: &[(String, String)]) -> Result<Outcome> {
    let before: Vec<(String, Option<String>)> =
        settings.iter().map(|(key, _)| (key.clone(), session.settings().given(key).map(str::to_owned))).collect();
    let mut outcome = Ok(());
    for (key, value) in settings {
        outcome = outcome.and_then(|()| session.set(key, value, None).map(|_| ()));
    }
    let result = match outcome {
        Ok(()) => session.execute_text(statement).await,
        Err(error) => Err(error),
    };
    for (key, value) in before {
        match value {
            Some(value) => {
                session.set(&key, &value, None)?;
            }
            None => {
                session.execute_text(&format!("RESET '{}'", key.replace('\'', "''"))).await?;
            }
        }
    }
    result
}

/// Declarations and settings only, answered when they are done.
pub(super) async fn configure(State(state): App, Path(handle): Path<String>, body: Bytes) -> ApiResult {
    let session = state.sessions.get(&handle)?;
    let body = json_body(&body)?;
    let statement =
        body["statement"].as_str().ok_or_else(|| ApiError::bad_request("the request has no 'statement'"))?;
    let first = statement.split_whitespace().next().unwrap_or_default().to_uppercase();
    if !["CREATE", "DROP", "ALTER", "USE", "SET", "RESET", "ADD", "REMOVE", "LOAD", "UNLOAD"].contains(&first.as_str())
    {
        return Err(ApiError::bad_request("a session is configured with declarations and settings only"));
    }
    let mut session = session.session.lock().await;
    session.execute_text(statement).await.map_err(|error| ApiError::of_statement(&error))?;
    Ok(Json(json!({})))
}

pub(super) async fn complete(State(state): App, Path(handle): Path<String>, body: Bytes) -> ApiResult {
    let session = state.sessions.get(&handle)?;
    let body = json_body(&body)?;
    let statement = body["statement"].as_str().unwrap_or_default();
    let position = body["position"].as_u64().and_then(|position| usize::try_from(position).ok());
    let before: String = statement.chars().take(position.unwrap_or(usize::MAX)).collect();
    let completion = session.session.lock().await.complete(&before);
    Ok(Json(json!({ "candidates": completion.candidates, "start": completion.start })))
}

fn operation(session: &GatewaySession, id: &str) -> ApiResult<Arc<Operation>> {
    let operations = session.operations.lock().unwrap_or_else(PoisonError::into_inner);
    operations.get(id).cloned().ok_or_else(|| ApiError::not_found("Operation does not exist"))
}

pub(super) async fn status(State(state): App, Path((handle, id)): Path<(String, String)>) -> ApiResult {
    let session = state.sessions.get(&handle)?;
    Ok(Json(json!({ "status": operation(&session, &id)?.status().name() })))
}

pub(super) async fn cancel(State(state): App, Path((handle, id)): Path<(String, String)>) -> ApiResult {
    let session = state.sessions.get(&handle)?;
    operation(&session, &id)?.cancel();
    Ok(Json(json!({ "status": "CANCELED" })))
}

pub(super) async fn close(State(state): App, Path((handle, id)): Path<(String, String)>) -> ApiResult {
    let session = state.sessions.get(&handle)?;
    operation(&session, &id)?.cancel();
    session.operations.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    Ok(Json(json!({ "status": "CLOSED" })))
}

pub(super) async fn result(
    State(state): App,
    Path((handle, id, token)): Path<(String, String, String)>,
    Query(query): Query<HashMap<String, String>>,
    OriginalUri(uri): OriginalUri,
) -> ApiResult<Response> {
    let session = state.sessions.get(&handle)?;
    let operation = operation(&session, &id)?;
    let token: u64 = token.parse().map_err(|_| ApiError::bad_request("the token of a result is a whole number"))?;
    let format = match query.get("rowFormat").map(|format| format.to_uppercase()).as_deref() {
        None | Some("JSON") => RowFormat::Json,
        Some("PLAIN_TEXT") => RowFormat::PlainText,
        Some(_) => return Err(ApiError::bad_request("rowFormat must be JSON or PLAIN_TEXT")),
    };
    let base = uri.path().rsplit_once('/').map_or("", |(base, _)| base).to_owned();
    let place = Place { base, format };
    wait_for(&operation).await;
    let text = match operation.status() {
        Status::Pending | Status::Running => not_ready(&place, token),
        Status::Error => {
            let error = operation.error().unwrap_or_else(canceled);
            return Err(ApiError::of_statement(&error));
        }
        Status::Canceled => return Err(ApiError::of_statement(&canceled())),
        Status::Finished => page(&mut *operation.pages.lock().await, token, &place).await?,
    };
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

async fn wait_for(operation: &Operation) {
    let mut changes = operation.changes();
    let ended = changes.wait_for(|status| !matches!(status, Status::Pending | Status::Running));
    // Not ended in time: the answer says so.
    let _ = tokio::time::timeout(PATIENCE, ended).await;
}
