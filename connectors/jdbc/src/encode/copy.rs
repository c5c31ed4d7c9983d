//! Rows of `COPY … FROM STDIN (FORMAT binary)`.

use bytes::{BufMut, BytesMut};
use sluice_model::{ChangelogBatch, Result};

use super::{BadValue, ColumnEncoder};
use crate::catalog::ColumnPlan;
use crate::reduce::RowRef;

/// Encoders of the columns `plans` of one batch.
///
/// # Errors
/// A bug: columns of other types than planned.
pub(crate) fn encoders_of<'a>(
    batch: &'a ChangelogBatch,
    plans: impl IntoIterator<Item = &'a ColumnPlan>,
) -> Result<Vec<ColumnEncoder<'a>>> {
    plans.into_iter().map(|plan| ColumnEncoder::new(batch.rows().column(plan.source).as_ref(), &plan.wire)).collect()
}

/// Encodes rows of several batches, chunk by chunk.
pub(crate) struct CopyEncoder<'a> {
    batches: Vec<Vec<ColumnEncoder<'a>>>,
    rows: &'a [RowRef],
    done: usize,
    ended: bool,
}

/// Bytes after which a chunk is sent. Large enough to be worth a system call, small enough to stay in
/// the processor's cache.
const CHUNK: usize = 128 * 1024;

impl<'a> CopyEncoder<'a> {
    /// An encoder of `rows`, in their order, with the columns `plans`.
    ///
    /// # Errors
    /// A bug: columns of other types than planned.
    pub(crate) fn new(
        batches: &'a [ChangelogBatch],
        plans: impl IntoIterator<Item = &'a ColumnPlan> + Clone,
        rows: &'a [RowRef],
    ) -> Result<Self> {
        let batches = batches.iter().map(|batch| encoders_of(batch, plans.clone())).collect::<Result<_>>()?;
        Ok(Self { batches, rows, done: 0, ended: false })
    }

    /// The next part of the stream, with the header in front of the first and the end mark behind
    /// the last; `None` after that.
    ///
    /// # Errors
    /// The first value that has no form in the target.
    pub(crate) fn next_chunk(&mut self) -> Result<Option<BytesMut>, BadValue> {
        if self.ended {
            return Ok(None);
        }
        let mut out = BytesMut::with_capacity(CHUNK + CHUNK / 8);
        if self.done == 0 {
            // Signature, flags, length of an extension.
            out.put_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
        }
        while out.len() < CHUNK
            && let Some(RowRef { batch, row }) = self.rows.get(self.done)
        {
            let columns = &self.batches[*batch as usize];
            out.put_i16(columns.len() as i16);
            for (column, encoder) in columns.iter().enumerate() {
                encoder.put_field(*row as usize, &mut out).map_err(|error| BadValue {
                    row: self.done,
                    column,
                    error,
                })?;
            }
            self.done += 1;
        }
        if self.done == self.rows.len() {
            out.put_i16(-1);
            self.ended = true;
        }
        Ok(Some(out))
    }
}
