//! Joins two streams whose rows lie near each other in time.

use datafusion_expr::Expr;

use super::JoinKind;

/// Pairs of rows whose keys are equal, for which the condition holds, and whose times differ by
/// `lower` to `upper`. Both inputs are insertions, and so is the result: a row is kept until event time
/// has passed all its possible partners, and what has found none by then is put out with NULLs.
///
/// Columns of the result: those of the left, then those of the right.
///
/// `l LEFT JOIN r ON l.k = r.k AND l.t BETWEEN r.t - INTERVAL '5' SECOND AND r.t` (`lower` −5 s,
/// `upper` 0):
///
/// | left `k, t` | right `k, t` | result |
/// |---|---|---|
/// | `+I a 00:10` | | |
/// | | `+I a 00:15` | `+I a 00:10 a 00:15` |
/// | `+I b 00:10` | | |
/// | watermark 00:15 | | `+I b 00:10 NULL NULL` |
#[derive(Debug, Clone)]
pub struct IntervalJoin {
    /// [`JoinKind::Inner`], [`JoinKind::Left`], [`JoinKind::Right`] or [`JoinKind::Full`].
    pub kind: JoinKind,
    /// Columns of the left and of the right that must be equal, in pairs.
    pub keys: Vec<(usize, usize)>,
    /// NULL equals NULL in them.
    pub null_equals_null: bool,
    /// Condition on pairs besides; sees `l0, l1, …` and `r0, r1, …`, the columns by position.
    pub condition: Option<Expr>,
    /// Columns of the time of the left and of the right.
    pub times: [usize; 2],
    /// The least that the time of the left minus that of the right may be, in milliseconds.
    pub lower: i64,
    /// The most that it may be.
    pub upper: i64,
    /// The time of a row is that of the clock when it came.
    pub processing_time: bool,
}

impl IntervalJoin {
    /// How long after its time a row of either side may still get a partner, in milliseconds.
    pub fn reach(&self) -> [i64; 2] {
        [self.lower.saturating_neg(), self.upper]
    }

    pub(super) fn label(&self) -> String {
        let Self { kind, times: [left, right], lower, upper, .. } = self;
        let time = if self.processing_time { "proctime" } else { "rowtime" };
        let mut conditions: Vec<_> = self.keys.iter().map(|(left, right)| format!("l{left} = r{right}")).collect();
        conditions.extend(self.condition.iter().map(ToString::to_string));
        format!(
            "IntervalJoin: joinType=[{}], windowBounds=[{time}, l{left} - r{right} in {lower}..{upper} ms], where=[{}]",
            kind.name(),
            conditions.join(" AND ")
        )
    }
}
