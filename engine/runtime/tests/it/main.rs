//! Jobs from end to end, over connectors that live in memory and can be told to fail.

mod backpressure;
mod bounded;
mod buckets;
mod collect;
mod crash_points;
mod expiry;
mod incremental;
mod isolation;
mod latency;
mod plans;
mod recovery;
mod savepoints;
mod storage;
mod support;
