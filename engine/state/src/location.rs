//! Directories as users write them: `/var/sluice`, `file:///var/sluice`, `s3://bucket/sluice`.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use object_store::path::Path as Key;
use sluice_model::{Error, Result, Secret, suggest};

use crate::local::LocalDisk;
use crate::s3::{self, S3Options};
use crate::storage::Storage;

/// A directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    /// Absolute path on this machine, or URL in a bucket without a last slash.
    pub(crate) path: PathBuf,
    pub(crate) bucket: Option<String>,
}

/// A directory and what it lies on.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) path: PathBuf,
}

/// Finds the storage of a directory.
#[derive(Debug, Clone)]
pub(crate) enum Storages {
    /// The file systems of the machine, and buckets with these options.
    All(S3Options),
    /// One for everything.
    #[cfg(any(test, feature = "testing"))]
    Only(Arc<dyn Storage>),
}

impl Storages {
    /// The directory that a URL or path names, on its storage.
    ///
    /// # Errors
    /// As [`parse`], or options of the storage that do not fit.
    pub(crate) fn place(&self, text: &str) -> Result<Place> {
        #[cfg(any(test, feature = "testing"))]
        if let Some(place) = crate::testing::place(text) {
            return Ok(place);
        }
        let Location { path, bucket } = parse(text)?;
        let storage: Arc<dyn Storage> = match (self, bucket) {
            #[cfg(any(test, feature = "testing"))]
            (Self::Only(storage), _) => Arc::clone(storage),
            (Self::All(_), None) => Arc::new(LocalDisk),
            (Self::All(options), Some(bucket)) => Arc::new(s3::bucket(&bucket, options)?),
        };
        Ok(Place { storage, path })
    }
}

/// The directory that a URL or path names.
///
/// # Errors
/// A scheme that is not supported, or a URL that names nothing.
pub(crate) fn parse(text: &str) -> Result<Location> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::fix("the directory for checkpoints is empty").with_hint(HINT));
    }
    let Some((scheme, rest)) = split_scheme(text) else {
        return absolute(Path::new(text));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "file" => {
            // `file:///a`, `file:/a`; Flink takes both. An authority would be another machine.
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if !path.starts_with('/') {
                return Err(Error::fix(format!("'{text}' does not name a path on this machine")).with_hint(HINT));
            }
            absolute(Path::new(path))
        }
        // Flink's names of its file systems for the same store.
        "s3" | "s3a" | "s3n" | "s3p" => in_bucket(text, rest),
        other => {
            let hint = match suggest(other, SCHEMES) {
                Some(like) => format!("did you mean '{like}'?"),
                None => HINT.to_owned(),
            };
            Err(Error::fix(format!("storage '{scheme}' for checkpoints is not supported"))
                .because(format!("supported are paths and {}", SCHEMES.map(|scheme| format!("{scheme}:")).join(", ")))
                .with_hint(hint))
        }
    }
}

const SCHEMES: [&str; 3] = ["file", "s3", "s3a"];
const HINT: &str = "use a path such as /var/lib/sluice/checkpoints, or a bucket such as s3://bucket/checkpoints";

fn in_bucket(text: &str, rest: &str) -> Result<Location> {
    let invalid = |why: &str| {
        Error::fix(format!("'{}' does not name a directory in a bucket", Secret::mask_url(text)))
            .because(why)
            .with_hint("write s3://bucket/directory; credentials go to 's3.access-key' and 's3.secret-key'")
    };
    let rest = rest.strip_prefix("//").ok_or_else(|| invalid("there is no bucket in it"))?;
    let (bucket, directory) = rest.split_once('/').unwrap_or((rest, ""));
    let is_name = |other: char| other.is_ascii_alphanumeric() || "-._".contains(other);
    if bucket.contains('@') {
        return Err(invalid("user and password do not belong there"));
    }
    if bucket.is_empty() || !bucket.chars().all(is_name) {
        return Err(invalid("the name of a bucket has letters, digits, '-' and '.'"));
    }
    let key = Key::parse(directory).map_err(|error| invalid(&error.to_string()))?;
    let url = format!("s3://{bucket}/{key}");
    Ok(Location { path: PathBuf::from(url.trim_end_matches('/')), bucket: Some(bucket.to_owned()) })
}

fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.len() > 1
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|other| other.is_ascii_alphanumeric() || "+-.".contains(other));
    (is_scheme && rest.starts_with('/')).then_some((scheme, rest))
}

fn absolute(path: &Path) -> Result<Location> {
    std::path::absolute(path)
        .map(|path| Location { path, bucket: None })
        .map_err(|error| Error::fix(format!("'{}' is not a path", path.display())).because(error.to_string()))
}

/// Checks that a job key is a single name of a directory, so that no key leads out of its place.
///
/// # Errors
/// Anything that is not a plain name.
pub(crate) fn check_key(key: &str) -> Result<()> {
    let mut components = Path::new(key).components();
    let is_name = matches!((components.next(), components.next()), (Some(Component::Normal(_)), None));
    if is_name && !key.contains(['/', '\\', '\0']) && key.len() <= 200 {
        return Ok(());
    }
    Err(Error::fix(format!("'{key}' cannot be the name of a directory of checkpoints")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_paths() {
        for text in ["/var/state", "file:///var/state", "file:/var/state", " /var/state "] {
            assert_eq!(parse(text).unwrap().path, Path::new("/var/state"), "{text}");
        }
        assert!(parse("state").unwrap().path.ends_with("state"));
        assert!(parse("C:odd name").unwrap().path.ends_with("C:odd name"));
    }

    #[test]
    fn other_schemes_are_refused_by_name() {
        for (text, what) in [
            ("gs://bucket/state", "storage 'gs' for checkpoints is not supported"),
            ("hdfs:///state", "storage 'hdfs' for checkpoints is not supported"),
            ("file://host/state", "'file://host/state' does not name a path on this machine"),
            ("", "the directory for checkpoints is empty"),
        ] {
            assert_eq!(parse(text).unwrap_err().what(), what);
        }
    }

    #[test]
    fn buckets() {
        for (text, path) in [
            ("s3://bucket/state", "s3://bucket/state"),
            ("s3a://bucket/a/b/", "s3://bucket/a/b"),
            ("S3://bucket", "s3://bucket"),
            ("s3://bucket/", "s3://bucket"),
        ] {
            let location = parse(text).unwrap();
            assert_eq!((location.path.as_path(), location.bucket.as_deref()), (Path::new(path), Some("bucket")));
        }
        // What is joined and cut stays a URL.
        let manifest = parse("s3://bucket").unwrap().path.join("sales").join("chk-1").join("MANIFEST.json");
        assert_eq!(manifest.display().to_string(), "s3://bucket/sales/chk-1/MANIFEST.json");
        assert_eq!(manifest.parent().unwrap().display().to_string(), "s3://bucket/sales/chk-1");
    }

    #[test]
    fn what_is_no_directory_in_a_bucket_is_refused() {
        for (text, what, why) in [
            ("s3:/a", "'s3:/a' does not name a directory in a bucket", "there is no bucket in it"),
            ("s3:///a", "'s3:///a' does not name a directory in a bucket", "the name of a bucket has letters"),
            ("s3://k:hunter2@b/a", "'s3://k:******@b/a' does not name a directory in a bucket", "user and password"),
            ("s3://b/a/../c", "'s3://b/a/../c' does not name a directory in a bucket", ""),
            ("s3://b/a//c", "'s3://b/a//c' does not name a directory in a bucket", ""),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.what(), what);
            assert!(error.why().unwrap().starts_with(why), "{error}");
        }
        let error = parse("s4://b/a").unwrap_err();
        assert_eq!(error.hint(), Some("did you mean 's3'?"));
        assert_eq!(error.why(), Some("supported are paths and file:, s3:, s3a:"));
    }

    #[test]
    fn keys_do_not_lead_elsewhere() {
        assert!(check_key("sales-cdc.2024").is_ok());
        for key in ["", ".", "..", "a/b", "/a", "a\\b", "a/", "a\0"] {
            assert!(check_key(key).is_err(), "{key:?}");
        }
    }
}
