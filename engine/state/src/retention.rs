//! Removes checkpoints that newer ones have made superfluous.

use std::collections::HashSet;
use std::path::Path;

use sluice_model::{CheckpointId, Error, Result};

use crate::directory;
use crate::epoch::{Began, Epochs};
use crate::lineage::{Entry, Lineage, entries};
use crate::packing::{shared_dir, writer_of};
use crate::reading::{self, Unreadable};
use crate::storage::{Storage, storage_error};

/// Keeps the newest `retained` checkpoints of the lineage, and everything that is newer than the
/// oldest of them, with the shared files that any of these refers to. Removes nothing unless the newest
/// one has just been read back and verified, shared files once.
pub(crate) fn clean(
    storage: &dyn Storage,
    job_dir: &Path,
    epochs: &Epochs,
    retained: usize,
    verified: &mut HashSet<String>,
) -> Result<()> {
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
    reading::verify(storage, &newest.path, verified).map_err(|error| match error {
        Unreadable::Damaged(why) => {
            Error::retry(format!("checkpoint '{}' is damaged, older ones are kept", newest.path.display())).because(why)
        }
        Unreadable::Unavailable(error) => error,
    })?;
    for Entry { dir, .. } in entries.iter().filter(|entry| entry.id < oldest_id) {
        directory::remove(storage, dir).map_err(|error| storage_error("remove", dir, &error))?;
    }
    remove_shared(storage, job_dir, &entries, oldest_id)?;
    epochs.remove(storage, |epoch| epoch >= oldest_epoch)
}

/// Removes the shared files of checkpoints before `oldest` that no later checkpoint refers to. Those
/// of later ones stay: their manifests may be on their way.
fn remove_shared(storage: &dyn Storage, job_dir: &Path, entries: &[Entry], oldest: CheckpointId) -> Result<()> {
    let kept = || entries.iter().filter(|entry| entry.id >= oldest);
    // What a damaged manifest refers to is not known. It goes in its time.
    if kept().any(|entry| matches!(entry.epoch, Some(Err(_)))) {
        return Ok(());
    }
    let needed: HashSet<&str> = kept().flat_map(|entry| &entry.shared).map(String::as_str).collect();
    let dir = shared_dir(job_dir);
    let names = storage.list(&dir).map_err(|error| storage_error("list", &dir, &error))?;
    for name in names {
        if writer_of(&name).is_some_and(|writer| writer < oldest) && !needed.contains(name.as_str()) {
            let path = dir.join(&name);
            storage.remove_file(&path).map_err(|error| storage_error("remove", &path, &error))?;
        }
    }
    Ok(())
}
