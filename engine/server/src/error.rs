//! Errors as Flink's REST gives them: `{"errors": ["…"]}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sluice_model::{Error, Reaction};

use crate::protocol::ErrorDetail;

/// Result of a handler.
pub(crate) type ApiResult<T = Json<serde_json::Value>> = Result<T, ApiError>;

/// What a request is answered with when it fails.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    messages: Vec<String>,
    detail: Option<Box<ErrorDetail>>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, messages: vec![message.into()], detail: None }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// A statement that failed, as the SQL gateway reports it: always 500, the cause second.
    pub(crate) fn of_statement(error: &Error) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            messages: vec!["Internal server error.".to_owned(), error.to_string()],
            detail: Some(Box::new(ErrorDetail::from(error))),
        }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let status = match error.reaction() {
            Reaction::Fix => StatusCode::BAD_REQUEST,
            Reaction::Retry => StatusCode::SERVICE_UNAVAILABLE,
            Reaction::Bug => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, messages: vec![error.to_string()], detail: Some(Box::new(ErrorDetail::from(&error))) }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({ "errors": self.messages });
        if let Some(detail) = self.detail {
            body["detail"] = json!(detail);
        }
        (self.status, Json(body)).into_response()
    }
}
