//! Keeps the first rows of every partition.

use super::WindowEnd;

/// An order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortColumn {
    /// Input column.
    pub column: usize,
    /// Largest first.
    pub descending: bool,
    /// NULL before everything else.
    pub nulls_first: bool,
}

/// Rows `first..=last` of each partition, counted from 1 in the given order: Top-N, and with
/// `last` = 1 the removal of duplicates. Rows that are equal in the order keep that of arrival.
///
/// The result has the columns of the input, then the rank if it is wanted (BIGINT).
///
/// | input `k, v` | first 2 by `v` descending | with rank |
/// |---|---|---|
/// | `+I a 1` | `+I a 1` | `+I a 1 1` |
/// | `+I a 3` | `+I a 3` | `-U a 1 1`, `+U a 3 1`, `+I a 1 2` |
/// | `+I a 2` | `-D a 1`, `+I a 2` | `-U a 1 2`, `+U a 2 2` |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rank {
    /// Input columns of the partition; none: one partition.
    pub partition: Vec<usize>,
    /// The order inside a partition.
    pub order: Vec<SortColumn>,
    /// Of rows that are equal in the order, the last to arrive is the first: the removal of duplicates that
    /// keeps the last row.
    pub newest_first: bool,
    /// Rank of the first row that is kept, from 1.
    pub first: u64,
    /// Rank of the last row that is kept; `None`: no limit.
    pub last: Option<u64>,
    /// The rank is a column of the result.
    pub rank_column: bool,
    /// Rows may be taken back: all rows have to be kept, not only the first ones.
    pub retracts: bool,
    /// What identifies a row of the input, if it is known.
    pub unique_key: Option<Vec<usize>>,
    /// Consumers want the old content of updated rows.
    pub update_before: bool,
    /// Input column, of the partition, with the end of a window (a timestamp, exclusive). Then a
    /// partition is put out once, as `+I`, when event time has reached the last millisecond of its
    /// window, and is forgotten; rows that come later are dropped and counted.
    pub window_end: Option<WindowEnd>,
}

impl Rank {
    /// Columns that identify a row of the result, of which the rank is column `columns`; `None` if
    /// none are known. Only by these does a consumer that gets no `-U` find what a `+U` replaces:
    ///
    /// | result | key |
    /// |---|---|
    /// | with the rank | the partition and the rank |
    /// | one row per partition | the partition |
    /// | else | the unique key of the input |
    pub fn result_key(&self, columns: usize) -> Option<Vec<usize>> {
        let mut key = self.partition.clone();
        if self.rank_column {
            key.push(columns);
            return Some(key);
        }
        if self.last == Some(self.first) { Some(key) } else { self.unique_key.clone() }
    }

    pub(super) fn label(&self) -> String {
        let partition: Vec<_> = self.partition.iter().map(|column| format!("${column}")).collect();
        let order: Vec<_> = self.order.iter().map(SortColumn::label).collect();
        let last = self.last.map_or_else(|| "∞".to_owned(), |last| last.to_string());
        let name = if self.window_end.is_some() { "WindowRank" } else { "Rank" };
        format!(
            "{name}: partitionBy=[{}], orderBy=[{}], rankRange=[{}, {last}]",
            partition.join(", "),
            order.join(", "),
            self.first
        )
    }
}

impl SortColumn {
    pub(super) fn label(&self) -> String {
        let direction = if self.descending { "DESC" } else { "ASC" };
        let nulls = if self.nulls_first { "NULLS FIRST" } else { "NULLS LAST" };
        format!("${} {direction} {nulls}", self.column)
    }
}
