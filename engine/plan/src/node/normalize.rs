//! Finds the old content of updated rows.

/// Makes a stream that says what it replaces from one that only names the newest row of a key.
///
/// | input `id, v` | result |
/// |---|---|
/// | `+I 1 a` | `+I 1 a` |
/// | `+U 1 b` (or `+I 1 b`) | `-U 1 a`, `+U 1 b` |
/// | `+U 1 b` | |
/// | `-D 1 ?` | `-D 1 b` |
/// | `-D 1 ?` | |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normalize {
    /// Columns that identify a row.
    pub key: Vec<usize>,
    /// Consumers want the old content of updated rows.
    pub update_before: bool,
}

impl Normalize {
    pub(super) fn label(&self) -> String {
        let key: Vec<_> = self.key.iter().map(|column| format!("${column}")).collect();
        format!("ChangelogNormalize: key=[{}]", key.join(", "))
    }
}
