//! Paths: local ones, and the files below them.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use sluice_model::{Error, Result};

/// The local path of an option.
///
/// # Errors
/// A path elsewhere.
pub(crate) fn local_path(text: &str) -> Result<PathBuf> {
    let local = match text.split_once("://") {
        Some(("file", rest)) => match rest.find('/') {
            // file:///a, or with a host of no meaning.
            Some(at) => &rest[at..],
            None => rest,
        },
        Some((scheme, _)) => {
            return Err(Error::fix(format!("connector 'filesystem' reads and writes local files, not {scheme}://"))
                .with_hint("mount it, or copy the files to a local folder"));
        }
        None => text.strip_prefix("file:").unwrap_or(text),
    };
    if !Path::new(local).is_absolute() {
        return Err(Error::fix(format!("'{text}' is no absolute path")).with_hint("write file:///folder"));
    }
    Ok(PathBuf::from(local))
}

/// The files at or below a path, in the order of their names. Hidden ones, which begin with `.` or `_`,
/// are left out, as are those that do not match.
///
/// # Errors
/// The path is not there, or cannot be read.
pub(crate) fn files_below(root: &Path, pattern: Option<&Regex>) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if root.is_file() {
        found.push(root.to_owned());
    } else {
        collect(root, &mut found)?;
    }
    found.retain(|path| pattern.is_none_or(|pattern| pattern.is_match(&path.to_string_lossy())));
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(|error| failed("read", folder, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| failed("read", folder, &error))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with(['.', '_']) {
            continue;
        }
        if path.is_dir() {
            collect(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

/// A path that cannot be used.
pub(crate) fn failed(what: &str, path: &Path, error: &std::io::Error) -> Error {
    let hint = match error.kind() {
        std::io::ErrorKind::NotFound => "check the option 'path'",
        std::io::ErrorKind::PermissionDenied => "give the user of this process the permission",
        _ => "see that the file system is there and has room",
    };
    Error::fix(format!("cannot {what} '{}'", path.display())).because(error.to_string()).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_paths_have_many_forms() {
        for text in ["file:///a/b", "file:/a/b", "/a/b", "file://localhost/a/b"] {
            assert_eq!(local_path(text).unwrap(), PathBuf::from("/a/b"));
        }
        assert!(local_path("a/b").is_err());
        let error = local_path("s3://bucket/a").unwrap_err();
        assert_eq!(error.what(), "connector 'filesystem' reads and writes local files, not s3://");
    }

    #[test]
    fn hidden_files_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("dt=1")).unwrap();
        for name in ["b", ".part-1.inprogress", "_SUCCESS", "dt=1/a"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let names: Vec<_> = files_below(folder.path(), None).unwrap();
        assert_eq!(names, [folder.path().join("b"), folder.path().join("dt=1/a")]);
        let pattern = Regex::new("dt=.*/a$").unwrap();
        assert_eq!(files_below(folder.path(), Some(&pattern)).unwrap(), [folder.path().join("dt=1/a")]);
    }
}
