//! Which bytes of a snapshot go into which file.
//!
//! What is for one checkpoint alone goes into its directory, what later checkpoints may refer to into
//! the directory `shared` of the job. Large states get a file each, so that several can be written at
//! the same time, and that a shared file goes when its part is not needed any more; all small ones go
//! into one file, because a file costs a request.
//!
//! ```text
//! chk-6/MANIFEST.json   source: in state-2.bin, sum: base in 6-2-2.bin
//! chk-6/state-2.bin     epoch 2: the small states that are for checkpoint 6 alone
//! chk-7/MANIFEST.json   source: in state-2.bin of chk-7, sum: base in 6-2-2.bin, delta in 7-2-0.bin
//! shared/6-2-2.bin      checkpoint 6, epoch 2: the base of sum
//! shared/7-2-0.bin      the small parts of checkpoint 7
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sluice_model::{CheckpointId, Error, Result};

use crate::manifest::{FileEntry, Manifest, StateEntry};
use crate::snapshot::{Part, Snapshot, TaskState};

/// Directory of the files that several checkpoints refer to.
const SHARED: &str = "shared";
/// States from here on get a file of their own. What is smaller is in memory.
pub(crate) const LARGE: usize = 1 << 20;

/// Where the parts lie that the newest checkpoint of a writer consists of: the next one may refer to
/// them.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    checkpoint: Option<CheckpointId>,
    parts: HashMap<(String, usize), Vec<(FileEntry, StateEntry)>>,
}

impl Chains {
    /// Those of a checkpoint that is durable.
    pub(crate) fn of(manifest: &Manifest) -> Self {
        let mut parts: HashMap<_, Vec<_>> = HashMap::new();
        for state in manifest.states.iter().filter(|state| state.part != Part::Whole) {
            if let Some(file) = manifest.files.get(state.file).filter(|file| file.shared) {
                parts.entry((state.id.clone(), state.subtask)).or_default().push((file.clone(), state.clone()));
            }
        }
        Self { checkpoint: Some(manifest.checkpoint), parts }
    }

    /// The checkpoint, if all shared files that it refers to are among `names`.
    pub(crate) fn intact(&self, names: &[String]) -> Option<CheckpointId> {
        let is_there = |file: &FileEntry| names.contains(&file.name);
        self.checkpoint.filter(|_| self.parts.values().flatten().all(|(file, _)| is_there(file)))
    }

    /// Whether there is anything to refer to.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    fn parts(&self, state: &TaskState, since: CheckpointId) -> Result<&[(FileEntry, StateEntry)]> {
        let parts = self.parts.get(&(state.id.clone(), state.subtask)).filter(|_| self.checkpoint == Some(since));
        parts.map(Vec::as_slice).ok_or_else(|| {
            let TaskState { id, subtask, .. } = state;
            Error::bug(format!(
                "state '{id}' of subtask {subtask} builds on checkpoint {since}, which does not have it"
            ))
        })
    }
}

/// The path of a file of the checkpoint in `dir`.
pub(crate) fn file_path(dir: &Path, file: &FileEntry) -> PathBuf {
    match dir.parent() {
        Some(job_dir) if file.shared => shared_dir(job_dir).join(&file.name),
        _ => dir.join(&file.name),
    }
}

/// The directory of a job's shared files.
pub(crate) fn shared_dir(job_dir: &Path) -> PathBuf {
    job_dir.join(SHARED)
}

/// The checkpoint that a shared file was written for.
pub(crate) fn writer_of(name: &str) -> Option<CheckpointId> {
    name.split_once('-')?.0.parse().ok()
}

// The epoch in the names keeps writers of two epochs, of which one is stale, out of each other's files.

/// Name of the file of the small states that are for one checkpoint alone.
pub(crate) fn own_name(epoch: u64) -> String {
    format!("state-{epoch}.bin")
}

/// A snapshot, dealt to files.
#[derive(Debug, Default)]
pub(crate) struct Layout<'a> {
    files: Vec<FileEntry>,
    /// By file: the states that are to be written into it, by their number; none if it is there already.
    contents: Vec<Vec<(usize, &'a TaskState)>>,
    states: Vec<StateEntry>,
}

