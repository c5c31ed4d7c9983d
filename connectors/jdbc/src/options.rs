//! The options of a `jdbc` table, typed.

use std::time::Duration;

use sluice_connector_api::{OptionReader, OptionValues, options};
use sluice_model::Secret;

use crate::url::JdbcUrl;

/// Which product's behaviour the target is treated as having.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompatibleMode {
    /// What the server says it is.
    Postgres,
    /// A warehouse without a dependable `ON CONFLICT`: rows are replaced by deletion and insertion.
    Greenplum,
}

impl OptionValues for CompatibleMode {
    const VALUES: &'static [(&'static str, Self)] = &[
        ("postgresql", Self::Postgres),
        ("postgres", Self::Postgres),
        ("greenplum", Self::Greenplum),
        ("cloudberry", Self::Greenplum),
    ];
}

/// How much of a looked-up table is cached. Only read by lookups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupCache {
    /// Nothing.
    None,
    /// What was looked up.
    Partial,
}

impl OptionValues for LookupCache {
    const VALUES: &'static [(&'static str, Self)] = &[("NONE", Self::None), ("PARTIAL", Self::Partial)];
}

/// When filters are pushed into a scan. Only read by scans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterHandling {
    /// Always.
    Always,
    /// Never.
    Never,
}

impl OptionValues for FilterHandling {
    const VALUES: &'static [(&'static str, Self)] = &[("always", Self::Always), ("never", Self::Never)];
}

options! {
    /// Options of a `jdbc` table.
    pub struct JdbcOptions {
        /// JDBC URL of the database: `jdbc:postgresql://host1:5432,host2/database?parameter=value`. Also
        /// `jdbc:cloudberry://` and `jdbc:pivotal:greenplum://`.
        "url" => url: JdbcUrl,
        /// Table to write, as `table` or `schema.table`. A name is taken as it is written, and in lower case
        /// if there is no such table; double quotes keep dots and capitals.
        "table-name" => table_name: String,
        /// Account that writes. Needs 'password' as well.
        "username" => username: Option<String>,
        /// Its password. Needs 'username' as well.
        "password" => password: Option<Secret>,
        /// Class of a JDBC driver. Accepted and not needed: there is no Java here.
        "driver" => driver: Option<String>,
        /// `greenplum` treats the target as a warehouse without ON CONFLICT: rows are replaced by deleting
        /// and inserting them under a lock. Without it, the server is asked what it is.
        "compatible-mode" => compatible_mode: Option<CompatibleMode>,
        /// For how long a lost connection is sought again before the job is restarted from its checkpoint.
        "connection.max-retry-timeout" => max_retry_timeout: Duration = Duration::from_secs(60),
        /// Lower bound of the rows that a transaction may hold. All that waits is written at once, so that
        /// transactions grow with the load by themselves; 0 sets no bound.
        "sink.buffer-flush.max-rows" => flush_max_rows: u64 = 100u64,
        /// Upper bound of the time a row waits. Rows are written as soon as the target is ready for them, so
        /// that it is reached only by a target that is slower than the stream.
        "sink.buffer-flush.interval" => flush_interval: Duration = Duration::from_secs(1),
        /// How often a transaction is tried again after a deadlock or a serialization failure. With 0, a lost
        /// connection is not sought again either, and restarts the job from its checkpoint.
        "sink.max-retries" => max_retries: i64 = 3i64,
        /// Number of parallel writers.
        "sink.parallelism" => parallelism: Option<usize>,
        /// Column that a parallel scan is split by. Not used by a sink.
        "scan.partition.column" => scan_partition_column: Option<String>,
        /// Number of partitions of a scan. Not used by a sink.
        "scan.partition.num" => scan_partition_num: Option<u32>,
        /// Smallest value of the first partition. Not used by a sink.
        "scan.partition.lower-bound" => scan_partition_lower_bound: Option<i64>,
        /// Largest value of the last partition. Not used by a sink.
        "scan.partition.upper-bound" => scan_partition_upper_bound: Option<i64>,
        /// Rows fetched at once by a scan. Not used by a sink.
        "scan.fetch-size" => scan_fetch_size: u32 = 0u32,
        /// Whether a scan commits automatically. Not used by a sink.
        "scan.auto-commit" => scan_auto_commit: bool = true,
        /// Parallelism of a scan. Not used by a sink.
        "scan.parallelism" => scan_parallelism: Option<usize>,
        /// When filters are pushed into a scan. Not used by a sink.
        "filter.handling.policy" => filter_handling: FilterHandling = FilterHandling::Always,
        /// `PARTIAL` keeps the rows of keys that were looked up; `NONE` asks the table every time.
        "lookup.cache" => lookup_cache: LookupCache = LookupCache::None,
        /// Number of keys whose rows the cache of a lookup keeps; those that were not used for longest go first.
        "lookup.partial-cache.max-rows" => lookup_partial_max_rows: Option<u64>,
        /// Age at which a cached row of a lookup is dropped.
        "lookup.partial-cache.expire-after-write" => lookup_expire_after_write: Option<Duration>,
        /// Idle time after which a cached row of a lookup is dropped.
        "lookup.partial-cache.expire-after-access" => lookup_expire_after_access: Option<Duration>,
        /// Whether a lookup remembers keys without a row.
        "lookup.partial-cache.cache-missing-key" => lookup_cache_missing_key: bool = true,
        /// How often a lookup is tried again.
        "lookup.max-retries" => lookup_max_retries: i64 = 3i64,
        /// Older name of 'lookup.partial-cache.max-rows'.
        "lookup.cache.max-rows" => lookup_cache_max_rows: Option<i64>,
        /// Older name of 'lookup.partial-cache.expire-after-write'.
        "lookup.cache.ttl" => lookup_cache_ttl: Option<Duration>,
        /// Older name of 'lookup.partial-cache.cache-missing-key'.
        "lookup.cache.caching-missing-key" => lookup_caching_missing_key: bool = true,
    }
}

