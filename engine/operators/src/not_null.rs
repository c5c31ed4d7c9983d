//! Keeps NULL out of columns that do not allow it.
//!
//! | input (`id NOT NULL`) | `ERROR` | `DROP` |
//! |---|---|---|
//! | `+I 1` | `+I 1` | `+I 1` |
//! | `+I NULL` | the job fails | |

use arrow_array::{Array, BooleanArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use sluice_model::{ChangelogBatch, Error, Result};

use crate::{Operator, Output};

/// Checks the rows in front of a sink.
#[derive(Debug)]
pub struct NotNull(sluice_plan::NotNull);

impl NotNull {
    /// The operator of a plan node.
    pub fn new(node: sluice_plan::NotNull) -> Self {
        Self(node)
    }

    fn refuse(&self, batch: &ChangelogBatch, column: usize) -> Error {
        let schema = batch.schema();
        let name = schema.field(column).name();
        Error::fix(format!("column '{name}' of '{}' does not allow NULL, but a NULL arrived", self.0.table))
            .with_hint("replace it with COALESCE, filter it out, or SET 'table.exec.sink.not-null-enforcer' = 'DROP'")
    }
}

impl Operator for NotNull {
    fn on_batch(&mut self, _input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        let nulls = |column: usize| batch.rows().column(column).logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let mut valid: Option<NullBuffer> = None;
        for column in &self.0.columns {
            if let Some(nulls) = nulls(*column) {
                if !self.0.drop {
                    return Err(self.refuse(&batch, *column));
                }
                valid = NullBuffer::union(valid.as_ref(), Some(&nulls));
            }
        }
        let Some(valid) = valid else {
            return output(batch);
        };
        let keep: BooleanBuffer = valid.into_inner();
        let kept = batch.filter(&BooleanArray::new(keep, None))?;
        if kept.is_empty() { Ok(()) } else { output(kept) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_model::{from_pretty, to_pretty};

    fn run(drop: bool) -> Result<String> {
        let node = sluice_plan::NotNull { table: "t".into(), columns: vec![0], drop };
        let mut rows = Vec::new();
        NotNull::new(node).on_batch(
            0,
            from_pretty("id INT, a INT", "+I 1 NULL / -D NULL 2 / -D 3 3"),
            &mut |batch| {
                rows.push(to_pretty(&batch));
                Ok(())
            },
        )?;
        Ok(rows.join(" / "))
    }

    #[test]
    fn drops_or_fails() {
        assert_eq!(run(true).unwrap(), "+I 1 NULL / -D 3 3");
        assert!(run(false).unwrap_err().what().contains("column 'id' of 't' does not allow NULL"));
    }
}
