//! The settings of a session: `SET 'key' = 'value'`.
//!
//! Flink stores any key without looking at it; a typing error then stays without effect and without
//! a word. Here a key must be one that Flink or Sluice knows, and its value must be of its type.
//! Keys that steer parts of Flink that Sluice does not have are accepted with a note.

mod job;

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use sluice_model::{Error, Position, Result, Secret, parse_duration, parse_memory_size, suggest};

pub use job::RestoreMode;

/// Sluice's own keys: key, type, default, meaning.
const OWN_KEYS: [(&str, &str, &str); 3] = [
    ("sluice.script.merge-inserts", "Boolean", "true"),
    ("sluice.script.resume", "Boolean", "true"),
    ("sluice.checkpoints.num-retained", "Integer", "3"),
];

/// Keys of Flink's S3 file systems, which hand them on to Hadoop or Presto: key, type.
const S3_KEYS: [(&str, &str); 5] = [
    ("s3.access-key", "String"),
    ("s3.secret-key", "String"),
    ("s3.endpoint", "String"),
    ("s3.region", "String"),
    ("s3.path.style.access", "Boolean"),
];

/// Keys of Flink's cluster that mean something here: key, type.
const CLUSTER_KEYS: [(&str, &str); 4] = [
    ("taskmanager.memory.managed.size", "MemorySize"),
    ("taskmanager.network.memory.buffer-debloat.enabled", "Boolean"),
    ("taskmanager.network.memory.buffer-debloat.target", "Duration"),
    ("io.tmp.dirs", "String"),
];

/// Families of keys that belong to parts of Flink that are not here.
const FOREIGN_PREFIXES: [&str; 12] = [
    "yarn.",
    "kubernetes.",
    "jobmanager.",
    "taskmanager.",
    "metrics.",
    "security.",
    "high-availability.",
    "env.",
    "akka.",
    "pekko.",
    "state.backend.rocksdb.",
    "table.exec.hive.",
];

/// Keys that choose among ways of Flink's to one result, where there is one way here: key, what is so.
const ONE_WAY: [(&str, &str); 8] = [
    ("execution.checkpointing.unaligned.enabled", UNALIGNED),
    ("execution.checkpointing.unaligned.forced", UNALIGNED),
    ("execution.checkpointing.aligned-checkpoint-timeout", UNALIGNED),
    ("table.optimizer.agg-phase-strategy", "groups are aggregated in one step, behind the exchange"),
    ("table.optimizer.distinct-agg.split.enabled", "DISTINCT aggregates are not split"),
    ("table.optimizer.distinct-agg.split.bucket-num", "DISTINCT aggregates are not split"),
    ("table.optimizer.incremental-agg-enabled", "groups are aggregated in one step, behind the exchange"),
    ("table.exec.deduplicate.mini-batch.compact-changes-enabled", "a mini-batch has one result per key already"),
];

const UNALIGNED: &str = "barriers stay behind rows; what waits in front of them is bounded by \
     'taskmanager.network.memory.buffer-debloat.target', to 1 s where unaligned checkpoints are asked for";

/// Older spellings and what they mean today.
const ALIASES: [(&str, &str); 26] = [
    ("state.checkpoints.dir", "execution.checkpointing.dir"),
    ("state.backend.fs.checkpointdir", "execution.checkpointing.dir"),
    ("state.savepoints.dir", "execution.checkpointing.savepoint-dir"),
    ("savepoints.state.backend.fs.dir", "execution.checkpointing.savepoint-dir"),
    ("state.checkpoints.num-retained", "execution.checkpointing.num-retained"),
    ("state.backend.incremental", "execution.checkpointing.incremental"),
    ("state.storage.fs.memory-threshold", "execution.checkpointing.data-inline-threshold"),
    ("state.backend.fs.memory-threshold", "execution.checkpointing.data-inline-threshold"),
    ("execution.savepoint.path", "execution.state-recovery.path"),
    ("execution.savepoint.ignore-unclaimed-state", "execution.state-recovery.ignore-unclaimed-state"),
    ("execution.savepoint-restore-mode", "execution.state-recovery.claim-mode"),
    ("restart-strategy", "restart-strategy.type"),
    ("execution.checkpointing.unaligned", "execution.checkpointing.unaligned.enabled"),
    ("state.backend", "state.backend.type"),
    ("execution.result-mode", "sql-client.execution.result-mode"),
    ("sql-client.display.max-column-width", "table.display.max-column-width"),
    ("pipeline.operator-chaining", "pipeline.operator-chaining.enabled"),
    ("s3.access.key", "s3.access-key"),
    ("s3.secret.key", "s3.secret-key"),
    ("s3.path-style-access", "s3.path.style.access"),
    ("s3.endpoint.region", "s3.region"),
    ("fs.s3a.access.key", "s3.access-key"),
    ("fs.s3a.secret.key", "s3.secret-key"),
    ("fs.s3a.endpoint", "s3.endpoint"),
    ("fs.s3a.endpoint.region", "s3.region"),
    ("fs.s3a.path.style.access", "s3.path.style.access"),
];

