//! JDBC URLs of PostgreSQL, as its own driver reads them.
//!
//! `jdbc:postgresql://host1:5432,[::1]:5433/database?user=u&currentSchema=s` and the short forms
//! `jdbc:postgresql:database` and `jdbc:postgresql://host/`. Parameters are percent-decoded; those
//! that the driver knows and that mean nothing here are accepted and named in a note.
//!
//! Source: pgjdbc 42.7, `Driver.parseURL` and `PGProperty`.

use std::fmt;
use std::time::Duration;

use sluice_connector_api::OptionValue;
use sluice_model::{Secret, suggest};

use crate::tls::{SslMode, TlsOptions};

/// What a JDBC URL says.
#[derive(Clone, PartialEq, Eq)]
pub struct JdbcUrl {
    /// Hosts and ports, in the order in which they are tried.
    pub(crate) hosts: Vec<(String, u16)>,
    /// Database; without one, the server takes the user's name.
    pub(crate) database: Option<String>,
    /// `user`.
    pub(crate) user: Option<String>,
    /// `password`.
    pub(crate) password: Option<Secret>,
    /// `sslmode` and what belongs to it.
    pub(crate) tls: TlsOptions,
    /// `currentSchema`: the search path.
    pub(crate) current_schema: Option<String>,
    /// `ApplicationName`.
    pub(crate) application_name: Option<String>,
    /// `options`: settings for the session.
    pub(crate) server_options: Option<String>,
    /// `connectTimeout`; zero waits for ever.
    pub(crate) connect_timeout: Duration,
    /// `socketTimeout`: the longest that a transaction may take.
    pub(crate) socket_timeout: Option<Duration>,
    /// `targetServerType=any`: a server that only reads is taken as well.
    pub(crate) any_server: bool,
    /// Parameters that mean nothing here.
    pub(crate) ignored: Vec<String>,
    text: String,
}

impl OptionValue for JdbcUrl {
    const TYPE_NAME: &'static str = "JDBC URL";

    fn parse_option(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let rest = text
            .strip_prefix("jdbc:")
            .ok_or_else(|| "expected a JDBC URL such as jdbc:postgresql://host:5432/database".to_owned())?;
        let address = strip_subprotocol(rest)?;
        let (address, query) = match address.split_once('?') {
            Some((address, query)) => (address, query),
            None => (address, ""),
        };
        let (hosts, database) = parse_address(address)?;
        let mut url = Self {
            hosts,
            database,
            user: None,
            password: None,
            tls: TlsOptions::default(),
            current_schema: None,
            application_name: None,
            server_options: None,
            connect_timeout: Duration::from_secs(10),
            socket_timeout: None,
            any_server: false,
            ignored: Vec::new(),
            text: Secret::mask_url(text),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            url.set(&percent_decode(key)?, percent_decode(value)?)?;
        }
        Ok(url)
    }
}

/// What follows the name of the product; an error names products that are not supported.
fn strip_subprotocol(rest: &str) -> Result<&str, String> {
    for product in ["postgresql:", "cloudberry:", "greenplum:", "pivotal:greenplum:", "pgsql:"] {
        if let Some(address) = rest.strip_prefix(product) {
            return Ok(address);
        }
    }
    let product = rest.split(':').next().unwrap_or_default();
    const KNOWN: [&str; 14] = [
        "mysql",
        "mariadb",
        "oracle",
        "sqlserver",
        "db2",
        "derby",
        "crate",
        "trino",
        "oceanbase",
        "clickhouse",
        "h2",
        "sqlite",
        "dm",
        "hive2",
    ];
    if KNOWN.contains(&product) {
        return Err(format!(
            "writing to 'jdbc:{product}:' is not supported yet; PostgreSQL, Greenplum and Cloudberry are: \
             jdbc:postgresql://host:5432/database"
        ));
    }
    match suggest(product, ["postgresql", "cloudberry", "greenplum"]) {
        Some(like) => Err(format!("did you mean 'jdbc:{like}:'?")),
        None => Err("expected a URL such as jdbc:postgresql://host:5432/database".to_owned()),
    }
}

type Address = (Vec<(String, u16)>, Option<String>);

fn parse_address(address: &str) -> Result<Address, String> {
    let Some(rest) = address.strip_prefix("//") else {
        let database = percent_decode(address.trim_start_matches('/'))?;
        return Ok((vec![("localhost".to_owned(), DEFAULT_PORT)], some_text(database)));
    };
    let (hosts, database) = rest.split_once('/').unwrap_or((rest, ""));
    if hosts.contains('@') {
        return Err("a user does not belong in front of the host: use the options 'username' and 'password'".to_owned());
    }
    let hosts = hosts.split(',').map(parse_host).collect::<Result<Vec<_>, _>>()?;
    Ok((hosts, some_text(percent_decode(database)?)))
}

