//! Which bytes of a snapshot go into which file.
//!
//! What is for one checkpoint alone goes into one file in its directory. What later checkpoints may
//! refer to goes into the directory `shared` of the job: large parts into a file each, so that a file
//! goes when its part is not needed any more, and all small ones into one file, because a file costs
//! a request.
//!
//! ```text
//! chk-6/MANIFEST.json   sum: base in 6-2-2.bin
//! chk-7/MANIFEST.json   sum: base in 6-2-2.bin, delta in 7-2-0.bin
//! shared/6-2-2.bin      checkpoint 6, epoch 2: the base of sum
//! shared/7-2-0.bin      the small parts of checkpoint 7
//! ```

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sluice_model::{CheckpointId, Error, Result};

use crate::manifest::{FileEntry, Manifest, StateEntry};
use crate::snapshot::{Part, Snapshot, TaskState};

/// Directory of the files that several checkpoints refer to.
const SHARED: &str = "shared";
/// Parts from here on get a file of their own.
const LARGE: usize = 1 << 20;

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

/// Name of the file of what is for one checkpoint alone.
pub(crate) fn own_name(epoch: u64) -> String {
    format!("state-{epoch}.bin")
}

/// A snapshot, dealt to files.
#[derive(Debug, Default)]
pub(crate) struct Packed<'a> {
    files: Vec<FileEntry>,
    /// By file; `None` if it is there already.
    contents: Vec<Option<Cow<'a, [u8]>>>,
    states: Vec<StateEntry>,
}

impl<'a> Packed<'a> {
    /// Deals the parts of a snapshot. Without `chains` nothing is shared.
    ///
    /// # Errors
    /// A bug: changes since a checkpoint that the chains are not of.
    pub(crate) fn new(snapshot: &'a Snapshot, epoch: u64, chains: Option<&Chains>) -> Result<Self> {
        let mut packed = Self::default();
        let (mut own, mut small) = (None, None);
        let shared_name = |number: usize| format!("{}-{epoch}-{number}.bin", snapshot.checkpoint);
        for state in &snapshot.states {
            match (state.part, chains) {
                (Part::Whole, _) | (Part::Base, None) => {
                    let file = *own.get_or_insert_with(|| packed.new_file(own_name(epoch), false));
                    packed.append(file, state, Part::Whole);
                    continue;
                }
                (Part::Base, Some(_)) => {}
                (Part::Delta { since }, chains) => {
                    packed.refer(chains.unwrap_or(&Chains::default()).parts(state, since)?);
                    if state.bytes.is_empty() {
                        continue;
                    }
                }
            }
            if state.bytes.len() < LARGE {
                let file = *small.get_or_insert_with(|| packed.new_file(shared_name(0), true));
                packed.append(file, state, state.part);
            } else {
                let file = packed.new_file(shared_name(packed.files.len() + 1), true);
                packed.append(file, state, state.part);
            }
        }
        packed.finish();
        Ok(packed)
    }

    fn new_file(&mut self, name: String, shared: bool) -> usize {
        self.files.push(FileEntry { name, length: 0, crc32c: 0, shared });
        self.contents.push(Some(Cow::Borrowed(&[])));
        self.files.len() - 1
    }

    fn append(&mut self, file: usize, state: &'a TaskState, part: Part) {
        let Some(Some(content)) = self.contents.get_mut(file) else { return };
        let (offset, length) = (content.len() as u64, state.bytes.len() as u64);
        if content.is_empty() {
            *content = Cow::Borrowed(&state.bytes);
        } else {
            content.to_mut().extend_from_slice(&state.bytes);
        }
        self.states.push(StateEntry { id: state.id.clone(), subtask: state.subtask, part, file, offset, length });
    }

    /// Takes parts over from the checkpoint before.
    fn refer(&mut self, parts: &[(FileEntry, StateEntry)]) {
        for (file, state) in parts {
            let known = self.files.iter().position(|known| known == file);
            let file = known.unwrap_or_else(|| {
                self.files.push(file.clone());
                self.contents.push(None);
                self.files.len() - 1
            });
            self.states.push(StateEntry { file, ..state.clone() });
        }
    }

    /// Leaves out the file of empty states; the others get their checksums.
    fn finish(&mut self) {
        for (file, content) in self.files.iter_mut().zip(&self.contents) {
            if let Some(content) = content {
                (file.length, file.crc32c) = (content.len() as u64, crc32c::crc32c(content));
            }
        }
        while let Some(empty) = self.files.iter().position(|file| file.length == 0) {
            self.files.remove(empty);
            self.contents.remove(empty);
            for state in &mut self.states {
                state.file = if state.file == empty { 0 } else { state.file - usize::from(state.file > empty) };
            }
        }
    }

    /// The files that are to be written.
    pub(crate) fn new_files(&self) -> impl Iterator<Item = (&FileEntry, &[u8])> {
        self.files.iter().zip(&self.contents).filter_map(|(file, content)| Some((file, content.as_deref()?)))
    }

    /// What the manifest says of them.
    pub(crate) fn into_entries(self) -> (Vec<FileEntry>, Vec<StateEntry>) {
        (self.files, self.states)
    }
}
