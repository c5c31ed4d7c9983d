//! Lines to columns: first all texts, then each column as a whole into its type.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_csv::reader::{Decoder, ReaderBuilder};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use regex::Regex;
use sluice_connector_api::{FileReader, FileToRead};
use sluice_model::{Error, Result, SqlType};

use super::Shape;
use crate::columns::{BATCH_ROWS, as_base64_text, into_column, unreadable};

const BUFFER: usize = 1 << 20;

pub(super) struct CsvReader {
    decoder: Decoder,
    input: BufReader<File>,
    name: String,
    /// The wanted columns.
    schema: SchemaRef,
    /// Where they are in a line.
    wanted: Vec<usize>,
    ignore_errors: bool,
    position: u64,
    rows: usize,
}

impl CsvReader {
    pub(super) fn new(shape: &Shape, file: FileToRead) -> Result<Self> {
        let FileToRead { mut file, name, declared, wanted, position } = file;
        let schema = Arc::new(declared.project(&wanted).map_err(Error::from_arrow)?);
        schema.fields().iter().try_for_each(|field| refuse_nested(field))?;
        file.seek(SeekFrom::Start(position)).map_err(|error| unreadable(&name, &error))?;
        let texts: Vec<Field> =
            declared.fields().iter().map(|field| Field::new(field.name(), DataType::Utf8, true)).collect();
        let mut builder = ReaderBuilder::new(Arc::new(Schema::new(texts)))
            .with_delimiter(shape.delimiter)
            .with_batch_size(BATCH_ROWS)
            .with_null_regex(null_pattern(shape.null.as_deref())?)
            .with_truncated_rows(shape.ignore_errors);
        // Without quotes, a byte that no text has stands for one.
        builder = builder.with_quote(shape.quote.unwrap_or(0xFF));
        if let Some(escape) = shape.escape {
            builder = builder.with_escape(escape);
        }
        if shape.comments {
            builder = builder.with_comment(b'#');
        }
        let decoder = builder.build_decoder();
        let input = BufReader::with_capacity(BUFFER, file);
        Ok(Self { decoder, input, name, schema, wanted, ignore_errors: shape.ignore_errors, position, rows: 0 })
    }

    fn typed(&self, texts: &RecordBatch) -> Result<RecordBatch> {
        let column = |(place, field): (&usize, &Arc<Field>)| -> Result<ArrayRef> {
            let text = as_text(texts.column(*place))?;
            into_column(text, field, self.ignore_errors).map_err(|unfit| {
                Error::fix(format!("'{}' in column '{}' is no {}", unfit.text, field.name(), SqlType::of_field(field)))
                    .while_doing(format!("row {} of file '{}'", self.rows + unfit.row + 1, self.name))
                    .with_hint("'csv.ignore-parse-errors' = 'true' reads NULL in its place")
            })
        };
        let columns = self.wanted.iter().zip(self.schema.fields()).map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(texts.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).map_err(|error| {
            Error::fix(format!("file '{}' has NULL where the table allows none", self.name)).because(error.to_string())
        })
    }
}

impl FileReader for CsvReader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let wrong = |name: &str, error: &arrow_schema::ArrowError| {
            Error::fix(format!("file '{name}' is no CSV of the table's columns")).because(error.to_string())
        };
        loop {
            let buffer = self.input.fill_buf().map_err(|error| unreadable(&self.name, &error))?;
            let read = self.decoder.decode(buffer).map_err(|error| wrong(&self.name, &error))?;
            self.input.consume(read);
            self.position += read as u64;
            // Nothing is read where the file, or the batch, is at its end.
            if read == 0 || self.decoder.capacity() == 0 {
                break;
            }
        }
        let texts = self.decoder.flush().map_err(|error| wrong(&self.name, &error))?;
        let Some(texts) = texts else { return Ok(None) };
        let rows = self.typed(&texts)?;
        self.rows += texts.num_rows();
        Ok(Some(rows))
    }

    fn position(&self) -> u64 {
        self.position
    }
}

fn as_text(column: &ArrayRef) -> Result<&StringArray> {
    column.as_any().downcast_ref().ok_or_else(|| Error::bug("a column of CSV that is no text"))
}

/// Matches what stands for NULL, and without it nothing: an empty text is a text.
fn null_pattern(literal: Option<&str>) -> Result<Regex> {
    let pattern = match literal {
        Some(literal) => format!("^{}$", regex::escape(literal)),
        None => r"[^\s\S]".to_owned(),
    };
    Regex::new(&pattern).map_err(|error| Error::fix("'csv.null-literal' cannot be used").because(error.to_string()))
}

pub(super) fn refuse_nested(field: &Field) -> Result<()> {
    if as_base64_text(field.data_type()).is_nested() {
        return Err(Error::fix(format!(
            "format 'csv' has no place for column '{}' of type {}",
            field.name(),
            SqlType::of_field(field)
        ))
        .with_hint("use format 'json'"));
    }
    Ok(())
}
