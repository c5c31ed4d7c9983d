//! One checkpoint: writes its files and reads them back.

use std::path::{Path, PathBuf};

use sluice_model::{Error, Result};

use crate::disk::{Disk, disk_error};
use crate::manifest::{FORMAT, FileEntry, MANIFEST, Manifest, StateEntry};
use crate::snapshot::{Checkpoint, JobIdentity, Published, Snapshot, TaskState};

/// Writes everything but the manifest's final name: the checkpoint does not exist yet.
pub(crate) fn prepare(
    disk: &dyn Disk,
    dir: &Path,
    job: &JobIdentity,
    epoch: u64,
    snapshot: &Snapshot,
) -> Result<Prepared> {
    write_files(disk, dir, job, epoch, snapshot).inspect_err(|_| discard(disk, dir, epoch))
}

/// Makes the directory of a checkpoint, durably.
pub(crate) fn create(disk: &dyn Disk, dir: &Path) -> Result<()> {
    let parent = dir.parent().unwrap_or(dir);
    disk.create_dir_all(dir).map_err(|error| disk_error("create", dir, &error))?;
    disk.sync_dir(parent).map_err(|error| disk_error("sync", parent, &error))
}

fn write_files(disk: &dyn Disk, dir: &Path, job: &JobIdentity, epoch: u64, snapshot: &Snapshot) -> Result<Prepared> {
    create(disk, dir)?;
    let data_name = data_name(epoch);
    let (data, states) = pack(&snapshot.states);
    let mut files = Vec::new();
    if !data.is_empty() {
        let path = dir.join(&data_name);
        disk.write_new(&path, &data).map_err(|error| disk_error("write", &path, &error))?;
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
    disk.write_new(&temporary, &manifest).map_err(|error| disk_error("write", &temporary, &error))?;
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
    pub(crate) fn discard(self, disk: &dyn Disk) {
        discard(disk, &self.dir, self.epoch);
    }

    /// Makes it a checkpoint: one atomic step, which fails if another writer was faster.
    ///
    /// From that step on it stays, even if it is then reported as failed: a newer attempt may have
    /// restored it already, and would miss it at its next restart.
    pub(crate) fn publish(self, disk: &dyn Disk) -> Result<Published> {
        self.link(disk)?;
        // A second name that is left over does no harm.
        disk.remove_file(&self.temporary).ok();
        disk.sync_dir(&self.dir).map_err(|error| disk_error("sync", &self.dir, &error))?;
        Ok(self.published)
    }

    fn link(&self, disk: &dyn Disk) -> Result<()> {
        let manifest = self.dir.join(MANIFEST);
        let linked = match disk.link_new(&self.temporary, &manifest) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(Error::fix(format!("'{}' was written by another process", self.dir.display()))
                    .with_hint("let only one process run this job"))
            }
            // File systems without hard links.
            Err(_) => disk.rename(&self.temporary, &manifest).map_err(|error| disk_error("write", &manifest, &error)),
        };
        linked.inspect_err(|_| discard(disk, &self.dir, self.epoch))
    }
}

/// Removes the files that a failed write left. What cannot be removed is harmless, and cleaned later.
/// The directory stays, so that the number is not used again.
fn discard(disk: &dyn Disk, dir: &Path, epoch: u64) {
    disk.remove_file(&temporary_path(dir, epoch)).ok();
    disk.remove_file(&dir.join(data_name(epoch))).ok();
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

/// Reads the manifest of a checkpoint; `None` if it was never completed.
pub(crate) fn read_manifest(disk: &dyn Disk, dir: &Path) -> Option<Result<Manifest, String>> {
    match disk.read(&dir.join(MANIFEST)) {
        Ok(bytes) => Some(Manifest::decode(&bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => Some(Err(format!("the manifest cannot be read: {error}"))),
    }
}

/// Reads a checkpoint and verifies every byte of it; the error says what is wrong with it.
pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> Result<Checkpoint, String> {
    let manifest =
        read_manifest(disk, dir).unwrap_or_else(|| Err("it has no manifest: it was not completed".into()))?;
    let files = manifest.files.iter().map(|file| read_file(disk, dir, file)).collect::<Result<Vec<_>, _>>()?;
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

fn read_file(disk: &dyn Disk, dir: &Path, file: &FileEntry) -> Result<Vec<u8>, String> {
    let name = &file.name;
    if name.contains(['/', '\\']) {
        return Err(format!("file '{name}' lies outside of it"));
    }
    let bytes = disk.read(&dir.join(name)).map_err(|error| format!("file '{name}' cannot be read: {error}"))?;
    if bytes.len() as u64 != file.length {
        return Err(format!("file '{name}' has {} bytes instead of {}", bytes.len(), file.length));
    }
    if crc32c::crc32c(&bytes) != file.crc32c {
        return Err(format!("file '{name}' is damaged: its checksum does not match"));
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
pub(crate) fn remove(disk: &dyn Disk, dir: &Path) -> std::io::Result<()> {
    let names = disk.list(dir)?;
    let (manifests, others): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| name == MANIFEST);
    if !manifests.is_empty() {
        disk.remove_file(&dir.join(MANIFEST))?;
        disk.sync_dir(dir)?;
    }
    for name in others {
        disk.remove_file(&dir.join(name))?;
    }
    disk.remove_dir(dir)
}
