//! Checkpoint storage: what a job needs to go on where it stopped.
//!
//! A checkpoint is a directory of immutable files. Its manifest is written last, and names every
//! file with its length and checksum: a checkpoint without a manifest never happened.
//!
//! ```text
//! <checkpoint dir>/<job key>/
//!     epochs/0000000001.json     attempt 1 began fresh
//!     epochs/0000000002.json     attempt 2 began from chk-6 of epoch 1
//!     chk-6/state-1.bin          the small states of all subtasks, one behind the other
//!     chk-6/state-1-2.bin        a large one
//!     chk-6/MANIFEST.json        checksum, format version, job, epoch, states
//!     shared/6-1-2.bin           what checkpoints after chk-6 build on (see `packing`)
//!     chk-7/state-2.bin          a checkpoint that was not completed: ignored, then cleaned
//! <savepoint dir>/savepoint-4f1c22-9b2e0c51d7aa/
//!     state-2.bin, MANIFEST.json
//! ```
//!
//! The directories lie on a file system of the machine or in a bucket (`s3://bucket/…`).
//!
//! Every attempt of a job takes an **epoch**, a number that only grows. A writer that is not of the
//! newest epoch cannot complete a checkpoint (fencing), and the records of the epochs are a chain
//! that says which checkpoints belong to the run at hand (lineage).
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> sluice_model::Result<()> {
//! use sluice_state::{CheckpointStore, JobIdentity, Part, Restore, S3Options, Snapshot, SnapshotKind, TaskState};
//! # let scratch = std::env::temp_dir().join(format!("sluice-state-doc-{}", std::process::id()));
//! # let dir = scratch.display().to_string();
//! let job = JobIdentity { id: "a1".into(), name: "sales".into(), key: "sales".into() };
//! let store = CheckpointStore::new(&dir, &S3Options::default(), job, 3)?;
//! let attempt = store.begin(Restore::Fresh).await?;
//! let state = TaskState { id: "source: sales".into(), subtask: 0, part: Part::Whole, content: b"offset 7".to_vec().into() };
//! let snapshot = Snapshot {
//!     checkpoint: attempt.next_checkpoint, kind: SnapshotKind::Checkpoint, timestamp: 0, states: vec![state.clone()],
//! };
//! attempt.writer.reserve(snapshot.checkpoint).await?;
//! attempt.writer.write(snapshot).await?;
//!
//! // The process is killed, and started again.
//! let attempt = store.begin(Restore::Latest).await?;
//! assert_eq!(attempt.restored.map(|checkpoint| checkpoint.states), Some(vec![state]));
//! # std::fs::remove_dir_all(scratch).ok();
//! # Ok(()) }
//! ```

mod content;
mod directory;
mod epoch;
mod lineage;
mod local;
mod location;
mod manifest;
mod object;
mod object_failure;
mod object_upload;
mod packing;
mod reading;
mod retention;
mod s3;
mod snapshot;
mod storage;
mod store;
mod writing;

#[cfg(any(test, feature = "testing"))]
#[cfg_attr(not(test), allow(dead_code, reason = "tests of this crate ask for more"))]
mod crash_disk;
#[cfg(any(test, feature = "testing"))]
#[cfg_attr(not(test), allow(dead_code, reason = "tests of this crate ask for more"))]
mod crash_store;
#[cfg(any(test, feature = "testing"))]
#[cfg_attr(not(test), allow(dead_code, reason = "tests of this crate ask for more"))]
mod machine;
#[cfg(test)]
mod object_tests;
#[cfg(test)]
mod sharing_tests;
#[cfg(test)]
mod streaming_tests;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

pub use content::{Content, Encode, Reader, read_error};
pub use s3::S3Options;
pub use snapshot::{
    Checkpoint, JobIdentity, Part, Published, SkippedCheckpoint, Snapshot, SnapshotKind, StateSize, TaskState,
};
pub use store::{Attempt, CheckpointStore, CheckpointWriter, Restore, open, write_savepoint};
