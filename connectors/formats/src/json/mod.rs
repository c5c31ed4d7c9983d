//! The `json` format: one JSON object a row, with Flink's types, options and text.
//!
//! ```text
//! id INT, price DECIMAL(7, 2), at TIMESTAMP(3)
//! +I 1 12.50 2021-04-13 20:12:11.120   ─►   {"id":1,"price":12.5,"at":"2021-04-13 20:12:11.12"}
//! ```
//!
//! | SQL | JSON |
//! |---|---|
//! | `BOOLEAN` | `true`, `false` |
//! | `TINYINT … BIGINT` | number |
//! | `FLOAT`, `DOUBLE` | number in Java's shortest form (`1.0E7`); `"NaN"`, `"Infinity"` as strings |
//! | `DECIMAL` | number without trailing zeros (`1E+2`), or plain with `encode.decimal-as-plain-number` |
//! | `CHAR`, `VARCHAR`, `STRING` | string |
//! | `BINARY`, `VARBINARY`, `BYTES` | Base64 string |
//! | `DATE`, `TIME` | `"2021-04-13"`, `"20:12:11"` |
//! | `TIMESTAMP` | `"2021-04-13 20:12:11.123"`, or with `T` as ISO-8601 |
//! | `TIMESTAMP_LTZ` | the same in UTC with a `Z` behind |
//! | `INTERVAL` | number of months or of milliseconds |
//! | `ARRAY`, `MAP`, `ROW` | array, object, object |
//!
//! Source: `RowDataToJsonConverters` and `TimeFormats` of Flink's `flink-json`. One difference: the
//! fraction of a `TIME(p)` with p above 0 is written, where Flink drops it.

mod bind;
mod encoder;
mod file;
mod number;
mod options;
mod program;
mod scalars;
mod temporal;
mod text;

pub(crate) use scalars::ScalarTexts;

pub use options::{JsonOptions, MapNullKeyMode, TimestampStandard};

use std::sync::Arc;

use arrow_schema::SchemaRef;
use sluice_connector_api::{Encoder, FileFormat, Format, Formats, OptionDoc, OptionReader, OptionSet, TableOptions};
use sluice_model::{Error, Result};

use encoder::JsonEncoder;
use file::JsonFiles;

/// The `json` format.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn options(&self) -> Vec<OptionDoc> {
        JsonOptions::docs()
    }

    fn encoders(&self, options: &TableOptions) -> Result<Arc<dyn Formats>> {
        Ok(Arc::new(JsonFormats { options: checked(options)? }))
    }

    fn files(&self, options: &TableOptions) -> Result<Arc<dyn FileFormat>> {
        Ok(Arc::new(JsonFiles(checked(options)?)))
    }
}

/// The options, or everything that is wrong with them.
fn checked(options: &TableOptions) -> Result<JsonOptions> {
    let mut reader = OptionReader::new("format 'json'", None, options);
    let read = JsonOptions::read(&mut reader);
    if let Some(options) = &read {
        options.validate(&mut reader);
    }
    reader.finish()?;
    read.ok_or_else(|| Error::bug("options were refused without an error"))
}

#[derive(Debug)]
struct JsonFormats {
    options: JsonOptions,
}

impl Formats for JsonFormats {
    fn encoder(&self, schema: SchemaRef) -> Result<Box<dyn Encoder>> {
        Ok(Box::new(JsonEncoder::new(&schema, &self.options)?))
    }

    fn notes(&self) -> Vec<String> {
        self.options.notes_when_writing()
    }
}
