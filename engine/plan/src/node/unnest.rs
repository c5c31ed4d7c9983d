//! Makes a row of every value that a column holds.

/// `CROSS JOIN UNNEST(a) WITH ORDINALITY`: each row once for every value that a column holds, with the
/// columns of the value behind it.
///
/// | input `id, a` | output `id, x, place` |
/// |---|---|
/// | `+I 1 [7, 9]` | `+I 1 7 1`, `+I 1 9 2` |
/// | `-U 1 [7, 9]` | `-U 1 7 1`, `-U 1 9 2` |
/// | `+U 1 [8]` | `+U 1 8 1` |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unnest {
    /// The columns of the input that are passed on.
    pub kept: Vec<usize>,
    /// The column that holds the values: an array, a map, or a number of copies.
    pub value: usize,
    /// Whether the place of the value comes behind it.
    pub ordinality: bool,
    /// Whether a row without values stays.
    pub outer: bool,
}

impl Unnest {
    pub(super) fn label(&self) -> String {
        let ordinality = if self.ordinality { ", ordinality" } else { "" };
        let join = if self.outer { ", join=[LeftOuterJoin]" } else { "" };
        format!("Unnest: value=[${}]{ordinality}{join}", self.value)
    }
}
