//! The Flink SQL dialect: from text to statements.

pub mod parser;
