//! Rows of a join, collected into batches.

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use sluice_model::{ChangelogBatch, Error, Result, RowKind, RowKinds};

use crate::Output;
use crate::join::rows::{Place, RowStore};
use crate::state::BATCH_ROWS;

/// Places of rows of both sides, [`Place::NONE`] for NULLs.
#[derive(Debug)]
pub(crate) struct Emitter {
    schema: SchemaRef,
    places: [Vec<Place>; 2],
    kinds: Vec<u8>,
}

impl Emitter {
    /// For rows of this schema: the columns of the left, then those of the right.
    pub(crate) fn new(schema: &SchemaRef) -> Self {
        Self { schema: SchemaRef::clone(schema), places: Default::default(), kinds: Vec::new() }
    }

    /// Adds a row; `own` is that of side `input`.
    pub(crate) fn push(&mut self, kind: RowKind, input: usize, own: Place, other: Place) {
        self.kinds.push(kind as u8);
        self.places[input].push(own);
        self.places[1 - input].push(other);
    }

    /// There are enough rows for a batch.
    pub(crate) fn is_full(&self) -> bool {
        self.kinds.len() >= BATCH_ROWS
    }

    /// Puts out what there is.
    ///
    /// # Errors
    /// As the output. More than 2 GiB of text in one column.
    pub(crate) fn flush(&mut self, stores: [&RowStore; 2], output: Output<'_>) -> Result<()> {
        let count = self.kinds.len();
        if count == 0 {
            return Ok(());
        }
        let mut columns = stores[0].gather(&self.places[0], 0..stores[0].num_columns())?;
        columns.extend(stores[1].gather(&self.places[1], 0..stores[1].num_columns())?);
        self.places.iter_mut().for_each(Vec::clear);
        let kinds = std::mem::take(&mut self.kinds);
        let is_append = kinds.iter().all(|kind| *kind == RowKind::Insert as u8);
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let rows = RecordBatch::try_new_with_options(SchemaRef::clone(&self.schema), columns, &options);
        let rows = rows.map_err(Error::from_arrow)?;
        output(ChangelogBatch::try_new(rows, (!is_append).then(|| RowKinds::from(kinds)))?)
    }
}
