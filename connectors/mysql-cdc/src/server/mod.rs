//! The server: what it is, whether its settings allow exact reading, and where its log stands.

mod catalog;
mod errors;
mod session;
mod sql;

pub(crate) use catalog::{Catalog, MySqlTable, SourceColumn};
pub(crate) use errors::{GrantHint, server_failure};
pub(crate) use session::Session;
pub(crate) use sql::{quote_name, quote_text};

use sluice_model::{Error, Result};
use sluice_mysql_decode::Flavour;

use crate::options::ServerTimeZone;
use crate::position::Offset;

/// What the reader knows about a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// MySQL or MariaDB.
    pub(crate) flavour: Flavour,
    /// What file names and positions belong to: `server_uuid`, or host name and server id on MariaDB.
    pub(crate) identity: String,
    /// Whether MySQL numbers its transactions (`gtid_mode` ON).
    pub(crate) has_gtids: bool,
    /// Whether `SHOW BINARY LOG STATUS` replaces `SHOW MASTER STATUS` (MySQL 8.2 and later).
    pub(crate) new_status_statement: bool,
    /// What its wall clocks show.
    pub(crate) time_zone: ServerTimeZone,
}

impl Server {
    /// Asks the server, and checks what exact reading needs.
    ///
    /// # Errors
    /// Settings that make the log useless, all at once, each with the statement that changes it.
    pub(crate) async fn inspect(session: &mut Session) -> Result<Self> {
        let time_zone = session.time_zone().await?;
        let variables = Variables::read(session).await?;
        let flavour = if session.version().contains("MariaDB") { Flavour::MariaDb } else { Flavour::MySql };
        variables.check(flavour)?;
        let identity = Self::identity(session, flavour).await?;
        let version = version_numbers(session.version());
        Ok(Self {
            flavour,
            identity,
            has_gtids: flavour == Flavour::MySql && variables.get("gtid_mode").eq_ignore_ascii_case("ON"),
            new_status_statement: flavour == Flavour::MySql && version >= (8, 2, 0),
            time_zone,
        })
    }

    /// End of the log: nothing visible in a table lies behind it.
    pub(crate) async fn log_end(&self, session: &mut Session) -> Result<Offset> {
        let statement = if self.new_status_statement { "SHOW BINARY LOG STATUS" } else { "SHOW MASTER STATUS" };
        let status = session.query_as(statement, GrantHint::LogStatus).await?;
        let (Some(file), Some(pos)) = (status.named(0, "File"), status.named(0, "Position")) else {
            return Err(Error::fix("the server does not say where its binary log ends")
                .because(format!("{statement} is empty"))
                .with_hint("set log_bin=ON on the server and restart it"));
        };
        let gtid = match self.flavour {
            Flavour::MySql => status.named(0, "Executed_Gtid_Set").unwrap_or_default(),
            Flavour::MariaDb => session.scalar("SELECT @@GLOBAL.gtid_binlog_pos").await?,
        };
        Ok(Offset {
            server: self.identity.clone(),
            file,
            pos: pos.parse().map_err(|_| Error::fix(format!("the server's log position '{pos}' is no number")))?,
            gtid: compact(&gtid),
            rows_place: None,
            from_millis: None,
        })
    }

    /// Makes sure that a session speaks to this server, not to another one behind the same address.
    ///
    /// # Errors
    /// It does not.
    pub(crate) async fn expect_same(&self, session: &mut Session) -> Result<()> {
        let identity = Self::identity(session, self.flavour).await?;
        if identity == self.identity {
            return Ok(());
        }
        Err(Error::retry("two connections to one address reached two servers")
            .because(format!("one is {}, the other {identity}", self.identity))
            .with_hint("connect to one server, not to a load balancer or proxy in front of several"))
    }

    async fn identity(session: &mut Session, flavour: Flavour) -> Result<String> {
        Ok(match flavour {
            Flavour::MySql => session.scalar("SELECT @@GLOBAL.server_uuid").await?.to_ascii_lowercase(),
            Flavour::MariaDb => session.scalar("SELECT CONCAT(@@hostname, ':', @@port, '/', @@server_id)").await?,
        })
    }

