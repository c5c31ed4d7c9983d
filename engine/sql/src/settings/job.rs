//! What the settings say about running a job.

use std::path::PathBuf;
use std::time::Duration;

use sluice_model::{Error, Result, Secret, suggest};
use sluice_planner::MiniBatch;
use sluice_planner::{Materialize, PlannerSettings};
use sluice_runtime::{JobConfig, RestartStrategy, Restore, S3Options};

use super::Settings;
use crate::session::Home;

/// Checkpoint interval of a job that never ends by itself, if none is set: without checkpoints a
/// restart would begin from nothing.
const DEFAULT_CHECKPOINT_INTERVAL: Duration = Duration::from_secs(10);

/// Where a job starts, if no path is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreMode {
    /// From nothing, as Flink does.
    Fresh,
    /// From the newest checkpoint under the job's own key, if there is one: a job file that is run
    /// again goes on where it stopped.
    Latest,
}

impl Settings {
    /// The planner's share.
    ///
    /// # Errors
    /// A value that does not exist.
    pub fn planner(&self) -> Result<PlannerSettings> {
        let default = self.number::<i64>("table.exec.resource.default-parallelism").filter(|number| *number > 0);
        let parallelism = default.or_else(|| self.number("parallelism.default")).unwrap_or(1);
        let parallelism = usize::try_from(parallelism).unwrap_or(1).clamp(1, sluice_model::KEY_GROUPS);
        let materialize = self.word("table.exec.sink.upsert-materialize", &["AUTO", "NONE", "FORCE"])?;
        let enforcer = self.word("table.exec.sink.not-null-enforcer", &["ERROR", "DROP"])?;
        Ok(PlannerSettings {
            parallelism,
            batch: self.is_batch()?,
            upsert_materialize: match materialize.as_str() {
                "NONE" => Materialize::Never,
                "FORCE" => Materialize::Always,
                _ => Materialize::Auto,
            },
            drop_nulls: enforcer == "DROP",
            state_ttl: self.duration("table.exec.state.ttl").filter(|ttl| !ttl.is_zero()),
            idle_timeout: self.duration("table.exec.source.idle-timeout").filter(|timeout| !timeout.is_zero()),
            watermark_interval: self.duration("pipeline.auto-watermark-interval").unwrap_or(Duration::from_millis(200)),
            mini_batch: self.mini_batch()?,
        })
    }

    /// How rows are gathered.
    fn mini_batch(&self) -> Result<Option<MiniBatch>> {
        if !self.is_true("table.exec.mini-batch.enabled") {
            return Ok(None);
        }
        let latency = self.duration("table.exec.mini-batch.allow-latency").filter(|latency| !latency.is_zero());
        let size = self.number::<i64>("table.exec.mini-batch.size").and_then(|size| usize::try_from(size).ok());
        let (Some(latency), Some(size)) = (latency, size.filter(|size| *size > 0)) else {
            let missing = if latency.is_none() { "allow-latency" } else { "size" };
            return Err(Error::fix(format!("mini-batches need 'table.exec.mini-batch.{missing}' above 0")).with_hint(
                "SET 'table.exec.mini-batch.allow-latency' = '5 s' and 'table.exec.mini-batch.size' = '5000'",
            ));
        };
        Ok(Some(MiniBatch { latency, size }))
    }

    /// Whether jobs run in batch mode.
    ///
    /// # Errors
    /// A mode that does not exist.
    pub fn is_batch(&self) -> Result<bool> {
        Ok(self.word("execution.runtime-mode", &["STREAMING", "BATCH"])? == "BATCH")
    }

    /// The runtime's share, for a job whose checkpoints go under `state_key`.
    ///
    /// # Errors
    /// A value that does not exist.
    pub fn job_config(&self, home: &Home, state_key: String, bounded: bool, mode: RestoreMode) -> Result<JobConfig> {
        let is_batch = self.is_batch()?;
        let directory = |key: &str, default: std::path::PathBuf| match self.get(key) {
            Some(path) => path.to_owned(),
            None => default.display().to_string(),
        };
        let interval = self.duration("execution.checkpointing.interval").filter(|interval| !interval.is_zero());
        // A query over all rows has nothing to write down on its way.
        let interval = interval.filter(|_| !is_batch);
        let checkpointing = self.word("execution.checkpointing.mode", &["EXACTLY_ONCE", "AT_LEAST_ONCE"])?;
        let checkpoint_interval = interval.or((!bounded).then_some(DEFAULT_CHECKPOINT_INTERVAL));
        Ok(JobConfig {
            state_key,
            checkpoint_dir: directory("execution.checkpointing.dir", home.checkpoints()),
            savepoint_dir: Some(directory("execution.checkpointing.savepoint-dir", home.savepoints())),
            s3: self.s3(),
            checkpoint_interval,
            checkpoint_timeout: self.duration("execution.checkpointing.timeout").unwrap_or(Duration::from_secs(600)),
            min_pause: self.duration("execution.checkpointing.min-pause").unwrap_or_default(),
            incremental: self.is_true("execution.checkpointing.incremental"),
            inline_threshold: self.memory_size("execution.checkpointing.data-inline-threshold").unwrap_or(20 << 10),
            // Flink keeps one by default; a broken newest one needs an older one to fall back to.
            retained: self
                .number::<usize>("execution.checkpointing.num-retained")
                .unwrap_or(1)
                .max(self.number::<usize>("sluice.checkpoints.num-retained").unwrap_or(3)),
            tolerable_failed_checkpoints: self
                .number("execution.checkpointing.tolerable-failed-checkpoints")
                .unwrap_or(0),
            restart: self.restart_strategy(checkpoint_interval.is_some())?,
            restore: self.restore(mode),
            ignore_unclaimed: self.is_true("execution.state-recovery.ignore-unclaimed-state"),
            at_least_once: checkpointing == "AT_LEAST_ONCE",
            channel_time: self.channel_time(),
            state_memory: self.memory_size("taskmanager.memory.managed.size").filter(|size| *size > 0),
            spill_dirs: self.spill_dirs(),
        })
    }

