//! `GET /jobs/:id/exceptions`: what failed, newest first, as sentences and without a stack trace.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde_json::{Value, json};
use sluice_runtime::JobException;

use crate::error::{ApiError, ApiResult};
use crate::state::{App, KnownJob};

/// As Flink's `web.exception-history-size`.
const SHOWN: usize = 16;

pub(super) async fn of_job(
    State(state): App,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> ApiResult {
    let most = match query.get("maxExceptions") {
        None => SHOWN,
        Some(number) => number.parse().map_err(|_| ApiError::bad_request("maxExceptions must be a whole number"))?,
    };
    let failures = match state.job(&id)? {
        KnownJob::Engine(job) => job.exceptions().iter().rev().map(Failure::of_job).collect(),
        KnownJob::Lost(job) => vec![Failure { text: job.error.to_string(), at: job.since, task: None }],
    };
    Ok(Json(render(&failures, most)))
}

struct Failure {
    text: String,
    at: i64,
    task: Option<String>,
}

impl Failure {
    fn of_job(exception: &JobException) -> Self {
        Self { text: exception.error.clone(), at: exception.timestamp, task: exception.task.clone() }
    }
}

fn render(failures: &[Failure], most: usize) -> Value {
    let shown = &failures[..failures.len().min(most)];
    let truncated = shown.len() < failures.len();
    let entries: Vec<Value> = shown
        .iter()
        .map(|failure| {
            json!({
                "exceptionName": failure.text.lines().next().unwrap_or_default(),
                "stacktrace": failure.text,
                "timestamp": failure.at,
                "failureLabels": {},
                "taskName": failure.task,
                "endpoint": null,
                "taskManagerId": null,
                "concurrentExceptions": [],
            })
        })
        .collect();
    let all: Vec<Value> = shown
        .iter()
        .map(|failure| {
            json!({
                "exception": failure.text,
                "task": failure.task,
                "location": null,
                "endpoint": null,
                "timestamp": failure.at,
                "taskManagerId": null,
            })
        })
        .collect();
    json!({
        "root-exception": failures.first().map(|failure| failure.text.as_str()),
        "timestamp": failures.first().map(|failure| failure.at),
        "all-exceptions": all,
        "truncated": truncated,
        "exceptionHistory": { "entries": entries, "truncated": truncated },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_first_and_cut_where_asked() {
        let failure = |text: &str, at| Failure { text: text.to_owned(), at, task: Some("Source: t (1/1)".to_owned()) };
        let shown = render(&[failure("gone\n  hint: start it", 2), failure("slow", 1)], 1);
        assert_eq!(shown["root-exception"], "gone\n  hint: start it");
        assert_eq!(shown["exceptionHistory"]["entries"][0]["exceptionName"], "gone");
        assert_eq!(shown["exceptionHistory"]["truncated"], true);
        assert_eq!(render(&[], 16)["root-exception"], Value::Null);
    }
}
