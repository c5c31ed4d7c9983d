//! The `csv` format: a line a row, columns in the order in which the table declares them.
//!
//! ```text
//! id INT, name STRING, at TIMESTAMP(3)
//! +I 1 'two words' 2021-04-13 20:12:11.120   ─►   1,"two words","2021-04-13 20:12:11.12"
//! ```
//!
//! | SQL | CSV |
//! |---|---|
//! | `BOOLEAN` | `true`, `false` |
//! | numbers | as in JSON: `12.5`, `1.0E7`, `1E+2` |
//! | `CHAR`, `VARCHAR`, `STRING` | text |
//! | `BINARY`, `VARBINARY`, `BYTES` | Base64 |
//! | `DATE`, `TIME`, `TIMESTAMP` | `2021-04-13`, `20:12:11`, `2021-04-13 20:12:11.123` |
//! | `TIMESTAMP_LTZ` | the same in UTC with a `Z` behind |
//!
//! Texts are quoted as Jackson does it for Flink: when they have more than 24 characters, or one that
//! sorts before the delimiter and the quote, such as a blank. `ARRAY`, `MAP` and `ROW` have no place here.

mod read;
mod write;

use std::sync::Arc;

use arrow_schema::SchemaRef;
use sluice_connector_api::{
    FileFormat, FileReader, FileToRead, FileWriter, Format, Formats, OptionDoc, OptionReader, OptionSet, TableOptions,
};
use sluice_model::{Error, Result};

sluice_connector_api::options! {
    /// Options of the `csv` format.
    pub struct CsvOptions {
        /// Between columns: one character; `\t` is a tabulator.
        "field-delimiter" => field_delimiter: String = ",",
        /// Around texts: one character.
        "quote-character" => quote_character: String = "\"",
        /// No text is quoted.
        "disable-quote-character" => disable_quote_character: bool = false,
        /// In front of a character that is meant as it is: one character.
        "escape-character" => escape_character: Option<String>,
        /// What stands for NULL.
        "null-literal" => null_literal: Option<String>,
        /// When reading: lines that begin with `#` are left out.
        "allow-comments" => allow_comments: bool = false,
        /// When reading: a value that cannot be read becomes NULL.
        "ignore-parse-errors" => ignore_parse_errors: bool = false,
        /// Decimals may be written with an exponent.
        "write-bigdecimal-in-scientific-notation" => scientific: bool = true,
    }
}

/// The `csv` format.
#[derive(Debug, Clone, Copy, Default)]
pub struct Csv;

/// The characters that shape a line.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    delimiter: u8,
    quote: Option<u8>,
    escape: Option<u8>,
    null: Option<String>,
    comments: bool,
    ignore_errors: bool,
    scientific: bool,
}

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn options(&self) -> Vec<OptionDoc> {
        CsvOptions::docs()
    }

    fn encoders(&self, _options: &TableOptions) -> Result<Arc<dyn Formats>> {
        Err(Error::fix("format 'csv' is for files only").with_hint("use 'json' for messages"))
    }

    fn files(&self, options: &TableOptions) -> Result<Arc<dyn FileFormat>> {
        let mut reader = OptionReader::new("format 'csv'", None, options);
        let shape = CsvOptions::read(&mut reader).map(|options| shape(&options, &mut reader));
        reader.finish()?;
        let shape = shape.ok_or_else(|| Error::bug("options were refused without an error"))?;
        Ok(Arc::new(CsvFiles(shape)))
    }
}

fn shape(options: &CsvOptions, reader: &mut OptionReader<'_>) -> Shape {
    let mut one = |key: &str, text: &str, default: u8| match (text, text.as_bytes()) {
        ("\\t", _) => b'\t',
        (_, [byte]) => *byte,
        _ => {
            reader.reject(key, format!("option '{key}' of format 'csv' takes one character"), "such as ';' or '\\t'");
            default
        }
    };
    let delimiter = one("field-delimiter", &options.field_delimiter, b',');
    let quote = one("quote-character", &options.quote_character, b'"');
    let escape = options.escape_character.as_deref().map(|text| one("escape-character", text, b'\\'));
    Shape {
        delimiter,
        quote: (!options.disable_quote_character).then_some(quote),
        escape,
        null: options.null_literal.clone(),
        comments: options.allow_comments,
        ignore_errors: options.ignore_parse_errors,
        scientific: options.scientific,
    }
}

#[derive(Debug)]
struct CsvFiles(Shape);

impl FileFormat for CsvFiles {
    fn reader(&self, file: FileToRead) -> Result<Box<dyn FileReader>> {
        Ok(Box::new(read::CsvReader::new(&self.0, file)?))
    }

    fn writer(&self, schema: SchemaRef) -> Result<Box<dyn FileWriter>> {
        Ok(Box::new(write::CsvWriter::new(self.0.clone(), &schema)?))
    }

    fn notes(&self) -> Vec<String> {
        let note = "'csv.ignore-parse-errors' has no effect when writing: there is nothing to parse";
        if self.0.ignore_errors { vec![note.to_owned()] } else { Vec::new() }
    }
}
