//! Rows of the result, collected into batches.

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use sluice_model::{ChangelogBatch, Error, Result};

use crate::Output;
use crate::join::rows::{Place, RowStore};
use crate::state::BATCH_ROWS;

/// Places of rows of both sides, [`Place::NONE`] for NULLs.
#[derive(Debug)]
pub(super) struct Emitter {
    schema: SchemaRef,
    places: [Vec<Place>; 2],
}

impl Emitter {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        Self { schema: SchemaRef::clone(schema), places: Default::default() }
    }

    /// Adds a row; `own` is that of side `input`.
    pub(super) fn push(&mut self, input: usize, own: Place, other: Place) {
        self.places[input].push(own);
        self.places[1 - input].push(other);
    }

    /// There are enough rows for a batch.
    pub(super) fn is_full(&self) -> bool {
        self.places[0].len() >= BATCH_ROWS
    }

    /// Puts out what there is.
    ///
    /// # Errors
    /// As the output. More than 2 GiB of text in one column.
    pub(super) fn flush(&mut self, stores: [&RowStore; 2], output: Output<'_>) -> Result<()> {
        let count = self.places[0].len();
        if count == 0 {
            return Ok(());
        }
        let mut columns = stores[0].gather(&self.places[0], 0..stores[0].num_columns())?;
        columns.extend(stores[1].gather(&self.places[1], 0..stores[1].num_columns())?);
        self.places.iter_mut().for_each(Vec::clear);
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let rows = RecordBatch::try_new_with_options(SchemaRef::clone(&self.schema), columns, &options);
        output(ChangelogBatch::append(rows.map_err(Error::from_arrow)?))
    }
}
