//! Which checkpoints belong to the run at hand.
//!
//! Each epoch began fresh, from a path, or from a checkpoint of an earlier epoch. Followed back
//! from the newest epoch, this chain gives the checkpoints to restore, best first:
//!
//! ```text
//! epoch 1  fresh        ── chk-1 ── chk-2 ── chk-3
//! epoch 2  from chk-2   ── chk-4 ── chk-5                  (chk-3 was damaged)
//! epoch 3  from chk-5   ── (killed before its first one)
//!
//! lineage: chk-5, chk-4, chk-2, chk-1
//! ```
//!
//! `chk-3` stays out although it is newer than `chk-2`: what epoch 2 did began without it. The same
//! rule keeps out a checkpoint that a stale writer completed at the last moment, and all those
//! before a fresh start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sluice_model::{CheckpointId, Result};

use crate::epoch::{Began, EpochRecord};
use crate::reading::{Unreadable, read_manifest};
use crate::snapshot::SkippedCheckpoint;
use crate::storage::{Storage, storage_error};

/// A directory `chk-<id>` of a job.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: CheckpointId,
    pub(crate) dir: PathBuf,
    /// Epoch of its writer, or what is wrong with its manifest; `None` if it was not completed.
    pub(crate) epoch: Option<Result<u64, String>>,
    /// Shared files that it refers to.
    pub(crate) shared: Vec<String>,
}

/// The directories of a job's checkpoints, by id.
pub(crate) fn entries(storage: &dyn Storage, job_dir: &Path) -> Result<Vec<Entry>> {
    let names = storage.list(job_dir).map_err(|error| storage_error("list", job_dir, &error))?;
    let mut entries = Vec::new();
    for name in names {
        let Some(id) = name.strip_prefix("chk-").and_then(|id| id.parse().ok()) else { continue };
        let dir = job_dir.join(&name);
        let mut shared = Vec::new();
        let epoch = match read_manifest(storage, &dir) {
            Ok(manifest) => manifest.map(|manifest| {
                shared.extend(manifest.files.into_iter().filter(|file| file.shared).map(|file| file.name));
                Ok(manifest.epoch)
            }),
            Err(Unreadable::Damaged(why)) => Some(Err(why)),
            Err(Unreadable::Unavailable(error)) => return Err(error),
        };
        entries.push(Entry { id, dir, epoch, shared });
    }
    entries.sort_unstable_by_key(|entry| entry.id);
    Ok(entries)
}

/// What can be restored, best first.
#[derive(Debug, Default)]
pub(crate) struct Lineage {
    pub(crate) candidates: Vec<Candidate>,
    /// Checkpoints that may have been part of it, but have a damaged manifest.
    pub(crate) damaged: Vec<SkippedCheckpoint>,
    /// Epochs that the chain passes through.
    pub(crate) epochs: Vec<u64>,
}

/// Something to restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// The path to restore it from.
    pub(crate) path: PathBuf,
    /// How an epoch that restores it is recorded.
    pub(crate) began: Began,
}

impl Lineage {
    /// Follows the chain back from the newest epoch.
    pub(crate) fn follow(records: &[EpochRecord], entries: &[Entry]) -> Self {
        let by_epoch: BTreeMap<u64, &EpochRecord> = records.iter().map(|record| (record.epoch, record)).collect();
        let mut lineage = Self::default();
        let mut next = by_epoch.last_key_value().map(|(epoch, _)| (*epoch, CheckpointId::MAX));
        let mut oldest = 0;
        while let Some((epoch, newest)) = next.take() {
            lineage.epochs.push(epoch);
            lineage.add_checkpoints_of(epoch, newest, entries);
            let Some(record) = by_epoch.get(&epoch) else { break };
            oldest = record.next_checkpoint;
            match &record.began {
                Began::Fresh => {}
                Began::Path(path) => {
                    lineage.candidates.push(Candidate { path: PathBuf::from(path), began: record.began.clone() });
                }
                // An epoch only begins from an older one; anything else would go round in circles.
                Began::Checkpoint { epoch: before, id } if *before < epoch => next = Some((*before, *id)),
                Began::Checkpoint { .. } => {}
            }
        }
        lineage.damaged = damaged(entries, oldest);
        lineage
    }

    fn add_checkpoints_of(&mut self, epoch: u64, newest: CheckpointId, entries: &[Entry]) {
        for entry in entries.iter().rev() {
            if entry.id <= newest && matches!(&entry.epoch, Some(Ok(of)) if *of == epoch) {
                let began = Began::Checkpoint { epoch, id: entry.id };
                self.candidates.push(Candidate { path: entry.dir.clone(), began });
            }
        }
    }
}

fn damaged(entries: &[Entry], oldest: CheckpointId) -> Vec<SkippedCheckpoint> {
    let newest_first = entries.iter().rev().filter(|entry| entry.id >= oldest);
    newest_first
        .filter_map(|entry| match &entry.epoch {
            Some(Err(why)) => Some(SkippedCheckpoint { path: entry.dir.display().to_string(), why: why.clone() }),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(epoch: u64, began: Began, next_checkpoint: CheckpointId) -> EpochRecord {
        EpochRecord { epoch, began, next_checkpoint }
    }

    fn entry(id: CheckpointId, epoch: u64) -> Entry {
        Entry { id, dir: PathBuf::from(format!("chk-{id}")), epoch: Some(Ok(epoch)), shared: Vec::new() }
    }

    fn names(lineage: &Lineage) -> Vec<String> {
        lineage.candidates.iter().map(|candidate| candidate.path.display().to_string()).collect()
    }

    fn from(epoch: u64, id: CheckpointId) -> Began {
        Began::Checkpoint { epoch, id }
    }

    #[test]
    fn follows_the_chain_of_epochs() {
        let records = [record(1, Began::Fresh, 1), record(2, from(1, 2), 4), record(3, from(2, 5), 6)];
        let entries = [entry(1, 1), entry(2, 1), entry(3, 1), entry(4, 2), entry(5, 2)];
        assert_eq!(names(&Lineage::follow(&records, &entries)), ["chk-5", "chk-4", "chk-2", "chk-1"]);
    }

    #[test]
    fn a_fresh_start_forgets_what_was_before() {
        let records = [record(1, Began::Fresh, 1), record(2, Began::Fresh, 3)];
        let entries = [entry(1, 1), entry(2, 1)];
        assert!(names(&Lineage::follow(&records, &entries)).is_empty());
    }

    #[test]
    fn a_savepoint_is_the_last_resort_of_the_run_that_began_from_it() {
        let records = [record(1, Began::Fresh, 1), record(2, Began::Path("save".into()), 3), record(3, from(2, 3), 4)];
        let entries = [entry(1, 1), entry(2, 1), entry(3, 2), entry(4, 3)];
        assert_eq!(names(&Lineage::follow(&records, &entries)), ["chk-4", "chk-3", "save"]);
    }

    #[test]
    fn a_checkpoint_of_a_stale_writer_stays_out() {
        let records = [record(1, Began::Fresh, 1), record(2, from(1, 1), 2)];
        let entries = [entry(1, 1), entry(2, 1), entry(3, 2)];
        assert_eq!(names(&Lineage::follow(&records, &entries)), ["chk-3", "chk-1"]);
    }
}
