//! Groups rows and keeps an aggregate of each group.

use arrow_schema::FieldRef;

use super::WindowEnd;

/// One row per group: the group's columns, then the results of the calls.
///
/// Without group columns there is one group, and it is never absent: over no rows a `COUNT` is 0.
///
/// | input `id, qty` | `GROUP BY id`: `id, SUM(qty)` |
/// |---|---|
/// | `+I 1 5` | `+I 1 5` |
/// | `+I 1 2` | `-U 1 5`, `+U 1 7` |
/// | `-D 1 5` | `-U 1 7`, `+U 1 2` |
/// | `-D 1 2` | `-D 1 2` |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupAggregate {
    /// Input columns of the group.
    pub group: Vec<usize>,
    /// What is computed; may be empty (`SELECT DISTINCT`).
    pub calls: Vec<AggregateCall>,
    /// Rows may be taken back: the input carries `-U` or `-D`.
    pub retracts: bool,
    /// Consumers want the old content of updated rows.
    pub update_before: bool,
    /// Which of the group columns is the end of a window (a timestamp, exclusive). Then a group is
    /// put out once, as `+I`, when event time has reached the last millisecond of its window, and is
    /// forgotten; rows that come later are dropped and counted.
    pub window_end: Option<WindowEnd>,
    /// Input column with the number of rows that a row stands for, behind a
    /// [`LocalAggregate`](super::LocalAggregate): late ones are counted by it.
    pub row_count: Option<usize>,
}

/// One aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateCall {
    /// Name of the function, in lower case: `sum`.
    pub function: String,
    /// Input columns of the arguments; none for `COUNT(*)`.
    pub arguments: Vec<usize>,
    /// Constant arguments behind the columns, as text: the separator of `LISTAGG`.
    pub literals: Vec<String>,
    /// Each combination of arguments counts once.
    pub distinct: bool,
    /// Rows count only where this input column, a BOOLEAN, is true.
    pub filter: Option<usize>,
    /// The result.
    pub result: FieldRef,
}

impl GroupAggregate {
    pub(super) fn label(&self) -> String {
        let calls: Vec<_> = self.calls.iter().map(AggregateCall::label).collect();
        let group: Vec<_> = self.group.iter().map(|column| format!("${column}")).collect();
        format!("GroupAggregate: groupBy=[{}], select=[{}]", group.join(", "), calls.join(", "))
    }
}

impl AggregateCall {
    pub(super) fn label(&self) -> String {
        let distinct = if self.distinct { "DISTINCT " } else { "" };
        let mut arguments: Vec<_> = self.arguments.iter().map(|column| format!("${column}")).collect();
        arguments.extend(self.literals.iter().map(|literal| format!("'{literal}'")));
        let arguments = if arguments.is_empty() { "*".to_owned() } else { arguments.join(", ") };
        let filter = self.filter.map(|column| format!(" FILTER ${column}")).unwrap_or_default();
        format!("{}({distinct}{arguments}){filter} AS {}", self.function.to_uppercase(), self.result.name())
    }
}
