//! Why a checkpoint is taken.

use sluice_model::{BarrierKind, CheckpointId, Error, Result};
use tokio::sync::oneshot;

/// Why a checkpoint is taken, and who waits for it.
#[derive(Debug)]
pub(super) enum Purpose {
    /// The place where a new job begins.
    First,
    Periodic,
    Asked(oneshot::Sender<Result<CheckpointId>>),
    Savepoint {
        dir: String,
        reply: oneshot::Sender<Result<String>>,
    },
    Stop {
        drain: bool,
        savepoint_dir: Option<String>,
        reply: oneshot::Sender<Result<Option<String>>>,
    },
    /// All sources have ended.
    Last,
}

impl Purpose {
    pub(super) fn kind(&self) -> BarrierKind {
        match self {
            Self::First | Self::Periodic | Self::Asked(_) => BarrierKind::Checkpoint,
            Self::Savepoint { .. } => BarrierKind::Savepoint,
            Self::Stop { .. } | Self::Last => BarrierKind::Stop,
        }
    }

    pub(super) fn savepoint_dir(&self) -> Option<String> {
        match self {
            Self::Savepoint { dir, .. } => Some(dir.clone()),
            Self::Stop { savepoint_dir, .. } => savepoint_dir.clone(),
            Self::First | Self::Periodic | Self::Asked(_) | Self::Last => None,
        }
    }

    pub(super) fn refuse(self, error: Error) {
        match self {
            Self::First | Self::Periodic | Self::Last => {}
            Self::Asked(reply) => drop(reply.send(Err(error))),
            Self::Savepoint { reply, .. } => drop(reply.send(Err(error))),
            Self::Stop { reply, .. } => drop(reply.send(Err(error))),
        }
    }

    /// The job asked for it, not a user: when it fails, the failure counts.
    pub(super) fn is_own(&self) -> bool {
        matches!(self, Self::First | Self::Periodic | Self::Last)
    }
}
