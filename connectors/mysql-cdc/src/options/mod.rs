//! The options of a `mysql-cdc` table, typed.

mod passthrough;
mod server_id;
mod time_zone;

use std::time::Duration;

use regex::Regex;
use sluice_connector_api::{OptionReader, OptionValues, TableDefinition, options};
use sluice_model::Secret;

pub(crate) use passthrough::Passthrough;
pub use server_id::ServerIds;
pub(crate) use time_zone::ServerTimeZone;

use crate::wire::ConnectOptions;

/// Where reading starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartupMode {
    /// The rows that exist, then every change.
    Initial,
    /// The rows that exist, then the end.
    Snapshot,
    /// Only changes from now on.
    LatestOffset,
    /// Every change that the server still has.
    EarliestOffset,
    /// Changes from a given place of the binlog.
    SpecificOffset,
    /// Changes from a given time.
    Timestamp,
}

impl OptionValues for StartupMode {
    const VALUES: &'static [(&'static str, Self)] = &[
        ("initial", Self::Initial),
        ("snapshot", Self::Snapshot),
        ("latest-offset", Self::LatestOffset),
        ("earliest-offset", Self::EarliestOffset),
        ("specific-offset", Self::SpecificOffset),
        ("timestamp", Self::Timestamp),
    ];
}

options! {
    /// Options of a `mysql-cdc` table.
    pub struct MysqlCdcOptions {
        /// Host name or address of the MySQL or MariaDB server.
        "hostname" => hostname: String,
        /// Port of the server.
        "port" => port: u16 = 3306u16,
        /// Account that reads. See the documentation for the grants it needs.
        "username" => username: String,
        /// Its password.
        "password" => password: Secret,
        /// Database to read, or a regular expression that database names match as a whole.
        "database-name" => database_name: String,
        /// Table to read, or a regular expression that table names match as a whole. Tables that match are read as one.
        "table-name" => table_name: String,
        /// A number, or a range `5400-5500`, that no other replica or reader of this server uses. Tables of one job on
        /// one server share one connection and one number; the rest of the range serves when a number is taken.
        /// Without it a number is drawn from a wide range.
        "server-id" => server_id: Option<ServerIds>,
        /// Time zone in which `TIMESTAMP` columns become wall clocks when they are declared `TIMESTAMP` and not
        /// `TIMESTAMP_LTZ`: `UTC` or an offset such as `+08:00`. Without it the server's.
        "server-time-zone" => server_time_zone: Option<ServerTimeZone>,
        /// Where reading starts without a checkpoint: initial, snapshot, latest-offset, earliest-offset,
        /// specific-offset, timestamp. The default is initial.
        "scan.startup.mode" => startup_mode: Option<StartupMode>,
        /// Binlog file to start in, with specific-offset.
        "scan.startup.specific-offset.file" => offset_file: Option<String>,
        /// Position in that file.
        "scan.startup.specific-offset.pos" => offset_pos: Option<u64>,
        /// Executed transactions to start behind, with specific-offset.
        "scan.startup.specific-offset.gtid-set" => offset_gtid_set: Option<String>,
        /// Events to skip behind the offset.
        "scan.startup.specific-offset.skip-events" => offset_skip_events: u64 = 0u64,
        /// Rows to skip behind the offset.
        "scan.startup.specific-offset.skip-rows" => offset_skip_rows: u64 = 0u64,
        /// Milliseconds since 1970 to start at, with timestamp.
        "scan.startup.timestamp-millis" => timestamp_millis: Option<i64>,
        /// Whether the existing rows are read in chunks, several at a time and resumably. Without it each table is
        /// read as one chunk, and a restart begins the table again.
        "scan.incremental.snapshot.enabled" => incremental: bool = true,
        /// Rows in a chunk.
        "scan.incremental.snapshot.chunk.size" => chunk_size: u32 = 8096u32,
        /// Column that divides the table into chunks: NOT NULL, best indexed. The default is the first column of the
        /// primary key.
        "scan.incremental.snapshot.chunk.key-column" => chunk_key_column: Option<String>,
        /// Accepted for compatibility: chunks are always merged with the changes made while they were read, which
        /// costs nothing here.
        "scan.incremental.snapshot.backfill.skip" => backfill_skip: bool = false,
        /// Accepted for compatibility: the last chunk is bounded like any other.
        "scan.incremental.snapshot.unbounded-chunk-first.enabled" => unbounded_chunk_first: bool = true,
        /// Accepted for compatibility: there are no idle readers.
        "scan.incremental.close-idle-reader.enabled" => close_idle_reader: bool = false,
        /// Accepted for compatibility: rows are streamed from the socket.
        "scan.snapshot.fetch.size" => fetch_size: u32 = 1024u32,
        /// Whether tables that match only since the last checkpoint are snapshotted on restart.
        "scan.newly-added-table.enabled" => newly_added_table: bool = false,
        /// Not supported: changes of gh-ost and pt-online-schema-change are not followed.
        "scan.parse.online.schema.changes.enabled" => online_schema_changes: bool = false,
        /// Whether every change becomes an insertion.
        "scan.read-changelog-as-append-only.enabled" => append_only: bool = false,
        /// Accepted for compatibility: JSON text is the same in snapshot and changes.
        "use.legacy.json.format" => legacy_json: bool = true,
        /// Limit for connecting and logging in.
        "connect.timeout" => connect_timeout: Duration = Duration::from_secs(30),
        /// How often a lost connection is made again before the job restarts.
        "connect.max-retries" => max_retries: u32 = 3u32,
        /// Upper limit for the connections that read chunks.
        "connection.pool.size" => pool_size: u32 = 20u32,
        /// How often an idle server shows that it lives. After twice that time without a sign the connection is made
        /// again. 0 turns both off.
        "heartbeat.interval" => heartbeat: Duration = Duration::from_secs(30),
        /// Accepted for compatibility: chunk bounds need no groups.
        "chunk-meta.group.size" => chunk_meta_group_size: u32 = 1000u32,
        /// Highest ratio of key range to rows at which chunk bounds of an integer key are computed instead of asked for.
        "chunk-key.even-distribution.factor.upper-bound" => factor_upper: f64 = 1000.0,
        /// Lowest such ratio.
        "chunk-key.even-distribution.factor.lower-bound" => factor_lower: f64 = 0.05,
    }
    prefixes: ["jdbc.properties.", "debezium."]
}

