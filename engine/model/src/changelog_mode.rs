//! Which row kinds a stream may carry: the property the planner infers for every node.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::RowKind;

/// The set of row kinds that may appear in a stream.
///
/// | constant | kinds | meaning |
/// |---|---|---|
/// | [`APPEND`](Self::APPEND) | `I` | rows are only added |
/// | [`UPSERT`](Self::UPSERT) | `I,UA,D` | the newest row of a key replaces the one before |
/// | [`RETRACT`](Self::RETRACT) | `I,UB,UA,D` | every change names the row it replaces |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChangelogMode(u8);

impl ChangelogMode {
    /// Insertions only.
    pub const APPEND: Self = Self(1);
    /// Insertions, new contents of updated rows, deletions; needs a key.
    pub const UPSERT: Self = Self(1 | 4 | 8);
    /// All four kinds.
    pub const RETRACT: Self = Self(1 | 2 | 4 | 8);

    /// True if rows of this kind may appear.
    pub const fn contains(self, kind: RowKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// True if only insertions may appear.
    pub const fn is_append(self) -> bool {
        self.0 == Self::APPEND.0
    }

    /// The mode that carries what either carries.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True if every kind of `self` is also in `other`.
    pub const fn is_subset_of(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// This mode without `-U`.
    #[must_use]
    pub const fn without_update_before(self) -> Self {
        Self(self.0 & !2)
    }
}

/// Flink's text in `EXPLAIN CHANGELOG_MODE`: `I,UB,UA,D`.
impl fmt::Display for ChangelogMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (RowKind::Insert, "I"),
            (RowKind::UpdateBefore, "UB"),
            (RowKind::UpdateAfter, "UA"),
            (RowKind::Delete, "D"),
        ];
        let mut first = true;
        for (kind, name) in names {
            if self.contains(kind) {
                if !first {
                    f.write_str(",")?;
                }
                f.write_str(name)?;
                first = false;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_flink_does() {
        assert_eq!(ChangelogMode::APPEND.to_string(), "I");
        assert_eq!(ChangelogMode::UPSERT.to_string(), "I,UA,D");
        assert_eq!(ChangelogMode::RETRACT.to_string(), "I,UB,UA,D");
        assert_eq!(ChangelogMode::RETRACT.without_update_before(), ChangelogMode::UPSERT);
    }
}
