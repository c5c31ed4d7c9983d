//! Keeps submitted jobs alive over the death of the process.
//!
//! A job's recipe is on disk from its submission until it has finished or was cancelled. A server
//! that starts again submits what is left; each job goes on from its newest checkpoint. A job that
//! cannot be submitted is shown as failed, and hinders no other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sluice_model::{Error, Reaction, Result};
use sluice_runtime::{JobHandle, JobStatus};
use sluice_sql::session::{Environment, JobRecipe, Session, SubmittedJob};

use crate::store::JobStore;

/// Time between two tries to start a job again whose failure may go away by itself.
const RETRY_DELAY: Duration = Duration::from_secs(10);

/// A job of the store that does not run, because it could not be submitted again.
#[derive(Debug, Clone)]
pub(crate) struct LostJob {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) error: Error,
    pub(crate) since: i64,
}

/// Keeps submitted jobs.
pub(crate) struct JobKeeper {
    environment: Arc<Environment>,
    store: Option<JobStore>,
    lost: Mutex<Vec<LostJob>>,
    /// Jobs that end from now on were stopped with the server, not by their user.
    closing: AtomicBool,
    recovered: AtomicBool,
}

impl JobKeeper {
    /// A keeper; without `keep` it keeps nothing.
    ///
    /// # Errors
    /// The directory cannot be used.
    pub(crate) fn open(environment: Arc<Environment>, keep: bool) -> Result<Arc<Self>> {
        let store = keep.then(|| JobStore::open(&environment.home.jobs())).transpose()?;
        Ok(Arc::new(Self {
            environment,
            store,
            lost: Mutex::default(),
            closing: AtomicBool::new(false),
            recovered: AtomicBool::new(false),
        }))
    }

    /// True if submitted jobs are written to disk.
    pub(crate) fn keeps_jobs(&self) -> bool {
        self.store.is_some()
    }

    /// True once every stored job has been tried.
    pub(crate) fn has_recovered(&self) -> bool {
        self.recovered.load(Ordering::Acquire)
    }

    /// Jobs that could not be started again.
    pub(crate) fn lost(&self) -> Vec<LostJob> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The lost job of this id.
    pub(crate) fn lost_job(&self, id: &str) -> Option<LostJob> {
        self.lost().into_iter().find(|job| job.id == id)
    }

    /// Gives a lost job up.
    ///
    /// # Errors
    /// The disk refuses it.
    pub(crate) fn forget(&self, id: &str) -> Result<()> {
        if let Some(store) = &self.store {
            store.remove(id)?;
        }
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).retain(|job| job.id != id);
        Ok(())
    }

    /// From now on an end of a job is the server's doing.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Keeps a job that has been submitted.
    ///
    /// # Errors
    /// The disk refuses it; the job runs nevertheless.
    pub(crate) fn keep(self: &Arc<Self>, job: &SubmittedJob) -> Result<()> {
        if let Some(store) = &self.store
            && !job.handle.status().is_terminal()
        {
            store.put(&job.recipe)?;
            self.watch(job.handle.clone());
        }
        Ok(())
    }

    /// Drops the recipe when the job has ended for good.
    fn watch(self: &Arc<Self>, job: JobHandle) {
        let keeper = Arc::clone(self);
        tokio::spawn(async move {
            let mut changes = job.status_changes();
            while !job.status().is_terminal() {
                if changes.changed().await.is_err() {
                    break;
                }
            }
            let ended = matches!(job.status(), JobStatus::Finished | JobStatus::Canceled);
            if ended
                && !keeper.closing.load(Ordering::Acquire)
                && let Err(error) = keeper.forget(job.id().as_str())
            {
                tracing::warn!(job = %job.id(), "{error}");
            }
        });
    }

    /// Submits what the store holds. Returns how many jobs run again.
    ///
    /// # Errors
    /// The store cannot be read at all.
    pub(crate) async fn recover(self: &Arc<Self>) -> Result<usize> {
        let mut running = 0;
        if let Some(store) = &self.store {
            let (recipes, unreadable) = store.load()?;
            for error in unreadable {
                tracing::error!("{error}");
            }
            for recipe in recipes {
                match self.submit(&recipe).await {
                    Ok(()) => running += 1,
                    Err(error) => self.lose(recipe, error),
                }
            }
        }
        self.recovered.store(true, Ordering::Release);
        Ok(running)
    }

    async fn submit(self: &Arc<Self>, recipe: &JobRecipe) -> Result<()> {
        let mut session = Session::new(Arc::clone(&self.environment));
        let job = session.submit_recipe(recipe).await?;
        tracing::info!(job = recipe.id, name = recipe.name, "started again from its newest checkpoint");
        self.watch(job.handle);
        Ok(())
    }

    fn lose(self: &Arc<Self>, recipe: JobRecipe, error: Error) {
        tracing::error!(job = recipe.id, name = recipe.name, "cannot be started again: {error}");
        let retry = error.reaction() == Reaction::Retry;
        let since = self.environment.clock.now_millis();
        let lost = LostJob { id: recipe.id.clone(), name: recipe.name.clone(), error, since };
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).push(lost);
        if retry {
            let keeper = Arc::clone(self);
            tokio::spawn(async move { keeper.retry(recipe).await });
        }
    }

    async fn retry(self: Arc<Self>, recipe: JobRecipe) {
        loop {
            tokio::time::sleep(RETRY_DELAY).await;
            if self.closing.load(Ordering::Acquire) || self.lost_job(&recipe.id).is_none() {
                return;
            }
            match self.submit(&recipe).await {
                Ok(()) => {
                    self.lost.lock().unwrap_or_else(PoisonError::into_inner).retain(|job| job.id != recipe.id);
                    return;
                }
                Err(error) => tracing::warn!(job = recipe.id, name = recipe.name, "still cannot be started: {error}"),
            }
        }
    }
}
