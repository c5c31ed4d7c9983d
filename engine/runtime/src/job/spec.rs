//! What a job is submitted with.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use sluice_model::{ChangelogBatch, Error, Result};
use sluice_plan::StreamPlan;
use sluice_state::{Restore, S3Options};
use tokio::sync::mpsc;

use crate::restart::RestartStrategy;

/// Names one run of a job: 32 hexadecimal digits, as in Flink.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(String);

impl JobId {
    /// A new one.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }

    /// Reads one.
    ///
    /// # Errors
    /// Anything but 32 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        Err(Error::fix(format!("'{text}' is not a job id")).with_hint("a job id has 32 hexadecimal digits"))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A job to run.
#[derive(Debug)]
pub struct JobSpec {
    /// Id of this run.
    pub id: JobId,
    /// Name for people.
    pub name: String,
    /// What it does.
    pub plan: StreamPlan,
    /// How it runs.
    pub config: JobConfig,
    /// Where the rows of a `Collect` sink go. A full channel holds the job up; a dropped receiver ends it.
    pub collect: Option<mpsc::Sender<ChangelogBatch>>,
}

/// How a job runs. Defaults are Flink's: no checkpoints, no restarts.
#[derive(Debug, Clone, PartialEq)]
pub struct JobConfig {
    /// Directory of the job's checkpoints below `checkpoint_dir`; the same in every run of the job.
    pub state_key: String,
    /// Where checkpoints go (`execution.checkpointing.dir`): a path, `file:` or `s3:` URL.
    pub checkpoint_dir: String,
    /// Where savepoints go unless told otherwise (`execution.checkpointing.savepoint-dir`).
    pub savepoint_dir: Option<String>,
    /// How to get at the buckets that either lies in.
    pub s3: S3Options,
    /// Pause between the beginnings of two checkpoints; none are taken without it.
    pub checkpoint_interval: Option<Duration>,
    /// A checkpoint whose subtasks have not all answered by then has failed.
    pub checkpoint_timeout: Duration,
    /// Least pause between the end of a checkpoint and the beginning of the next.
    pub min_pause: Duration,
    /// Checkpoints hold what has changed since the one before (`execution.checkpointing.incremental`).
    pub incremental: bool,
    /// Operators whose state has fewer bytes hand out all of it
    /// (`execution.checkpointing.data-inline-threshold`).
    pub inline_threshold: u64,
    /// Checkpoints that are kept.
    pub retained: usize,
    /// Failed checkpoints in a row that are borne; one more fails the attempt.
    pub tolerable_failed_checkpoints: u32,
    /// When it starts again after a failure.
    pub restart: RestartStrategy,
    /// What it starts from.
    pub restore: Restore,
    /// Start even if the checkpoint holds state that the job has no use for.
    pub ignore_unclaimed: bool,
    /// Do not hold channels up for barriers; rows may be repeated after a restart.
    pub at_least_once: bool,
    /// Channels hold what their consumer works off in this time
    /// (`taskmanager.network.memory.buffer-debloat.target`), so that barriers do not wait for long; `None`:
    /// what their bound of bytes allows.
    pub channel_time: Option<Duration>,
    /// Bytes of memory that the job's operators may take for their state
    /// (`taskmanager.memory.managed.size`); what is more goes to disk.
    pub state_memory: Option<u64>,
    /// Where it goes to (`io.tmp.dirs`); none: where the system has such files.
    pub spill_dirs: Vec<PathBuf>,
}

impl Default for JobConfig {
    fn default() -> Self {
        Self {
            state_key: "job".to_owned(),
            checkpoint_dir: "sluice-checkpoints".to_owned(),
            savepoint_dir: None,
            s3: S3Options::default(),
            checkpoint_interval: None,
            checkpoint_timeout: Duration::from_secs(600),
            min_pause: Duration::ZERO,
            incremental: false,
            inline_threshold: 20 << 10,
            retained: 3,
            tolerable_failed_checkpoints: 0,
            restart: RestartStrategy::None,
            restore: Restore::Fresh,
            ignore_unclaimed: false,
            at_least_once: false,
            channel_time: Some(Duration::from_secs(10)),
            state_memory: None,
            spill_dirs: Vec::new(),
        }
    }
}

/// How a job is to be stopped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StopRequest {
    /// Let event time run to its end first, so that nothing stays open; such a job is not meant to go on.
    pub drain: bool,
    /// Leave a savepoint.
    pub savepoint: bool,
    /// Where to; else the job's directory for savepoints.
    pub savepoint_dir: Option<String>,
}
