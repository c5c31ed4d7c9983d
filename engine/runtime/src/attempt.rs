//! One attempt to run a job: from its checkpoint to its end or its first failure.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sluice_model::{ChangelogBatch, CheckpointId, Error, Result, suggest};
use sluice_state::{Checkpoint, CheckpointStore, CheckpointWriter, Restore};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::chain::Chain;
use crate::coordinator::{Coordinator, Tick};
use crate::job::{Job, JobStatus, Request, TaskStatus};
use crate::launch::{Launch, task_name};
use crate::restore::{self, States};
use crate::task::TaskEvent;
use crate::task::group::TaskGroup;

/// How long tasks may take to end before they are left behind.
const PATIENCE: Duration = Duration::from_secs(10);

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// All rows are written, or the job was told to stop behind a last checkpoint.
    Finished { is_stopped: bool },
    /// The client does not want any more rows.
    Unwanted,
    /// The job was told to end at once.
    Canceled,
    /// Something went wrong, in a task if it is named.
    Failed { error: Error, task: Option<String> },
}

/// What an attempt is made with.
pub(crate) struct Attempt<'a> {
    pub(crate) job: &'a Arc<Job>,
    pub(crate) store: Option<&'a CheckpointStore>,
    pub(crate) restore: Restore,
    /// Set once the attempt has left its mark in the store.
    pub(crate) has_begun: &'a mut bool,
    pub(crate) collect: Option<&'a mpsc::Sender<ChangelogBatch>>,
    pub(crate) requests: &'a mut mpsc::Receiver<Request>,
}

/// What the store said.
#[derive(Default)]
struct Begun {
    epoch: u64,
    next_checkpoint: CheckpointId,
    /// Checkpoints are taken, and there is none to go on from.
    is_new: bool,
    states: States,
    writer: Option<CheckpointWriter>,
}

