//! A disk in memory that dies at a chosen step and then has what a real one would have.
//!
//! Contents and names become durable apart from each other, as on a real file system: a file whose
//! directory was not synced may be gone, a name whose file was not synced may be empty.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::storage::{Storage, Upload};

/// What is left of unsynced data after the power came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsynced {
    /// The kernel wrote it all: a process was killed, the machine went on.
    Kept,
    /// Neither contents nor names.
    Lost,
    /// Names, but not contents.
    NamesKept,
}

#[derive(Debug, Default)]
pub(crate) struct CrashDisk(Mutex<State>);

#[derive(Debug, Default, Clone)]
struct State {
    now: Files,
    durable: Files,
    steps: usize,
    die_at: Option<usize>,
    dead: bool,
}

#[derive(Debug, Default, Clone)]
struct Files {
    /// Content by inode.
    contents: BTreeMap<u64, Vec<u8>>,
    names: BTreeMap<PathBuf, Entry>,
    next_inode: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Directory,
    File(u64),
}

impl CrashDisk {
    /// The disk dies at step `step` from now, counted from 0.
    pub(crate) fn die_at(&self, step: usize) {
        let mut state = self.lock();
        state.steps = 0;
        state.die_at = Some(step);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.lock().dead
    }

    pub(crate) fn kill(&self) {
        self.lock().dead = true;
    }

    /// The disk of the machine that came back.
    pub(crate) fn after_crash(&self, unsynced: Unsynced) -> Self {
        let state = self.lock();
        let files = match unsynced {
            Unsynced::Kept => state.now.clone(),
            Unsynced::Lost => Files { next_inode: state.now.next_inode, ..state.durable.clone() },
            Unsynced::NamesKept => Files { contents: state.durable.contents.clone(), ..state.now.clone() },
        };
        Self(Mutex::new(State { now: files.clone(), durable: files, ..State::default() }))
    }

    /// Changes the content of a file behind everybody's back.
    pub(crate) fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        let Some(Entry::File(inode)) = state.now.names.get(path).copied() else { panic!("no file {path:?}") };
        change(state.now.contents.get_mut(&inode).unwrap());
    }

    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let state = self.lock();
        let files = state.now.names.iter().filter(|(_, entry)| matches!(entry, Entry::File(_)));
        files.map(|(path, _)| path.clone()).collect()
    }

    /// Somebody cleans up thoroughly.
    pub(crate) fn remove_all(&self) {
        let mut state = self.lock();
        state.now.names.clear();
        state.durable.names.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One step: fails, and dies, when its turn has come.
    fn step(&self) -> Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        if state.die_at == Some(state.steps) {
            state.dead = true;
        }
        if state.dead {
            return Err(Error::other("the power failed"));
        }
        state.steps += 1;
        Ok(state)
    }
}

impl State {
    fn parent_exists(&self, path: &Path) -> Result<()> {
        match path.parent().map(|parent| (parent, self.now.names.get(parent))) {
            None | Some((_, Some(Entry::Directory))) => Ok(()),
            Some((parent, _)) if parent == Path::new("/") => Ok(()),
            Some(_) => Err(ErrorKind::NotFound.into()),
        }
    }
}

impl Storage for CrashDisk {
    fn create_dir_all(&self, path: &Path) -> Result<()> {
        for dir in path.ancestors().collect::<Vec<_>>().into_iter().rev().skip(1) {
            let mut state = self.step()?;
            if state.now.names.insert(dir.to_owned(), Entry::Directory).is_none() {
                drop(state);
                self.sync_dir(dir.parent().unwrap())?;
            }
        }
        Ok(())
    }

    /// Half of the content is written when the power fails in between.
    fn write_new(&self, path: &Path, content: &[u8]) -> Result<()> {
        let mut file = self.create(path, 0)?;
        let (half, rest) = content.split_at(content.len() / 2);
        file.write(half)?;
        file.write(rest)?;
        file.finish()
    }

    fn create(&self, path: &Path, _expected: u64) -> Result<Box<dyn Upload + '_>> {
        let mut state = self.step()?;
        state.parent_exists(path)?;
        if state.now.names.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let inode = state.now.next_inode;
        state.now.next_inode += 1;
        state.now.names.insert(path.to_owned(), Entry::File(inode));
        state.now.contents.insert(inode, Vec::new());
        state.durable.contents.insert(inode, Vec::new());
        Ok(Box::new(CrashFile { disk: self, inode }))
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        let mut state = self.step()?;
        let is_child = |name: &Path| name.parent() == Some(path);
        let children: Vec<_> = state
            .now
            .names
            .iter()
            .filter(|(name, _)| is_child(name))
            .map(|(name, entry)| (name.clone(), *entry))
            .collect();
        state.durable.names.retain(|name, _| !is_child(name));
        state.durable.names.extend(children);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut state = self.step()?;
        let entry = state.now.names.remove(from).ok_or(ErrorKind::NotFound)?;
        state.now.names.insert(to.to_owned(), entry);
        Ok(())
    }

    fn link_new(&self, from: &Path, to: &Path) -> Result<()> {
        let mut state = self.step()?;
        if state.now.names.contains_key(to) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let entry = *state.now.names.get(from).ok_or(ErrorKind::NotFound)?;
        state.now.names.insert(to.to_owned(), entry);
        Ok(())
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let state = self.step()?;
        match state.now.names.get(path) {
            Some(Entry::File(inode)) => Ok(state.now.contents.get(inode).cloned().unwrap_or_default()),
            Some(Entry::Directory) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn read_range(&self, path: &Path, offset: u64, length: usize) -> Result<Bytes> {
        let content = self.read(path)?;
        let range = content.get(offset as usize..offset as usize + length).ok_or(ErrorKind::UnexpectedEof)?;
        Ok(Bytes::copy_from_slice(range))
    }

    fn length(&self, path: &Path) -> Result<u64> {
        Ok(self.read(path)?.len() as u64)
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        let state = self.step()?;
        let children = state.now.names.keys().filter(|name| name.parent() == Some(path));
        Ok(children.map(|name| name.file_name().unwrap().to_string_lossy().into_owned()).collect())
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        let mut state = self.step()?;
        state.now.names.remove(path).map(|_| ()).ok_or(ErrorKind::NotFound.into())
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        let mut state = self.step()?;
        if state.now.names.keys().any(|name| name.parent() == Some(path)) {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        state.now.names.remove(path).map(|_| ()).ok_or(ErrorKind::NotFound.into())
    }
}

/// A file that is being written.
struct CrashFile<'a> {
    disk: &'a CrashDisk,
    inode: u64,
}

impl Upload for CrashFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let mut state = self.disk.step()?;
        state.now.contents.entry(self.inode).or_default().extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let mut state = self.disk.step()?;
        let content = state.now.contents.get(&self.inode).cloned().unwrap_or_default();
        state.durable.contents.insert(self.inode, content);
        Ok(())
    }
}
