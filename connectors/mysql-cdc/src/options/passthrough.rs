//! `jdbc.properties.*` and `debezium.*`: what they mean here.
//!
//! Settings of a driver that is not there, and of a framework that is not there, have three fates: those with a
//! meaning are honoured, those that only tune are accepted, and all others are errors. None is ignored in silence.

use sluice_connector_api::{ExtraOptions, OptionReader, OptionValue};
use sluice_model::suggest;

use super::StartupMode;
use crate::wire::SslMode;

/// What the pass-through options say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passthrough {
    pub(crate) ssl_mode: SslMode,
    pub(crate) ssl_ca: Option<String>,
    pub(crate) allow_public_key_retrieval: bool,
    pub(crate) startup_mode: Option<StartupMode>,
}

impl Default for Passthrough {
    fn default() -> Self {
        Self { ssl_mode: SslMode::default(), ssl_ca: None, allow_public_key_retrieval: true, startup_mode: None }
    }
}

/// Properties of Connector/J that mean something here.
const JDBC_HONOURED: [&str; 9] = [
    "useSSL",
    "requireSSL",
    "verifyServerCertificate",
    "sslMode",
    "trustCertificateKeyStoreUrl",
    "serverSslCert",
    "sslCa",
    "allowPublicKeyRetrieval",
    "zeroDateTimeBehavior",
];

/// Properties of Connector/J that only tune it, or say what is always so here.
const JDBC_ACCEPTED: [&str; 24] = [
    "autoReconnect",
    "cachePrepStmts",
    "characterEncoding",
    "connectTimeout",
    "connectionCollation",
    "connectionTimeZone",
    "defaultFetchSize",
    "failOverReadOnly",
    "forceConnectionTimeZoneToSession",
    "maxReconnects",
    "noDatetimeStringSync",
    "prepStmtCacheSize",
    "prepStmtCacheSqlLimit",
    "rewriteBatchedStatements",
    "serverTimezone",
    "socketTimeout",
    "tcpKeepAlive",
    "tinyInt1isBit",
    "transformedBitIsBoolean",
    "useCompression",
    "useCursorFetch",
    "useInformationSchema",
    "useServerPrepStmts",
    "useUnicode",
];

/// Settings of Debezium that mean something here.
const DEBEZIUM_HONOURED: [&str; 9] = [
    "snapshot.mode",
    "database.ssl.mode",
    "binary.handling.mode",
    "skipped.operations",
    "event.deserialization.failure.handling.mode",
    "event.processing.failure.handling.mode",
    "inconsistent.schema.handling.mode",
    "table.include.list",
    "table.exclude.list",
];

/// Settings of Debezium that only tune it, or that the declared column types decide here.
const DEBEZIUM_ACCEPTED: [&str; 31] = [
    "bigint.unsigned.handling.mode",
    "connect.keep.alive",
    "connect.keep.alive.interval.ms",
    "connect.timeout.ms",
    "database.allowPublicKeyRetrieval",
    "database.history.skip.unparseable.ddl",
    "database.history.store.only.captured.tables.ddl",
    "database.history.store.only.monitored.tables.ddl",
    "decimal.handling.mode",
    "enable.time.adjuster",
    "gtid.source.filter.dml.events",
    "heartbeat.interval.ms",
    "include.query",
    "include.schema.changes",
    "include.schema.comments",
    "max.batch.size",
    "max.queue.size",
    "max.queue.size.in.bytes",
    "min.row.count.to.stream.result",
    "min.row.count.to.stream.results",
    "poll.interval.ms",
    "schema.history.internal.skip.unparseable.ddl",
    "schema.history.internal.store.only.captured.tables.ddl",
    "snapshot.delay.ms",
    "snapshot.fetch.size",
    "snapshot.lock.timeout.ms",
    "snapshot.locking.mode",
    "snapshot.max.threads",
    "table.ignore.builtin",
    "time.precision.mode",
    "tombstones.on.delete",
];

impl Passthrough {
    /// What the options say; what is wrong with them is dropped here and reported by [`read`](Self::read).
    pub(crate) fn of(extra: &ExtraOptions) -> Self {
        let nothing = sluice_connector_api::TableOptions::default();
        Self::read(extra, &mut OptionReader::new(String::new(), None, &nothing))
    }