impl Attempt<'_> {
    pub(crate) async fn run(mut self) -> Outcome {
        let job = Arc::clone(self.job);
        let begun = tokio::select! {
            biased;
            () = job.cancel.cancelled() => return Outcome::Canceled,
            begun = self.begin_and_restore() => begun,
        };
        let (begun, chains) = match begun {
            Ok(begun) => begun,
            Err(error) => return Outcome::Failed { error, task: None },
        };
        let (sender, mut events) = mpsc::unbounded_channel();
        let group = TaskGroup::new(sender.clone());
        let start = CancellationToken::new();
        let is_new = begun.is_new;
        let mut coordinator = match self.launch(begun, chains, &group, sender, start.clone()) {
            Ok(coordinator) => coordinator,
            Err(error) => {
                let outcome = Outcome::Failed { error, task: None };
                self.end(&group, &outcome).await;
                return outcome;
            }
        };
        let outcome = self.coordinate(&mut coordinator, is_new, &start, &mut events).await;
        self.end(&group, &outcome).await;
        coordinator.settle(PATIENCE).await;
        coordinator.abandon(&over(self.job, &outcome));
        outcome
    }

    async fn begin_and_restore(&mut self) -> Result<(Begun, Vec<Chain>)> {
        let mut begun = self.begin().await?;
        let states = Arc::new(restore::load_heads(self.job, std::mem::take(&mut begun.states)).await?);
        let chains = restore::chains(self.job, &states).await?;
        begun.states = Arc::unwrap_or_clone(states);
        Ok((begun, chains))
    }

    async fn begin(&mut self) -> Result<Begun> {
        let Some(store) = self.store else {
            return Ok(Begun { epoch: self.job.attempts(), next_checkpoint: 1, ..Begun::default() });
        };
        let attempt = store.begin(self.restore.clone()).await?;
        *self.has_begun = true;
        for skipped in &attempt.skipped {
            let error = Error::retry(format!("checkpoint '{}' is damaged and was skipped", skipped.path))
                .because(skipped.why.clone())
                .with_hint("the job goes on from an older one; check the disk");
            self.job.add_exception(&error, None);
        }
        let is_new = attempt.restored.is_none();
        let mut states = States::new();
        if let Some(checkpoint) = attempt.restored {
            tracing::info!(job = %self.job.name, checkpoint = checkpoint.id, path = %checkpoint.path, "restoring");
            self.check_claimed(&checkpoint)?;
            self.job.checkpoint_log().restored(&checkpoint, self.job.now());
            for state in checkpoint.states {
                states.entry(state.id.clone()).or_default().push(state);
            }
        }
        let (epoch, next_checkpoint) = (attempt.epoch, attempt.next_checkpoint);
        Ok(Begun { epoch, next_checkpoint, is_new, states, writer: Some(attempt.writer) })
    }

    /// State that no node of the plan takes would be lost in silence.
    fn check_claimed(&self, checkpoint: &Checkpoint) -> Result<()> {
        let known: BTreeSet<&str> = self.job.program.plan.nodes().iter().map(|node| node.state_id.as_str()).collect();
        let unclaimed: BTreeSet<&str> = checkpoint
            .states
            .iter()
            .filter(|state| !state.content.is_empty() && !known.contains(state.id.as_str()))
            .map(|state| state.id.as_str())
            .collect();
        if unclaimed.is_empty() || self.job.config.ignore_unclaimed {
            return Ok(());
        }
        let describe = |id: &str| match suggest(id, known.iter().copied()) {
            Some(like) => format!("'{id}' (the job has '{like}')"),
            None => format!("'{id}'"),
        };
        let list: Vec<_> = unclaimed.into_iter().map(describe).collect();
        Err(Error::fix(format!("checkpoint '{}' holds state that the job has no use for", checkpoint.path))
            .because(format!("nothing in the job is called {}", list.join(", ")))
            .with_hint("SET 'execution.state-recovery.ignore-unclaimed-state' = 'true' to drop it"))
    }

    fn launch(
        &self,
        begun: Begun,
        chains: Vec<Chain>,
        group: &TaskGroup,
        events: mpsc::UnboundedSender<TaskEvent>,
        start: CancellationToken,
    ) -> Result<Coordinator> {
        let (states, is_new) = (&begun.states, begun.is_new);
        let launch = Launch { job: self.job, group, events, start, states, is_new, collect: self.collect };
        let commanded = launch.launch(chains)?;
        let tasks = self.job.program.graph.subtasks();
        let numbers = (begun.epoch, begun.next_checkpoint.max(self.job.next_checkpoint()));
        Ok(Coordinator::new(Arc::clone(self.job), begun.writer, numbers, commanded, tasks))
    }

    async fn coordinate(
        &mut self,
        coordinator: &mut Coordinator,
        is_new: bool,
        start: &CancellationToken,
        events: &mut mpsc::UnboundedReceiver<TaskEvent>,
    ) -> Outcome {
        let tasks = self.job.program.graph.subtasks();
        let (mut opened, mut done) = (0, 0);
        loop {
            let is_running = opened == tasks;
            let step = tokio::select! {
                biased;
                () = self.job.cancel.cancelled() => return Outcome::Canceled,
                Some(event) = events.recv() => match event {
                    TaskEvent::Opened => {
                        opened += 1;
                        if opened == tasks {
                            self.job.set_status(JobStatus::Running);
                            start.cancel();
                            coordinator.start(is_new);
                        }
                        Ok(())
                    }
                    TaskEvent::Acknowledged { task, checkpoint, states, timing } => {
                        coordinator.on_acknowledged(task, checkpoint, states, timing);
                        Ok(())
                    }
                    TaskEvent::Ended => {
                        coordinator.on_ended();
                        Ok(())
                    }
                    TaskEvent::Done => {
                        done += 1;
                        if done == tasks {
                            return Outcome::Finished { is_stopped: coordinator.on_finished() };
                        }
                        Ok(())
                    }
                    TaskEvent::Failed { name, error } => {
                        return Outcome::Failed { error, task: Some(name) };
                    }
                    TaskEvent::Unwanted => return Outcome::Unwanted,
                },
                tick = coordinator.tick() => match tick {
                    Tick::Timer => coordinator.on_timer(),
                    Tick::Worked(work) => coordinator.on_worked(work),
                },
                Some(request) = self.requests.recv(), if is_running => {
                    coordinator.on_request(request);
                    Ok(())
                }
            };
            if let Err(error) = step {
                return Outcome::Failed { error, task: None };
            }
        }
    }

    /// Ends all tasks, and says which do not.
    async fn end(&self, group: &TaskGroup, outcome: &Outcome) {
        match outcome {
            Outcome::Canceled => self.job.set_status(JobStatus::Cancelling),
            Outcome::Failed { task, .. } => {
                self.job.set_status(JobStatus::Failing);
                self.mark_failed(task.as_deref());
            }
            Outcome::Finished { .. } | Outcome::Unwanted => {}
        }
        self.job.set_tasks(TaskStatus::Canceling);
        for name in group.stop(PATIENCE).await {
            let error = Error::retry(format!("task '{name}' did not end within {PATIENCE:?}, it was left behind"));
            self.job.add_exception(&error, Some(name));
        }
        self.job.set_tasks(TaskStatus::Canceled);
    }

    fn mark_failed(&self, task: Option<&str>) {
        for (vertex, subtasks) in self.job.program.graph.vertices.iter().zip(&self.job.subtasks) {
            for (number, subtask) in subtasks.iter().enumerate() {
                if task == Some(&task_name(vertex, number)) {
                    subtask.status.set(TaskStatus::Failed);
                }
            }
        }
    }
}

fn over(job: &Job, outcome: &Outcome) -> Error {
    match outcome {
        Outcome::Failed { error, .. } => {
            Error::retry(format!("job '{}' failed meanwhile", job.name)).because(error.what().to_owned())
        }
        Outcome::Finished { .. } | Outcome::Unwanted => Error::fix(format!("job '{}' has ended", job.name)),
        Outcome::Canceled => Error::fix(format!("job '{}' was cancelled", job.name)),
    }
}
