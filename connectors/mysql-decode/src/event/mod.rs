//! Binlog events: from the bytes of one event to a typed, borrowed view of it.
//!
//! ```text
//! [GTID] QUERY "BEGIN"  (ROWS_QUERY)  TABLE_MAP…  rows…  XID        one MySQL transaction
//! [GTID] TRANSACTION_PAYLOAD{ QUERY "BEGIN" … XID }                 the same, compressed
//! MARIA_GTID  (ANNOTATE_ROWS)  TABLE_MAP…  rows…  XID               one MariaDB transaction
//! [GTID] QUERY "CREATE TABLE …"                                     DDL, both
//! ```
//!
//! [`BinlogParser`] keeps what later events need: the checksum algorithm, the post-header lengths and the table maps.
//! The position in the log is the caller's business, because the header holds 32 bits of it only.

mod checksum;
mod control;
mod format;
mod header;
mod inflate;
mod metadata;
mod parser;
mod payload;
mod query;
mod rows;
mod status_vars;
mod table_cache;
mod table_map;
mod tagged;
mod transaction;
mod wire_type;

use std::sync::Arc;

use crate::gtid::{GtidSet, MariaGtidPos};

pub use checksum::Checksum;
pub use control::{Heartbeat, Rotate, XaPrepare, Xid};
pub use format::FormatDescription;
pub use header::{EventHeader, HEADER_LEN, event_type};
pub use parser::{BinlogParser, Flavour};
pub use payload::{PayloadEvents, TransactionPayload};
pub use query::{Query, QueryKind};
pub use rows::{RowsEvent, RowsKind};
pub use status_vars::StatusVars;
pub use table_map::{KeyPart, TableMap, WireColumn};
pub use transaction::{GtidEvent, MariaGtidEvent};
pub use wire_type::WireType;

/// One event.
#[derive(Debug)]
pub struct Event<'a> {
    /// Its header.
    pub header: EventHeader,
    /// What it says.
    pub body: EventBody<'a>,
}

/// What an event says.
#[derive(Debug)]
pub enum EventBody<'a> {
    /// Start of a file: server version, checksum algorithm.
    FormatDescription(FormatDescription),
    /// The log goes on in another file, or (artificial) begins in this one.
    Rotate(Rotate<'a>),
    /// MySQL: what was executed before this file.
    PreviousGtids(GtidSet),
    /// MariaDB: what was executed before this file.
    GtidList(MariaGtidPos),
    /// MySQL: a transaction with an id begins.
    Gtid(GtidEvent),
    /// MySQL with `gtid_mode` off: a transaction begins.
    AnonymousGtid(GtidEvent),
    /// MariaDB: a transaction begins.
    MariaGtid(MariaGtidEvent<'a>),
    /// A statement: BEGIN, COMMIT, DDL, XA START …, or row changes logged as a statement.
    Query(Query<'a>),
    /// Commit of a transaction, with its internal number.
    Xid(u64),
    /// End of the first phase of an XA transaction.
    XaPrepare(XaPrepare<'a>),
    /// Describes a table whose rows follow.
    TableMap(Arc<TableMap>),
    /// Inserted, updated or deleted rows.
    Rows(RowsEvent<'a>),
    /// A rows event without rows that only ends a statement.
    StatementEnd,
    /// A whole transaction, compressed.
    TransactionPayload(TransactionPayload<'a>),
    /// No event for a while; where the server stands in the log.
    Heartbeat(Heartbeat<'a>),
    /// The statement behind the rows that follow (`binlog_rows_query_log_events`, MariaDB's annotate events).
    RowsQuery(&'a [u8]),
    /// The server shut down.
    Stop,
    /// A known event without rows that means nothing to a reader of rows; the number is its type.
    Other(u8),
    /// An event of unknown type that is marked as safe to skip; the number is its type.
    Ignorable(u8),
}