    /// Reads the options, and reports what is wrong with them.
    pub(crate) fn read(extra: &ExtraOptions, reader: &mut OptionReader<'_>) -> Self {
        let mut this = Self::default();
        let mut tls = Tls::default();
        for (key, value) in extra.with_prefix("jdbc.properties.") {
            this.read_jdbc(key, value, &mut tls, reader);
        }
        for (key, value) in extra.with_prefix("debezium.") {
            this.read_debezium(key, value, &mut tls, reader);
        }
        this.ssl_mode = tls.mode();
        this
    }

    fn read_jdbc(&mut self, key: &str, value: &str, tls: &mut Tls, reader: &mut OptionReader<'_>) {
        let full = format!("jdbc.properties.{key}");
        let flag = |reader: &mut OptionReader<'_>| match bool::parse_option(value) {
            Ok(flag) => Some(flag),
            Err(expected) => {
                reader.reject(&full, format!("invalid value '{value}' for option '{full}'"), expected);
                None
            }
        };
        match key {
            "useSSL" => tls.use_ssl = flag(reader),
            "requireSSL" => tls.require = flag(reader),
            "verifyServerCertificate" => tls.verify = flag(reader),
            "allowPublicKeyRetrieval" => self.allow_public_key_retrieval = flag(reader).unwrap_or(true),
            "sslMode" => tls.mode = read_ssl_mode(&full, value, reader),
            "trustCertificateKeyStoreUrl" | "serverSslCert" | "sslCa" => {
                self.ssl_ca = Some(value.strip_prefix("file:").unwrap_or(value).to_owned());
            }
            "zeroDateTimeBehavior" => check_word(&full, value, &["CONVERT_TO_NULL", "convertToNull"], reader),
            _ if JDBC_ACCEPTED.contains(&key) => {}
            _ => unknown("jdbc.properties.", key, JDBC_HONOURED.iter().chain(&JDBC_ACCEPTED), reader),
        }
    }

    fn read_debezium(&mut self, key: &str, value: &str, tls: &mut Tls, reader: &mut OptionReader<'_>) {
        let full = format!("debezium.{key}");
        match key {
            "snapshot.mode" => self.startup_mode = read_snapshot_mode(&full, value, reader),
            "database.ssl.mode" => tls.mode = read_ssl_mode(&full, value, reader),
            "binary.handling.mode" => check_word(&full, value, &["bytes"], reader),
            "skipped.operations" => check_word(&full, value, &["none", "t"], reader),
            "event.deserialization.failure.handling.mode"
            | "event.processing.failure.handling.mode"
            | "inconsistent.schema.handling.mode" => check_word(&full, value, &["fail"], reader),
            "table.include.list" | "table.exclude.list" => reader.reject(
                &full,
                "table.include.list and table.exclude.list are not supported to set manually, please remove these options."
                    .into(),
                "'database-name' and 'table-name' say which tables are read",
            ),
            _ if DEBEZIUM_ACCEPTED.contains(&key) => {}
            _ => unknown("debezium.", key, DEBEZIUM_HONOURED.iter().chain(&DEBEZIUM_ACCEPTED), reader),
        }
    }
}

/// Connector/J's old and new ways to ask for TLS.
#[derive(Default)]
struct Tls {
    mode: Option<SslMode>,
    use_ssl: Option<bool>,
    require: Option<bool>,
    verify: Option<bool>,
}

impl Tls {
    fn mode(&self) -> SslMode {
        match (self.mode, self.use_ssl, self.require, self.verify) {
            (Some(mode), ..) => mode,
            (None, Some(false), ..) => SslMode::Disabled,
            (None, _, _, Some(true)) => SslMode::VerifyCa,
            (None, _, Some(true), _) => SslMode::Required,
            _ => SslMode::Preferred,
        }
    }
}

fn read_ssl_mode(full: &str, value: &str, reader: &mut OptionReader<'_>) -> Option<SslMode> {
    let mode = match value.trim().to_ascii_lowercase().replace('-', "_").as_str() {
        "disabled" | "disable" => SslMode::Disabled,
        "preferred" => SslMode::Preferred,
        "required" | "trust" => SslMode::Required,
        "verify_ca" => SslMode::VerifyCa,
        "verify_identity" | "verify_full" => SslMode::VerifyIdentity,
        _ => {
            let expected = "expected DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY";
            reader.reject(full, format!("invalid value '{value}' for option '{full}'"), expected);
            return None;
        }
    };
    Some(mode)
}

