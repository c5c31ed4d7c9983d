//! Directories of tests whose subject is not the disk.

use std::io;
use std::path::Path;

use tempfile::TempDir;

/// Memory that looks like a disk, on Linux.
const MEMORY: &str = "/dev/shm";

/// A directory that goes with its value, in memory where there is such a place.
///
/// Tests of queries write thousands of small checkpoints, each made durable. On a disk every one of
/// them waits for whatever else is being written there, and makes the servers of other tests wait.
///
/// # Errors
/// Neither memory nor the usual temporary directory takes a directory.
pub fn scratch() -> io::Result<TempDir> {
    if Path::new(MEMORY).is_dir()
        && let Ok(directory) = tempfile::tempdir_in(MEMORY)
    {
        return Ok(directory);
    }
    tempfile::tempdir()
}
