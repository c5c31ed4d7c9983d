//! What MySQL and MariaDB send, decoded straight into Arrow columns.
//!
//! Pure functions over bytes: no I/O, no tasks, no clock. Three parts, which meet in the [`RowBatchBuilder`]:
//!
//! | part | from | to |
//! |---|---|---|
//! | [`event`] | bytes of one binlog event | a typed [`Event`], whose rows are still bytes |
//! | [`RowDecoder`] | a [`RowsEvent`] | rows of a [`RowBatchBuilder`] |
//! | [`ResultRowDecoder`] | one row packet of a prepared SELECT | a row of a [`RowBatchBuilder`] |
//!
//! A row read by SELECT and the same row read from the log yield the same values: both paths end in the same
//! conversions (`value`). Input is not trusted: damaged bytes yield a [`DecodeError`], never a panic, an endless loop
//! or an allocation out of proportion. Nothing that can carry rows is skipped.
//!
//! ```
//! use arrow_schema::DataType;
//! use sluice_mysql_decode::{BinlogParser, EventBody, Flavour, MySqlColumn, RowBatchBuilder, RowDecoder, TargetColumn};
//! use sluice_mysql_decode::{UpdateMode, synthetic};
//!
//! let columns = [TargetColumn {
//!     source_index: 0,
//!     source: MySqlColumn::parse("id", "bigint", None)?,
//!     target: DataType::Int64,
//!     nullable: false,
//! }];
//! let mut parser = BinlogParser::new(Flavour::MySql);
//! let mut batch = RowBatchBuilder::new(&columns, &[0])?;
//! let mut decoder = None;
//! for event in synthetic::example_log() {
//!     match parser.parse(&event)?.body {
//!         EventBody::TableMap(table) => decoder = Some(RowDecoder::new(&table, &columns)?),
//!         EventBody::Rows(rows) => {
//!             if let Some(decoder) = &mut decoder {
//!                 decoder.decode(&rows, UpdateMode::AfterOnly, &mut batch)?;
//!             }
//!         }
//!         _ => {}
//!     }
//! }
//! assert_eq!(batch.len(), 2);
//! # Ok::<(), sluice_mysql_decode::DecodeError>(())
//! ```

mod batch;
mod cell_error;
mod charset;
mod column;
mod column_type;
mod cursor;
mod error;
pub mod event;
pub mod gtid;
mod resultset;
mod rows;
#[doc(hidden)]
pub mod synthetic;
mod targets;
mod value;
mod varlen;

pub use batch::{RowBatchBuilder, UpdateMode};
pub use charset::Charset;
pub use column::{MySqlColumn, MySqlType, TargetColumn};
pub use error::{DecodeError, ErrorKind, Result};
pub use event::{BinlogParser, Event, EventBody, Flavour, RowsEvent, TableMap};
pub use gtid::{Gtid, GtidSet, MariaGtid, MariaGtidPos};
pub use resultset::ResultRowDecoder;
pub use rows::{DecodeOptions, DecodedRows, RowDecoder, UtcOffset};
