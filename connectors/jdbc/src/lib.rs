//! The `jdbc` connector: writes changelogs to PostgreSQL and to warehouses made of it (Greenplum,
//! Apache Cloudberry), and looks up rows there.
//!
//! ```sql
//! CREATE TABLE customer (id BIGINT, name STRING, PRIMARY KEY (id) NOT ENFORCED) WITH (
//!   'connector' = 'jdbc',
//!   'url' = 'jdbc:postgresql://warehouse:5432/dw',
//!   'table-name' = 'public.customer',
//!   'username' = 'loader', 'password' = '…');
//! ```
//!
//! The way of a batch:
//!
//! ```text
//! write ─► queue ─► [worker] drain all that waits ─► reduce by key ─► apply in one transaction
//!                                                     │                │ few rows: INSERT … unnest
//!   +I 1 a / -U 1 a / +U 1 b / -D 2 c      ──►   upsert 1 b            │ many rows: COPY BINARY into
//!                                                delete 2              ▼ a temporary table, then merge
//! ```
//!
//! While the server works on one transaction the next one gathers, so that a slow stream is written
//! row by row within milliseconds and a fast one in large batches, without a knob.
//!
//! | module | what it knows |
//! |---|---|
//! | `options`, `url`, `tls` | what the user writes |
//! | `connect`, `failure` | connections, and which errors are worth another try |
//! | `catalog` | the target table as the server describes it, and whether it fits |
//! | `encode` | Arrow columns to PostgreSQL's binary formats |
//! | `reduce` | the last operation of each key |
//! | `dialect` | SQL text |
//! | `apply` | one reduced batch in one transaction |
//! | `sink`, `worker` | the connector's running parts |
//! | `lookup` | rows of keys, for lookup joins |

mod apply;
mod catalog;
mod connect;
mod dialect;
mod encode;
mod failure;
mod lookup;
mod options;
mod reduce;
mod sink;
mod tls;
mod url;
mod worker;

use std::sync::Arc;

use sluice_connector_api::{
    Connector, ConnectorInfo, LookupSource, LookupTable, OptionReader, Sink, SinkTable, TableDefinition,
};
use sluice_model::{Error, Result};

pub use options::JdbcOptions;
pub use url::JdbcUrl;

/// The `jdbc` connector.
#[derive(Debug, Clone, Copy, Default)]
pub struct JdbcConnector;

impl Connector for JdbcConnector {
    const NAME: &'static str = "jdbc";
    type Options = JdbcOptions;

    fn info(&self) -> ConnectorInfo {
        ConnectorInfo { is_sink: true, is_lookup: true, ..ConnectorInfo::default() }
    }

    fn validate(&self, options: &JdbcOptions, _table: &TableDefinition, reader: &mut OptionReader<'_>) {
        options.validate(reader);
    }

    fn sink(&self, options: JdbcOptions, table: SinkTable) -> Result<Arc<dyn Sink>> {
        if table.schema.primary_key.is_empty() && !table.changelog.is_append() {
            return Err(Error::fix(
                "please declare primary key for sink table when query contains update/delete record.",
            )
            .because(format!(
                "the query produces [{}] and table '{}' has no PRIMARY KEY to update and delete by",
                table.changelog, table.name
            ))
            .with_hint("add PRIMARY KEY (…) NOT ENFORCED to the CREATE TABLE statement"));
        }
        Ok(Arc::new(sink::JdbcSink::new(options, table)))
    }
    fn lookup(&self, table: LookupTable<JdbcOptions>) -> Result<Arc<dyn LookupSource>> {
        Ok(Arc::new(lookup::JdbcLookup::new(table)?))
    }
}
