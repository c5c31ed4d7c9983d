//! The batch being filled: one typed buffer per target column, and the kind of change of every row.

mod builder;
mod bytes;
mod column_buffer;
mod validity;

pub(crate) use builder::kind;
pub use builder::{RowBatchBuilder, UpdateMode};
pub(crate) use column_buffer::{ColumnBuffer, Unit, Values};
