//! The few steps that checkpoints are made of, on a file system or in a bucket. Between any two of
//! them the power may fail.
//!
//! A step is small enough to be either done or not done after a crash (a write may be half done).
//! Tests put a storage underneath that dies at a given step. Files of states are written and read in
//! parts, because they may be larger than memory; each part is a step.
//!
//! Paths of a bucket are URLs, `s3://bucket/prefix/sales/chk-7`: they are joined, split and shown
//! like those of a file system, and never mistaken for one.

use std::fmt::{self, Debug};
use std::io;
use std::path::Path;

use bytes::Bytes;
use sluice_model::{Error, Reaction, Result};

/// Steps on a storage. All of them block.
pub(crate) trait Storage: Debug + Send + Sync {
    /// Fails if the storage cannot be used for a job's checkpoints below `dir`, or would let two
    /// processes have the same name. Called when an attempt begins.
    fn probe(&self, _dir: &Path) -> Result<()> {
        Ok(())
    }
    /// Makes a directory and its missing parents, durably; no error if it is there.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Makes a new file with this content, and makes the content durable (not the name).
    fn write_new(&self, path: &Path, content: &[u8]) -> io::Result<()>;
    /// Begins a new file, of about so many bytes, that is written in parts.
    fn create(&self, path: &Path, expected: u64) -> io::Result<Box<dyn Upload + '_>>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Moves a file over another one, atomically.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file a second name that must not be there yet, atomically.
    ///
    /// After any error but `AlreadyExists` it may have been done all the same.
    fn link_new(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// So many bytes of a file; an error if they are not there.
    fn read_range(&self, path: &Path, offset: u64, length: usize) -> io::Result<Bytes>;
    /// Length of a file.
    fn length(&self, path: &Path) -> io::Result<u64>;
    /// Names in a directory, unordered; none if it is not there.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
}

/// A new file on its way. Until it is finished it may be there, whole or in part, or not at all.
pub(crate) trait Upload {
    /// Appends bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes the content durable (not the name).
    fn finish(self: Box<Self>) -> io::Result<()>;
    /// Gives it up. What is there of it under its name stays.
    fn abandon(self: Box<Self>) {}
}

/// What an [`io::Error`] carries if more is known than its kind says.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) why: String,
    pub(crate) hint: String,
    /// Whether it goes away by itself.
    pub(crate) reaction: Reaction,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Failure {}

/// An error of the storage as one of the engine: worth another try, with what helps.
pub(crate) fn storage_error(doing: &str, path: &Path, error: &io::Error) -> Error {
    let known = failure(error).map(|failure| failure.hint.as_str());
    let hint = known.unwrap_or_else(|| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space on that file system",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "let the user that runs the engine write there, or SET another 'execution.checkpointing.dir'"
        }
        io::ErrorKind::NotFound => "check that the path exists",
        _ => "check the file system and its log",
    });
    Error::retry(format!("cannot {doing} '{}'", path.display())).because(error.to_string()).with_hint(hint)
}

/// What an error carries beyond its kind.
pub(crate) fn failure(error: &io::Error) -> Option<&Failure> {
    error.get_ref()?.downcast_ref()
}
