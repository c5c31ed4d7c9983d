//! One checkpoint: writes its files and reads them back.

use std::path::{Path, PathBuf};

use sluice_model::{Error, Result};

use crate::manifest::{FORMAT, FileEntry, MANIFEST, Manifest, StateEntry};
use crate::snapshot::{Checkpoint, JobIdentity, Published, Snapshot, TaskState};
use crate::storage::{Storage, failure, storage_error};

/// Writes everything but the manifest's final name: the checkpoint does not exist yet.
pub(crate) fn prepare(
    storage: &dyn Storage,
    dir: &Path,
    job: &JobIdentity,
    epoch: u64,
    snapshot: &Snapshot,
) -> Result<Prepared> {
    write_files(storage, dir, job, epoch, snapshot).inspect_err(|_| discard(storage, dir, epoch))
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
) -> Result<Prepared> {
    create(storage, dir)?;
    let data_name = data_name(epoch);
    let (data, states) = pack(&snapshot.states);
    let mut files = Vec::new();
    if !data.is_empty() {
        let path = dir.join(&data_name);
        storage.write_new(&path, &data).map_err(|error| storage_error("write", &path, &error))?;
        files.push(FileEntry { name: data_name, length: data.len() as u64, crc32c: crc32c::crc32c(&data) });
    }
    let manifest = Manifest {
        format: FORMAT,
        engine: env!("CARGO_PKG_VERSION").to_owned(),
        checkpoint: snapshot.checkpoint,
        kind: snapshot.kind,
        epoch,
        timestamp: snapshot.timestamp,
        job: job.clone(),
        files,
        states,
    }
    .encode()?;
    let temporary = temporary_path(dir, epoch);
    storage.write_new(&temporary, &manifest).map_err(|error| storage_error("write", &temporary, &error))?;
    let published = Published { path: dir.display().to_string(), size: (data.len() + manifest.len()) as u64 };
    Ok(Prepared { dir: dir.to_owned(), epoch, temporary, published })
}

/// A checkpoint that only lacks the name of its manifest.
pub(crate) struct Prepared {
    dir: PathBuf,
    epoch: u64,
    temporary: PathBuf,
    published: Published,
}

impl Prepared {
    /// Gives it up.
    pub(crate) fn discard(self, storage: &dyn Storage) {
        discard(storage, &self.dir, self.epoch);
    }

    /// Makes it a checkpoint: one atomic step, which fails if another writer was faster.
    ///
    /// From that step on it stays, even if it is then reported as failed: a newer attempt may have
    /// restored it already, and would miss it at its next restart.
    pub(crate) fn publish(self, storage: &dyn Storage) -> Result<Published> {
        self.link(storage)?;
        // A second name that is left over does no harm.
        storage.remove_file(&self.temporary).ok();
        storage.sync_dir(&self.dir).map_err(|error| storage_error("sync", &self.dir, &error))?;
        Ok(self.published)
    }

    fn link(&self, storage: &dyn Storage) -> Result<()> {
        let manifest = self.dir.join(MANIFEST);
        match storage.link_new(&self.temporary, &manifest) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                discard(storage, &self.dir, self.epoch);
                Err(Error::fix(format!("'{}' was written by another process", self.dir.display()))
                    .with_hint("let only one process run this job"))
            }
            // The answer may be what got lost: then the manifest is there, or will be, and must find its
            // files. If it is not, retention removes them.
            Err(error) => Err(storage_error("write", &manifest, &error)),
        }
    }
}

/// Removes the files that a failed write left. What cannot be removed is harmless, and cleaned later.
/// The directory stays, so that the number is not used again.
fn discard(storage: &dyn Storage, dir: &Path, epoch: u64) {
    storage.remove_file(&temporary_path(dir, epoch)).ok();
    storage.remove_file(&dir.join(data_name(epoch))).ok();
}

// The epoch in the names keeps writers of two epochs, of which one is stale, out of each other's files.

fn data_name(epoch: u64) -> String {
    format!("state-{epoch}.bin")
}

fn temporary_path(dir: &Path, epoch: u64) -> PathBuf {
    dir.join(format!("{MANIFEST}.{epoch}.tmp"))
}

