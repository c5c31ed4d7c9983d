//! The engine: runs any number of jobs, each by itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sluice_connector_api::Connectors;
use sluice_model::{Clock, Error, Result};
use sluice_state::{CheckpointStore, JobIdentity, Restore};
use tokio::sync::mpsc;

use crate::job::{Job, JobHandle, JobId, JobSpec, JobStatus, StopRequest, Supervisor};
use crate::program::Program;

/// Ended jobs that are remembered.
const ENDED_JOBS: usize = 100;
/// How long a job may take for its last checkpoint when the engine shuts down.
const SHUTDOWN: Duration = Duration::from_secs(8);
/// Requests that may wait in front of a job.
const REQUESTS: usize = 16;

/// Runs jobs on the tokio runtime that it is used on. Copies are the same engine.
#[derive(Debug, Clone)]
pub struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    connectors: Connectors,
    clock: Arc<dyn Clock>,
    /// In the order of their submission.
    jobs: Mutex<Vec<JobHandle>>,
}

impl Engine {
    /// An engine without jobs.
    pub fn new(connectors: Connectors, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner { connectors, clock, jobs: Mutex::default() }))
    }

    /// Starts a job. Must be called on a tokio runtime; returns before the job runs.
    ///
    /// # Errors
    /// Wrong options of a table or of the job, a plan that cannot run, or an id that is taken.
    pub fn submit(&self, spec: JobSpec) -> Result<JobHandle> {
        let JobSpec { id, name, plan, config, collect } = spec;
        let program = Program::build(plan, &self.0.connectors)?;
        if program.is_collected() && collect.is_none() {
            return Err(Error::bug("nobody collects the rows of the job"));
        }
        let needs_store = config.checkpoint_interval.is_some() || config.restore != Restore::Fresh;
        let store = needs_store.then(|| {
            let identity =
                JobIdentity { id: id.as_str().to_owned(), name: name.clone(), key: config.state_key.clone() };
            CheckpointStore::new(&config.checkpoint_dir, &config.s3, identity, config.retained)
        });
        let store = store.transpose()?;
        let (sender, requests) = mpsc::channel(REQUESTS);
        let clock = Arc::clone(&self.0.clock);
        let job = Arc::new(Job::new(id, name, config, program, clock, sender));
        let handle = JobHandle(Arc::clone(&job));
        self.register(&handle)?;
        tokio::spawn(Supervisor { job, store, requests, collect }.run());
        Ok(handle)
    }

    fn register(&self, handle: &JobHandle) -> Result<()> {
        let mut jobs = self.lock();
        if jobs.iter().any(|job| job.id() == handle.id()) {
            return Err(Error::fix(format!("there is a job with id {} already", handle.id())));
        }
        let ended = jobs.iter().filter(|job| job.status().is_terminal()).count();
        if ended > ENDED_JOBS
            && let Some(oldest) = jobs.iter().position(|job| job.status().is_terminal())
        {
            jobs.remove(oldest);
        }
        jobs.push(handle.clone());
        Ok(())
    }

    /// All jobs in the order of their submission; of those that have ended, the last hundred.
    pub fn jobs(&self) -> Vec<JobHandle> {
        self.lock().clone()
    }

    /// The job of this id.
    pub fn job(&self, id: &JobId) -> Option<JobHandle> {
        self.lock().iter().find(|job| job.id() == id).cloned()
    }

    /// Stops all jobs behind a last checkpoint, so that they can be resumed: they are `SUSPENDED`
    /// then. A job that takes too long for that is ended without one. Takes 20 s at most.
    pub async fn shutdown(&self) {
        let jobs = self.jobs().into_iter().filter(|job| !job.status().is_terminal());
        futures::future::join_all(jobs.map(suspend)).await;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<JobHandle>> {
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn suspend(job: JobHandle) {
    job.suspend();
    let is_running = job.status() == JobStatus::Running;
    let stopped = async { is_running && job.stop(StopRequest::default()).await.is_ok() };
    if !tokio::time::timeout(SHUTDOWN, stopped).await.unwrap_or(false) {
        job.cancel();
    }
    // Only a job that was cancelled has a failure to tell, and that is in its history.
    job.wait().await.ok();
}
