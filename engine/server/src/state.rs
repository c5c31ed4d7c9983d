//! What all handlers share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use sluice_model::Secret;
use sluice_runtime::JobHandle;
use sluice_runtime::JobId;
use sluice_sql::session::Environment;

use crate::error::{ApiError, ApiResult};
use crate::gateway::Sessions;
use crate::keeper::{JobKeeper, LostJob};
use crate::rest::Triggers;

/// What all handlers share.
pub(crate) struct AppState {
    pub(crate) environment: Arc<Environment>,
    pub(crate) keeper: Arc<JobKeeper>,
    pub(crate) sessions: Sessions,
    pub(crate) triggers: Arc<Triggers>,
    pub(crate) token: Option<Secret>,
    pub(crate) address: SocketAddr,
    pub(crate) started: Instant,
}

/// The shared state as handlers take it.
pub(crate) type App = State<Arc<AppState>>;

/// A job that runs or has run, or one that could not be started again.
pub(crate) enum KnownJob {
    Engine(JobHandle),
    Lost(LostJob),
}

impl AppState {
    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.environment.clock.now_millis()
    }

    /// The job of an id in a path.
    ///
    /// # Errors
    /// 400 for what is no id, 404 for a job that is not known.
    pub(crate) fn job(&self, id: &str) -> ApiResult<KnownJob> {
        let parsed = JobId::parse(id).map_err(|_| {
            ApiError::bad_request(format!("'{}' is not a job id: a job id has 32 hexadecimal digits", shown(id)))
        })?;
        if let Some(job) = self.environment.engine.job(&parsed) {
            return Ok(KnownJob::Engine(job));
        }
        match self.keeper.lost_job(parsed.as_str()) {
            Some(lost) => Ok(KnownJob::Lost(lost)),
            None => Err(ApiError::not_found(format!("Job {parsed} not found"))),
        }
    }

    /// The job of an id, if the engine has it.
    ///
    /// # Errors
    /// As [`job`](Self::job); 409 for a job that could not be started again.
    pub(crate) fn running_job(&self, id: &str) -> ApiResult<JobHandle> {
        match self.job(id)? {
            KnownJob::Engine(job) => Ok(job),
            KnownJob::Lost(lost) => Err(ApiError::new(
                axum::http::StatusCode::CONFLICT,
                format!("job {} could not be started again: {}", lost.id, lost.error),
            )),
        }
    }
}

/// A piece of a request as it may be repeated in a message.
fn shown(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_control() { '�' } else { c }).collect()
}