    /// Names of the log files that the server still has, oldest first.
    pub(crate) async fn log_files(&self, session: &mut Session) -> Result<Vec<String>> {
        let logs = session.query_as("SHOW BINARY LOGS", GrantHint::LogStatus).await?;
        Ok((0..logs.rows.len()).filter_map(|row| logs.cell(row, 0)).collect())
    }
}

/// A GTID set without the line breaks that servers put into long ones.
pub(crate) fn compact(gtid: &str) -> String {
    gtid.chars().filter(|c| !c.is_whitespace()).collect()
}

/// `8.4.3-commercial` as numbers.
fn version_numbers(version: &str) -> (u32, u32, u32) {
    // MariaDB used to hide behind a prefix that old clients understand.
    let version = version.strip_prefix("5.5.5-").unwrap_or(version);
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}

/// Settings of the server, by name.
struct Variables(Vec<(String, String)>);

impl Variables {
    async fn read(session: &mut Session) -> Result<Self> {
        let names = ["log_bin", "binlog_format", "binlog_row_image", "binlog_row_value_options", "gtid_mode"];
        let list = names.map(|name| format!("'{name}'")).join(",");
        let result = session.query(&format!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ({list})")).await?;
        let pair = |row| Some((result.cell(row, 0)?.to_ascii_lowercase(), result.cell(row, 1).unwrap_or_default()));
        Ok(Self((0..result.rows.len()).filter_map(pair).collect()))
    }

    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }

    /// Settings under which rows would be missing from the log, or incomplete in it.
    fn check(&self, flavour: Flavour) -> Result<()> {
        let mut errors = Vec::new();
        if matches!(self.get("log_bin").to_ascii_uppercase().as_str(), "OFF" | "0") {
            errors.push(
                Error::fix("the server writes no binary log")
                    .because("log_bin is OFF")
                    .with_hint("add log_bin=binlog to the [mysqld] section of its configuration and restart it"),
            );
        }
        let mut expect = |name: &str, wanted: &str, why: &str| {
            let value = self.get(name);
            // A server that has given up the setting behaves as wanted.
            if !value.is_empty() && !value.eq_ignore_ascii_case(wanted) {
                let persist = if flavour == Flavour::MySql { "PERSIST" } else { "GLOBAL" };
                errors.push(
                    Error::fix(format!("the server's {name} is {value}, it has to be {wanted}"))
                        .because(why.to_owned())
                        .with_hint(format!("SET {persist} {name} = '{wanted}'; then let clients connect anew")),
                );
            }
        };
        expect("binlog_format", "ROW", "other formats log statements instead of rows");
        expect("binlog_row_image", "FULL", "other images leave columns out of the log");
        if !self.get("binlog_row_value_options").is_empty() {
            expect("binlog_row_value_options", "", "partial JSON updates leave values out of the log");
        }
        Error::many(errors).map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(settings: &[(&str, &str)]) -> Option<String> {
        let pairs = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Variables(pairs).check(Flavour::MySql).err().map(|error| error.to_string())
    }

    #[test]
    fn settings_that_lose_rows_are_refused_all_at_once() {
        assert_eq!(check(&[("log_bin", "ON"), ("binlog_format", "ROW"), ("binlog_row_image", "FULL")]), None);
        let text = check(&[("log_bin", "OFF"), ("binlog_format", "MIXED"), ("binlog_row_image", "MINIMAL")]).unwrap();
        assert!(text.contains("writes no binary log"), "{text}");
        assert!(text.contains("SET PERSIST binlog_format = 'ROW'"), "{text}");
        assert!(text.contains("binlog_row_image is MINIMAL"), "{text}");
    }

    #[test]
    fn versions_are_numbers() {
        assert_eq!(version_numbers("9.7.4-2"), (9, 7, 4));
        assert_eq!(version_numbers("5.5.5-10.11.19-MariaDB-log"), (10, 11, 19));
    }
}
