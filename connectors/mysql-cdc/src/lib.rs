//! Connector `mysql-cdc`: the rows of MySQL and MariaDB tables, and every change of them.
//!
//! ```sql
//! CREATE TABLE orders (
//!   id BIGINT, total DECIMAL(10, 2), PRIMARY KEY (id) NOT ENFORCED
//! ) WITH (
//!   'connector' = 'mysql-cdc', 'hostname' = 'db', 'username' = 'reader', 'password' = '…',
//!   'database-name' = 'shop', 'table-name' = 'orders', 'server-id' = '5401-5404'
//! );
//! ```
//!
//! | part | does |
//! |---|---|
//! | `options` | what `WITH (…)` may say |
//! | `wire` | the client/server protocol |
//! | `server` | what the server is, has and allows |
//! | `feed` | one MySQL table read into one SQL table |
//! | `log` | one connection that reads the binary log of all tables of a job |
//! | `snapshot` | connections that read the rows that exist, chunk by chunk |
//! | `merge` | the one point where both meet |
//! | `position` | what a checkpoint remembers |
//! | `reader` | all of it together |
//!
//! The rows that exist and the changes made meanwhile merge exactly: see `merge` for the argument. All tables of a job
//! on one server share one binlog connection.

mod chunk;
mod feed;
mod log;
mod losses;
mod merge;
mod options;
mod position;
mod reader;
mod server;
mod snapshot;
mod source;
mod wire;

pub use options::{MysqlCdcOptions, ServerIds, StartupMode};
pub use source::MysqlCdc;

use sluice_model::Error;
use sluice_mysql_decode::{DecodeError, ErrorKind};

/// A decoder's error, as something that a job reacts to.
fn decode_error(error: DecodeError) -> Error {
    let hint = error.hint().map(ToOwned::to_owned);
    let text = error.to_string();
    let what = match &hint {
        Some(hint) => text.strip_suffix(&format!("; hint: {hint}")).unwrap_or(&text).to_owned(),
        None => text,
    };
    let located = match error.kind() {
        // Damage on the way: the same bytes may arrive whole next time.
        ErrorKind::Malformed | ErrorKind::Checksum => Error::retry(what),
        _ => Error::fix(what),
    };
    match hint {
        Some(hint) => located.with_hint(hint),
        None => located,
    }
}
