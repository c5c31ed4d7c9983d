//! Tasks of a connector. Only the runtime spawns; a connector is handed a [`Spawner`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use sluice_model::Result;

/// A task of a connector, as the runtime gets it.
pub type JobTask = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Spawns tasks that belong to a job: they are cancelled when the job's attempt ends, and an error
/// or panic in one of them fails that job, no other.
#[derive(Clone)]
pub struct Spawner(Arc<dyn Fn(String, JobTask) + Send + Sync>);

impl Spawner {
    /// A spawner that hands tasks and their names to `spawn`.
    pub fn new(spawn: impl Fn(String, JobTask) + Send + Sync + 'static) -> Self {
        Self(Arc::new(spawn))
    }

    /// Starts a task. Its name appears in errors and metrics.
    pub fn spawn(&self, name: impl Into<String>, task: impl Future<Output = Result<()>> + Send + 'static) {
        (self.0)(name.into(), Box::pin(task));
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spawner")
    }
}
