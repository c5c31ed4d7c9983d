//! Reads a checkpoint back, and verifies every byte of it before any of it is used.
//!
//! Small files stay in memory. A large one is read twice, a few MiB at a time: once to verify it, once
//! by those who restore from it, who verify their parts again.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use sluice_model::{Error, Result};

use crate::content::{CHUNK, Content, Stored};
use crate::manifest::{FileEntry, MANIFEST, Manifest, StateEntry};
use crate::packing::file_path;
use crate::snapshot::{Checkpoint, TaskState};
use crate::storage::{Storage, failure, storage_error};

/// Bytes of a checkpoint that stay in memory from verifying to restoring.
const KEPT: u64 = 32 << 20;

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

fn complete_manifest(storage: &dyn Storage, dir: &Path) -> Result<Manifest, Unreadable> {
    read_manifest(storage, dir)?.ok_or_else(|| "it has no manifest: it was not completed".to_owned().into())
}

/// Verifies every byte of a checkpoint. Its states are in memory, or read again when they are needed.
pub(crate) fn read(storage: &Arc<dyn Storage>, dir: &Path) -> Result<Checkpoint, Unreadable> {
    let manifest = complete_manifest(storage.as_ref(), dir)?;
    let mut states: Vec<_> = manifest.states.iter().map(|entry| Reading::new(entry, &manifest.files)).collect();
    let mut room = KEPT;
    for (number, file) in manifest.files.iter().enumerate() {
        let is_kept = file.length <= room;
        room -= if is_kept { file.length } else { 0 };
        let mut own: Vec<_> = states.iter_mut().filter(|state| state.entry.file == number).collect();
        check_file(storage.as_ref(), dir, file, &mut |offset, bytes| {
            own.iter_mut().for_each(|state| state.take(offset, bytes, is_kept));
        })?;
    }
    let finish = |state: Reading<'_>| state.finish(storage, dir, &manifest.files);
    let states = states.into_iter().map(finish).collect::<Result<Vec<_>, _>>()?;
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

/// Verifies a checkpoint as [`read`] does; shared files that are among `verified` were verified before.
pub(crate) fn verify(storage: &dyn Storage, dir: &Path, verified: &mut HashSet<String>) -> Result<(), Unreadable> {
    let manifest = complete_manifest(storage, dir)?;
    let needed: HashSet<String> =
        manifest.files.iter().filter(|file| file.shared).map(|file| file.name.clone()).collect();
    for file in manifest.files.iter().filter(|file| !file.shared || !verified.contains(&file.name)) {
        check_file(storage, dir, file, &mut |_, _| {})?;
    }
    *verified = needed;
    Ok(())
}

/// Reads a file, and hands out its bytes with their offsets before it is known whether they are right.
fn check_file(
    storage: &dyn Storage,
    dir: &Path,
    file: &FileEntry,
    each: &mut dyn FnMut(u64, &Bytes),
) -> Result<(), Unreadable> {
    let name = &file.name;
    if name.contains(['/', '\\']) {
        return Err(format!("file '{name}' lies outside of it").into());
    }
    let path = file_path(dir, file);
    let unreadable = |error| Unreadable::new(&format!("file '{name}'"), &path, &error);
    let small =
        if file.length <= CHUNK as u64 { Some(Bytes::from(storage.read(&path).map_err(unreadable)?)) } else { None };
    let length = match &small {
        Some(bytes) => bytes.len() as u64,
        None => storage.length(&path).map_err(unreadable)?,
    };
    if length != file.length {
        return Err(format!("file '{name}' has {length} bytes instead of {}", file.length).into());
    }
    let (mut offset, mut crc32c) = (0, 0);
    while offset < length {
        let bytes = match &small {
            Some(bytes) => bytes.clone(),
            None => {
                let part = (length - offset).min(CHUNK as u64) as usize;
                storage.read_range(&path, offset, part).map_err(unreadable)?
            }
        };
        crc32c = crc32c::crc32c_append(crc32c, &bytes);
        each(offset, &bytes);
        offset += bytes.len() as u64;
    }
    if crc32c != file.crc32c {
        return Err(format!("file '{name}' is damaged: its checksum does not match").into());
    }
    Ok(())
}

/// A state while the file that it lies in is read.
struct Reading<'a> {
    entry: &'a StateEntry,
    is_inside: bool,
    crc32c: u32,
    kept: Option<Bytes>,
}

impl<'a> Reading<'a> {
    fn new(entry: &'a StateEntry, files: &[FileEntry]) -> Self {
        let end = entry.offset.checked_add(entry.length);
        let is_inside = files.get(entry.file).zip(end).is_some_and(|(file, end)| end <= file.length);
        Self { entry, is_inside: is_inside || entry.length == 0, crc32c: 0, kept: None }
    }

    /// Takes its part of what was read.
    fn take(&mut self, offset: u64, bytes: &Bytes, is_kept: bool) {
        let StateEntry { offset: start, length, .. } = *self.entry;
        let end = offset + bytes.len() as u64;
        let (from, to) = (start.max(offset), start.saturating_add(length).min(end));
        if !self.is_inside || from >= to {
            return;
        }
        let own = bytes.slice((from - offset) as usize..(to - offset) as usize);
        self.crc32c = crc32c::crc32c_append(self.crc32c, &own);
        if is_kept {
            self.kept = Some(match self.kept.take() {
                None => own,
                Some(before) => [before, own].concat().into(),
            });
        }
    }

    fn finish(self, storage: &Arc<dyn Storage>, dir: &Path, files: &[FileEntry]) -> Result<TaskState, Unreadable> {
        let Self { entry, is_inside, crc32c, kept } = self;
        let StateEntry { offset, length, .. } = *entry;
        let content = match (kept, files.get(entry.file)) {
            _ if !is_inside => return Err(format!("the state of '{}' lies outside of its file", entry.id).into()),
            (Some(bytes), _) => Content::memory(bytes),
            (None, Some(file)) if length > 0 => {
                let path = file_path(dir, file);
                Content::stored(Stored { storage: Arc::clone(storage), path, offset, length, crc32c })
            }
            _ => Content::memory(Bytes::new()),
        };
        Ok(TaskState { id: entry.id.clone(), subtask: entry.subtask, part: entry.part, content })
    }
}
