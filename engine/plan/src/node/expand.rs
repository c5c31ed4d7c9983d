//! Repeats rows, once for each set of columns that they are grouped by.

use arrow_schema::FieldRef;

/// `GROUPING SETS`, `ROLLUP` and `CUBE`: each row comes once per set, with NULL in the columns that
/// the set leaves out, and the number of the set behind all columns.
///
/// | input `a, b` | sets `(a, b)`, `(a)`, `()` |
/// |---|---|
/// | `+I 1 x` | `+I 1 x 0`, `+I 1 NULL 1`, `+I NULL NULL 3` |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expand {
    /// Input columns that are grouped by.
    pub columns: Vec<usize>,
    /// The sets.
    pub sets: Vec<GroupingSet>,
    /// The column of the set's number, an unsigned integer.
    pub id: FieldRef,
}

/// One set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupingSet {
    /// For each of [`Expand::columns`], whether it is NULL in this set.
    pub is_null: Vec<bool>,
    /// Its number: the bits of `is_null`, the first column highest; above them, a count of equal sets.
    pub id: u64,
}

impl Expand {
    pub(super) fn label(&self) -> String {
        let set = |set: &GroupingSet| {
            let columns = self.columns.iter().zip(&set.is_null).filter(|(_, is_null)| !**is_null);
            format!("({})", columns.map(|(column, _)| format!("${column}")).collect::<Vec<_>>().join(", "))
        };
        format!("Expand: sets=[{}]", self.sets.iter().map(set).collect::<Vec<_>>().join(", "))
    }
}
