//! Submitted jobs on disk: one file per job, so that a killed server brings them back.
//!
//! A file holds the statements of its job with their passwords, as the job needs them: only the
//! user who runs the server can read it. It is written beside its place and renamed, so that a
//! crash leaves the old content or the new, never half of it.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sluice_model::{Error, Result};
use sluice_sql::session::JobRecipe;

/// The directory of submitted jobs, locked for this process.
#[derive(Debug)]
pub(crate) struct JobStore {
    directory: PathBuf,
    /// Holds the lock for as long as the store lives.
    _lock: File,
}

impl JobStore {
    /// Opens the directory and makes it this process's own.
    ///
    /// # Errors
    /// It cannot be created, or another server uses it.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        let cannot = |error: std::io::Error| unusable(directory, &error);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(cannot)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(directory.join("lock")).map_err(cannot)?;
        lock.try_lock().map_err(|error| {
            Error::fix(format!("another server uses '{}'", directory.display()))
                .because(error.to_string())
                .with_hint("stop it, or give this one a directory of its own with SLUICE_HOME")
        })?;
        Ok(Self { directory: directory.to_owned(), _lock: lock })
    }

    /// Writes a job, durably.
    ///
    /// # Errors
    /// The disk refuses it.
    pub(crate) fn put(&self, recipe: &JobRecipe) -> Result<()> {
        let target = self.path(&recipe.id)?;
        let draft = target.with_extension("new");
        let text = serde_json::to_vec_pretty(recipe).map_err(|error| Error::bug(error.to_string()))?;
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&draft, &target)?;
            File::open(&self.directory)?.sync_all()
        };
        write().map_err(|error| unusable(&target, &error))
    }

    /// Forgets a job. Forgetting one that is not there is fine.
    ///
    /// # Errors
    /// The disk refuses it.
    pub(crate) fn remove(&self, id: &str) -> Result<()> {
        let path = self.path(id)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unusable(&path, &error)),
            _ => Ok(()),
        }
    }

    /// All jobs by id, and what could not be read.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(crate) fn load(&self) -> Result<(Vec<JobRecipe>, Vec<Error>)> {
        let cannot = |error: std::io::Error| unusable(&self.directory, &error);
        let mut recipes = Vec::new();
        let mut unreadable = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                match read(&path) {
                    Ok(recipe) => recipes.push(recipe),
                    Err(error) => unreadable.push(error),
                }
            }
        }
        recipes.sort_by(|a, b| a.id.cmp(&b.id));
        Ok((recipes, unreadable))
    }

    fn path(&self, id: &str) -> Result<PathBuf> {
        if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::bug(format!("'{id}' is not the id of a job")));
        }
        Ok(self.directory.join(format!("{id}.json")))
    }
}

fn read(path: &Path) -> Result<JobRecipe> {
    let text = fs::read(path).map_err(|error| unusable(path, &error))?;
    serde_json::from_slice(&text).map_err(|error| {
        // The message of a syntax error says where, not what: nothing of the file's content is shown.
        Error::fix(format!("the submitted job '{}' cannot be read", path.display()))
            .because(format!("line {}, column {} is not as it was written", error.line(), error.column()))
            .with_hint("remove the file and submit the job again: its checkpoints are still there")
    })
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::fix(format!("cannot use '{}'", path.display()))
        .because(error.to_string())
        .with_hint("set SLUICE_HOME to a directory that this user may write to")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn recipe(id: &str) -> JobRecipe {
        JobRecipe {
            id: id.to_owned(),
            name: "sales".to_owned(),
            state_key: "sales".to_owned(),
            settings: vec![("parallelism.default".to_owned(), "2".to_owned())],
            statements: vec!["INSERT INTO a SELECT 1".to_owned()],
        }
    }

    #[test]
    fn keeps_jobs_until_they_are_removed() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("jobs");
        let id = "0123456789abcdef0123456789abcdef";
        {
            let store = JobStore::open(&directory).unwrap();
            store.put(&recipe(id)).unwrap();
            let mode = fs::metadata(directory.join(format!("{id}.json"))).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
        }
        let store = JobStore::open(&directory).unwrap();
        assert_eq!(store.load().unwrap().0, [recipe(id)]);
        store.remove(id).unwrap();
        store.remove(id).unwrap();
        assert!(store.load().unwrap().0.is_empty());
    }

    #[test]
    fn a_broken_file_does_not_hide_the_others() {
        let home = tempfile::tempdir().unwrap();
        let store = JobStore::open(home.path()).unwrap();
        store.put(&recipe(&"a".repeat(32))).unwrap();
        fs::write(home.path().join(format!("{}.json", "b".repeat(32))), "{\"password\": hunter2").unwrap();
        let (recipes, unreadable) = store.load().unwrap();
        assert_eq!(recipes.len(), 1);
        assert_eq!(unreadable.len(), 1);
        assert!(!unreadable[0].to_string().contains("hunter2"));
    }

    #[test]
    fn a_directory_belongs_to_one_server() {
        let home = tempfile::tempdir().unwrap();
        let _first = JobStore::open(home.path()).unwrap();
        let error = JobStore::open(home.path()).unwrap_err();
        assert!(error.what().starts_with("another server uses"), "{error}");
    }

    #[test]
    fn an_id_is_never_a_path() {
        let home = tempfile::tempdir().unwrap();
        let store = JobStore::open(home.path()).unwrap();
        assert!(store.put(&recipe("../../../../etc/passwd")).is_err());
    }
}
