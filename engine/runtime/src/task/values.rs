//! Constant rows as a reader: `INSERT INTO t VALUES (1, 'a')`.

use arrow_array::RecordBatch;
use async_trait::async_trait;
use sluice_connector_api::{SourceEvent, SourceReader};
use sluice_model::{ChangelogBatch, Result};

/// Puts the rows out once. Its position says whether it has.
#[derive(Debug)]
pub(crate) struct ValuesReader {
    rows: Option<RecordBatch>,
    is_first: bool,
}

impl ValuesReader {
    /// The reader of a subtask: the first one has the rows, unless they are out already.
    pub(crate) fn new(rows: &RecordBatch, subtask: usize, restored: &[Vec<u8>]) -> Self {
        let is_out = restored.iter().any(|position| position.first() == Some(&1));
        let is_first = subtask == 0;
        Self { rows: (is_first && !is_out).then(|| rows.clone()), is_first }
    }
}

#[async_trait]
impl SourceReader for ValuesReader {
    async fn next(&mut self) -> Result<SourceEvent> {
        Ok(match self.rows.take() {
            Some(rows) => SourceEvent::Batch { table: 0, batch: ChangelogBatch::append(rows) },
            None => SourceEvent::End,
        })
    }

    fn position(&mut self) -> Result<Vec<u8>> {
        Ok(if self.is_first { vec![u8::from(self.rows.is_none())] } else { Vec::new() })
    }
}