fn pack(states: &[TaskState]) -> (Vec<u8>, Vec<StateEntry>) {
    let mut data = Vec::with_capacity(states.iter().map(|state| state.bytes.len()).sum());
    let mut entries = Vec::with_capacity(states.len());
    for state in states {
        let (offset, length) = (data.len() as u64, state.bytes.len() as u64);
        entries.push(StateEntry { id: state.id.clone(), subtask: state.subtask, file: 0, offset, length });
        data.extend_from_slice(&state.bytes);
    }
    (data, entries)
}

/// Why a checkpoint cannot be read.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// What was stored is wrong or missing: an older checkpoint has to do.
    Damaged(String),
    /// The storage did not answer, so that nothing is known about it. To go on from an older one
    /// would be wrong.
    Unavailable(Error),
}

impl From<String> for Unreadable {
    fn from(why: String) -> Self {
        Self::Damaged(why)
    }
}

impl Unreadable {
    /// A disk that cannot read a file has lost it; a bucket that cannot be reached has not.
    fn new(what: &str, path: &Path, error: &std::io::Error) -> Self {
        match failure(error) {
            Some(_) if error.kind() != std::io::ErrorKind::NotFound => {
                Self::Unavailable(storage_error("read", path, error))
            }
            _ => Self::Damaged(format!("{what} cannot be read: {error}")),
        }
    }
}

/// Reads the manifest of a checkpoint; `None` if it was never completed.
pub(crate) fn read_manifest(storage: &dyn Storage, dir: &Path) -> Result<Option<Manifest>, Unreadable> {
    let path = dir.join(MANIFEST);
    match storage.read(&path) {
        Ok(bytes) => Ok(Some(Manifest::decode(&bytes)?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Unreadable::new("the manifest", &path, &error)),
    }
}

/// Reads a checkpoint and verifies every byte of it.
pub(crate) fn read(storage: &dyn Storage, dir: &Path) -> Result<Checkpoint, Unreadable> {
    let manifest = read_manifest(storage, dir)?.ok_or_else(|| "it has no manifest: it was not completed".to_owned())?;
    let files = manifest.files.iter().map(|file| read_file(storage, dir, file)).collect::<Result<Vec<_>, _>>()?;
    let states = manifest.states.iter().map(|entry| unpack(entry, &files)).collect::<Result<Vec<_>, _>>()?;
    Ok(Checkpoint {
        path: dir.display().to_string(),
        id: manifest.checkpoint,
        kind: manifest.kind,
        epoch: manifest.epoch,
        timestamp: manifest.timestamp,
        job: manifest.job,
        states,
    })
}

fn read_file(storage: &dyn Storage, dir: &Path, file: &FileEntry) -> Result<Vec<u8>, Unreadable> {
    let name = &file.name;
    if name.contains(['/', '\\']) {
        return Err(format!("file '{name}' lies outside of it").into());
    }
    let path = dir.join(name);
    let bytes = storage.read(&path).map_err(|error| Unreadable::new(&format!("file '{name}'"), &path, &error))?;
    if bytes.len() as u64 != file.length {
        return Err(format!("file '{name}' has {} bytes instead of {}", bytes.len(), file.length).into());
    }
    if crc32c::crc32c(&bytes) != file.crc32c {
        return Err(format!("file '{name}' is damaged: its checksum does not match").into());
    }
    Ok(bytes)
}

fn unpack(entry: &StateEntry, files: &[Vec<u8>]) -> Result<TaskState, String> {
    let state = |bytes: Vec<u8>| TaskState { id: entry.id.clone(), subtask: entry.subtask, bytes };
    if entry.length == 0 {
        return Ok(state(Vec::new()));
    }
    let range = usize::try_from(entry.offset).ok().zip(usize::try_from(entry.length).ok());
    range
        .and_then(|(offset, length)| files.get(entry.file)?.get(offset..offset.checked_add(length)?))
        .map(|bytes| state(bytes.to_vec()))
        .ok_or_else(|| format!("the state of '{}' lies outside of its file", entry.id))
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