    /// What may wait between tasks, as the time that it takes to work it off. Flink has no such bound unless
    /// told; here a wide one holds by itself, so that a slow sink does not hold checkpoints up for minutes.
    pub(super) fn channel_time(&self) -> Option<Duration> {
        const ENABLED: &str = "taskmanager.network.memory.buffer-debloat.enabled";
        let is_short = self.is_true(ENABLED) || self.is_true("execution.checkpointing.unaligned.enabled");
        let target = self.duration("taskmanager.network.memory.buffer-debloat.target");
        match self.given(ENABLED) {
            Some(_) if !self.is_true(ENABLED) => None,
            _ if is_short => Some(target.unwrap_or(Duration::from_secs(1))),
            _ => JobConfig::default().channel_time,
        }
    }

    /// As in Flink: one directory, or several with commas or colons between them.
    fn spill_dirs(&self) -> Vec<PathBuf> {
        let list = self.given("io.tmp.dirs").unwrap_or_default();
        list.split([',', ':']).map(str::trim).filter(|directory| !directory.is_empty()).map(PathBuf::from).collect()
    }

    fn s3(&self) -> S3Options {
        let text = |key: &str| self.given(key).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        S3Options {
            access_key: text("s3.access-key").map(Secret::new),
            secret_key: text("s3.secret-key").map(Secret::new),
            endpoint: text("s3.endpoint"),
            region: text("s3.region"),
            path_style: self.given("s3.path.style.access").map(|_| self.is_true("s3.path.style.access")),
        }
    }

    fn restore(&self, mode: RestoreMode) -> Restore {
        match (self.given("execution.state-recovery.path"), mode) {
            (Some(path), _) => Restore::Path(path.to_owned()),
            (None, RestoreMode::Latest) if self.is_true("sluice.script.resume") => Restore::Latest,
            (None, _) => Restore::Fresh,
        }
    }

    fn restart_strategy(&self, checkpointing: bool) -> Result<RestartStrategy> {
        let default = if checkpointing { "exponential-delay" } else { "none" };
        let name = self.given("restart-strategy.type").unwrap_or(default).to_ascii_lowercase();
        let duration = |key: &str| self.duration(&format!("restart-strategy.{key}")).unwrap_or_default();
        match name.as_str() {
            "none" | "off" | "disable" => Ok(RestartStrategy::None),
            "fixed-delay" | "fixeddelay" => Ok(RestartStrategy::FixedDelay {
                attempts: self.number("restart-strategy.fixed-delay.attempts").unwrap_or(1),
                delay: duration("fixed-delay.delay"),
            }),
            "failure-rate" | "failurerate" => Ok(RestartStrategy::FailureRate {
                max_failures: self.number("restart-strategy.failure-rate.max-failures-per-interval").unwrap_or(1),
                interval: duration("failure-rate.failure-rate-interval"),
                delay: duration("failure-rate.delay"),
            }),
            "exponential-delay" | "exponentialdelay" => Ok(RestartStrategy::ExponentialDelay {
                initial: duration("exponential-delay.initial-backoff"),
                max: duration("exponential-delay.max-backoff"),
                multiplier: self.number("restart-strategy.exponential-delay.backoff-multiplier").unwrap_or(1.5),
                jitter: self.number("restart-strategy.exponential-delay.jitter-factor").unwrap_or(0.1),
                reset_threshold: duration("exponential-delay.reset-backoff-threshold"),
                attempts: self.number("restart-strategy.exponential-delay.attempts-before-reset-backoff"),
            }),
            other => Err(unknown_word(
                "restart-strategy.type",
                other,
                &["none", "fixed-delay", "failure-rate", "exponential-delay"],
            )),
        }
    }

    /// The value of a key with a closed list of words, in capitals and with underscores.
    fn word(&self, key: &str, words: &[&str]) -> Result<String> {
        let value = self.get(key).unwrap_or(words[0]);
        let word = value.trim().to_ascii_uppercase().replace('-', "_");
        if words.contains(&word.as_str()) { Ok(word) } else { Err(unknown_word(key, value, words)) }
    }
}

fn unknown_word(key: &str, value: &str, words: &[&str]) -> Error {
    let hint = match suggest(value, words.iter().copied()) {
        Some(like) => format!("did you mean '{like}'?"),
        None => format!("expected one of {}", words.join(", ")),
    };
    Error::fix(format!("invalid value '{value}' for setting '{key}'")).with_hint(hint)
}
