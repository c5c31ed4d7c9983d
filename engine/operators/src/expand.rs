//! Grouping sets: rows repeated with some columns NULL.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::SchemaRef;
use datafusion_common::ScalarValue;
use sluice_functions::from_datafusion;
use sluice_model::{ChangelogBatch, Error, Result};
use sluice_plan::GroupingSet;

use crate::{Operator, Output};

/// A running [`sluice_plan::Expand`].
#[derive(Debug)]
pub struct Expand {
    columns: Vec<usize>,
    sets: Vec<(GroupingSet, ScalarValue)>,
    output: SchemaRef,
}

impl Expand {
    /// `output` is the schema of the input with the number of the set behind it.
    ///
    /// # Errors
    /// A bug in the planner: a number that does not fit its type.
    pub fn new(node: &sluice_plan::Expand, output: &SchemaRef) -> Result<Self> {
        let id = |set: &GroupingSet| ScalarValue::UInt64(Some(set.id)).cast_to(node.id.data_type());
        let sets = node.sets.iter().map(|set| Ok((set.clone(), id(set).map_err(from_datafusion)?)));
        Ok(Self { columns: node.columns.clone(), sets: sets.collect::<Result<_>>()?, output: Arc::clone(output) })
    }
}

impl Operator for Expand {
    fn on_batch(&mut self, _input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        let rows = batch.num_rows();
        for (set, id) in &self.sets {
            let mut columns: Vec<ArrayRef> = batch.rows().columns().to_vec();
            for (column, _) in self.columns.iter().zip(&set.is_null).filter(|(_, is_null)| **is_null) {
                columns[*column] = new_null_array(columns[*column].data_type(), rows);
            }
            columns.push(id.to_array_of_size(rows).map_err(from_datafusion)?);
            let expanded = RecordBatch::try_new(Arc::clone(&self.output), columns).map_err(Error::from_arrow)?;
            output(batch.with_rows(expanded)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow_schema::{DataType, Field, Schema};
    use sluice_model::{from_pretty, to_pretty};

    use super::*;

    #[test]
    fn every_set_has_every_row() {
        let input = from_pretty("a INT, b STRING", "+I 1 x / -D 2 y");
        let id = Arc::new(Field::new("id", DataType::UInt8, false));
        let set = |a, b, id| GroupingSet { is_null: vec![a, b], id };
        let sets = vec![set(false, false, 0), set(false, true, 1), set(true, true, 3)];
        let node = sluice_plan::Expand { columns: vec![0, 1], sets, id: Arc::clone(&id) };
        let schema = input.schema();
        let fields: Vec<_> = schema.fields().iter().cloned().chain([id]).collect();
        let mut operator = Expand::new(&node, &Arc::new(Schema::new(fields))).unwrap();
        let mut results = Vec::new();
        operator
            .on_batch(0, input, &mut |batch| {
                results.push(to_pretty(&batch));
                Ok(())
            })
            .unwrap();
        assert_eq!(results, ["+I 1 x 0 / -D 2 y 0", "+I 1 NULL 1 / -D 2 NULL 1", "+I NULL NULL 3 / -D NULL NULL 3"]);
    }
}
