//! Binlog events made here, for tests and benchmarks. Not part of the public interface.

mod bytes;
mod log;

pub use bytes::{datetime2, decimal, lenenc, prefixed};
pub use log::{ColumnBytes, EventWriter, Image, bench_columns, bench_log, example_log};