fn read_snapshot_mode(full: &str, value: &str, reader: &mut OptionReader<'_>) -> Option<StartupMode> {
    match value.trim().to_ascii_lowercase().as_str() {
        "initial" | "when_needed" => Some(StartupMode::Initial),
        "initial_only" => Some(StartupMode::Snapshot),
        "schema_only" | "no_data" => Some(StartupMode::LatestOffset),
        "never" => Some(StartupMode::EarliestOffset),
        _ => {
            let expected = "expected initial, initial_only, when_needed, schema_only, no_data or never";
            reader.reject(full, format!("invalid value '{value}' for option '{full}'"), expected);
            None
        }
    }
}

fn check_word(full: &str, value: &str, allowed: &[&str], reader: &mut OptionReader<'_>) {
    if !allowed.iter().any(|word| word.eq_ignore_ascii_case(value.trim())) {
        let expected = format!("supported: {}", allowed.join(", "));
        reader.reject(full, format!("value '{value}' of option '{full}' is not supported"), expected);
    }
}

fn unknown<'a>(prefix: &str, key: &str, known: impl Iterator<Item = &'a &'static str>, reader: &mut OptionReader<'_>) {
    let mut known: Vec<&str> = known.copied().collect();
    known.sort_unstable();
    let hint = match suggest(key, known.iter().copied()) {
        Some(like) => format!("did you mean '{prefix}{like}'?"),
        None => format!("known options below '{prefix}': {}", known.join(", ")),
    };
    let full = format!("{prefix}{key}");
    reader.reject(&full, format!("unknown option '{full}'"), hint);
}

#[cfg(test)]
mod tests {
    use sluice_connector_api::TableOptions;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (Passthrough, Option<String>) {
        let options = TableOptions::from_pairs(pairs.iter().copied());
        let mut reader = OptionReader::new("test", None, &options);
        let extra = ExtraOptions::below(&mut reader, &["jdbc.properties.", "debezium."]);
        let read = Passthrough::read(&extra, &mut reader);
        (read, reader.finish().err().map(|error| error.to_string()))
    }

    #[test]
    fn tls_follows_old_and_new_properties() {
        let mode = |pairs: &[(&str, &str)]| read(pairs).0.ssl_mode;
        assert_eq!(mode(&[]), SslMode::Preferred);
        assert_eq!(mode(&[("jdbc.properties.useSSL", "false")]), SslMode::Disabled);
        assert_eq!(mode(&[("jdbc.properties.useSSL", "true")]), SslMode::Preferred);
        assert_eq!(mode(&[("jdbc.properties.requireSSL", "true")]), SslMode::Required);
        assert_eq!(mode(&[("jdbc.properties.sslMode", "VERIFY_CA")]), SslMode::VerifyCa);
        assert_eq!(mode(&[("debezium.database.ssl.mode", "verify_identity")]), SslMode::VerifyIdentity);
    }

    #[test]
    fn snapshot_modes_become_startup_modes() {
        let mode = |value: &str| read(&[("debezium.snapshot.mode", value)]).0.startup_mode;
        assert_eq!(mode("initial"), Some(StartupMode::Initial));
        assert_eq!(mode("schema_only"), Some(StartupMode::LatestOffset));
        assert_eq!(mode("never"), Some(StartupMode::EarliestOffset));
        assert!(read(&[("debezium.snapshot.mode", "always")]).1.is_some());
    }

    #[test]
    fn tuning_is_accepted_and_skipping_is_not() {
        assert_eq!(read(&[("debezium.max.batch.size", "1"), ("jdbc.properties.useCursorFetch", "true")]).1, None);
        assert!(read(&[("debezium.event.processing.failure.handling.mode", "skip")]).1.is_some());
        assert!(
            read(&[("jdbc.properties.useSSLL", "true")]).1.unwrap().contains("did you mean 'jdbc.properties.useSSL'?")
        );
    }
}
