//! The nouns of a stream: what every other crate of Sluice speaks about.
//!
//! | noun | what it is |
//! |---|---|
//! | [`ChangelogBatch`] | a columnar batch of rows, each with a [`RowKind`] |
//! | [`StreamElement`] | what travels in a channel: a batch, a watermark, a barrier, the end |
//! | [`Barrier`] | a marker that cuts the stream into "before" and "after" a checkpoint |
//! | [`SqlType`], [`Column`], [`TableSchema`] | what a user declares in `CREATE TABLE` |
//! | [`TableDefinition`] | a declared table with its options |
//! | [`ChangelogMode`] | which row kinds a stream may carry |
//! | [`Error`] | what went wrong, where, why and how to fix it |
//! | [`Clock`] | the only place that knows the time |
//! | [`Secret`] | a value that cannot be printed |
//! | [`MetricGroup`] | counters and gauges of one task |
//!
//! Nothing in here does I/O, and nothing in here knows SQL text or a connector.

mod batch;
mod changelog_mode;
mod clock;
mod element;
mod error;
mod key_group;
mod metrics;
mod pretty;
mod row_kind;
mod schema;
mod secret;
mod sql_type;
mod table;
mod value;

pub use batch::ChangelogBatch;
pub use changelog_mode::ChangelogMode;
pub use clock::{Clock, ManualClock, SystemClock};
pub use element::{Barrier, BarrierKind, CheckpointId, SplitId, SplitStatus, StreamElement};
pub use error::{Error, Position, Reaction, Result, suggest};
pub use key_group::{KEY_GROUPS, key_group_of, subtask_of_key_group};
pub use metrics::{Counter, Gauge, MetricGroup, MetricKind, MetricRegistry, MetricSample};
pub use pretty::{from_pretty, to_pretty};
pub use row_kind::{RowKind, RowKinds};
pub use schema::{Column, TableSchema};
pub use secret::Secret;
pub use sql_type::SqlType;
pub use table::{TableDefinition, TableOption, TableOptions};
pub use value::{parse_duration, parse_memory_size};