/// A file that is to be written.
#[derive(Debug)]
pub(crate) struct NewFile<'a> {
    /// Its number among all files of the checkpoint.
    pub(crate) number: usize,
    pub(crate) entry: FileEntry,
    pub(crate) states: Vec<&'a TaskState>,
}

/// What is known of a file when it has been written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) crc32c: u32,
    /// Of its states, one behind the other.
    pub(crate) lengths: Vec<u64>,
}

impl<'a> Layout<'a> {
    /// Deals the parts of a snapshot. Without `chains` nothing is shared.
    ///
    /// # Errors
    /// A bug: changes since a checkpoint that the chains are not of.
    pub(crate) fn new(snapshot: &'a Snapshot, epoch: u64, chains: Option<&Chains>) -> Result<Self> {
        let mut layout = Self::default();
        let (mut own, mut small) = (None, None);
        let own_large = |number: usize| format!("state-{epoch}-{number}.bin");
        let shared_name = |number: usize| format!("{}-{epoch}-{number}.bin", snapshot.checkpoint);
        for state in &snapshot.states {
            let is_shared = match (state.part, chains) {
                (Part::Whole, _) | (Part::Base, None) => false,
                (Part::Base, Some(_)) => true,
                (Part::Delta { since }, chains) => {
                    layout.refer(chains.unwrap_or(&Chains::default()).parts(state, since)?);
                    if state.content.is_empty() {
                        continue;
                    }
                    true
                }
            };
            let is_small = state.content.in_memory().is_some_and(|bytes| bytes.len() < LARGE);
            let next = layout.files.len() + 1;
            let file = match (is_small, is_shared) {
                (true, false) if state.content.is_empty() => None,
                (true, false) => Some(*own.get_or_insert_with(|| layout.new_file(own_name(epoch), false))),
                (true, true) => Some(*small.get_or_insert_with(|| layout.new_file(shared_name(0), true))),
                (false, false) => Some(layout.new_file(own_large(next), false)),
                (false, true) => Some(layout.new_file(shared_name(next), true)),
            };
            layout.append(file, state, if is_shared { state.part } else { Part::Whole });
        }
        Ok(layout)
    }

    fn new_file(&mut self, name: String, shared: bool) -> usize {
        self.files.push(FileEntry { name, length: 0, crc32c: 0, shared });
        self.contents.push(Vec::new());
        self.files.len() - 1
    }

    /// Adds a state; one without bytes lies in no file.
    fn append(&mut self, file: Option<usize>, state: &'a TaskState, part: Part) {
        let number = self.states.len();
        if let Some(contents) = file.and_then(|file| self.contents.get_mut(file)) {
            contents.push((number, state));
        }
        let (id, subtask, file) = (state.id.clone(), state.subtask, file.unwrap_or(0));
        self.states.push(StateEntry { id, subtask, part, file, offset: 0, length: 0 });
    }

    /// Takes parts over from the checkpoint before.
    fn refer(&mut self, parts: &[(FileEntry, StateEntry)]) {
        for (file, state) in parts {
            let known = self.files.iter().position(|known| known == file);
            let file = known.unwrap_or_else(|| {
                self.files.push(file.clone());
                self.contents.push(Vec::new());
                self.files.len() - 1
            });
            self.states.push(StateEntry { file, ..state.clone() });
        }
    }

    /// The files that are to be written.
    pub(crate) fn new_files(&self) -> Vec<NewFile<'a>> {
        let mut new = Vec::new();
        for (number, (entry, states)) in self.files.iter().zip(&self.contents).enumerate() {
            if !states.is_empty() {
                let states = states.iter().map(|(_, state)| *state).collect();
                new.push(NewFile { number, entry: entry.clone(), states });
            }
        }
        new
    }

    /// Notes what has been written.
    pub(crate) fn complete(&mut self, file: &NewFile<'_>, written: &Written) {
        let (Some(entry), Some(contents)) = (self.files.get_mut(file.number), self.contents.get(file.number)) else {
            return;
        };
        entry.crc32c = written.crc32c;
        for ((number, _), length) in contents.iter().zip(&written.lengths) {
            if let Some(state) = self.states.get_mut(*number) {
                (state.offset, state.length) = (entry.length, *length);
            }
            entry.length += length;
        }
    }

    /// What the manifest says.
    pub(crate) fn into_entries(self) -> (Vec<FileEntry>, Vec<StateEntry>) {
        (self.files, self.states)
    }
}
