//! Rows that a batch has brought: where they are put out, they are copied from the batch rather than
//! read back from the bytes that are kept of them.

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_select::interleave::interleave;
use arrow_select::take::take_arrays;
use sluice_model::{Error, Result};

use super::layout::Layout;
use super::rows::Rows;
use crate::row_store::RowId;

/// Rows of a batch that were added to their partitions.
pub(super) struct Arrived<'a> {
    pub(super) batch: &'a RecordBatch,
    /// The sequence number of the first one; the others follow.
    pub(super) first: i64,
    /// Where they stand in the batch.
    pub(super) places: Vec<u32>,
}

impl Arrived<'_> {
    /// Where a row stands in the batch, if it came with it.
    fn place(&self, rows: &Rows, id: RowId) -> Option<u32> {
        let nth = usize::try_from(rows.sequence(id) - self.first).ok()?;
        self.places.get(nth).copied()
    }

    /// Rows as columns, in the order of the input.
    ///
    /// # Errors
    /// As [`Layout::decode`].
    pub(super) fn columns(&self, layout: &Layout, rows: &Rows, ids: &[RowId]) -> Result<Vec<ArrayRef>> {
        let places: Vec<Option<u32>> = ids.iter().map(|id| self.place(rows, *id)).collect();
        if let Some(places) = places.iter().copied().collect::<Option<Vec<u32>>>() {
            let is_whole =
                places.len() == self.batch.num_rows() && (0..).zip(&places).all(|(row, place)| row == *place);
            if is_whole {
                return Ok(self.batch.columns().to_vec());
            }
            return take_arrays(self.batch.columns(), &UInt32Array::from(places), None).map_err(Error::from_arrow);
        }
        let old: Vec<RowId> = ids.iter().zip(&places).filter(|(_, place)| place.is_none()).map(|(id, _)| *id).collect();
        let old = layout.decode(rows, &old)?;
        let mut next = 0..;
        let sources = places.into_iter().map(|place| match place {
            Some(place) => (0, place as usize),
            None => (1, next.next().unwrap_or_default()),
        });
        let sources: Vec<(usize, usize)> = sources.collect();
        let columns = self.batch.columns().iter().zip(&old);
        columns
            .map(|(new, old)| interleave(&[new.as_ref(), old.as_ref()], &sources).map_err(Error::from_arrow))
            .collect()
    }
}
