//! Directories as users write them: `file:///var/sluice`, `/var/sluice`, `sluice/state`.

use std::path::{Component, Path, PathBuf};

use sluice_model::{Error, Result};

/// The local directory that a URL or path names.
///
/// # Errors
/// A scheme that is not supported.
pub(crate) fn parse(text: &str) -> Result<PathBuf> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::fix("the directory for checkpoints is empty").with_hint(HINT));
    }
    let Some((scheme, rest)) = split_scheme(text) else {
        return absolute(Path::new(text));
    };
    if !scheme.eq_ignore_ascii_case("file") {
        return Err(Error::fix(format!("storage '{scheme}' for checkpoints is not supported yet")).with_hint(HINT));
    }
    // `file:///a`, `file:/a`; Flink takes both. An authority would be another machine.
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(Error::fix(format!("'{text}' does not name a path on this machine")).with_hint(HINT));
    }
    absolute(Path::new(path))
}

const HINT: &str = "use a path such as /var/lib/sluice/checkpoints or file:///var/lib/sluice/checkpoints";

fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.len() > 1
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|other| other.is_ascii_alphanumeric() || "+-.".contains(other));
    (is_scheme && rest.starts_with('/')).then_some((scheme, rest))
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path)
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
            assert_eq!(parse(text).unwrap(), Path::new("/var/state"), "{text}");
        }
        assert!(parse("state").unwrap().ends_with("state"));
        assert!(parse("C:odd name").unwrap().ends_with("C:odd name"));
    }

    #[test]
    fn other_schemes_are_refused_by_name() {
        for (text, what) in [
            ("s3://bucket/state", "storage 's3' for checkpoints is not supported yet"),
            ("hdfs:///state", "storage 'hdfs' for checkpoints is not supported yet"),
            ("file://host/state", "'file://host/state' does not name a path on this machine"),
            ("", "the directory for checkpoints is empty"),
        ] {
            assert_eq!(parse(text).unwrap_err().what(), what);
        }
    }

    #[test]
    fn keys_do_not_lead_elsewhere() {
        assert!(check_key("sales-cdc.2024").is_ok());
        for key in ["", ".", "..", "a/b", "/a", "a\\b", "a/", "a\0"] {
            assert!(check_key(key).is_err(), "{key:?}");
        }
    }
}