impl JdbcOptions {
    /// Checks that need more than one option, with the texts that Flink has for them.
    pub(crate) fn validate(&self, reader: &mut OptionReader<'_>) {
        self.validate_groups(reader);
        self.validate_partitions(reader);
        if self.username.is_none() && self.url.user.is_none() {
            let what = "no user to connect as".to_owned();
            reader.reject("url", what, "add 'username' = '…' and 'password' = '…' to the WITH clause");
        }
        for (key, value) in [("lookup.max-retries", self.lookup_max_retries), ("sink.max-retries", self.max_retries)] {
            if value < 0 {
                let what = format!("The value of '{key}' option shouldn't be negative, but is {value}.");
                reader.reject(key, what, "give the number of further attempts, 0 for none");
            }
        }
        let timeout = self.max_retry_timeout;
        if timeout.as_secs() < 1 || timeout.subsec_nanos() != 0 {
            let key = "connection.max-retry-timeout";
            let what = format!(
                "The value of '{key}' option must be in second granularity and shouldn't be smaller than 1 second, \
                 but is {}ms.",
                timeout.as_millis()
            );
            reader.reject(key, what, "for example '60s'");
        }
        if self.parallelism == Some(0) {
            let what = "invalid value '0' for option 'sink.parallelism'".to_owned();
            reader.reject("sink.parallelism", what, "expected a whole number, 1 or more");
        }
    }

    fn validate_groups(&self, reader: &mut OptionReader<'_>) {
        type Group<'a> = &'a [(&'a str, bool)];
        let credentials: Group<'_> = &[("username", self.username.is_some()), ("password", self.password.is_some())];
        let partitions: Group<'_> = &[
            ("scan.partition.column", self.scan_partition_column.is_some()),
            ("scan.partition.num", self.scan_partition_num.is_some()),
            ("scan.partition.lower-bound", self.scan_partition_lower_bound.is_some()),
            ("scan.partition.upper-bound", self.scan_partition_upper_bound.is_some()),
        ];
        let old_cache: Group<'_> = &[
            ("lookup.cache.max-rows", self.lookup_cache_max_rows.is_some()),
            ("lookup.cache.ttl", self.lookup_cache_ttl.is_some()),
        ];
        for group in [credentials, partitions, old_cache] {
            let given: Vec<&str> = group.iter().filter(|(_, given)| *given).map(|(key, _)| *key).collect();
            if given.is_empty() || given.len() == group.len() {
                continue;
            }
            let all: Vec<&str> = group.iter().map(|(key, _)| *key).collect();
            let missing: Vec<&str> = group.iter().filter(|(_, given)| !given).map(|(key, _)| *key).collect();
            let what = format!("Either all or none of the following options should be provided:\n{}", all.join("\n"));
            reader.reject(
                given[0],
                what,
                format!("add '{}', or leave out '{}'", missing.join("', '"), given.join("', '")),
            );
        }
    }

