//! How Java prints values, which is how Flink's formats and sinks do: shared by all connectors that
//! write text.
//!
//! Everything is appended to a byte buffer; nothing allocates.

mod number;
mod temporal;

pub use number::{DecimalText, write_decimal, write_double, write_float, write_integer};
pub use temporal::{Fraction, write_clock, write_date, write_fraction};