struct Key {
    type_name: &'static str,
    default: Option<&'static str>,
}

static KEYS: LazyLock<BTreeMap<&'static str, Key>> = LazyLock::new(|| {
    let flink = include_str!("flink_keys.txt").lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut parts = line.split('\t');
        let (name, type_name, default) = (parts.next()?, parts.next()?, parts.next()?);
        Some((name, Key { type_name, default: (default != "(none)").then_some(default) }))
    });
    let own = OWN_KEYS.iter().map(|(name, type_name, default)| (*name, Key { type_name, default: Some(default) }));
    let s3 = S3_KEYS.iter().chain(&CLUSTER_KEYS).map(|(name, type_name)| (*name, Key { type_name, default: None }));
    flink.chain(own).chain(s3).collect()
});

/// The settings of a session.
#[derive(Clone, Default)]
pub struct Settings {
    values: BTreeMap<String, String>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.list()).finish()
    }
}

impl Settings {
    /// Sets a key. Returns a note if the key has no effect here.
    ///
    /// # Errors
    /// An unknown key, with a suggestion; a value of another type.
    pub fn set(&mut self, key: &str, value: &str, position: Option<Position>) -> Result<Option<String>> {
        let key = canonical(key);
        if !KEYS.contains_key(key) && FOREIGN_PREFIXES.iter().any(|prefix| key.starts_with(prefix)) {
            self.values.insert(key.to_owned(), value.to_owned());
            return Ok(Some(format!("'{key}' has no effect: Sluice has no such part")));
        }
        let Some(known) = KEYS.get(key) else {
            let hint = match suggest(key, KEYS.keys().copied()) {
                Some(like) => format!("did you mean '{like}'?"),
                None => "docs/flink-compatibility.md lists the keys".to_owned(),
            };
            return Err(Error::fix(format!("unknown setting '{key}'")).at_opt(position).with_hint(hint));
        };
        check_type(key, known.type_name, value, position)?;
        self.values.insert(key.to_owned(), value.to_owned());
        let one_way = ONE_WAY.iter().find(|(name, _)| *name == key);
        Ok(one_way.map(|(_, why)| format!("'{key}' has no effect: {why}")))
    }

    /// Gives a key its default again.
    pub fn reset(&mut self, key: &str) {
        self.values.remove(canonical(key));
    }

    /// Gives all keys their defaults again.
    pub fn reset_all(&mut self) {
        self.values.clear();
    }

    /// The value of a key, or its default.
    pub fn get(&self, key: &str) -> Option<&str> {
        let key = canonical(key);
        self.values.get(key).map(String::as_str).or_else(|| KEYS.get(key)?.default)
    }

    /// The value of a key only if it was set.
    pub fn given(&self, key: &str) -> Option<&str> {
        self.values.get(canonical(key)).map(String::as_str)
    }

    /// What was set, secrets masked, for `SET;`.
    pub fn list(&self) -> Vec<(String, String)> {
        self.values.iter().map(|(key, value)| (key.clone(), Secret::mask_option(key, value))).collect()
    }

    /// What was set, as it is: for a job that is to be started again.
    pub fn raw(&self) -> Vec<(String, String)> {
        self.values.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// Names of all keys, for completion.
    pub fn keys() -> impl Iterator<Item = &'static str> {
        KEYS.keys().copied()
    }

