//! [`RowBatchBuilder`]: what decoders fill and a source takes away.

use arrow_array::ArrayRef;
use arrow_schema::DataType;

use crate::batch::column_buffer::ColumnBuffer;
use crate::column::TargetColumn;
use crate::error::{DecodeError, Result};

/// Row kinds as Flink numbers them.
pub(crate) mod kind {
    pub(crate) const INSERT: u8 = 0;
    pub(crate) const UPDATE_BEFORE: u8 = 1;
    pub(crate) const UPDATE_AFTER: u8 = 2;
    pub(crate) const DELETE: u8 = 3;
}

/// What an update becomes. In both modes an update that changes a key column becomes `-D` of the old row and `+I` of
/// the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpdateMode {
    /// `-U` with the old row, then `+U` with the new one.
    BeforeAndAfter,
    /// `+U` with the new row only.
    AfterOnly,
}

/// Columns of a batch being filled, and the kind of each row: 0 `+I`, 1 `-U`, 2 `+U`, 3 `-D`.
///
/// Make it from the same [`TargetColumn`]s as the decoders that fill it. A decoder that fails leaves the builder as it
/// was before the call.
#[derive(Debug)]
pub struct RowBatchBuilder {
    pub(crate) columns: Vec<ColumnBuffer>,
    pub(crate) kinds: Vec<u8>,
    key: Vec<usize>,
    targets: Vec<DataType>,
}

impl RowBatchBuilder {
    /// An empty batch. `key` are indexes into `columns`; they decide whether an update changes the key of its row.
    pub fn new(columns: &[TargetColumn], key: &[usize]) -> Result<Self> {
        if let Some(index) = key.iter().find(|index| **index >= columns.len()) {
            let what = format!("key column {index} does not exist, the batch has {} columns", columns.len());
            return Err(DecodeError::schema(what));
        }
        let buffer = |column: &TargetColumn| {
            ColumnBuffer::new(&column.target, column.nullable).ok_or_else(|| {
                DecodeError::unsupported(format!("no MySQL type decodes into {}", column.target))
                    .in_column(column.source.name.clone())
            })
        };
        Ok(Self {
            columns: columns.iter().map(buffer).collect::<Result<_>>()?,
            kinds: Vec::new(),
            key: key.to_vec(),
            targets: columns.iter().map(|column| column.target.clone()).collect(),
        })
    }

    /// Rows in the batch.
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Bytes of the values in the batch, approximately.
    pub fn byte_size(&self) -> usize {
        self.kinds.len() + self.columns.iter().map(|column| column.values.byte_size()).sum::<usize>()
    }

    /// Kinds of the rows so far.
    pub fn kinds(&self) -> &[u8] {
        &self.kinds
    }

    /// Zero and partial dates that became NULL, since the builder was made.
    pub fn invalid_dates(&self) -> u64 {
        self.columns.iter().map(|column| column.invalid_dates).sum()
    }

    /// Decimals that did not fit the declared precision and became NULL, since the builder was made.
    pub fn decimal_overflows(&self) -> u64 {
        self.columns.iter().map(|column| column.decimal_overflows).sum()
    }

    /// Drops every row from `rows` on.
    pub fn truncate(&mut self, rows: usize) {
        self.kinds.truncate(rows);
        self.columns.iter_mut().for_each(|column| column.truncate(rows));
    }

    /// Takes the rows out: one array per column, and the kinds unless every row is an insert.
    pub fn finish(&mut self) -> Result<(Vec<ArrayRef>, Option<Vec<u8>>)> {
        let arrays: std::result::Result<Vec<_>, _> = self.columns.iter_mut().map(ColumnBuffer::finish).collect();
        let kinds = std::mem::take(&mut self.kinds);
        let arrays = arrays.map_err(|error| DecodeError::malformed(format!("decoded rows make no batch: {error}")))?;
        let all_inserts = kinds.iter().all(|row| *row == kind::INSERT);
        Ok((arrays, (!all_inserts).then_some(kinds)))
    }

    pub(crate) fn key(&self) -> &[usize] {
        &self.key
    }

    /// An error unless the builder was made for these columns.
    pub(crate) fn check(&self, targets: &[DataType]) -> Result<()> {
        if self.targets == targets {
            return Ok(());
        }
        Err(DecodeError::schema("the batch builder was made for other columns than the decoder"))
    }
}
