//! `UNNEST`: a row for every value that a column holds.
//!
//! | input (`id`, `a`) | output (`id`, `x`) |
//! |---|---|
//! | `+I 1 [7, 9]` | `+I 1 7`, `+I 1 9` |
//! | `-U 1 [7, 9]` | `-U 1 7`, `-U 1 9` |
//! | `+U 1 []` | |

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use sluice_functions::Unnesting;
use sluice_model::{ChangelogBatch, Error, Result};

use crate::{Operator, Output};

/// A running [`sluice_plan::Unnest`].
#[derive(Debug)]
pub struct Unnest {
    kept: Vec<usize>,
    value: usize,
    unnesting: Unnesting,
    output: SchemaRef,
}

impl Unnest {
    /// `output` has the kept columns of the input, then those of the values.
    pub fn new(node: &sluice_plan::Unnest, output: &SchemaRef) -> Self {
        let unnesting = Unnesting { ordinality: node.ordinality, outer: node.outer };
        Self { kept: node.kept.clone(), value: node.value, unnesting, output: Arc::clone(output) }
    }
}

impl Operator for Unnest {
    fn on_batch(&mut self, _input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        let unnested = self.unnesting.rows(batch.rows().column(self.value))?;
        if unnested.source.is_empty() {
            return Ok(());
        }
        // The value's column comes along where no other does, for a batch needs one.
        let carried = if self.kept.is_empty() { std::slice::from_ref(&self.value) } else { &self.kept };
        let repeated = batch.project(carried)?.take(&unnested.source)?;
        let kept = repeated.rows().columns().iter().take(self.kept.len()).cloned();
        let columns: Vec<ArrayRef> = kept.chain(unnested.columns).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(repeated.num_rows()));
        let rows = RecordBatch::try_new_with_options(Arc::clone(&self.output), columns, &options);
        output(repeated.with_rows(rows.map_err(Error::from_arrow)?)?)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::builder::{ListBuilder, StringBuilder};
    use arrow_schema::{DataType, Field, Schema};
    use sluice_model::{from_pretty, to_pretty};

    use super::*;

    /// `a` is given as words with a plus between.
    fn with_arrays(batch: &ChangelogBatch) -> ChangelogBatch {
        let words = batch.rows().column(1);
        let words = words.as_any().downcast_ref::<arrow_array::StringArray>().unwrap();
        let mut arrays = ListBuilder::new(StringBuilder::new());
        words.iter().for_each(|words| arrays.append_option(words.map(|words| words.split('+').map(Some))));
        let arrays: ArrayRef = Arc::new(arrays.finish());
        let id = Arc::clone(batch.rows().column(0));
        batch.with_rows(RecordBatch::try_from_iter([("id", id), ("a", arrays)]).unwrap()).unwrap()
    }

    fn run(node: &sluice_plan::Unnest, rows: &str) -> String {
        let mut fields = vec![Field::new("id", DataType::Int32, true), Field::new("x", DataType::Utf8, true)];
        if node.ordinality {
            fields.push(Field::new("place", DataType::Int32, true));
        }
        let mut operator = Unnest::new(node, &Arc::new(Schema::new(fields)));
        let mut results = Vec::new();
        let batch = with_arrays(&from_pretty("id INT, a STRING", rows));
        operator
            .on_batch(0, batch, &mut |batch| {
                results.push(to_pretty(&batch));
                Ok(())
            })
            .unwrap();
        results.join(" / ")
    }

    #[test]
    fn both_sides_of_an_update_are_unnested() {
        let node = sluice_plan::Unnest { kept: vec![0], value: 1, ordinality: false, outer: false };
        assert_eq!(run(&node, "-U 1 a+b / +U 1 c / -D 2 d+d"), "-U 1 a / -U 1 b / +U 1 c / -D 2 d / -D 2 d");
        assert_eq!(run(&node, "+I 1 NULL"), "");
    }

    #[test]
    fn an_outer_join_keeps_what_has_no_values() {
        let node = sluice_plan::Unnest { kept: vec![0], value: 1, ordinality: true, outer: true };
        assert_eq!(run(&node, "+I 1 a+b / +I 2 NULL"), "+I 1 a 1 / +I 1 b 2 / +I 2 NULL NULL");
    }
}
