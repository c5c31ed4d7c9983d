//! Which tables a server has, and their columns.

use sluice_model::{Error, Result, suggest};
use sluice_mysql_decode::MySqlColumn;

use super::{GrantHint, Session, quote_name, quote_text};
use crate::options::TablePattern;

/// Schemas that belong to the server.
const SYSTEM: &str = "('mysql','information_schema','performance_schema','sys')";

/// A column as `information_schema` tells it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SourceColumn {
    /// Its name.
    pub(crate) name: String,
    /// Its type; `None` if it is not known.
    pub(crate) column: Option<MySqlColumn>,
    /// `COLUMN_TYPE`, as the server writes it.
    pub(crate) column_type: String,
    /// Whether NULL is allowed.
    pub(crate) nullable: bool,
    /// Character set and collation, of text columns.
    pub(crate) collation: Option<(String, String)>,
}

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MySqlTable {
    /// Its database.
    pub(crate) database: String,
    /// Its name.
    pub(crate) name: String,
    /// Rows, as the server estimates them.
    pub(crate) estimated_rows: u64,
    /// Whether reads see one state of it while others write.
    pub(crate) is_transactional: bool,
    /// All columns in their order, the invisible ones too.
    pub(crate) columns: Vec<SourceColumn>,
    /// Names of the primary key columns in key order.
    pub(crate) primary_key: Vec<String>,
}

impl MySqlTable {
    /// `` `db`.`table` ``.
    pub(crate) fn quoted(&self) -> String {
        format!("{}.{}", quote_name(&self.database), quote_name(&self.name))
    }

    /// `db.table`.
    pub(crate) fn full_name(&self) -> String {
        format!("{}.{}", self.database, self.name)
    }

    /// Position and column of a name; MySQL's column names know no case.
    pub(crate) fn column(&self, name: &str) -> Option<(usize, &SourceColumn)> {
        self.columns.iter().enumerate().find(|(_, column)| column.name.eq_ignore_ascii_case(name))
    }
}

/// Reads the catalogue.
pub(crate) struct Catalog;

impl Catalog {
    /// The tables that a pattern names.
    ///
    /// # Errors
    /// There is none; the nearest name is suggested.
    pub(crate) async fn matching(
        session: &mut Session,
        pattern: &TablePattern,
        wanted: &str,
    ) -> Result<Vec<(String, String)>> {
        let result = session
            .query(&format!(
                "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES \
                 WHERE TABLE_TYPE IN ('BASE TABLE','SYSTEM VERSIONED') AND TABLE_SCHEMA NOT IN {SYSTEM} \
                 ORDER BY TABLE_SCHEMA, TABLE_NAME"
            ))
            .await?;
        let all: Vec<(String, String)> =
            (0..result.rows.len()).filter_map(|row| Some((result.cell(row, 0)?, result.cell(row, 1)?))).collect();
        let found: Vec<_> = all.iter().filter(|(database, table)| pattern.matches(database, table)).cloned().collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let names: Vec<String> = all.iter().map(|(database, table)| format!("{database}.{table}")).collect();
        let hint = match suggest(wanted, names.iter().map(String::as_str)) {
            Some(like) => format!("did you mean '{like}'?"),
            None => "check 'database-name' and 'table-name', and that the user may read the table: \
                     GRANT SELECT ON db.* TO …"
                .to_owned(),
        };
        Err(Error::fix(format!("the server has no table '{wanted}' that the user can see")).with_hint(hint))
    }

    /// One table.
    ///
    /// # Errors
    /// It cannot be read, or has a column of an unknown type.
    pub(crate) async fn table(session: &mut Session, database: &str, name: &str) -> Result<MySqlTable> {
        let place = format!(
            "TABLE_SCHEMA = {} AND TABLE_NAME = {}",
            quote_text(database.as_bytes()),
            quote_text(name.as_bytes())
        );
        let status =
            session.query(&format!("SELECT ENGINE, TABLE_ROWS FROM information_schema.TABLES WHERE {place}")).await?;
        let engine = status.cell(0, 0).unwrap_or_default();
        let columns = Self::columns(session, &place).await?;
        let keys = session
            .query(&format!(
                "SELECT COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS \
                 WHERE {place} AND INDEX_NAME = 'PRIMARY' ORDER BY SEQ_IN_INDEX"
            ))
            .await?;
        let table = MySqlTable {
            database: database.to_owned(),
            name: name.to_owned(),
            estimated_rows: status.cell(0, 1).and_then(|rows| rows.parse().ok()).unwrap_or(0),
            is_transactional: ["InnoDB", "ROCKSDB", "TokuDB", "ndbcluster"]
                .iter()
                .any(|e| e.eq_ignore_ascii_case(&engine)),
            columns,
            primary_key: (0..keys.rows.len()).filter_map(|row| keys.cell(row, 0)).collect(),
        };
        let probe = format!("SELECT 1 FROM {} LIMIT 0", table.quoted());
        session.query_as(&probe, GrantHint::Select(table.quoted())).await?;
        Ok(table)
    }

    async fn columns(session: &mut Session, place: &str) -> Result<Vec<SourceColumn>> {
        let result = session
            .query(&format!(
                "SELECT COLUMN_NAME, COLUMN_TYPE, CHARACTER_SET_NAME, COLLATION_NAME, IS_NULLABLE \
                 FROM information_schema.COLUMNS WHERE {place} ORDER BY ORDINAL_POSITION"
            ))
            .await?;
        Ok((0..result.rows.len())
            .map(|row| {
                let name = result.cell(row, 0).unwrap_or_default();
                let column_type = result.cell(row, 1).unwrap_or_default();
                let charset = result.cell(row, 2);
                // A type that is not known matters only if the column is wanted.
                let column = MySqlColumn::parse(name.clone(), &column_type, charset.as_deref()).ok();
                SourceColumn {
                    name,
                    column,
                    column_type,
                    nullable: result.cell(row, 4).as_deref() == Some("YES"),
                    collation: charset.zip(result.cell(row, 3)),
                }
            })
            .collect())
    }

    /// Estimated rows of several tables, freshly counted if the server keeps old counts.
    pub(crate) async fn refresh_statistics(session: &mut Session) {
        // Only MySQL 8 and later keep them; others do not know the setting, and need not.
        let _ = session.try_query("SET SESSION information_schema_stats_expiry = 0").await;
    }
}
