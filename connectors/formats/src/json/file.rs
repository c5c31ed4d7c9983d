//! Files of JSON: an object a line.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_json::ReaderBuilder;
use arrow_json::reader::Decoder;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use sluice_connector_api::{EncodedRows, Encoder, FileFormat, FileReader, FileToRead, FileWriter};
use sluice_model::{Error, Result, SqlType};

use super::encoder::JsonEncoder;
use super::options::JsonOptions;
use crate::columns::{BATCH_ROWS, as_base64_text, into_column, unreadable};

#[derive(Debug)]
pub(super) struct JsonFiles(pub(super) JsonOptions);

impl FileFormat for JsonFiles {
    fn reader(&self, file: FileToRead) -> Result<Box<dyn FileReader>> {
        if self.0.fail_on_missing_field {
            return Err(Error::fix("'json.fail-on-missing-field' is not supported when files are read")
                .with_hint("leave it out: a field that is not there is NULL, and NOT NULL columns refuse it"));
        }
        Ok(Box::new(JsonReader::new(file, self.0.ignore_parse_errors)?))
    }

    fn writer(&self, schema: SchemaRef) -> Result<Box<dyn FileWriter>> {
        let encoder = JsonEncoder::new(&schema, &self.0)?;
        Ok(Box::new(JsonWriter { encoder, rows: EncodedRows::default() }))
    }

    fn notes(&self) -> Vec<String> {
        self.0.notes_when_writing()
    }
}

struct JsonWriter {
    encoder: JsonEncoder,
    rows: EncodedRows,
}

impl FileWriter for JsonWriter {
    fn write(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        self.rows.clear();
        self.encoder.encode(rows, &mut self.rows)?;
        out.reserve(self.rows.bytes.len() + self.rows.len());
        for row in 0..self.rows.len() {
            out.extend_from_slice(self.rows.row(row));
            out.push(b'\n');
        }
        Ok(())
    }
}

struct JsonReader {
    input: BufReader<File>,
    name: String,
    schema: SchemaRef,
    /// The schema with texts where bytes are in Base64.
    texts: SchemaRef,
    ignore_errors: bool,
    position: u64,
    lines: usize,
    /// Lines of the batch that is read, and where each ends.
    buffer: Vec<u8>,
    ends: Vec<usize>,
}

impl JsonReader {
    fn new(file: FileToRead, ignore_errors: bool) -> Result<Self> {
        let FileToRead { mut file, name, declared, wanted, position } = file;
        file.seek(SeekFrom::Start(position)).map_err(|error| unreadable(&name, &error))?;
        let schema = Arc::new(declared.project(&wanted).map_err(Error::from_arrow)?);
        // A field that is not there is NULL; whether NULL is allowed is checked afterwards.
        let text = |field: &Arc<Field>| Field::new(field.name(), as_base64_text(field.data_type()), true);
        let texts = Arc::new(Schema::new(schema.fields().iter().map(text).collect::<Vec<_>>()));
        let input = BufReader::new(file);
        let (buffer, ends) = (Vec::new(), Vec::new());
        Ok(Self { input, name, schema, texts, ignore_errors, position, lines: 0, buffer, ends })
    }

    fn read_lines(&mut self) -> Result<()> {
        self.buffer.clear();
        self.ends.clear();
        while self.ends.len() < BATCH_ROWS {
            let read = self.input.read_until(b'\n', &mut self.buffer);
            let read = read.map_err(|error| unreadable(&self.name, &error))?;
            if read == 0 {
                break;
            }
            self.position += read as u64;
            self.ends.push(self.buffer.len());
        }
        Ok(())
    }

    fn decoder(&self) -> Result<Decoder> {
        let builder = ReaderBuilder::new(Arc::clone(&self.texts)).with_coerce_primitive(true);
        builder.with_batch_size(BATCH_ROWS).build_decoder().map_err(Error::from_arrow)
    }

    /// The rows of some lines.
    fn decode(&self, lines: &[u8]) -> Result<std::result::Result<Option<RecordBatch>, ArrowError>> {
        let mut decoder = self.decoder()?;
        // More objects than lines do not fit the decoder's batch: such lines are read one by one.
        Ok(match decoder.decode(lines) {
            Ok(read) if read == lines.len() => decoder.flush(),
            Ok(_) => Err(ArrowError::JsonError("more objects than lines".to_owned())),
            Err(error) => Err(error),
        })
    }

    /// The rows of the lines one by one, after they could not be read together.
    fn decode_each(&self) -> Result<Option<RecordBatch>> {
        let mut batches = Vec::new();
        let mut start = 0;
        for (line, end) in self.ends.iter().enumerate() {
            match self.decode(&self.buffer[start..*end])? {
                Ok(rows) => batches.extend(rows),
                Err(_) if self.ignore_errors => {}
                Err(error) => {
                    return Err(Error::fix("a line cannot be read as a JSON object with the table's columns")
                        .because(error.to_string())
                        .while_doing(format!("line {} of file '{}'", self.lines + line + 1, self.name))
                        .with_hint("'json.ignore-parse-errors' = 'true' leaves such lines out"));
                }
            }
            start = *end;
        }
        if batches.is_empty() {
            return Ok(None);
        }
        arrow_select::concat::concat_batches(&self.texts, &batches).map(Some).map_err(Error::from_arrow)
    }

    fn typed(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let column = |(column, field): (&ArrayRef, &Arc<Field>)| -> Result<ArrayRef> {
            match (field.data_type(), column.as_any().downcast_ref::<StringArray>()) {
                (DataType::Binary, Some(texts)) => into_column(texts, field, self.ignore_errors).map_err(|unfit| {
                    let kind = SqlType::of_field(field);
                    Error::fix(format!("'{}' in column '{}' is no {kind} in Base64", unfit.text, field.name()))
                        .while_doing(format!("file '{}'", self.name))
                }),
                _ => Ok(Arc::clone(column)),
            }
        };
        let columns = rows.columns().iter().zip(self.schema.fields()).map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).map_err(|error| {
            Error::fix(format!("file '{}' has NULL where the table allows none", self.name)).because(error.to_string())
        })
    }
}

impl FileReader for JsonReader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            self.read_lines()?;
            if self.ends.is_empty() {
                return Ok(None);
            }
            let rows = match self.decode(&self.buffer)? {
                Ok(rows) => rows,
                Err(_) => self.decode_each()?,
            };
            self.lines += self.ends.len();
            if let Some(rows) = rows {
                return self.typed(&rows).map(Some);
            }
        }
    }

    fn position(&self) -> u64 {
        self.position
    }
}
