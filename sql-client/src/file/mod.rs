//! `-f`: a job file is handed to a server, or run in this process.

mod here;
mod lock;
mod progress;
mod rates;
mod remote;
mod status;
mod watch;

use std::path::Path;

use sluice_model::{Error, Result};

pub(crate) use here::run_here;
pub(crate) use remote::submit;
pub(crate) use watch::tell_where_to_resume;

/// The largest file that is read, in bytes; the server takes no larger one.
const LARGEST: u64 = 4 << 20;

/// A job file.
#[derive(Debug, Clone)]
pub(crate) struct JobFile {
    /// Name without its ending; it names the job's checkpoints. `None` for a single statement.
    pub(crate) name: Option<String>,
    pub(crate) text: String,
    /// As given, for messages.
    pub(crate) path: String,
}

impl JobFile {
    /// Reads a file; `file:///…` is a path, too.
    ///
    /// # Errors
    /// It cannot be read, is too large, or is not UTF-8.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        let local = shown.strip_prefix("file://").map_or(path, Path::new);
        if shown.starts_with("http://") || shown.starts_with("https://") {
            return Err(Error::fix(format!("'{shown}' cannot be read: job files are read from disk"))
                .with_hint(format!("curl -O {shown}")));
        }
        let cannot = |error: std::io::Error| {
            Error::fix(format!("cannot read '{shown}'"))
                .because(error.to_string())
                .with_hint("check the path behind -f or -i")
        };
        let length = std::fs::metadata(local).map_err(cannot)?.len();
        if length > LARGEST {
            return Err(Error::fix(format!("'{shown}' is {length} bytes long; a job file has at most {LARGEST}")));
        }
        let bytes = std::fs::read(local).map_err(cannot)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            Error::fix(format!("'{shown}' is not UTF-8"))
                .because(format!("byte {} cannot be read", error.utf8_error().valid_up_to() + 1))
                .with_hint("save the file as UTF-8")
        })?;
        let name = local.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        // Editors on Windows put a mark in front.
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        Ok(Self { name, text, path: shown })
    }

    /// A statement from the command line.
    pub(crate) fn of_statement(statement: &str) -> Self {
        Self { name: None, text: statement.to_owned(), path: "--update".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_with_their_faults() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("01-sales.cdc.sql");
        std::fs::write(&path, "\u{feff}SELECT 1;").unwrap();
        let file = JobFile::read(&path).unwrap();
        assert_eq!((file.name.as_deref(), file.text.as_str()), (Some("01-sales.cdc"), "SELECT 1;"));
        let url = format!("file://{}", path.display());
        assert!(JobFile::read(Path::new(&url)).is_ok());
        std::fs::write(&path, b"SELECT '\xff'").unwrap();
        assert!(JobFile::read(&path).unwrap_err().what().ends_with("is not UTF-8"));
        let error = JobFile::read(&home.path().join("none.sql")).unwrap_err();
        assert!(error.what().starts_with("cannot read"), "{error}");
    }
}
