//! Savepoints and checkpoints that were asked for and go on in the background.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use sluice_model::{Error, Result};

use crate::error::{ApiError, ApiResult};

/// How many operations are remembered; the oldest are forgotten first.
const REMEMBERED: usize = 256;

/// What an operation came to.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// The path of a savepoint.
    Savepoint(String),
    /// The id of a checkpoint.
    Checkpoint(u64),
}

struct Trigger {
    job: String,
    id: String,
    /// `None` while it goes on.
    result: Option<Result<Outcome>>,
}

/// Operations by job and trigger id.
#[derive(Default)]
pub(crate) struct Triggers(Mutex<VecDeque<Trigger>>);

impl Triggers {
    /// Begins an operation under the id that the client chose, or a new one.
    ///
    /// # Errors
    /// 400 for an id that is no id; 409 for one that is in use.
    pub(super) fn begin(&self, job: &str, wanted: Option<&str>) -> ApiResult<String> {
        let id = match wanted {
            None => uuid::Uuid::new_v4().simple().to_string(),
            Some(id) if id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => id.to_lowercase(),
            Some(_) => return Err(ApiError::bad_request("triggerId must have 32 hexadecimal digits")),
        };
        let mut triggers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if triggers.iter().any(|trigger| trigger.job == job && trigger.id == id) {
            return Err(ApiError::new(axum::http::StatusCode::CONFLICT, format!("triggerId {id} is in use")));
        }
        if triggers.len() >= REMEMBERED {
            triggers.pop_front();
        }
        triggers.push_back(Trigger { job: job.to_owned(), id: id.clone(), result: None });
        Ok(id)
    }

    /// Notes what an operation came to.
    pub(super) fn end(&self, job: &str, id: &str, result: Result<Outcome>) {
        let mut triggers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trigger) = triggers.iter_mut().find(|trigger| trigger.job == job && trigger.id == id) {
            trigger.result = Some(result);
        }
    }

    /// Where an operation stands, in Flink's shape.
    ///
    /// # Errors
    /// 404 if there is none of this id.
    pub(super) fn status(&self, job: &str, id: &str) -> ApiResult<Value> {
        let triggers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let trigger = triggers.iter().find(|trigger| trigger.job == job && trigger.id.eq_ignore_ascii_case(id));
        match trigger {
            None => Err(ApiError::not_found(format!("There is no operation under this trigger id of job {job}"))),
            Some(Trigger { result: None, .. }) => Ok(json!({ "status": { "id": "IN_PROGRESS" }, "operation": null })),
            Some(Trigger { result: Some(result), .. }) => {
                Ok(json!({ "status": { "id": "COMPLETED" }, "operation": operation(result) }))
            }
        }
    }
}

fn operation(result: &Result<Outcome>) -> Value {
    match result {
        Ok(Outcome::Savepoint(path)) => json!({ "location": path }),
        Ok(Outcome::Checkpoint(id)) => json!({ "checkpointId": id }),
        Err(error) => {
            let cause = cause(error);
            json!({ "failure-cause": cause, "failureCause": cause })
        }
    }
}

fn cause(error: &Error) -> Value {
    json!({ "class": error.what(), "stack-trace": error.to_string(), "serialized-throwable": null })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_goes_on_until_it_ends() {
        let triggers = Triggers::default();
        let id = triggers.begin("job", None).unwrap();
        assert_eq!(triggers.status("job", &id).unwrap()["status"]["id"], "IN_PROGRESS");
        triggers.end("job", &id, Ok(Outcome::Savepoint("file:///s/1".into())));
        let status = triggers.status("job", &id).unwrap();
        assert_eq!(status["status"]["id"], "COMPLETED");
        assert_eq!(status["operation"]["location"], "file:///s/1");
        assert!(triggers.status("other", &id).is_err());
        assert!(triggers.begin("job", Some(&id)).is_err());
        assert!(triggers.begin("job", Some("x")).is_err());
    }

    #[test]
    fn only_so_many_are_remembered() {
        let triggers = Triggers::default();
        let first = triggers.begin("job", None).unwrap();
        for _ in 0..REMEMBERED {
            triggers.begin("job", None).unwrap();
        }
        assert!(triggers.status("job", &first).is_err());
    }
}
