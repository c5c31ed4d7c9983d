//! A job: what it is submitted with, what it tells, how it is steered.

mod handle;
mod info;
mod shared;
mod spec;
mod status;
mod supervisor;

pub use handle::JobHandle;
pub use info::{JobException, SubtaskInfo, TaskCounts, VertexInfo, VertexInput};
pub(crate) use shared::{Job, Request, Subtask};
pub use spec::{JobConfig, JobId, JobSpec, StopRequest};
pub(crate) use status::TaskStatusCell;
pub use status::{JobStatus, TaskStatus};
pub(crate) use supervisor::Supervisor;
