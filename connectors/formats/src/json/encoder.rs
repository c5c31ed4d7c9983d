//! The encoder: Arrow columns in, one JSON object a row out.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use sluice_connector_api::{EncodedRows, Encoder};
use sluice_model::{Error, Result};

use super::bind::Row;
use super::options::JsonOptions;
use super::program::Program;

/// Writes rows of one schema. The bytes of equal rows are equal, which makes them fit for keys.
pub(super) struct JsonEncoder {
    program: Program,
    /// Bytes of a row of the batch before: what to reserve for the next one.
    row_size: usize,
}

impl JsonEncoder {
    /// # Errors
    /// A column whose type JSON cannot hold.
    pub(super) fn new(schema: &SchemaRef, options: &JsonOptions) -> Result<Self> {
        Ok(Self { program: Program::of_fields(schema.fields(), options)?, row_size: 0 })
    }
}

impl Encoder for JsonEncoder {
    fn encode(&mut self, rows: &RecordBatch, out: &mut EncodedRows) -> Result<()> {
        let Program::Row { members, skip_nulls } = &self.program else {
            return Err(Error::bug("a JSON message that is not an object"));
        };
        let bound = Row::bind(members, *skip_nulls, rows.columns())?;
        let before = out.bytes.len();
        out.bytes.reserve(self.row_size * rows.num_rows());
        for row in 0..rows.num_rows() {
            bound.write(row, &mut out.bytes)?;
            out.end_row();
        }
        if rows.num_rows() > 0 {
            self.row_size = (out.bytes.len() - before).div_ceil(rows.num_rows());
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "encoder_tests.rs"]
mod tests;
