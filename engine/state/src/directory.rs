//! One checkpoint: writes its files and reads them back.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use sluice_model::{Error, Result};

use crate::manifest::{FORMAT, FileEntry, MANIFEST, Manifest, SHARING_FORMAT, StateEntry};
use crate::packing::{Chains, Packed, file_path};
use crate::snapshot::{Checkpoint, JobIdentity, Published, Snapshot, TaskState};
use crate::storage::{Storage, failure, storage_error};

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
    let packed = Packed::new(snapshot, epoch, chains)?;
    let files = packed.new_files().map(|(file, _)| file_path(dir, file)).collect();
    let leftovers = Leftovers { temporary: temporary_path(dir, epoch), files };
    match write_files(storage, dir, job, epoch, snapshot, packed) {
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
    packed: Packed<'_>,
) -> Result<(Manifest, Published)> {
    create(storage, dir)?;
    let mut size = 0;
    let mut shared = None;
    for (file, content) in packed.new_files() {
        let path = file_path(dir, file);
        if let (true, None, Some(parent)) = (file.shared, &shared, path.parent()) {
            create(storage, parent)?;
            shared = Some(parent.to_owned());
        }
        storage.write_new(&path, content).map_err(|error| storage_error("write", &path, &error))?;
        size += content.len() as u64;
    }
    // The manifest must not outlive the names that it refers to.
    if let Some(shared) = shared {
        storage.sync_dir(&shared).map_err(|error| storage_error("sync", &shared, &error))?;
    }
    let (files, states) = packed.into_entries();
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
    let published = Published { path: dir.display().to_string(), size: size + length, full_size };
    Ok((manifest, published))
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
    let path = file_path(dir, file);
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
    let state = |bytes: Vec<u8>| TaskState { id: entry.id.clone(), subtask: entry.subtask, part: entry.part, bytes };
    if entry.length == 0 {
        return Ok(state(Vec::new()));
    }
    let range = usize::try_from(entry.offset).ok().zip(usize::try_from(entry.length).ok());
    range
        .and_then(|(offset, length)| files.get(entry.file)?.get(offset..offset.checked_add(length)?))
        .map(|bytes| state(bytes.to_vec()))
        .ok_or_else(|| format!("the state of '{}' lies outside of its file", entry.id))
}

/// Verifies a checkpoint as [`read`] does, one file at a time; shared files that are among `verified`
/// were verified before.
pub(crate) fn verify(storage: &dyn Storage, dir: &Path, verified: &mut HashSet<String>) -> Result<(), Unreadable> {
    let manifest = read_manifest(storage, dir)?.ok_or_else(|| "it has no manifest: it was not completed".to_owned())?;
    let needed: HashSet<String> =
        manifest.files.iter().filter(|file| file.shared).map(|file| file.name.clone()).collect();
    for file in manifest.files.iter().filter(|file| !file.shared || !verified.contains(&file.name)) {
        read_file(storage, dir, file)?;
    }
    *verified = needed;
    Ok(())
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
