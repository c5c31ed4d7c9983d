//! What the benchmarks share: the client as a measured process, and its REST API.

pub mod process;
