//! Options.

use std::path::PathBuf;
use std::time::Duration;

use sluice_connector_api::{MemorySize, OptionReader, OptionValues, TableDefinition};
use sluice_model::Result;

use crate::path::local_path;
use crate::trigger::time_pattern;

sluice_connector_api::options! {
    /// Options of `filesystem`.
    pub struct FilesystemOptions {
        /// A file or a folder: an absolute path, with or without `file://` in front.
        "path" => path: String,
        /// What stands in the name of a folder for a partition value that is NULL or empty.
        "partition.default-name" => default_partition: String = "__DEFAULT_PARTITION__",
        /// How often a source looks for new files. Without it a source ends behind the files that are there.
        "source.monitor-interval" => monitor_interval: Option<Duration>,
        /// Only files whose path matches this regular expression are read.
        "source.path.regex-pattern" => path_pattern: Option<String>,
        /// Accepted for compatibility: nothing here asks for statistics.
        "source.report-statistics" => report_statistics: Option<String>,
        /// How long a lookup goes by what it has read before it reads the files again.
        "lookup.join.cache.ttl" => lookup_ttl: Duration = Duration::from_secs(3600),
        /// A file that has so many bytes gets no more rows.
        "sink.rolling-policy.file-size" => roll_size: MemorySize = MemorySize(128 << 20),
        /// A file that is so old gets no more rows.
        "sink.rolling-policy.rollover-interval" => roll_age: Duration = Duration::from_secs(30 * 60),
        /// A file that has got no rows for so long gets no more.
        "sink.rolling-policy.inactivity-interval" => roll_idle: Duration = Duration::from_secs(30 * 60),
        /// Accepted for compatibility: ages are looked at with every batch and every checkpoint.
        "sink.rolling-policy.check-interval" => check_interval: Option<Duration>,
        /// Rows of one partition go to one writer. Accepted for compatibility.
        "sink.shuffle-by-partition.enable" => shuffle_by_partition: bool = false,
        /// Merging files is not supported: must be `false`.
        "auto-compaction" => auto_compaction: bool = false,
        /// When a partition is complete: by the clock, or by the time in its name and the watermark.
        "sink.partition-commit.trigger" => commit_trigger: CommitTrigger = CommitTrigger::ProcessTime,
        /// How long after that it is told.
        "sink.partition-commit.delay" => commit_delay: Duration = Duration::ZERO,
        /// Time zone of the time in the name of a partition.
        "sink.partition-commit.watermark-time-zone" => commit_zone: String = "UTC",
        /// How it is told that a partition is complete: `success-file`.
        "sink.partition-commit.policy.kind" => commit_policy: Option<String>,
        /// Name of the file that tells it.
        "sink.partition-commit.success-file.name" => success_file: String = "_SUCCESS",
        /// Must be `default`.
        "partition.time-extractor.kind" => extractor_kind: String = "default",
        /// The time of a partition, from its values: `$dt $hour:00:00`. Without it, its first value.
        "partition.time-extractor.timestamp-pattern" => timestamp_pattern: Option<String>,
        /// How that text is read: `yyyy-MM-dd HH:mm:ss`.
        "partition.time-extractor.timestamp-formatter" => timestamp_formatter: String = "yyyy-MM-dd HH:mm:ss",
        /// Number of writers.
        "sink.parallelism" => sink_parallelism: Option<usize>,
    }
}

/// When a partition is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitTrigger {
    /// When the clock has moved on since its first row.
    ProcessTime,
    /// When the watermark has passed the time in its name.
    PartitionTime,
}

impl OptionValues for CommitTrigger {
    const VALUES: &'static [(&'static str, Self)] =
        &[("process-time", Self::ProcessTime), ("partition-time", Self::PartitionTime)];
}

impl FilesystemOptions {
    /// Where the table is.
    ///
    /// # Errors
    /// A path that is not local.
    pub(crate) fn local_path(&self) -> Result<PathBuf> {
        local_path(&self.path)
    }

    /// Whether partitions are told to be complete.
    pub(crate) fn commits_partitions(&self) -> bool {
        self.commit_policy.is_some()
    }

    /// Checks what shows only when options are seen together.
    pub(crate) fn check(&self, table: &TableDefinition, reader: &mut OptionReader<'_>) {
        if let Err(error) = self.local_path() {
            reader.push(error.at_opt(table.options.position_of("path")));
        }
        let mut refuse = |key: &str, what: &str, hint: &str| reader.reject(key, what.to_owned(), hint);
        if self.auto_compaction {
            refuse("auto-compaction", "'auto-compaction' is not supported", "raise the checkpoint interval instead");
        }
        if self.commit_policy.as_deref().is_some_and(|policy| policy != "success-file") {
            let hint = "'success-file' is the one that there is";
            refuse("sink.partition-commit.policy.kind", "this kind of commit policy is not supported", hint);
        }
        if self.extractor_kind != "default" {
            refuse("partition.time-extractor.kind", "only the default time extractor is supported", "leave it out");
        }
        if let Err(why) = time_pattern(&self.timestamp_formatter) {
            refuse("partition.time-extractor.timestamp-formatter", &why, "use yyyy, MM, dd, HH, mm and ss");
        }
        if self.commit_zone.parse::<chrono_tz::Tz>().is_err() {
            refuse("sink.partition-commit.watermark-time-zone", "unknown time zone", "such as Europe/Berlin");
        }
        if let Some(Err(error)) = self.path_pattern.as_deref().map(regex::Regex::new) {
            refuse("source.path.regex-pattern", "no regular expression", &error.to_string());
        }
        if self.commits_partitions() && self.sink_parallelism.is_some_and(|writers| writers > 1) {
            let hint = "leave 'sink.parallelism' out, or the policy";
            refuse("sink.parallelism", "a table whose partitions are committed has one writer", hint);
        }
    }
}
