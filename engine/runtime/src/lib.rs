//! Runs stream plans: tasks, channels, exchanges, checkpoints, restarts, metrics.
//!
//! ```text
//! Engine ── submit ─► Job ── attempt 1 (epoch 1) ─► tasks: source ═► operators ═► sink
//!                      │       │ coordinator: barriers, acknowledgements, checkpoints
//!                      │       ╳ a task failed, or panicked
//!                      └────── attempt 2 (epoch 2), from the newest valid checkpoint
//! ```
//!
//! A row's way: a reader hands a batch to its task, which pushes it through the fused operators, deals it to the consumers' channels by key, and goes on reading. A sink's task
//! takes what has piled up, writes it, and tells its writer when nothing waits. There is no timer,
//! no lock and no await per row on the way.
//!
//! A worked example, with a connector that counts:
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use sluice_connector_api::Connectors;
//! # use sluice_model::{Result, SystemClock};
//! # use sluice_plan::StreamPlan;
//! # use sluice_runtime::{Engine, JobConfig, JobId, JobSpec, StopRequest};
//! # async fn example(connectors: Connectors, plan: StreamPlan) -> Result<()> {
//! let engine = Engine::new(connectors, SystemClock::shared());
//! let config = JobConfig {
//!     state_key: "sales".into(),
//!     checkpoint_dir: "file:///var/lib/sluice/checkpoints".into(),
//!     checkpoint_interval: Some(std::time::Duration::from_secs(3)),
//!     ..JobConfig::default()
//! };
//! let spec = JobSpec { id: JobId::random(), name: "sales".into(), plan, config, collect: None };
//! let job = engine.submit(spec)?;
//! let checkpoint = job.checkpoint().await?;
//! assert_eq!(job.checkpoints().latest_completed.map(|latest| latest.id), Some(checkpoint));
//! job.stop(StopRequest::default()).await?;
//! # Ok(()) }
//! ```
//!
//! What holds at any time: a panic in a job fails that job only; tasks of a job end within a bounded
//! time; nothing is acknowledged upstream before the checkpoint that holds it is durable; two
//! attempts never write checkpoints at the same time.

mod alignment;
mod attempt;
mod chain;
mod channel;
mod checkpoints;
mod coordinator;
mod engine;
mod exchange;
mod gate;
mod graph;
mod hash;
mod job;
mod launch;
mod metrics;
mod operator_state;
mod output;
mod pace;
mod program;
mod restart;
mod restore;
mod spill;
mod state_tables;
mod task;
mod threads;
mod tokens;

#[cfg(test)]
mod testing;

pub use checkpoints::{
    CheckpointAnswer, CheckpointCounts, CheckpointInfo, CheckpointOverview, CheckpointStatus, RestoredCheckpoint,
};
pub use engine::Engine;
pub use job::{
    JobConfig, JobException, JobHandle, JobId, JobSpec, JobStatus, StopRequest, SubtaskInfo, TaskCounts, TaskStatus,
    VertexInfo, VertexInput,
};
pub use restart::RestartStrategy;
pub use sluice_state::{Restore, S3Options};
pub use threads::threads;