    pub(crate) fn is_true(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(crate) fn duration(&self, key: &str) -> Option<Duration> {
        parse_duration(self.get(key)?)
    }

    pub(crate) fn memory_size(&self, key: &str) -> Option<u64> {
        parse_memory_size(self.get(key)?)
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.get(key)?.trim().parse().ok()
    }
}

fn canonical(key: &str) -> &str {
    ALIASES.iter().find(|(old, _)| *old == key).map_or(key, |(_, new)| new)
}

fn check_type(key: &str, type_name: &str, value: &str, position: Option<Position>) -> Result<()> {
    let expected = match type_name {
        "Boolean" if !matches!(value.trim().to_ascii_lowercase().as_str(), "true" | "false") => "true or false",
        "Integer" | "Int" | "Long" if value.trim().parse::<i64>().is_err() => "a whole number",
        "Double" | "Float" if value.trim().parse::<f64>().is_err() => "a number",
        "Duration" if parse_duration(value).is_none() => "a duration such as 10s or 5 min",
        "MemorySize" if parse_memory_size(value).is_none() => "a size such as 128 kb or 2mb",
        _ => return Ok(()),
    };
    let shown = Secret::mask_option(key, value);
    Err(Error::fix(format!("invalid value '{shown}' for setting '{key}'"))
        .at_opt(position)
        .with_hint(format!("expected {expected}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_spellings_mean_the_new_keys() {
        let mut settings = Settings::default();
        settings.set("state.checkpoints.dir", "/tmp/x", None).unwrap();
        assert_eq!(settings.get("execution.checkpointing.dir"), Some("/tmp/x"));
    }

    #[test]
    fn a_misspelt_key_is_an_error_with_a_suggestion() {
        let error = Settings::default().set("execution.checkpointing.intervall", "3s", None).unwrap_err();
        assert_eq!(error.hint(), Some("did you mean 'execution.checkpointing.interval'?"));
    }

    #[test]
    fn credentials_are_not_listed() {
        let mut settings = Settings::default();
        settings.set("fs.s3a.access.key", "AKIA", None).unwrap();
        settings.set("s3.secret-key", "hunter2", None).unwrap();
        settings.set("s3.endpoint", "http://minio:9000", None).unwrap();
        let listed: Vec<String> = settings.list().iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(listed, ["s3.access-key=******", "s3.endpoint=http://minio:9000", "s3.secret-key=******"]);
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn mini_batches_need_a_latency_and_a_size() {
        let mut settings = Settings::default();
        assert_eq!(settings.planner().unwrap().mini_batch, None);
        settings.set("table.exec.mini-batch.enabled", "true", None).unwrap();
        let error = settings.planner().unwrap_err();
        assert_eq!(error.what(), "mini-batches need 'table.exec.mini-batch.allow-latency' above 0");
        settings.set("table.exec.mini-batch.allow-latency", "2 s", None).unwrap();
        assert!(settings.planner().is_err());
        settings.set("table.exec.mini-batch.size", "100", None).unwrap();
        let expected = sluice_planner::MiniBatch { latency: Duration::from_secs(2), size: 100 };
        assert_eq!(settings.planner().unwrap().mini_batch, Some(expected));
        assert!(settings.set("table.optimizer.agg-phase-strategy", "TWO_PHASE", None).unwrap().is_some());
    }

    #[test]
    fn what_waits_in_front_of_barriers_is_bounded_by_time() {
        let time = |pairs: &[(&str, &str)]| {
            let mut settings = Settings::default();
            let notes = pairs.iter().filter_map(|(key, value)| settings.set(key, value, None).unwrap()).count();
            (settings.channel_time(), notes)
        };
        let (enabled, target) =
            ("taskmanager.network.memory.buffer-debloat.enabled", "taskmanager.network.memory.buffer-debloat.target");
        assert_eq!(time(&[]), (Some(Duration::from_secs(10)), 0));
        assert_eq!(time(&[(enabled, "true")]), (Some(Duration::from_secs(1)), 0));
        assert_eq!(time(&[(enabled, "true"), (target, "200 ms")]), (Some(Duration::from_millis(200)), 0));
        assert_eq!(time(&[(enabled, "false")]), (None, 0));
        let unaligned = ("execution.checkpointing.unaligned", "true");
        assert_eq!(time(&[unaligned]), (Some(Duration::from_secs(1)), 1));
        assert_eq!(time(&[unaligned, (enabled, "false")]), (None, 1));
    }

    #[test]
    fn values_are_checked() {
        let mut settings = Settings::default();
        assert!(settings.set("execution.checkpointing.interval", "soon", None).is_err());
        assert!(settings.set("parallelism.default", "2", None).unwrap().is_none());
        assert_eq!(settings.number::<usize>("parallelism.default"), Some(2));
        assert!(settings.set("taskmanager.numberOfTaskSlots", "4", None).unwrap().is_some());
        assert!(settings.set("taskmanager.memory.managed.size", "256mb", None).unwrap().is_none());
        assert!(settings.set("taskmanager.memory.managed.size", "much", None).is_err());
    }
}
