//! Takes the checkpoints of one attempt.
//!
//! ```text
//! trigger ─► number n is reserved ─► sources send barrier n ─► … ─► sinks prepare n
//!         ─► all have acknowledged n ─► written and durable ─► sources acknowledge upstream, sinks commit
//! ```
//!
//! One checkpoint is on its way at a time; what is asked for meanwhile waits in a queue. Writing
//! happens beside the data, in a task of its own. Nothing upstream is acknowledged, and nothing is
//! committed, before the checkpoint is durable. A new job's first checkpoint is taken before the
//! sources may read: whatever rows a crash leaves in the sinks lie behind it.

mod purpose;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sluice_model::{Barrier, BarrierKind, CheckpointId, Error, Reaction, Result};
use sluice_state::{
    CheckpointWriter, JobIdentity, Part, Published, S3Options, Snapshot, SnapshotKind, TaskState, write_savepoint,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::purpose::Purpose;
use crate::checkpoints::Acknowledged;
use crate::job::{Job, Request};
use crate::task::{Command, Timing};

/// Pause before a last checkpoint that failed is tried again.
const RETRY_LAST: Duration = Duration::from_secs(1);

/// The checkpoint on its way.
#[derive(Debug)]
struct Pending {
    id: CheckpointId,
    purpose: Purpose,
    timestamp: i64,
    deadline: Instant,
    /// Tasks that have not acknowledged.
    missing: Vec<bool>,
    /// The barriers are on their way.
    is_sent: bool,
    sent: std::time::Instant,
    states: Vec<TaskState>,
}

/// What the coordinator waits for.
#[derive(Debug)]
pub(crate) enum Tick {
    /// Something is due.
    Timer,
    /// What the storage was asked to do is done.
    Worked(Work),
}

/// What the storage has done.
#[derive(Debug)]
pub(crate) enum Work {
    /// The number of the checkpoint was taken, or not; with the checkpoint that it may build on.
    Reserved(Result<Option<CheckpointId>>),
    /// The checkpoint was written, or not.
    Stored(Result<Option<Published>>),
}

/// Channels to the tasks that take commands.
#[derive(Debug, Default)]
pub(crate) struct Commanded {
    pub(crate) sources: Vec<mpsc::UnboundedSender<Command>>,
    pub(crate) sinks: Vec<mpsc::UnboundedSender<Command>>,
}

/// Takes the checkpoints of one attempt.
#[derive(Debug)]
pub(crate) struct Coordinator {
    job: Arc<Job>,
    /// `None` if the job takes no checkpoints.
    writer: Option<CheckpointWriter>,
    epoch: u64,
    next_id: CheckpointId,
    commanded: Commanded,
    tasks: usize,
    ended: usize,
    pending: Option<Pending>,
    working: Option<JoinHandle<Work>>,
    queue: VecDeque<Purpose>,
    /// When the next periodic one is due.
    next_periodic: Option<Instant>,
    /// The queue waits until then.
    not_before: Instant,
    failures_in_a_row: u32,
    /// Set behind the last checkpoint; with the answer to who asked for it.
    finishing: Option<Finishing>,
    cleaning: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Finishing {
    is_stopped: bool,
    answer: Option<StopAnswer>,
}

/// What whoever stopped the job is told when it has ended.
#[derive(Debug)]
struct StopAnswer {
    reply: oneshot::Sender<Result<Option<String>>>,
    path: Option<String>,
}

impl Coordinator {
    pub(crate) fn new(
        job: Arc<Job>,
        writer: Option<CheckpointWriter>,
        (epoch, next_id): (u64, CheckpointId),
        commanded: Commanded,
        tasks: usize,
    ) -> Self {
        Self {
            job,
            writer,
            epoch,
            next_id,
            commanded,
            tasks,
            ended: 0,
            pending: None,
            working: None,
            queue: VecDeque::new(),
            next_periodic: None,
            not_before: Instant::now(),
            failures_in_a_row: 0,
            finishing: None,
            cleaning: None,
        }
    }

    /// The job runs: from now on checkpoints are taken, and if it is new, the first at once.
    pub(crate) fn start(&mut self, is_new: bool) {
        if self.writer.is_some() {
            self.next_periodic = self.job.config.checkpoint_interval.map(|interval| Instant::now() + interval);
        }
        if is_new {
            self.queue.push_front(Purpose::First);
            self.proceed();
        }
    }

    /// Waits until there is something to do. Cancel-safe.
    pub(crate) async fn tick(&mut self) -> Tick {
        let timer = match self.next_wake() {
            Some(at) => futures::future::Either::Left(tokio::time::sleep_until(at)),
            None => futures::future::Either::Right(std::future::pending()),
        };
        match &mut self.working {
            None => {
                timer.await;
                Tick::Timer
            }
            Some(working) => {
                let work = working.await.unwrap_or_else(|error| {
                    Work::Stored(Err(Error::bug("checkpoint storage panicked").because(error.to_string())))
                });
                self.working = None;
                Tick::Worked(work)
            }
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        match &self.pending {
            Some(pending) => Some(pending.deadline),
            None if !self.queue.is_empty() => Some(self.not_before),
            None => self.next_periodic,
        }
    }

    /// Does what is due.
    ///
    /// # Errors
    /// A checkpoint failed, and that is no longer borne.
    pub(crate) fn on_timer(&mut self) -> Result<()> {
        let now = Instant::now();
        if self.pending.as_ref().is_some_and(|pending| pending.deadline <= now) {
            let error = too_late("not all subtasks answered", &self.job);
            return self.give_up(error.with_hint("look for a slow sink, or raise 'execution.checkpointing.timeout'"));
        }
        self.proceed();
        Ok(())
    }

    /// Starts what waits, if nothing is on its way.
    fn proceed(&mut self) {
        let now = Instant::now();
        if self.pending.is_some() || self.finishing.is_some() || self.not_before > now {
            return;
        }
        if let Some(purpose) = self.queue.pop_front() {
            self.trigger(purpose);
        } else if self.next_periodic.is_some_and(|due| due <= now) {
            self.next_periodic = self.job.config.checkpoint_interval.map(|interval| now + interval);
            self.trigger(Purpose::Periodic);
        }
    }

    fn trigger(&mut self, purpose: Purpose) {
        let id = self.next_id;
        self.next_id += 1;
        self.job.used_checkpoint(id);
        let timestamp = self.job.now();
        let is_savepoint = purpose.savepoint_dir().is_some();
        self.job.checkpoint_log().triggered(id, purpose.kind(), is_savepoint, self.tasks, timestamp);
        let deadline = Instant::now() + self.job.config.checkpoint_timeout;
        let missing = vec![true; self.tasks];
        let states = Vec::new();
        let sent = std::time::Instant::now();
        self.pending = Some(Pending { id, purpose, timestamp, deadline, missing, is_sent: false, sent, states });
        match self.writer.clone() {
            Some(writer) => {
                self.working = Some(tokio::spawn(async move { Work::Reserved(writer.reserve(id).await) }));
            }
            None => self.send_barriers(None),
        }
    }

    /// Savepoints, and what the next run starts from, hold everything.
    fn send_barriers(&mut self, newest: Option<CheckpointId>) {
        let Some(pending) = &mut self.pending else { return };
        (pending.is_sent, pending.sent) = (true, std::time::Instant::now());
        let kind = pending.purpose.kind();
        let since = newest.filter(|_| self.job.config.incremental && kind == BarrierKind::Checkpoint);
        let is_end = matches!(pending.purpose, Purpose::Last) && self.job.config.checkpoint_interval.is_none();
        let kind = if is_end { BarrierKind::End } else { kind };
        let barrier = Barrier { checkpoint: pending.id, kind, since };
        let drain = matches!(pending.purpose, Purpose::Stop { drain: true, .. });
        command(&self.commanded.sources, Command::Barrier { barrier, drain });
    }

    /// A task has handed in its state.
    pub(crate) fn on_acknowledged(
        &mut self,
        task: usize,
        checkpoint: CheckpointId,
        states: Vec<TaskState>,
        timing: Timing,
    ) {
        // Late answers belong to checkpoints that were given up.
        let Some(pending) = self.pending.as_mut().filter(|pending| pending.id == checkpoint) else { return };
        if !std::mem::replace(&mut pending.missing[task], false) {
            return;
        }
        let names = states.iter().map(|state| (state.id.clone(), state.subtask)).collect();
        let acknowledged = Acknowledged { task, now: self.job.now(), sent: pending.sent, timing, states: names };
        pending.states.extend(states);
        self.job.checkpoint_log().acknowledged(checkpoint, acknowledged);
        if pending.missing.iter().any(|missing| *missing) {
            return;
        }
        let mut states = std::mem::take(&mut pending.states);
        if !self.job.config.incremental || pending.purpose.kind() != BarrierKind::Checkpoint {
            states.iter_mut().for_each(|state| state.part = Part::Whole);
        }
        // Large states are encoded while they are written, which nothing can stop from outside.
        let (deadline, late) = (pending.deadline.into_std(), too_late("its state was not written", &self.job));
        states.iter_mut().for_each(|state| state.content = state.content.clone().until(deadline, late.clone()));
        let snapshot = Snapshot { checkpoint, kind: SnapshotKind::Checkpoint, timestamp: pending.timestamp, states };
        let savepoint = pending.purpose.savepoint_dir().map(|dir| (dir, self.job.config.s3.clone()));
        let writer = self.writer.clone().filter(|_| pending.purpose.kind() != BarrierKind::Savepoint);
        let job = identity(&self.job);
        let store = store(job, self.epoch, snapshot, savepoint, writer);
        self.working = Some(tokio::spawn(async move { Work::Stored(store.await) }));
    }

    /// The storage is done with what it was asked for.
    ///
    /// # Errors
    /// It could not do it, and that is no longer borne.
    pub(crate) fn on_worked(&mut self, work: Work) -> Result<()> {
        match work {
            Work::Reserved(Ok(newest)) => self.send_barriers(newest),
            Work::Stored(Ok(published)) => self.complete(published),
            Work::Reserved(Err(error)) | Work::Stored(Err(error)) => return self.give_up(error),
        }
        Ok(())
    }

    fn complete(&mut self, published: Option<Published>) {
        let Some(Pending { id, purpose, .. }) = self.pending.take() else { return };
        self.failures_in_a_row = 0;
        self.report(id, published.as_ref());
        self.next_periodic = self.next_periodic.map(|due| due.max(Instant::now() + self.job.config.min_pause));
        // A savepoint is the user's: what is committed depends on the job's own checkpoints only.
        if purpose.kind() != BarrierKind::Savepoint {
            command(&self.commanded.sources, Command::Completed(id));
            command(&self.commanded.sinks, Command::Completed(id));
            self.clean();
        }
        let path = published.map(|published| published.path);
        match purpose {
            Purpose::First | Purpose::Periodic => {}
            Purpose::Asked(reply) => drop(reply.send(Ok(id))),
            Purpose::Savepoint { reply, .. } => drop(reply.send(Ok(path.unwrap_or_default()))),
            Purpose::Stop { reply, .. } => self.finish(true, Some(StopAnswer { reply, path })),
            Purpose::Last => self.finish(false, None),
        }
        self.proceed();
    }

    fn report(&self, id: CheckpointId, published: Option<&Published>) {
        let now = self.job.now();
        let (duration, alignment) = self.job.checkpoint_log().completed(id, published, now);
        let metrics = &self.job.metrics;
        metrics.last_checkpoint_alignment_ms.set(alignment);
        metrics.last_checkpoint_full_size_bytes.set(published.map_or(0, |published| published.full_size as i64));
        metrics.checkpoints_completed.add(1);
        metrics.last_checkpoint_id.set(id as i64);
        metrics.last_checkpoint_duration_ms.set(duration);
        metrics.last_checkpoint_size_bytes.set(published.map_or(0, |published| published.size as i64));
        metrics.last_checkpoint_timestamp_ms.set(now);
        tracing::debug!(job = %self.job.name, checkpoint = id, duration, "checkpoint completed");
    }

    /// Removes old checkpoints beside everything else, one sweep at a time.
    fn clean(&mut self) {
        if self.cleaning.as_ref().is_some_and(|cleaning| !cleaning.is_finished()) {
            return;
        }
        let Some(writer) = self.writer.clone() else { return };
        let name = self.job.name.clone();
        self.cleaning = Some(tokio::spawn(async move {
            if let Err(error) = writer.clean().await {
                tracing::warn!(job = %name, "old checkpoints were not removed: {error}");
            }
        }));
    }

    fn finish(&mut self, is_stopped: bool, answer: Option<StopAnswer>) {
        self.finishing = Some(Finishing { is_stopped, answer });
        command(&self.commanded.sources, Command::Finish);
        command(&self.commanded.sinks, Command::Finish);
        self.next_periodic = None;
        for purpose in std::mem::take(&mut self.queue) {
            purpose.refuse(ending(&self.job));
        }
    }

    fn give_up(&mut self, error: Error) -> Result<()> {
        let Some(Pending { id, purpose, is_sent, .. }) = self.pending.take() else { return Ok(()) };
        self.job.checkpoint_log().failed(id, error.to_string(), self.job.now());
        self.job.metrics.checkpoints_failed.add(1);
        tracing::warn!(job = %self.job.name, checkpoint = id, "checkpoint failed: {error}");
        self.next_periodic = self.next_periodic.map(|due| due.max(Instant::now() + self.job.config.min_pause));
        let error = error.while_doing(format!("checkpoint {id} failed"));
        let is_counted = purpose.is_own();
        let must_fail = self.after_failure(purpose, &error) && is_sent;
        self.failures_in_a_row += u32::from(is_counted);
        let is_too_much = is_counted && self.failures_in_a_row > self.job.config.tolerable_failed_checkpoints;
        // What the user has to fix, above all a second process that runs the job, does not heal.
        if must_fail || is_too_much || error.reaction() == Reaction::Fix && is_counted {
            return Err(error);
        }
        self.proceed();
        Ok(())
    }

    /// Answers who waited. Returns whether the attempt cannot go on.
    fn after_failure(&mut self, purpose: Purpose, error: &Error) -> bool {
        match purpose {
            Purpose::Stop { drain, .. } => {
                purpose.refuse(error.clone());
                command(&self.commanded.sources, Command::Resume);
                // Event time cannot be turned back.
                drain
            }
            needed @ (Purpose::First | Purpose::Last) => {
                self.queue.push_front(needed);
                self.not_before = Instant::now() + RETRY_LAST;
                false
            }
            other => {
                other.refuse(error.clone());
                false
            }
        }
    }

    /// A task will put out no further rows. When no task will, the last checkpoint is taken.
    pub(crate) fn on_ended(&mut self) {
        self.ended += 1;
        if self.ended == self.tasks {
            self.next_periodic = None;
            self.queue.push_back(Purpose::Last);
            self.proceed();
        }
    }

    /// The user asks for something.
    pub(crate) fn on_request(&mut self, request: Request) {
        if self.finishing.is_some() || self.queue.iter().any(|purpose| purpose.kind() == BarrierKind::Stop) {
            return request.refuse(ending(&self.job));
        }
        if self.job.program.is_batch() {
            return request.refuse(
                Error::fix("a job in batch mode has no checkpoints")
                    .because("its rows lie in a query that is in the middle of its work")
                    .with_hint("cancel it, or let it end"),
            );
        }
        let dir = |asked: Option<String>| {
            asked.or_else(|| self.job.config.savepoint_dir.clone()).ok_or_else(|| {
                Error::fix("there is no directory for savepoints")
                    .with_hint("name one, or SET 'execution.checkpointing.savepoint-dir' = '…'")
            })
        };
        let purpose = match request {
            Request::Checkpoint(reply) if self.writer.is_some() => Purpose::Asked(reply),
            Request::Checkpoint(reply) => return drop(reply.send(Err(no_checkpoints(&self.job)))),
            Request::Savepoint { dir: asked, reply } => match dir(asked) {
                Ok(dir) => Purpose::Savepoint { dir, reply },
                Err(error) => return drop(reply.send(Err(error))),
            },
            Request::Stop { request, reply } => {
                match request.savepoint.then(|| dir(request.savepoint_dir)).transpose() {
                    Ok(savepoint_dir) => Purpose::Stop { drain: request.drain, savepoint_dir, reply },
                    Err(error) => return drop(reply.send(Err(error))),
                }
            }
        };
        self.queue.push_back(purpose);
        self.proceed();
    }

    /// All tasks are done. Returns whether the job was stopped (or ended by itself).
    pub(crate) fn on_finished(&mut self) -> bool {
        let Some(Finishing { is_stopped, answer }) = self.finishing.take() else { return false };
        if let Some(StopAnswer { reply, path }) = answer {
            drop(reply.send(Ok(path)));
        }
        is_stopped
    }

    /// The attempt is over before its time. What is being written is waited for, so that nothing is
    /// written for a job that has ended; a checkpoint that becomes durable counts.
    pub(crate) async fn settle(&mut self, patience: Duration) {
        let Some(working) = self.working.take() else { return };
        let Ok(Ok(Work::Stored(Ok(published)))) = tokio::time::timeout(patience, working).await else { return };
        let Some(Pending { id, purpose, .. }) = self.pending.take() else { return };
        self.report(id, published.as_ref());
        match purpose {
            Purpose::Asked(reply) => drop(reply.send(Ok(id))),
            Purpose::Savepoint { reply, .. } => {
                drop(reply.send(Ok(published.map(|published| published.path).unwrap_or_default())));
            }
            other => self.queue.push_front(other),
        }
    }

    /// The attempt is over before its time, and settled: answers everybody who waits.
    pub(crate) fn abandon(mut self, error: &Error) {
        if let Some(Pending { id, purpose, .. }) = self.pending.take() {
            self.job.checkpoint_log().failed(id, error.to_string(), self.job.now());
            self.queue.push_front(purpose);
        }
        for purpose in self.queue {
            purpose.refuse(error.clone());
        }
        if let Some(StopAnswer { reply, .. }) = self.finishing.and_then(|finishing| finishing.answer) {
            drop(reply.send(Err(error.clone())));
        }
    }
}

/// Tasks that are gone have failed, which is an event of its own.
fn command(tasks: &[mpsc::UnboundedSender<Command>], command: Command) {
    for task in tasks {
        task.send(command).ok();
    }
}

fn ending(job: &Job) -> Error {
    Error::fix(format!("job '{}' is about to end", job.name))
}

fn no_checkpoints(job: &Job) -> Error {
    Error::fix(format!("job '{}' takes no checkpoints", job.name))
        .with_hint("SET 'execution.checkpointing.interval' = '10s' before it is submitted")
}

fn too_late(what: &str, job: &Job) -> Error {
    Error::retry(format!("{what} within {:?}", job.config.checkpoint_timeout))
        .with_hint("raise 'execution.checkpointing.timeout'")
}

pub(crate) fn identity(job: &Job) -> JobIdentity {
    JobIdentity { id: job.id.as_str().to_owned(), name: job.name.clone(), key: job.config.state_key.clone() }
}

/// Writes a savepoint, a checkpoint, or both: behind a stop the next run may start from either.
async fn store(
    job: JobIdentity,
    epoch: u64,
    snapshot: Snapshot,
    savepoint: Option<(String, S3Options)>,
    writer: Option<CheckpointWriter>,
) -> Result<Option<Published>> {
    let mut published = None;
    if let Some((dir, s3)) = savepoint {
        let savepoint = Snapshot { kind: SnapshotKind::Savepoint, ..snapshot.clone() };
        published = Some(write_savepoint(&dir, &s3, &job, epoch, savepoint).await?);
    }
    if let Some(writer) = writer {
        let checkpoint = writer.write(snapshot).await?;
        published.get_or_insert(checkpoint);
    }
    Ok(published)
}
