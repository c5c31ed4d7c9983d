//! Removes checkpoints that newer ones have made superfluous.

use std::path::Path;

use sluice_model::{CheckpointId, Error, Result};

use crate::directory::{self, Unreadable};
use crate::epoch::{Began, Epochs};
use crate::lineage::{Entry, Lineage, entries};
use crate::storage::{Storage, storage_error};

/// Keeps the newest `retained` checkpoints of the lineage, and everything that is newer than the
/// oldest of them. Removes nothing unless the newest one has just been read back and verified.
pub(crate) fn clean(storage: &dyn Storage, job_dir: &Path, epochs: &Epochs, retained: usize) -> Result<()> {
    let entries = entries(storage, job_dir)?;
    let lineage = Lineage::follow(&epochs.records(storage)?, &entries);
    let kept: Vec<(u64, CheckpointId)> = lineage
        .candidates
        .iter()
        .filter_map(|candidate| match candidate.began {
            Began::Checkpoint { epoch, id } => Some((epoch, id)),
            Began::Fresh | Began::Path(_) => None,
        })
        .take(retained.max(1))
        .collect();
    let (Some(newest), Some((oldest_epoch, oldest_id))) = (lineage.candidates.first(), kept.last().copied()) else {
        return Ok(());
    };
    // Fewer than wanted: what a former run left may still be of use to somebody.
    if kept.len() < retained.max(1) {
        return Ok(());
    }
    directory::read(storage, &newest.path).map_err(|error| match error {
        Unreadable::Damaged(why) => {
            Error::retry(format!("checkpoint '{}' is damaged, older ones are kept", newest.path.display())).because(why)
        }
        Unreadable::Unavailable(error) => error,
    })?;
    for Entry { dir, .. } in entries.iter().filter(|entry| entry.id < oldest_id) {
        directory::remove(storage, dir).map_err(|error| storage_error("remove", dir, &error))?;
    }
    epochs.remove(storage, |epoch| epoch >= oldest_epoch)
}