impl MysqlCdcOptions {
    /// Everything that is wrong with the options and needs more than one of them, or the table, to see.
    pub(crate) fn check(&self, table: &TableDefinition, reader: &mut OptionReader<'_>) {
        self.check_numbers(reader);
        if let Err(what) = self.table_pattern() {
            reader.reject("table-name", what, "regular expressions without look-around are understood");
        }
        let passthrough = Passthrough::read(&self.extra, reader);
        if self.startup_mode.is_some() && passthrough.startup_mode.is_some_and(|mode| Some(mode) != self.startup_mode) {
            reader.reject(
                "debezium.snapshot.mode",
                "options 'scan.startup.mode' and 'debezium.snapshot.mode' contradict each other".into(),
                "remove 'debezium.snapshot.mode'",
            );
        }
        self.check_startup(&passthrough, reader);
        self.check_chunk_key(&passthrough, table, reader);
        if self.online_schema_changes {
            reader.reject(
                "scan.parse.online.schema.changes.enabled",
                "online schema changes of gh-ost and pt-online-schema-change are not followed".into(),
                "remove the option; a rename of a captured table stops the job with an explanation",
            );
        }
    }

    fn check_numbers(&self, reader: &mut OptionReader<'_>) {
        let above = [
            ("scan.incremental.snapshot.chunk.size", self.chunk_size, 1),
            ("scan.snapshot.fetch.size", self.fetch_size, 1),
            ("chunk-meta.group.size", self.chunk_meta_group_size, 1),
            ("connection.pool.size", self.pool_size, 1),
            ("connect.max-retries", self.max_retries, 0),
        ];
        for (key, value, limit) in above {
            if value <= limit {
                let text = format!("The value of option '{key}' must larger than {limit}, but is {value}");
                reader.reject(key, text, format!("give at least {}", limit + 1));
            }
        }
        if self.connect_timeout < Duration::from_millis(250) {
            let actual = self.connect_timeout.as_secs_f64();
            reader.reject(
                "connect.timeout",
                format!("The value of option 'connect.timeout' cannot be less than PT0.25S, but actual is PT{actual}S"),
                "give at least 250 ms",
            );
        }
        let upper = "chunk-key.even-distribution.factor.upper-bound";
        if self.factor_upper.is_nan() || self.factor_upper < 1.0 {
            let text =
                format!("The value of option '{upper}' must larger than or equals 1.0, but is {}", self.factor_upper);
            reader.reject(upper, text, "the default is 1000.0");
        }
        let lower = "chunk-key.even-distribution.factor.lower-bound";
        if !(0.0..=1.0).contains(&self.factor_lower) {
            let text = format!(
                "The value of option '{lower}' must between 0.0 and 1.0 inclusively, but is {}",
                self.factor_lower
            );
            reader.reject(lower, text, "the default is 0.05");
        }
    }

