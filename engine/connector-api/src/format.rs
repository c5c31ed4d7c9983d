//! Formats: rows to bytes. A connector is handed an [`Encoder`] and never names a format.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use sluice_model::{Error, Result};

use crate::{FileFormat, OptionDoc, TableOptions};

/// Where a connector takes a format, e.g. `upsert-kafka` takes one for its key and one for its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormatSlot {
    /// Option that names the format: `key.format`.
    pub option: &'static str,
    /// Prefix of the format's own options: `key.`, giving `key.json.…`; `json.…` is accepted as well.
    pub prefix: &'static str,
    /// Whether the option must be given.
    pub required: bool,
}

/// A format: JSON, CSV, ….
pub trait Format: Send + Sync {
    /// Name as written in `'format' = '…'`.
    fn name(&self) -> &'static str;
    /// Documentation of its options, without the `json.` in front.
    fn options(&self) -> Vec<OptionDoc>;
    /// Checks the options (keys without `json.`) and makes encoders from then on.
    ///
    /// # Errors
    /// Everything that is wrong with the options, at once.
    fn encoders(&self, options: &TableOptions) -> Result<Arc<dyn Formats>>;

    /// Checks the options, and reads and writes files from then on.
    ///
    /// # Errors
    /// Everything that is wrong with the options, at once; a format that is not for files.
    fn files(&self, _options: &TableOptions) -> Result<Arc<dyn FileFormat>> {
        Err(Error::fix(format!("format '{}' is not for files", self.name())).with_hint("use 'csv' or 'json'"))
    }
}

/// A format with its options: makes an encoder for each writer.
pub trait Formats: Send + Sync {
    /// An encoder for rows of this schema.
    ///
    /// # Errors
    /// A column type that the format cannot write, named.
    fn encoder(&self, schema: SchemaRef) -> Result<Box<dyn Encoder>>;

    /// Notes on options that are accepted but mean nothing when writing; a sink adds them to
    /// [`Sink::notes`](crate::Sink::notes).
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Writes rows as bytes, one message per row.
pub trait Encoder: Send {
    /// Appends every row of the batch to `out`.
    ///
    /// # Errors
    /// A value that the format cannot write.
    fn encode(&mut self, rows: &RecordBatch, out: &mut EncodedRows) -> Result<()>;
}

/// Messages in one buffer, so that a batch costs no allocation per row.
#[derive(Debug, Default)]
pub struct EncodedRows {
    /// All messages, one behind the other.
    pub bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl EncodedRows {
    /// Forgets the messages, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Ends the message that was being written to `bytes`.
    pub fn end_row(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Number of messages.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True without messages.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Message `row`. Panics when out of bounds, as indexing does.
    pub fn row(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }
}
