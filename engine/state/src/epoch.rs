//! Epochs: one per attempt of a job, claimed by making a file that must not be there yet.
//!
//! The claim fences: from then on no writer of an older epoch completes a checkpoint. The record,
//! written over the claim, says where the attempt began, and so links it to the one before.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sluice_model::{CheckpointId, Error, Result};

use crate::storage::{Storage, storage_error};

/// Where an attempt began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EpochRecord {
    pub(crate) epoch: u64,
    pub(crate) began: Began,
    /// The lowest number that its checkpoints can have.
    pub(crate) next_checkpoint: CheckpointId,
}

/// What an attempt restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Began {
    /// Nothing.
    Fresh,
    /// A checkpoint of this job.
    Checkpoint { epoch: u64, id: CheckpointId },
    /// A savepoint or checkpoint named by the user.
    Path(String),
}

/// The directory of the epoch files of a job.
#[derive(Debug, Clone)]
pub(crate) struct Epochs(PathBuf);

impl Epochs {
    pub(crate) fn of_job(dir: &Path) -> Self {
        Self(dir.join("epochs"))
    }

    /// Claims the next epoch. Two processes never get the same one.
    pub(crate) fn claim(&self, storage: &dyn Storage) -> Result<u64> {
        storage.create_dir_all(&self.0).map_err(|error| storage_error("create", &self.0, &error))?;
        // A process that was killed may have made them without making their names durable.
        for parent in self.0.ancestors().skip(1).take(2) {
            storage.sync_dir(parent).map_err(|error| storage_error("sync", parent, &error))?;
        }
        let mut taken = 0;
        loop {
            let epoch = self.numbers(storage)?.last().copied().unwrap_or(0).max(taken) + 1;
            let path = self.path(epoch);
            match storage.write_new(&path, b"") {
                Ok(()) => {
                    storage.sync_dir(&self.0).map_err(|error| storage_error("sync", &self.0, &error))?;
                    return Ok(epoch);
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => taken = epoch,
                Err(error) => return Err(storage_error("write", &path, &error)),
            }
        }
    }

    /// Writes down where the attempt begins. Must be done before it reads or writes any data.
    pub(crate) fn record(&self, storage: &dyn Storage, record: &EpochRecord) -> Result<()> {
        let path = self.path(record.epoch);
        let temporary = path.with_extension("tmp");
        let json = serde_json::to_vec(record)
            .map_err(|error| Error::bug("an epoch cannot be written").because(error.to_string()))?;
        let write = || {
            storage.write_new(&temporary, &json)?;
            storage.rename(&temporary, &path)?;
            storage.sync_dir(&self.0)
        };
        write().map_err(|error| {
            storage.remove_file(&temporary).ok();
            storage_error("write", &path, &error)
        })
    }

    /// All records, by epoch. Claims without a record never ran, and are left out.
    pub(crate) fn records(&self, storage: &dyn Storage) -> Result<Vec<EpochRecord>> {
        let mut records = Vec::new();
        for epoch in self.numbers(storage)? {
            let path = self.path(epoch);
            let bytes = match storage.read(&path) {
                Ok(bytes) => bytes,
                // Removed by the process that cleans up.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(storage_error("read", &path, &error)),
            };
            if bytes.is_empty() {
                continue;
            }
            let record = serde_json::from_slice(&bytes).map_err(|error| {
                Error::fix(format!("'{}' is damaged", path.display()))
                    .because(error.to_string())
                    .with_hint("start from a checkpoint or savepoint by its path ('execution.state-recovery.path')")
            })?;
            records.push(record);
        }
        Ok(records)
    }

    /// Fails if a newer epoch than `record`'s was claimed: another process has taken over.
    /// Puts the record back if somebody removed the directory.
    pub(crate) fn check(&self, storage: &dyn Storage, record: &EpochRecord) -> Result<()> {
        match self.numbers(storage)?.last() {
            Some(newest) if *newest == record.epoch => Ok(()),
            Some(newest) if *newest > record.epoch => Err(stale(record.epoch, *newest)),
            _ => {
                storage.create_dir_all(&self.0).map_err(|error| storage_error("create", &self.0, &error))?;
                self.record(storage, record)
            }
        }
    }

    /// Removes the files of epochs that are not needed any more.
    pub(crate) fn remove(&self, storage: &dyn Storage, is_needed: impl Fn(u64) -> bool) -> Result<()> {
        for epoch in self.numbers(storage)? {
            if !is_needed(epoch) {
                let path = self.path(epoch);
                storage.remove_file(&path).map_err(|error| storage_error("remove", &path, &error))?;
            }
        }
        Ok(())
    }

    /// Claimed epochs in ascending order.
    fn numbers(&self, storage: &dyn Storage) -> Result<Vec<u64>> {
        let names = storage.list(&self.0).map_err(|error| storage_error("list", &self.0, &error))?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| name.strip_suffix(".json")?.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn path(&self, epoch: u64) -> PathBuf {
        self.0.join(format!("{epoch:010}.json"))
    }
}

fn stale(mine: u64, newest: u64) -> Error {
    Error::fix("another process has taken over the checkpoints of this job")
        .because(format!("this attempt has epoch {mine}, the newest is {newest}"))
        .with_hint("let only one process run this job, or give each a directory of its own")
}