    fn check_startup(&self, passthrough: &Passthrough, reader: &mut OptionReader<'_>) {
        match self.startup(passthrough) {
            StartupMode::SpecificOffset
                if self.offset_gtid_set.is_none() && (self.offset_file.is_none() || self.offset_pos.is_none()) =>
            {
                reader.reject(
                    "scan.startup.mode",
                    "Unable to find a valid binlog offset. Either scan.startup.specific-offset.gtid-set, or \
                     scan.startup.specific-offset.file and scan.startup.specific-offset.pos are required."
                        .into(),
                    "SHOW BINARY LOGS lists the files that the server has",
                );
            }
            StartupMode::SpecificOffset if self.offset_skip_events > 0 => reader.reject(
                "scan.startup.specific-offset.skip-events",
                "skipping events behind an offset is not supported".into(),
                "give the position of the first event to read",
            ),
            StartupMode::SpecificOffset if self.offset_skip_rows > 0 => reader.reject(
                "scan.startup.specific-offset.skip-rows",
                "skipping rows behind an offset is not supported".into(),
                "give the position of the first event to read",
            ),
            StartupMode::Timestamp if self.timestamp_millis.is_none() => reader.reject(
                "scan.startup.mode",
                "startup mode 'timestamp' needs option 'scan.startup.timestamp-millis'".into(),
                "add 'scan.startup.timestamp-millis' = '…' to the WITH clause",
            ),
            _ => {}
        }
    }

    fn check_chunk_key(&self, passthrough: &Passthrough, table: &TableDefinition, reader: &mut OptionReader<'_>) {
        let snapshots = matches!(self.startup(passthrough), StartupMode::Initial | StartupMode::Snapshot);
        if snapshots && self.incremental && table.schema.primary_key.is_empty() && self.chunk_key_column.is_none() {
            reader.reject(
                "scan.incremental.snapshot.chunk.key-column",
                "'scan.incremental.snapshot.chunk.key-column' is required for table without primary key when \
                 'scan.incremental.snapshot.enabled' enabled."
                    .into(),
                "declare PRIMARY KEY (…) NOT ENFORCED, or name a NOT NULL column that divides the table into chunks",
            );
        }
    }

    /// The startup mode, with what `debezium.snapshot.mode` says about it.
    pub(crate) fn startup(&self, passthrough: &Passthrough) -> StartupMode {
        self.startup_mode.or(passthrough.startup_mode).unwrap_or(StartupMode::Initial)
    }

    /// Matches `database.table` as a whole.
    pub(crate) fn table_pattern(&self) -> Result<TablePattern, String> {
        let compile = |text: &str| {
            Regex::new(&format!("^(?:{text})$"))
                .map_err(|_| format!("The table-name '{text}' is not a valid regular expression"))
        };
        Ok(TablePattern {
            database: compile(&self.database_name)?,
            table: compile(&self.table_name)?,
            qualified: compile(&format!("(?:{})\\.(?:{})", self.database_name, self.table_name))?,
        })
    }

