//! A job file runs in one process at a time: two would write the same checkpoints.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

use sluice_model::{Error, Result};
use sluice_sql::session::Home;

use super::JobFile;

/// Held while a file runs in this process.
#[derive(Debug)]
pub(super) struct FileLock {
    _file: Option<File>,
}

impl FileLock {
    /// Takes the lock of a file's name.
    ///
    /// # Errors
    /// Another process runs a file of this name; the directory cannot be used.
    pub(super) fn take(home: &Home, file: &JobFile) -> Result<Self> {
        let Some(name) = &file.name else {
            return Ok(Self { _file: None });
        };
        let directory = home.root().join("run");
        let safe: String =
            name.chars().map(|c| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' }).take(120).collect();
        let path = directory.join(format!("{safe}.lock"));
        let cannot = |error: std::io::Error| {
            Error::fix(format!("cannot use '{}'", path.display()))
                .because(error.to_string())
                .with_hint("set SLUICE_HOME to a directory that this user may write to")
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(cannot)?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(cannot)?;
        lock.try_lock().map_err(|error| {
            Error::fix(format!("the job file '{name}' is being run by another process"))
                .because(format!("{} is locked ({error})", path.display()))
                .with_hint("stop that process, or give this one a directory of its own with SLUICE_HOME")
        })?;
        Ok(Self { _file: Some(lock) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_runs_once() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let file = |name: &str| JobFile { name: Some(name.to_owned()), text: String::new(), path: name.to_owned() };
        let first = FileLock::take(&home, &file("sales")).unwrap();
        assert!(FileLock::take(&home, &file("sales")).is_err());
        assert!(FileLock::take(&home, &file("../returns")).is_ok());
        drop(first);
        assert!(FileLock::take(&home, &file("sales")).is_ok());
    }
}
