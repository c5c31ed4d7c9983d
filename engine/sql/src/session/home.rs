//! Where a process keeps what it must not lose.

use std::path::{Path, PathBuf};

use sluice_model::{Error, Result};

/// The directories of Sluice: checkpoints, savepoints, submitted jobs, the client's history.
///
/// `SLUICE_HOME` if set, else `$XDG_STATE_HOME/sluice`, else `~/.local/state/sluice`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// The directories that the environment names. Nothing is created yet.
    ///
    /// # Errors
    /// None of `SLUICE_HOME`, `XDG_STATE_HOME` and `HOME` is set.
    pub fn from_env() -> Result<Self> {
        let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = given("SLUICE_HOME")
            .or_else(|| given("XDG_STATE_HOME").map(|state| state.join("sluice")))
            .or_else(|| given("HOME").map(|home| home.join(".local/state/sluice")))
            .ok_or_else(|| {
                Error::fix("no place for checkpoints: none of SLUICE_HOME, XDG_STATE_HOME and HOME is set")
                    .with_hint("set SLUICE_HOME to a directory that survives restarts")
            })?;
        Ok(Self::at(root))
    }

    /// Directories below `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Default of `execution.checkpointing.dir`.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// Default of `execution.checkpointing.savepoint-dir`.
    pub fn savepoints(&self) -> PathBuf {
        self.root.join("savepoints")
    }

    /// Submitted jobs of a server.
    pub fn jobs(&self) -> PathBuf {
        self.root.join("jobs")
    }

    /// The client's history.
    pub fn history(&self) -> PathBuf {
        self.root.join("history")
    }
}