const DEFAULT_PORT: u16 = 5432;

fn parse_host(text: &str) -> Result<(String, u16), String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) =
                rest.split_once(']').ok_or_else(|| format!("']' is missing behind the address in '{text}'"))?;
            (host, port.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port.filter(|port| !port.is_empty()) {
        None => DEFAULT_PORT,
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| format!("'{port}' is not a port: expected 1 to 65535 (an IPv6 address needs [ ])"))?,
    };
    let host = if host.is_empty() { "localhost" } else { host };
    Ok((percent_decode(host)?, port))
}

fn some_text(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// `%41` and `+` as `java.net.URLDecoder` reads them.
fn percent_decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let code = rest.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
                let byte = code.and_then(|hex| u8::from_str_radix(hex, 16).ok());
                bytes.push(
                    byte.ok_or("a '%' in the URL must be followed by two hexadecimal digits; write %25 for '%'")?,
                );
                rest = &rest[2..];
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).map_err(|_| "the URL is not UTF-8 after decoding".to_owned())
}

fn seconds(key: &str, value: &str) -> Result<Duration, String> {
    let seconds = value.parse().map_err(|_| format!("URL parameter '{key}' expects whole seconds"))?;
    Ok(Duration::from_secs(seconds))
}

fn boolean(key: &str, value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("URL parameter '{key}' expects true or false")),
    }
}

/// Parameters that mean something here.
const HANDLED: [&str; 18] = [
    "user",
    "password",
    "ssl",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslfactory",
    "currentSchema",
    "ApplicationName",
    "options",
    "connectTimeout",
    "loginTimeout",
    "socketTimeout",
    "targetServerType",
    "readOnly",
    "PGHOST",
    "PGPORT",
];

/// Parameters of the driver that steer what only a Java driver does.
const IGNORED: [&str; 61] = [
    "adaptiveFetch",
    "adaptiveFetchMaximum",
    "adaptiveFetchMinimum",
    "allowEncodingChanges",
    "assumeMinServerVersion",
    "authenticationPluginClassName",
    "autosave",
    "binaryTransfer",
    "binaryTransferDisable",
    "binaryTransferEnable",
    "cancelSignalTimeout",
    "channelBinding",
    "characterEncoding",
    "cleanupSavepoints",
    "convertBooleanToNumeric",
    "databaseMetadataCacheFields",
    "databaseMetadataCacheFieldsMiB",
    "defaultRowFetchSize",
    "disableColumnSanitiser",
    "escapeSyntaxCallMode",
    "groupStartupParameters",
    "gssEncMode",
    "gssResponseTimeout",
    "gsslib",
    "hideUnprivilegedObjects",
    "hostRecheckSeconds",
    "jaasApplicationName",
    "jaasLogin",
    "loadBalanceHosts",
    "localSocketAddress",
    "logServerErrorDetail",
    "logUnclosedConnections",
    "loggerFile",
    "loggerLevel",
    "maxResultBuffer",
    "maxSendBufferSize",
    "preferQueryMode",
    "preparedStatementCacheQueries",
    "preparedStatementCacheSizeMiB",
    "prepareThreshold",
    "protocolVersion",
    "quoteReturningIdentifiers",
    "reWriteBatchedInserts",
    "readOnlyMode",
    "receiveBufferSize",
    "replication",
    "sendBufferSize",
    "serverTimezone",
    "socketFactory",
    "socketFactoryArg",
    "sslNegotiation",
    "sslResponseTimeout",
    "stringtype",
    "tcpKeepAlive",
    "tcpNoDelay",
    "unknownLength",
    "useServerPrepStmts",
    "useSSL",
    "useUnicode",
    "xmlFactoryFactory",
    "zeroDateTimeBehavior",
];

impl JdbcUrl {
    fn set(&mut self, key: &str, value: String) -> Result<(), String> {
        match key {
            "user" => self.user = some_text(value),
            "password" => self.password = Some(Secret::new(value)),
            "sslmode" => self.tls.mode = SslMode::parse(&value)?,
            "ssl" if boolean(key, &value)? => self.tls.mode = self.tls.mode.max(SslMode::VerifyFull),
            "ssl" => {}
            "sslrootcert" => self.tls.root_certificate = some_text(value),
            "sslcert" => self.tls.certificate = some_text(value),
            "sslkey" => self.tls.key = some_text(value),
            "sslfactory" if value.ends_with("NonValidatingFactory") => self.tls.mode = SslMode::Require,
            "sslfactory" => self.ignored.push(key.to_owned()),
            "currentSchema" => self.current_schema = some_text(value),
            "ApplicationName" => self.application_name = some_text(value),
            "options" => self.server_options = some_text(value),
            "connectTimeout" | "loginTimeout" => self.connect_timeout = seconds(key, &value)?,
            "socketTimeout" => self.socket_timeout = Some(seconds(key, &value)?).filter(|time| !time.is_zero()),
            "targetServerType" => self.any_server = value == "any",
            "readOnly" if boolean(key, &value)? => {
                return Err("URL parameter 'readOnly=true' does not allow writing: remove it".to_owned());
            }
            "readOnly" => {}
            "PGHOST" | "PGPORT" => {
                return Err(format!("URL parameter '{key}' is not supported: write the host and port into the URL"));
            }
            known if IGNORED.contains(&known) => self.ignored.push(key.to_owned()),
            unknown => return Err(unknown_parameter(unknown)),
        }
        Ok(())
    }

