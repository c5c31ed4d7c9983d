//! Joins a stream with the rows that a table has at the moment.

use std::time::Duration;

use datafusion_expr::Expr;
use sluice_model::TableDefinition;

use super::JoinKind;
use super::source::short_name;

/// Pairs of rows of the input with the rows that a table has for their key when they come by. What
/// changes in the table afterwards changes nothing in the result.
///
/// Columns of the result: those of the input, then those of the table. Row kinds are those of the
/// input.
///
/// | input `id, cust` | table `id, name` at that time | `LEFT JOIN`: `id, cust, id, name` |
/// |---|---|---|
/// | `+I 1 7` | `7 ann` | `+I 1 7 7 ann` |
/// | `+I 2 7` | `7 anna` | `+I 2 7 7 anna` |
/// | `+I 3 9` | | `+I 3 9 NULL NULL` |
#[derive(Debug, Clone)]
pub struct LookupJoin {
    /// [`JoinKind::Inner`] or [`JoinKind::Left`].
    pub kind: JoinKind,
    /// The table, narrowed to the columns that the query uses.
    pub table: TableDefinition,
    /// Columns of the input and of the table that must be equal, in pairs; never empty.
    pub keys: Vec<(usize, usize)>,
    /// Condition on pairs besides; sees `l0, l1, …` and `r0, r1, …`, the columns by position.
    pub condition: Option<Expr>,
    /// What to do about keys that the table has no row for.
    pub retry: Option<LookupRetry>,
}

/// Asks again for keys that have no row: a table may learn of them later than the stream does.
/// Flink's `retry-predicate` = `lookup_miss` with `retry-strategy` = `fixed_delay`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LookupRetry {
    /// Pause before each time.
    pub delay: Duration,
    /// How often, besides the first time.
    pub max_attempts: u32,
}

impl LookupJoin {
    pub(super) fn label(&self) -> String {
        let kind = if self.kind == JoinKind::Left { "LeftOuterJoin" } else { "InnerJoin" };
        let name = |key: usize| self.table.schema.columns.get(key).map_or("?", |column| column.name.as_str());
        let keys: Vec<_> = self.keys.iter().map(|(left, right)| format!("{}=$l{left}", name(*right))).collect();
        let condition = self.condition.iter().map(|condition| format!(", where=[{condition}]")).collect::<String>();
        let table = short_name(&self.table.name);
        let retry = self.retry.map(|LookupRetry { delay, max_attempts }| {
            format!(", retry=[lookup_miss, FIXED_DELAY, {}ms, {max_attempts}]", delay.as_millis())
        });
        let (keys, retry) = (keys.join(", "), retry.unwrap_or_default());
        format!("LookupJoin: table=[{table}], joinType=[{kind}], lookup=[{keys}]{condition}{retry}")
    }
}
