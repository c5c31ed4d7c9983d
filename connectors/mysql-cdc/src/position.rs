//! Where a reader stands: in the log, and in the snapshot of every table.
//!
//! A position is the start of an event group (a transaction) that has not been delivered whole, plus, for every table,
//! how many of its rows behind that start have been delivered. A restart reads from the group's start and drops that
//! many rows of each table, so it goes on exactly, in the middle of a transaction or between two of its tables.
//!
//! ```text
//! {"version":1, "server":"3e11…", "file":"binlog.000042", "pos":7316, "gtid":"3e11…:1-77",
//!  "tables":{"shop.orders":{"rows":3,"finished":[{"start":null,"end":"8097"}]}}}
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_model::{Error, Result};

use crate::chunk::Range;

/// Version of the serialised form.
const VERSION: u32 = 1;

/// A place in one server's log, ordered as the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Number at the end of the file's name.
    pub(crate) file: u64,
    /// Byte position in the file.
    pub(crate) pos: u64,
}

impl Place {
    /// The place of a position in a named file. Files are ordered by the number at the end of their names.
    pub(crate) fn new(file: &str, pos: u64) -> Self {
        let digits = file.rsplit('.').next().and_then(|suffix| suffix.parse().ok());
        Self { file: digits.unwrap_or(0), pos }
    }
}

/// Boundary between two event groups.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Offset {
    /// Identity of the server whose file names and positions these are.
    pub(crate) server: String,
    /// File name.
    pub(crate) file: String,
    /// Position of the next event group in the file.
    pub(crate) pos: u64,
    /// Transactions executed before: a GTID set of MySQL, or a GTID position of MariaDB. Empty without GTIDs.
    pub(crate) gtid: String,
    /// Start of the last event group that held rows of captured tables: what a snapshot has to see at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rows_place: Option<Place>,
    /// Changes before this time, in milliseconds since 1970, are passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from_millis: Option<i64>,
}

impl Offset {
    /// The place of this offset.
    pub(crate) fn place(&self) -> Place {
        Place::new(&self.file, self.pos)
    }

    /// Whether nothing of the log lies before: its first file tells which transactions do.
    pub(crate) fn is_beginning(&self) -> bool {
        self.pos <= 4
    }
}

/// How far one table has been delivered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct TablePosition {
    /// Rows in the log behind the offset that have been consumed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) rows: u64,
    /// Parts of the table whose snapshot has been delivered; `None` when all of it has been, or none is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) finished: Option<Vec<Range>>,
    /// Rows of the snapshot delivered so far, for progress.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) snapshot_rows: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Everything a restart needs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Position {
    version: u32,
    /// Where the log goes on.
    #[serde(flatten)]
    pub(crate) offset: Offset,
    /// Tables, by [`table_key`].
    pub(crate) tables: BTreeMap<String, TablePosition>,
}

/// Name under which a table's position is kept: the SQL table and the MySQL table it reads.
pub(crate) fn table_key(sql_table: &str, database: &str, table: &str) -> String {
    format!("{sql_table}|{database}.{table}")
}

impl Position {
    /// A position at an offset, with nothing delivered behind it.
    pub(crate) fn new(offset: Offset) -> Self {
        Self { version: VERSION, offset, tables: BTreeMap::new() }
    }

    /// The serialised form.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| Error::bug(format!("a position cannot be written: {error}")))
    }

    /// Reads the serialised form.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let unreadable = |why: String| {
            Error::fix("the checkpoint's position in the MySQL log cannot be read")
                .because(why)
                .with_hint("restore from another checkpoint, or start the job without one")
        };
        let position: Self = serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
        if position.version != VERSION {
            return Err(unreadable(format!("its version is {}, this program reads {VERSION}", position.version)));
        }
        Ok(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::Bound;

    #[test]
    fn files_are_ordered_by_number() {
        assert!(Place::new("binlog.999999", 9) < Place::new("binlog.1000000", 4));
        assert!(Place::new("binlog.000002", 4) > Place::new("binlog.000001", 9000));
    }

    #[test]
    fn positions_survive_being_stored() {
        let mut position = Position::new(Offset {
            server: "uuid".into(),
            file: "binlog.000042".into(),
            pos: 7316,
            gtid: "3e11:1-77".into(),
            rows_place: Some(Place { file: 42, pos: 7000 }),
            from_millis: None,
        });
        let finished = vec![Range { start: None, end: Some(Bound::new(b"8097".to_vec())) }];
        position
            .tables
            .insert("t|shop.orders".into(), TablePosition { rows: 3, finished: Some(finished), snapshot_rows: 9 });
        position.tables.insert("t|shop.items".into(), TablePosition::default());
        let bytes = position.to_bytes().unwrap();
        assert_eq!(Position::from_bytes(&bytes).unwrap(), position);
        assert!(Position::from_bytes(b"{}").is_err());
        let newer = String::from_utf8(bytes).unwrap().replace("\"version\":1", "\"version\":9");
        assert!(Position::from_bytes(newer.as_bytes()).unwrap_err().to_string().contains("version is 9"));
    }
}
