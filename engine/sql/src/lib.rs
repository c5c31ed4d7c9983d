//! The SQL side of Sluice: the Flink dialect, its statements, and the session they run in.
//!
//! | module | what it holds |
//! |---|---|
//! | [`parser`] | text to statements, on sqlparser without a fork; every name keeps its place |
//! | [`settings`] | `SET`: Flink's keys, typed |
//! | [`session`] | catalog, jobs and scripts of one user |
//!
//! ```text
//! text ─► parser ─► statement ─► session ─► catalog / settings / planner ─► engine
//! ```

pub mod parser;
pub mod session;
pub mod settings;
mod statement;

pub use session::{
    Completion, Environment, Home, JobRecipe, OnEvent, Outcome, QueryResult, ResultTable, Script, ScriptEvent,
    ScriptStatement, Session, SubmittedJob,
};
pub use settings::Settings;
pub use sluice_functions::time_zone;