    /// The URL for messages, without its password.
    pub(crate) fn masked(&self) -> &str {
        &self.text
    }
}

fn unknown_parameter(key: &str) -> String {
    let known = HANDLED.iter().chain(&IGNORED).copied();
    match suggest(key, known) {
        Some(like) => format!("unknown URL parameter '{key}', did you mean '{like}'?"),
        None => format!("unknown URL parameter '{key}': remove it"),
    }
}

impl fmt::Debug for JdbcUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> JdbcUrl {
        JdbcUrl::parse_option(text).unwrap()
    }

    #[test]
    fn reads_hosts_ports_and_database() {
        let hosts = |text: &str| parse(text).hosts;
        assert_eq!(hosts("jdbc:postgresql://a:1,b/db"), [("a".into(), 1), ("b".into(), 5432)]);
        assert_eq!(
            hosts("jdbc:postgresql://[::1]:5433,[fe80::2]/db"),
            [("::1".into(), 5433), ("fe80::2".into(), 5432)]
        );
        assert_eq!(hosts("jdbc:postgresql:db"), [("localhost".into(), 5432)]);
        assert_eq!(parse("jdbc:postgresql:db").database.as_deref(), Some("db"));
        assert_eq!(parse("jdbc:postgresql://h/my%20db").database.as_deref(), Some("my db"));
        assert_eq!(parse("jdbc:postgresql://h").database, None);
        assert_eq!(hosts("jdbc:pivotal:greenplum://gp:6432/db"), [("gp".into(), 6432)]);
        assert_eq!(hosts("jdbc:cloudberry://cb/db"), [("cb".into(), 5432)]);
    }

    #[test]
    fn reads_parameters() {
        let url = parse(
            "jdbc:postgresql://h/db?user=a%40b&password=p%26w&sslmode=verify-ca&currentSchema=dw,public\
             &ApplicationName=job+1&connectTimeout=3&socketTimeout=30&reWriteBatchedInserts=true&stringtype=unspecified",
        );
        assert_eq!(url.user.as_deref(), Some("a@b"));
        assert_eq!(url.password.as_ref().map(Secret::expose), Some("p&w"));
        assert_eq!(url.tls.mode, SslMode::VerifyCa);
        assert_eq!(url.current_schema.as_deref(), Some("dw,public"));
        assert_eq!(url.application_name.as_deref(), Some("job 1"));
        assert_eq!(url.connect_timeout, Duration::from_secs(3));
        assert_eq!(url.socket_timeout, Some(Duration::from_secs(30)));
        assert_eq!(url.ignored, ["reWriteBatchedInserts", "stringtype"]);
        assert!(!format!("{url:?}").contains("p%26w"));
        assert_eq!(parse("jdbc:postgresql://h/db?ssl=true").tls.mode, SslMode::VerifyFull);
        assert_eq!(parse("jdbc:postgresql://h/db").tls.mode, SslMode::Prefer);
    }

    #[test]
    fn says_what_is_wrong() {
        let error = |text: &str| JdbcUrl::parse_option(text).unwrap_err();
        assert_eq!(
            error("jdbc:mysql://h:3306/db"),
            "writing to 'jdbc:mysql:' is not supported yet; PostgreSQL, Greenplum and Cloudberry are: jdbc:postgresql://host:5432/database"
        );
        assert_eq!(error("jdbc:postgres://h/db"), "did you mean 'jdbc:postgresql:'?");
        assert_eq!(
            error("jdbc:postgresql://h/db?sslmod=off"),
            "unknown URL parameter 'sslmod', did you mean 'sslmode'?"
        );
        assert!(error("jdbc:postgresql://h/db?sslmode=on").contains("verify-full"));
        assert!(error("jdbc:postgresql://h:x/db").contains("'x' is not a port"));
        assert!(error("jdbc:postgresql://u:p@h/db").contains("'username'"));
        assert!(error("postgresql://h/db").contains("jdbc:postgresql://"));
        assert!(error("jdbc:postgresql://h/db?options=%zz").contains("%25"));
    }
}
