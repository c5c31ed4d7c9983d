//! Statements that show, explain and stop: one file per kind.

pub(crate) mod describe;
pub(crate) mod explain;
pub(crate) mod job;
pub(crate) mod like;
pub(crate) mod mask;
pub(crate) mod show;
