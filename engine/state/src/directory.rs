//! One checkpoint: writes its files and reads them back.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use sluice_model::{Error, Result};

use crate::manifest::{FORMAT, MANIFEST, Manifest, SHARING_FORMAT, StateEntry};
use crate::packing::{Chains, Layout, file_path};
use crate::snapshot::{JobIdentity, Published, Snapshot, StateSize};
use crate::storage::{Storage, storage_error};
use crate::writing::write_all;

/// Writes everything but the manifest's final name: the checkpoint does not exist yet. With `chains`
/// it may refer to parts of the checkpoint that they are of, and later ones to its own.
pub(crate) fn prepare(
    storage: &dyn Storage,
    dir: &Path,
    job: &JobIdentity,
    epoch: u64,
    snapshot: &Snapshot,
    chains: Option<&Chains>,
) -> Result<Prepared> {
    let layout = Layout::new(snapshot, epoch, chains)?;
    let files = layout.new_files().iter().map(|file| file_path(dir, &file.entry)).collect();
    let leftovers = Leftovers { temporary: temporary_path(dir, epoch), files };
    match write_files(storage, dir, job, epoch, snapshot, layout) {
        Ok((manifest, published)) => Ok(Prepared { dir: dir.to_owned(), leftovers, manifest, published }),
        Err(error) => {
            leftovers.discard(storage);
            Err(error)
        }
    }
}

/// Makes the directory of a checkpoint, durably.
pub(crate) fn create(storage: &dyn Storage, dir: &Path) -> Result<()> {
    let parent = dir.parent().unwrap_or(dir);
    storage.create_dir_all(dir).map_err(|error| storage_error("create", dir, &error))?;
    storage.sync_dir(parent).map_err(|error| storage_error("sync", parent, &error))
}

fn write_files(
    storage: &dyn Storage,
    dir: &Path,
    job: &JobIdentity,
    epoch: u64,
    snapshot: &Snapshot,
    mut layout: Layout<'_>,
) -> Result<(Manifest, Published)> {
    create(storage, dir)?;
    let files = layout.new_files();
    let shared = files.iter().find(|file| file.entry.shared).map(|file| file_path(dir, &file.entry));
    let shared = shared.as_deref().and_then(Path::parent);
    if let Some(shared) = shared {
        create(storage, shared)?;
    }
    let mut size = 0;
    let is_new: HashSet<usize> = files.iter().map(|file| file.number).collect();
    for (file, written) in files.iter().zip(write_all(storage, dir, &files)?) {
        size += written.lengths.iter().sum::<u64>();
        layout.complete(file, &written);
    }
    // The manifest must not outlive the names that it refers to.
    if let Some(shared) = shared {
        storage.sync_dir(shared).map_err(|error| storage_error("sync", shared, &error))?;
    }
    let (files, states) = layout.into_entries();
    let shares = files.iter().any(|file| file.shared);
    let manifest = Manifest {
        format: if shares { SHARING_FORMAT } else { FORMAT },
        engine: env!("CARGO_PKG_VERSION").to_owned(),
        checkpoint: snapshot.checkpoint,
        kind: snapshot.kind,
        epoch,
        timestamp: snapshot.timestamp,
        job: job.clone(),
        files,
        states,
    };
    let encoded = manifest.encode()?;
    let temporary = temporary_path(dir, epoch);
    storage.write_new(&temporary, &encoded).map_err(|error| storage_error("write", &temporary, &error))?;
    let length = encoded.len() as u64;
    let full_size = length + manifest.files.iter().map(|file| file.length).sum::<u64>();
    let states = sizes(&manifest, &is_new);
    let published = Published { path: dir.display().to_string(), size: size + length, full_size, states };
    Ok((manifest, published))
}

/// The bytes of each state; the files that are new are known by their numbers.
fn sizes(manifest: &Manifest, is_new: &HashSet<usize>) -> Vec<StateSize> {
    let mut sizes: BTreeMap<(&str, usize), (u64, u64)> = BTreeMap::new();
    for StateEntry { id, subtask, file, length, .. } in &manifest.states {
        let (written, full) = sizes.entry((id, *subtask)).or_default();
        *written += if is_new.contains(file) { *length } else { 0 };
        *full += length;
    }
    let size = |((id, subtask), (written, full)): ((&str, usize), (u64, u64))| StateSize {
        id: id.to_owned(),
        subtask,
        written,
        full,
    };
    sizes.into_iter().map(size).collect()
}

/// A checkpoint that only lacks the name of its manifest.
pub(crate) struct Prepared {
    dir: PathBuf,
    leftovers: Leftovers,
    manifest: Manifest,
    published: Published,
}

impl Prepared {
    /// Gives it up.
    pub(crate) fn discard(self, storage: &dyn Storage) {
        self.leftovers.discard(storage);
    }

    /// Makes it a checkpoint: one atomic step, which fails if another writer was faster. Returns what
    /// the next one may refer to.
    ///
    /// From that step on it stays, even if it is then reported as failed: a newer attempt may have
    /// restored it already, and would miss it at its next restart.
    pub(crate) fn publish(self, storage: &dyn Storage) -> Result<(Published, Chains)> {
        self.link(storage)?;
        // A second name that is left over does no harm.
        storage.remove_file(&self.leftovers.temporary).ok();
        storage.sync_dir(&self.dir).map_err(|error| storage_error("sync", &self.dir, &error))?;
        Ok((self.published, Chains::of(&self.manifest)))
    }

    fn link(&self, storage: &dyn Storage) -> Result<()> {
        let manifest = self.dir.join(MANIFEST);
        match storage.link_new(&self.leftovers.temporary, &manifest) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                self.leftovers.discard(storage);
                Err(Error::fix(format!("'{}' was written by another process", self.dir.display()))
                    .with_hint("let only one process run this job"))
            }
            // The answer may be what got lost: then the manifest is there, or will be, and must find its
            // files. If it is not, retention removes them.
            Err(error) => Err(storage_error("write", &manifest, &error)),
        }
    }
}

/// The files of a checkpoint that has no manifest yet.
struct Leftovers {
    temporary: PathBuf,
    files: Vec<PathBuf>,
}

impl Leftovers {
    /// Removes what a failed write left. What cannot be removed is harmless, and cleaned later. The
    /// directory stays, so that the number is not used again.
    fn discard(&self, storage: &dyn Storage) {
        storage.remove_file(&self.temporary).ok();
        for file in &self.files {
            storage.remove_file(file).ok();
        }
    }
}

fn temporary_path(dir: &Path, epoch: u64) -> PathBuf {
    dir.join(format!("{MANIFEST}.{epoch}.tmp"))
}

/// Removes a checkpoint: its manifest first, so that half of one is none.
pub(crate) fn remove(storage: &dyn Storage, dir: &Path) -> std::io::Result<()> {
    let names = storage.list(dir)?;
    let (manifests, others): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| name == MANIFEST);
    if !manifests.is_empty() {
        storage.remove_file(&dir.join(MANIFEST))?;
        storage.sync_dir(dir)?;
    }
    for name in others {
        storage.remove_file(&dir.join(name))?;
    }
    storage.remove_dir(dir)
}
