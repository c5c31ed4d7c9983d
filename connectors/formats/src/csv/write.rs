//! Columns to lines.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use sluice_connector_api::FileWriter;
use sluice_model::Result;

use super::Shape;
use super::read::refuse_nested;
use crate::json::ScalarTexts;

/// Texts that are longer are quoted without a look at their characters, as Jackson does.
const UNQUOTED: usize = 24;

pub(super) struct CsvWriter {
    shape: Shape,
    texts: ScalarTexts,
    cell: Vec<u8>,
    /// Characters below it have a text quoted.
    first_safe: u8,
}

impl CsvWriter {
    pub(super) fn new(shape: Shape, schema: &SchemaRef) -> Result<Self> {
        schema.fields().iter().try_for_each(|field| refuse_nested(field))?;
        let texts = ScalarTexts::new(schema.fields(), !shape.scientific)?;
        let first_safe = shape.delimiter.max(shape.quote.unwrap_or(0)).max(b'\n').saturating_add(1);
        Ok(Self { shape, texts, cell: Vec::new(), first_safe })
    }

    fn end_cell(&mut self, out: &mut Vec<u8>) {
        let cell = self.cell.as_slice();
        let is_safe = cell.len() <= UNQUOTED && cell.iter().all(|byte| *byte >= self.first_safe);
        match self.shape.quote {
            Some(quote) if !is_safe => {
                out.push(quote);
                for byte in cell {
                    if Some(*byte) == self.shape.escape {
                        out.push(*byte);
                    } else if *byte == quote {
                        out.push(self.shape.escape.unwrap_or(quote));
                    }
                    out.push(*byte);
                }
                out.push(quote);
            }
            _ => out.extend_from_slice(cell),
        }
    }
}

impl FileWriter for CsvWriter {
    fn write(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let texts = self.texts.clone();
        let bound = texts.bind(rows.columns())?;
        for row in 0..rows.num_rows() {
            for column in 0..rows.num_columns() {
                if column > 0 {
                    out.push(self.shape.delimiter);
                }
                if bound.is_null(row, column) {
                    out.extend_from_slice(self.shape.null.as_deref().unwrap_or_default().as_bytes());
                } else if bound.is_text(column) {
                    self.cell.clear();
                    bound.write(row, column, &mut self.cell)?;
                    self.end_cell(out);
                } else {
                    bound.write(row, column, out)?;
                }
            }
            out.push(b'\n');
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sluice_connector_api::{Format, TableOptions};
    use sluice_model::from_pretty;

    use crate::Csv;

    fn written(columns: &str, rows: &str, options: &[(&str, &str)]) -> String {
        let batch = from_pretty(columns, rows);
        let files = Csv.files(&TableOptions::from_pairs(options.iter().copied())).unwrap();
        let mut out = Vec::new();
        files.writer(batch.schema()).unwrap().write(batch.rows(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts_are_quoted_as_jackson_does() {
        let rows = "+I 1 'two words' 1.50 / +I 2 plain 100.00 / +I 3 'a\"b' NULL / +I 4 NULL 0.00";
        let expected = "1,\"two words\",1.5\n2,plain,1E+2\n3,\"a\"\"b\",\n4,,0\n";
        assert_eq!(written("id INT, name STRING, price DECIMAL(7,2)", rows, &[]), expected);
        let long = "abcdefghijklmnopqrstuvwxyz";
        assert_eq!(written("s STRING", &format!("+I {long}"), &[]), format!("\"{long}\"\n"));
    }

    #[test]
    fn options_shape_a_line() {
        let options = [("field-delimiter", ";"), ("null-literal", "n/a"), ("quote-character", "'")];
        assert_eq!(written("id INT, s STRING", "+I NULL 'a;b' / +I 2 NULL", &options), "n/a;'a;b'\n2;n/a\n");
        assert_eq!(written("s STRING", "+I 'a b'", &[("disable-quote-character", "true")]), "a b\n");
        let refused = Csv.files(&TableOptions::from_pairs([("field-delimiter", "||")])).unwrap_err();
        assert!(refused.to_string().contains("takes one character"), "{refused}");
    }

    #[test]
    fn times_are_texts() {
        let rows = "+I '2021-04-13 20:12:11.120' 2021-04-13";
        assert_eq!(written("at TIMESTAMP(3), d DATE", rows, &[]), "\"2021-04-13 20:12:11.12\",2021-04-13\n");
    }
}
