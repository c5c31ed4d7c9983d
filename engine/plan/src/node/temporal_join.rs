//! Joins a stream with the versions of a table that were valid at the times of its rows.

use datafusion_expr::Expr;

use super::JoinKind;

/// Each row of the left with the version of the right's row of its key that was valid at the time of the
/// row: the one with the largest time that is not later. Rows wait until event time has come to theirs.
///
/// Columns of the result: those of the left, then those of the right. Row kinds are those of the left, but
/// updates are deletions and insertions.
///
/// | left `c, t` | right `c, rate, t` | `LEFT JOIN`: `c, t, c, rate, t` |
/// |---|---|---|
/// | | `+I € 1.1 00:10` | |
/// | `+I € 00:09` / `+I € 00:12` | `+U € 1.2 00:14` | |
/// | watermark 00:15 | | `+I € 00:09 NULL NULL NULL` / `+I € 00:12 € 1.1 00:10` |
#[derive(Debug, Clone)]
pub struct TemporalJoin {
    /// [`JoinKind::Inner`] or [`JoinKind::Left`].
    pub kind: JoinKind,
    /// Columns of the left and of the right that must be equal, in pairs; those of the right identify a row
    /// of it.
    pub keys: Vec<(usize, usize)>,
    /// Condition on a row and its version besides; sees `l0, l1, …` and `r0, r1, …`, the columns by position.
    pub condition: Option<Expr>,
    /// Columns of the time of the left and of the right.
    pub times: [usize; 2],
}

impl TemporalJoin {
    pub(super) fn label(&self) -> String {
        let Self { kind, times: [left, right], .. } = self;
        let mut conditions: Vec<_> = self.keys.iter().map(|(left, right)| format!("l{left} = r{right}")).collect();
        conditions.extend(self.condition.iter().map(ToString::to_string));
        format!(
            "TemporalJoin: joinType=[{}], versions=[r{right} at l{left}], where=[{}]",
            kind.name(),
            conditions.join(" AND ")
        )
    }
}
