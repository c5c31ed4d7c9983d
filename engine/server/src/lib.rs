//! The server around the engine: REST in the shapes that Flink's users script against, a SQL
//! gateway, Prometheus metrics, a small web page, and the store that brings jobs back after a crash.
//!
//! ```text
//! curl http://127.0.0.1:8081/jobs                       {"jobs":[{"id":"6b1a…","status":"RUNNING"}]}
//! curl -X PATCH http://127.0.0.1:8081/jobs/6b1a…?mode=cancel
//! curl http://127.0.0.1:8081/metrics                    sluice_records_in_total{job="sales",task="Sink: kafka",…} 4096
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | `rest` | one file per group of Flink's JobManager endpoints |
//! | `gateway` | sessions, statements and results as Flink's SQL gateway gives them |
//! | `script` | a whole job file in one request |
//! | [`cells`] | the text form of values, shared with the client |
//! | [`protocol`] | what client and server say to each other |
//! | `metrics` | the Prometheus text, of jobs and of the process |
//! | `keeper`, `store` | submitted jobs on disk, and their recovery |

pub mod cells;
pub mod protocol;

mod auth;
mod config;
mod error;
mod gateway;
mod keeper;
mod logical_type;
mod metrics;
mod rest;
mod script;
mod script_settings;
mod serve;
mod state;
mod store;
mod web;

pub use config::{DEFAULT_METRICS_PORT, DEFAULT_PORT, ServerConfig};
pub use logical_type::{column_from_json, column_to_json};
pub use script_settings::ScriptSettings;
pub use serve::Server;
