//! Partitions: folders called after values, `dt=2020-01-01/hm=12%3A30`.

use std::path::Path;

/// The folder of some values, `name=value` by `name=value`.
pub(crate) fn folder<'a>(values: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let parts = values.map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    parts.collect::<Vec<_>>().join("/")
}

/// The value of a partition column, from the folders of a file below `root`.
pub(crate) fn value_of(root: &Path, file: &Path, column: &str) -> Option<String> {
    let below = file.strip_prefix(root).ok()?.parent()?;
    below.components().find_map(|part| {
        let (name, value) = part.as_os_str().to_str()?.split_once('=')?;
        (unescaped(name) == column).then(|| unescaped(value))
    })
}

/// As Flink's `PartitionPathUtils.escapePathName`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let is_special = character.is_ascii_control() || "\"#%'*/:=?\\{[]^".contains(character);
        if is_special {
            out.push_str(&format!("%{:02X}", u32::from(character)));
        } else {
            out.push(character);
        }
    }
    out
}

fn unescaped(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let code =
            bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%').and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_from_their_folders() {
        let values = [("dt", "2020-01-01"), ("hm", "12:30")];
        let folder = folder(values.into_iter());
        assert_eq!(folder, "dt=2020-01-01/hm=12%3A30");
        let file = Path::new("/a").join(folder).join("part-0");
        assert_eq!(value_of(Path::new("/a"), &file, "hm").as_deref(), Some("12:30"));
        assert_eq!(value_of(Path::new("/a"), &file, "dt").as_deref(), Some("2020-01-01"));
        assert_eq!(value_of(Path::new("/a"), &file, "x"), None);
    }
}
