//! Joins two streams on equal columns, for as long as the job runs.

use datafusion_expr::Expr;

use super::WindowEnd;

/// Which rows without a partner are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// Pairs only.
    Inner,
    /// And rows of the left without a partner, with NULLs.
    Left,
    /// And rows of the right without a partner, with NULLs.
    Right,
    /// And rows of both without a partner.
    Full,
    /// Rows of the left that have a partner, once.
    LeftSemi,
    /// Rows of the left that have none.
    LeftAnti,
    /// Rows of the left, with a column that says whether they have a partner.
    LeftMark,
}

/// Pairs of rows whose keys are equal and for which the condition holds. Input 0 is the left.
///
/// Columns of the result: those of the left, then those of the right; of the left only for
/// [`JoinKind::LeftSemi`] and [`JoinKind::LeftAnti`], and with the mark behind for
/// [`JoinKind::LeftMark`].
///
/// | left `id, a` | right `id, b` | `LEFT JOIN`: `id, a, id, b` |
/// |---|---|---|
/// | `+I 1 x` | | `+I 1 x NULL NULL` |
/// | | `+I 1 y` | `-D 1 x NULL NULL`, `+I 1 x 1 y` |
/// | | `-D 1 y` | `-D 1 x 1 y`, `+I 1 x NULL NULL` |
#[derive(Debug, Clone)]
pub struct Join {
    /// Which rows without a partner are kept.
    pub kind: JoinKind,
    /// Columns of the left and of the right that must be equal, in pairs.
    pub keys: Vec<(usize, usize)>,
    /// NULL equals NULL (`IS NOT DISTINCT FROM`, `INTERSECT`).
    pub null_equals_null: bool,
    /// Condition on pairs besides; sees `l0, l1, …` and `r0, r1, …`, the columns by position.
    pub condition: Option<Expr>,
    /// What identifies a row of each side, if it is known: then that side may come without `-U`
    /// only if the join key is part of it.
    pub unique_keys: [Option<Vec<usize>>; 2],
    /// Whether a side only inserts: then its rows need not be told apart.
    pub inserts_only: [bool; 2],
    /// Columns of the left and of the right, among the keys, with the end of a window (a timestamp,
    /// exclusive). Then both sides are insertions, and the rows of a window are joined once, when
    /// event time has reached the last millisecond of the window; rows that come later are dropped and
    /// counted.
    pub window_ends: Option<[WindowEnd; 2]>,
}

impl JoinKind {
    /// Whether the columns of the right are part of the result.
    pub fn keeps_right(self) -> bool {
        !matches!(self, Self::LeftSemi | Self::LeftAnti | Self::LeftMark)
    }

    /// Its name in `EXPLAIN`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Inner => "InnerJoin",
            Self::Left => "LeftOuterJoin",
            Self::Right => "RightOuterJoin",
            Self::Full => "FullOuterJoin",
            Self::LeftSemi => "LeftSemiJoin",
            Self::LeftAnti => "LeftAntiJoin",
            Self::LeftMark => "LeftMarkJoin",
        }
    }
}

impl Join {
    pub(super) fn label(&self) -> String {
        let mut conditions: Vec<_> = self.keys.iter().map(|(left, right)| format!("l{left} = r{right}")).collect();
        conditions.extend(self.condition.iter().map(ToString::to_string));
        let name = if self.window_ends.is_some() { "WindowJoin" } else { "Join" };
        format!("{name}: joinType=[{}], where=[{}]", self.kind.name(), conditions.join(" AND "))
    }
}
