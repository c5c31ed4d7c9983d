//! A file for what does not fit into memory.
//!
//! It has no name: it is unlinked as soon as it is open, so that the space is free again whatever
//! becomes of the process. Nothing in it outlives an attempt to run the job, and no checkpoint refers
//! to it. What is written is a run of bytes; when the run is dropped its space is used again.
//!
//! ```text
//! write 3 pages   aaa             drop a   ...bb      write 2 pages   cc.bb
//! write 2 pages   aaabb                               drop b          cc      (the file is cut)
//! ```

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sluice_model::{Error, Result};

/// Space is given out in multiples of this, so that gaps fit what comes later.
const PAGE: u64 = 4096;

/// See the module.
#[derive(Debug)]
pub(crate) struct SpillFile {
    file: File,
    directory: PathBuf,
    space: Mutex<Space>,
}

/// Which parts of a file are free.
#[derive(Debug, Default)]
struct Space {
    end: u64,
    /// Start and length of gaps in front of the end; no two of them touch.
    gaps: BTreeMap<u64, u64>,
}

/// Bytes in a file.
#[derive(Debug)]
pub(crate) struct Run {
    file: Arc<SpillFile>,
    start: u64,
    length: usize,
}

impl SpillFile {
    /// A new file in a directory, which is made if it is not there.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub(crate) fn create(directory: &Path) -> Result<Self> {
        let open = || {
            std::fs::create_dir_all(directory)?;
            let path = directory.join(format!("sluice-spill-{}", uuid::Uuid::new_v4().simple()));
            let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
            std::fs::remove_file(&path)?;
            Ok(file)
        };
        let file = open().map_err(|error| failed("written", directory, &error))?;
        Ok(Self { file, directory: directory.to_owned(), space: Mutex::default() })
    }

    /// Writes a run.
    ///
    /// # Errors
    /// The disk is full, or broken.
    pub(crate) fn write(self: &Arc<Self>, bytes: &[u8]) -> Result<Run> {
        let start = self.space.lock().unwrap_or_else(PoisonError::into_inner).take(pages(bytes.len()));
        // From here on the space is given back if the run is dropped.
        let run = Run { file: Arc::clone(self), start, length: bytes.len() };
        self.file.write_all_at(bytes, start).map_err(|error| failed("written", &self.directory, &error))?;
        Ok(run)
    }

    /// What is in the file is not what was written.
    pub(crate) fn damaged(&self, why: impl Into<String>) -> Error {
        Error::retry(format!("operator state that was spilled to '{}' cannot be read", self.directory.display()))
            .because(why)
            .with_hint("check that disk, or set 'io.tmp.dirs' to a directory on another one")
    }
}

impl Run {
    /// Appends its bytes.
    ///
    /// # Errors
    /// The disk is broken.
    pub(crate) fn read(&self, bytes: &mut Vec<u8>) -> Result<()> {
        let start = bytes.len();
        bytes.resize(start + self.length, 0);
        let read = self.file.file.read_exact_at(&mut bytes[start..], self.start);
        read.map_err(|error| failed("read", &self.file.directory, &error))
    }

    /// Number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// The file that it is in.
    pub(crate) fn file(&self) -> &SpillFile {
        &self.file
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let mut space = self.file.space.lock().unwrap_or_else(PoisonError::into_inner);
        let before = space.end;
        space.give_back(self.start, pages(self.length));
        if space.end < before {
            // What is not cut off is written over later.
            self.file.file.set_len(space.end).ok();
        }
    }
}

impl Space {
    /// The first gap that is large enough, or the end.
    fn take(&mut self, length: u64) -> u64 {
        let gap = self.gaps.iter().find(|(_, gap)| **gap >= length).map(|(start, gap)| (*start, *gap));
        let Some((start, gap)) = gap else {
            let start = self.end;
            self.end += length;
            return start;
        };
        self.gaps.remove(&start);
        if gap > length {
            self.gaps.insert(start + length, gap - length);
        }
        start
    }

    fn give_back(&mut self, mut start: u64, mut length: u64) {
        if let Some((before, gap)) = self.gaps.range(..start).next_back().map(|(before, gap)| (*before, *gap))
            && before + gap == start
        {
            self.gaps.remove(&before);
            (start, length) = (before, gap + length);
        }
        if let Some(behind) = self.gaps.remove(&(start + length)) {
            length += behind;
        }
        if start + length == self.end {
            self.end = start;
        } else if length > 0 {
            self.gaps.insert(start, length);
        }
    }
}

fn pages(length: usize) -> u64 {
    (length as u64).div_ceil(PAGE) * PAGE
}

fn failed(verb: &str, directory: &Path, error: &io::Error) -> Error {
    Error::retry(format!("operator state cannot be {verb} in '{}'", directory.display()))
        .because(error.to_string())
        .with_hint(
            "free space there, set 'io.tmp.dirs' to a directory on another disk, \
             or raise 'taskmanager.memory.managed.size', above which state is spilled",
        )
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn runs_keep_their_bytes_and_leave_their_space() {
        let directory = tempfile::tempdir().unwrap();
        let file = Arc::new(SpillFile::create(directory.path()).unwrap());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "it has no name");
        let mut random = StdRng::seed_from_u64(1);
        let mut runs: Vec<(u8, Run)> = Vec::new();
        let mut largest = 0;
        for step in 0..2000_u32 {
            if runs.len() < 20 && random.random() {
                let byte = step as u8;
                let bytes = vec![byte; random.random_range(0..20_000)];
                runs.push((byte, file.write(&bytes).unwrap()));
            } else if !runs.is_empty() {
                let (byte, run) = runs.swap_remove(random.random_range(0..runs.len()));
                let mut bytes = Vec::new();
                run.read(&mut bytes).unwrap();
                assert!(bytes.len() == run.len() && bytes.iter().all(|read| *read == byte));
            }
            largest = largest.max(file.space.lock().unwrap().end);
        }
        assert!(largest < 2 * 20 * 20_480, "{largest}");
        runs.clear();
        assert_eq!(file.space.lock().unwrap().end, 0);
        assert_eq!(file.file.metadata().unwrap().len(), 0);
    }

    #[test]
    fn a_directory_that_cannot_be_written_to_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "").unwrap();
        let error = SpillFile::create(&path.join("below")).unwrap_err();
        assert!(error.what().contains("operator state cannot be written in '"), "{error}");
        assert!(error.hint().unwrap().contains("'io.tmp.dirs'"), "{error}");
    }
}
