//! Tests against real servers: MariaDB and MySQL.

mod support;

mod changes;
mod concurrency;
mod errors;
mod restarts;
mod snapshots;
