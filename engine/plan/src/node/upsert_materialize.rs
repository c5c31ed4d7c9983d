//! Keeps rows apart that a sink takes for one.

/// Makes a stream in which the newest row of a key counts from one whose rows are identified by
/// something else: in front of a sink whose primary key is not a key of the query.
///
/// Per sink key it holds all rows that are there, in order of arrival; the sink shows the last. So
/// the order in which subtasks deliver a retraction and what replaces it does not matter.
///
/// | input `k, id`, sink key `k` | result |
/// |---|---|
/// | `+I a 1` | `+I a 1` |
/// | `+I a 2` | `+U a 2` |
/// | `-D a 1` | |
/// | `+I a 3` | `+U a 3` |
/// | `-D a 3` | `+U a 2` |
/// | `-D a 2` | `-D a 2` |
///
/// The input has to carry `-U`; the result does not. As Flink's `SinkUpsertMaterializer`, except
/// that an updated row counts as the newest not only once but from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpsertMaterialize {
    /// Columns of the sink's primary key: the input has to be dealt by these, in this order.
    pub key: Vec<usize>,
    /// What identifies a row of the input, if it is known.
    pub unique_key: Option<Vec<usize>>,
}

impl UpsertMaterialize {
    pub(super) fn label(&self) -> String {
        let key: Vec<_> = self.key.iter().map(|column| format!("${column}")).collect();
        format!("SinkUpsertMaterializer: key=[{}]", key.join(", "))
    }
}
