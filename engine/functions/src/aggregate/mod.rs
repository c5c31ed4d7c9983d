//! Aggregate functions with Flink's names, types and meaning.

mod numbers;

pub use numbers::{decimal_average, decimal_sum, exact_variance, variance};
