//! What the benchmarks share: the client as a measured process, and its REST API; and the Nexmark
//! benchmark on Sluice and on Flink.

pub mod nexmark;
pub mod process;
