//! The running sink: a batch is one write, so that lines of several writers never mix.

use std::io::{self, Write as _};

use async_trait::async_trait;
use sluice_connector_api::SinkWriter;
use sluice_model::{ChangelogBatch, Error, Result, SqlType};

use crate::value::write_value;

/// Where lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    StandardOutput,
    StandardError,
}

impl Target {
    fn write(self, text: &[u8]) -> io::Result<()> {
        match self {
            Self::StandardOutput => {
                let mut locked = io::stdout().lock();
                locked.write_all(text)?;
                locked.flush()
            }
            Self::StandardError => io::stderr().lock().write_all(text),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::StandardOutput => "standard output",
            Self::StandardError => "standard error",
        }
    }
}

pub(crate) struct PrintWriter {
    target: Target,
    prefix: String,
    text: Vec<u8>,
}

impl PrintWriter {
    pub(crate) fn new(target: Target, prefix: String) -> Self {
        Self { target, prefix, text: Vec::new() }
    }
}

#[async_trait]
impl SinkWriter for PrintWriter {
    async fn write(&mut self, batch: ChangelogBatch) -> Result<()> {
        self.text.clear();
        write_lines(&self.prefix, &batch, &mut self.text)?;
        self.target.write(&self.text).map_err(|error| {
            Error::fix(format!("{} cannot be written to", self.target.name()))
                .because(error.to_string())
                .with_hint("keep what reads it running, or send it to a file")
        })
    }
}

/// Appends `prefix+I[f0, f1]` and a line feed for every row.
fn write_lines(prefix: &str, batch: &ChangelogBatch, out: &mut Vec<u8>) -> Result<()> {
    let schema = batch.schema();
    let types: Vec<_> = schema.fields().iter().map(|field| SqlType::of_field(field)).collect();
    for row in 0..batch.num_rows() {
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(batch.kind(row).symbol().as_bytes());
        out.push(b'[');
        for (index, (column, sql_type)) in batch.rows().columns().iter().zip(&types).enumerate() {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
            write_value(column.as_ref(), sql_type, row, out)?;
        }
        out.extend_from_slice(b"]\n");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_model::from_pretty;

    #[test]
    fn a_line_is_kind_and_fields() {
        let batch = from_pretty(
            "id INT, name STRING, price DECIMAL(7,2)",
            "+I 1 apple 12.50 / -U 1 apple 12.50 / +U 1 NULL 0.00 / -D 1 'two words' 3",
        );
        let mut out = Vec::new();
        write_lines("sales:1> ", &batch, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "sales:1> +I[1, apple, 12.50]\n\
             sales:1> -U[1, apple, 12.50]\n\
             sales:1> +U[1, null, 0.00]\n\
             sales:1> -D[1, two words, 3.00]\n"
        );
    }
}