    fn validate_partitions(&self, reader: &mut OptionReader<'_>) {
        if let (Some(lower), Some(upper)) = (self.scan_partition_lower_bound, self.scan_partition_upper_bound)
            && lower > upper
        {
            let what = format!(
                "'scan.partition.lower-bound'='{lower}' must not be larger than 'scan.partition.upper-bound'='{upper}'."
            );
            reader.reject("scan.partition.lower-bound", what, "swap the two bounds");
        }
    }

    /// The account: the options win over the URL.
    pub(crate) fn user(&self) -> &str {
        self.username.as_deref().or(self.url.user.as_deref()).unwrap_or_default()
    }

    /// Its password, if any was given.
    pub(crate) fn password(&self) -> Option<&Secret> {
        self.password.as_ref().or(self.url.password.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use sluice_connector_api::{OptionSet, TableOptions};
    use sluice_model::Error;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<JdbcOptions, Error> {
        let options = TableOptions::from_pairs(pairs.iter().copied());
        let mut reader = OptionReader::new("connector 'jdbc' of table 't'", None, &options);
        let read = JdbcOptions::read(&mut reader);
        if let Some(read) = &read {
            read.validate(&mut reader);
        }
        reader.finish().map(|()| read.expect("options without errors"))
    }

    const URL: (&str, &str) = ("url", "jdbc:postgresql://h/db");
    const TABLE: (&str, &str) = ("table-name", "t");
    const USER: (&str, &str) = ("username", "u");
    const PASSWORD: (&str, &str) = ("password", "topsecret");

    #[test]
    fn accepts_what_job_files_have() {
        let options = read(&[
            URL,
            TABLE,
            USER,
            PASSWORD,
            ("driver", "org.postgresql.Driver"),
            ("sink.buffer-flush.max-rows", "1000"),
            ("sink.buffer-flush.interval", "2s"),
            ("sink.max-retries", "5"),
            ("sink.parallelism", "2"),
            ("lookup.cache", "PARTIAL"),
            ("lookup.partial-cache.max-rows", "500"),
            ("scan.fetch-size", "200"),
            ("compatible-mode", "Greenplum"),
        ])
        .unwrap();
        assert_eq!((options.flush_max_rows, options.max_retries, options.parallelism), (1000, 5, Some(2)));
        assert_eq!(options.compatible_mode, Some(CompatibleMode::Greenplum));
        assert_eq!(options.max_retry_timeout, Duration::from_secs(60));
        assert!(!format!("{options:?}").contains("topsecret"));
    }

    #[test]
    fn username_and_password_belong_together() {
        let error = read(&[URL, TABLE, USER]).unwrap_err();
        assert_eq!(error.what(), "Either all or none of the following options should be provided:\nusername\npassword");
        assert_eq!(error.hint(), Some("add 'password', or leave out 'username'"));
        assert!(read(&[("url", "jdbc:postgresql://h/db?user=u"), TABLE]).is_ok());
        assert_eq!(read(&[URL, TABLE]).unwrap_err().what(), "no user to connect as");
    }

    #[test]
    fn has_the_texts_of_flink() {
        let error = read(&[
            URL,
            TABLE,
            USER,
            PASSWORD,
            ("connection.max-retry-timeout", "100ms"),
            ("lookup.max-retries", "-1"),
            ("lookup.cache.ttl", "10s"),
            ("scan.partition.column", "c"),
            ("scan.partition.num", "2"),
            ("scan.partition.lower-bound", "9"),
            ("scan.partition.upper-bound", "1"),
            ("sink.paralelism", "2"),
        ])
        .unwrap_err()
        .to_string();
        for text in [
            "The value of 'connection.max-retry-timeout' option must be in second granularity and shouldn't be smaller than 1 second, but is 100ms.",
            "The value of 'lookup.max-retries' option shouldn't be negative, but is -1.",
            "Either all or none of the following options should be provided:\nlookup.cache.max-rows\nlookup.cache.ttl",
            "'scan.partition.lower-bound'='9' must not be larger than 'scan.partition.upper-bound'='1'.",
            "did you mean 'sink.parallelism'?",
        ] {
            assert!(error.contains(text), "{text} is not in {error}");
        }
    }
}