    /// Where and how to connect.
    pub(crate) fn connect_options(&self, passthrough: &Passthrough) -> ConnectOptions {
        ConnectOptions {
            host: self.hostname.clone(),
            port: self.port,
            user: self.username.clone(),
            password: self.password.clone(),
            timeout: self.connect_timeout,
            ssl_mode: passthrough.ssl_mode,
            ssl_ca: passthrough.ssl_ca.clone(),
            allow_public_key_retrieval: passthrough.allow_public_key_retrieval,
        }
    }
}

/// Which tables an option pair names.
#[derive(Debug, Clone)]
pub(crate) struct TablePattern {
    database: Regex,
    table: Regex,
    qualified: Regex,
}

impl TablePattern {
    /// Whether the table is meant.
    pub(crate) fn matches(&self, database: &str, table: &str) -> bool {
        // Alternatives at the top of either part bind differently in the joined pattern: either way of reading counts.
        self.database.is_match(database) && self.table.is_match(table)
            || self.qualified.is_match(&format!("{database}.{table}"))
    }
}

#[cfg(test)]
mod tests {
    use sluice_connector_api::{OptionSet, TableOptions};
    use sluice_model::{Column, Error, SqlType, TableSchema};

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<MysqlCdcOptions, Error> {
        let mut all = vec![
            ("hostname", "db"),
            ("username", "u"),
            ("password", "hunter2"),
            ("database-name", "shop"),
            ("table-name", "orders"),
        ];
        all.extend_from_slice(pairs);
        let table_options = TableOptions::from_pairs(all);
        let schema = TableSchema::new(vec![Column::new("id", SqlType::Int)]).with_primary_key(vec![0]);
        let table = TableDefinition { name: "t".into(), schema, options: table_options.clone(), ..Default::default() };
        let mut reader = OptionReader::new("connector 'mysql-cdc' of table 't'", None, &table_options);
        let read = MysqlCdcOptions::read(&mut reader);
        if let Some(options) = &read {
            options.check(&table, &mut reader);
        }
        reader.finish().map(|()| read.unwrap())
    }

    fn error(pairs: &[(&str, &str)]) -> String {
        read(pairs).unwrap_err().to_string()
    }

    #[test]
    fn the_usual_table_needs_nothing_else() {
        let options = read(&[("server-id", "5001-5010"), ("debezium.snapshot.mode", "initial")]).unwrap();
        assert_eq!(options.port, 3306);
        assert_eq!(options.chunk_size, 8096);
        assert!(!format!("{options:?}").contains("hunter2"));
    }

    #[test]
    fn wrong_values_have_the_texts_users_know() {
        assert!(error(&[("server-id", "abc")]).contains("The value of option 'server-id' is invalid: 'abc'"));
        assert!(
            error(&[("server-id", "1-2-3")])
                .contains("The server id range should be syntax like '5400-5500', but got: 1-2-3")
        );
        assert!(
            error(&[("scan.incremental.snapshot.chunk.size", "1")])
                .contains("The value of option 'scan.incremental.snapshot.chunk.size' must larger than 1, but is 1")
        );
        assert!(error(&[("table-name", "(")]).contains("is not a valid regular expression"));
        assert!(error(&[("scan.startup.mode", "specific-offset")]).contains("Unable to find a valid binlog offset"));
    }

    #[test]
    fn unknown_pass_through_options_get_a_suggestion() {
        let text = error(&[("debezium.snapshot.mod", "initial")]);
        assert!(text.contains("unknown option 'debezium.snapshot.mod'"), "{text}");
        assert!(text.contains("did you mean 'debezium.snapshot.mode'?"), "{text}");
        assert!(
            error(&[("debezium.table.include.list", "a.b")])
                .contains("table.include.list and table.exclude.list are not supported to set manually")
        );
    }

    #[test]
    fn names_are_regular_expressions_of_whole_names() {
        let pattern = read(&[("table-name", "orders_[0-9]+")]).unwrap().table_pattern().unwrap();
        assert!(pattern.matches("shop", "orders_12"));
        assert!(!pattern.matches("shop2", "orders_12"));
        assert!(!pattern.matches("shop", "orders_12_old"));
        let alternatives = read(&[("table-name", "a|b")]).unwrap().table_pattern().unwrap();
        assert!(alternatives.matches("shop", "b") && !alternatives.matches("shop", "ab"));
    }
}
