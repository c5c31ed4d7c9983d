//! Formats as files: rows behind each other, or whole files with a head and a foot.
//!
//! A connector opens the file and says where to begin; what a position means is the format's own.

use std::fmt;
use std::fs::File;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use sluice_model::Result;

/// A format with its options, for files.
pub trait FileFormat: fmt::Debug + Send + Sync {
    /// Reads a file.
    ///
    /// # Errors
    /// A file that is not of this format, or a column type that it cannot hold.
    fn reader(&self, file: FileToRead) -> Result<Box<dyn FileReader>>;

    /// Writes files with these columns.
    ///
    /// # Errors
    /// A column type that the format cannot hold, named.
    fn writer(&self, schema: SchemaRef) -> Result<Box<dyn FileWriter>>;

    /// Whether a file is of use only with its end: then it cannot be cut off behind some rows.
    fn is_whole(&self) -> bool {
        false
    }

    /// Notes on options that are accepted but mean nothing when writing.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A file that shall be read.
#[derive(Debug)]
pub struct FileToRead {
    /// The file, at its beginning.
    pub file: File,
    /// What it is called, for messages.
    pub name: String,
    /// The columns that its rows have.
    pub declared: SchemaRef,
    /// Which of them are wanted, ascending.
    pub wanted: Vec<usize>,
    /// Where to begin: 0, or what [`FileReader::position`] said.
    pub position: u64,
}

/// A file that is read.
pub trait FileReader: Send {
    /// The next rows, the wanted columns of them; `None` at the end.
    ///
    /// # Errors
    /// Rows that are not of the format, or a value that does not fit its column.
    fn next(&mut self) -> Result<Option<RecordBatch>>;

    /// Where to go on behind the rows that were last returned.
    fn position(&self) -> u64;
}

/// A file that is written.
pub trait FileWriter: Send {
    /// Appends rows.
    ///
    /// # Errors
    /// A value that the format cannot hold.
    fn write(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<()>;

    /// Appends what belongs at the end of the file. Nothing is written behind it.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn finish(&mut self, _out: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }
}
