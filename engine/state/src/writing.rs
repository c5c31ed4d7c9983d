//! Writes the files of a checkpoint, large ones side by side.
//!
//! States are encoded while they are written, a few MiB at a time: a checkpoint takes memory for what is
//! on its way to the storage, not for what it holds.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sluice_model::{Error, Result};
use tokio::runtime::Handle;

use crate::packing::{NewFile, Written, file_path};
use crate::snapshot::TaskState;
use crate::storage::{Storage, storage_error};

/// Files that are written at the same time.
const WRITERS: usize = 4;

/// Writes files of the checkpoint in `dir`. When this returns their contents are durable.
///
/// # Errors
/// A state cannot be encoded, or the storage failed.
pub(crate) fn write_all(storage: &dyn Storage, dir: &Path, files: &[NewFile<'_>]) -> Result<Vec<Written>> {
    let (next, has_failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    // Storages wait for requests on the runtime of the thread they are called on.
    let runtime = Handle::try_current().ok();
    let work = || {
        let _entered = runtime.as_ref().map(Handle::enter);
        let mut done = Vec::new();
        while !has_failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(number) else { break };
            let written = write_file(storage, &file_path(dir, &file.entry), &file.states);
            has_failed.fetch_or(written.is_err(), Ordering::Relaxed);
            done.push((number, written?));
        }
        Ok(done)
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let helpers = files.len().min(WRITERS).min(cores).saturating_sub(1);
    let outcomes: Vec<Result<Vec<(usize, Written)>>> = std::thread::scope(|scope| {
        let helpers: Vec<_> = (0..helpers).map(|_| scope.spawn(work)).collect();
        let own = work();
        let joined = helpers.into_iter().map(|helper| helper.join().unwrap_or_else(|_| Err(panicked())));
        std::iter::once(own).chain(joined.collect::<Vec<_>>()).collect()
    });
    let mut all: Vec<_> = outcomes.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    all.sort_unstable_by_key(|(number, _)| *number);
    Ok(all.into_iter().map(|(_, written)| written).collect())
}

fn panicked() -> Error {
    Error::bug("a thread that writes a checkpoint panicked")
}

fn write_file(storage: &dyn Storage, path: &Path, states: &[&TaskState]) -> Result<Written> {
    let failed = |error| storage_error("write", path, &error);
    let expected = states.iter().map(|state| state.content.expected()).sum();
    let mut upload = storage.create(path, expected).map_err(failed)?;
    let mut written = Written::default();
    for state in states {
        let mut length = 0;
        let outcome = state.content.for_each(&mut |part| {
            written.crc32c = crc32c::crc32c_append(written.crc32c, part);
            length += part.len() as u64;
            upload.write(part).map_err(failed)
        });
        if let Err(error) = outcome {
            upload.abandon();
            return Err(error);
        }
        written.lengths.push(length);
    }
    upload.finish().map_err(failed)?;
    Ok(written)
}
