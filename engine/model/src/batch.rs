//! A columnar batch of changelog rows.

use std::sync::Arc;

use arrow_array::{Array, BooleanArray, RecordBatch, UInt8Array, UInt32Array};
use arrow_schema::SchemaRef;

use crate::{Error, Result, RowKind, RowKinds};

/// Rows in Arrow columns, plus a [`RowKind`] per row.
///
/// A batch without kinds holds insertions only, and stays that way through every operator that
/// allows it: an append stream pays nothing for being a changelog. Order of rows is order of
/// changes; everything here keeps it (filters and exchanges are stable partitions).
///
/// ```text
/// kinds   id  amount
/// +I       1      10
/// -U       1      10
/// +U       1      12
/// -D       2       7
/// ```
#[derive(Debug, Clone)]
pub struct ChangelogBatch {
    rows: RecordBatch,
    kinds: Option<RowKinds>,
}

impl ChangelogBatch {
    /// A batch of rows and their kinds (`None`: insertions only).
    ///
    /// # Errors
    /// A bug in the caller: another number of kinds than of rows, or a byte above 3.
    pub fn try_new(rows: RecordBatch, kinds: Option<RowKinds>) -> Result<Self> {
        if let Some(kinds) = &kinds {
            if kinds.len() != rows.num_rows() {
                return Err(Error::bug(format!("a batch of {} rows has {} row kinds", rows.num_rows(), kinds.len())));
            }
            if let Some(byte) = kinds.iter().find(|byte| RowKind::from_byte(**byte).is_none()) {
                return Err(Error::bug(format!("{byte} is not a row kind")));
            }
        }
        Ok(Self { rows, kinds })
    }

    /// A batch of insertions.
    pub fn append(rows: RecordBatch) -> Self {
        Self { rows, kinds: None }
    }

    /// A batch without rows.
    pub fn empty(schema: SchemaRef) -> Self {
        Self::append(RecordBatch::new_empty(schema))
    }

    /// The columns.
    pub fn rows(&self) -> &RecordBatch {
        &self.rows
    }

    /// The kinds, `None` if all rows are insertions.
    pub fn kinds(&self) -> Option<&RowKinds> {
        self.kinds.as_ref()
    }

    /// Columns and kinds, taken apart.
    pub fn into_parts(self) -> (RecordBatch, Option<RowKinds>) {
        (self.rows, self.kinds)
    }

    /// The kind of row `row`. Panics when out of bounds, as indexing does.
    pub fn kind(&self, row: usize) -> RowKind {
        match &self.kinds {
            None => RowKind::Insert,
            Some(kinds) => RowKind::from_byte(kinds[row]).unwrap_or(RowKind::Insert),
        }
    }

    /// Number of rows.
    pub fn num_rows(&self) -> usize {
        self.rows.num_rows()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.num_rows() == 0
    }

    /// Schema of the columns.
    pub fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }

    /// Bytes held in Arrow buffers, for memory accounting.
    pub fn memory_size(&self) -> usize {
        self.rows.get_array_memory_size() + self.kinds.as_ref().map_or(0, |kinds| kinds.len())
    }

    /// The same kinds over other columns of the same number of rows.
    ///
    /// # Errors
    /// A bug in the caller: another number of rows.
    pub fn with_rows(&self, rows: RecordBatch) -> Result<Self> {
        Self::try_new(rows, self.kinds.clone())
    }

    /// Rows `offset .. offset + length`, without copying.
    #[must_use]
    pub fn slice(&self, offset: usize, length: usize) -> Self {
        Self {
            rows: self.rows.slice(offset, length),
            kinds: self.kinds.as_ref().map(|kinds| kinds.slice(offset, length)),
        }
    }

    /// The rows whose predicate is true, in their order (null counts as false).
    ///
    /// # Errors
    /// A bug in the caller: a predicate of another length.
    pub fn filter(&self, predicate: &BooleanArray) -> Result<Self> {
        let rows = arrow_select::filter::filter_record_batch(&self.rows, predicate).map_err(Error::from_arrow)?;
        let kinds = match &self.kinds {
            None => None,
            Some(kinds) => {
                let kinds = UInt8Array::new(kinds.clone(), None);
                let kept = arrow_select::filter::filter(&kinds, predicate).map_err(Error::from_arrow)?;
                Some(into_kinds(kept.as_ref())?)
            }
        };
        Self::try_new(rows, kinds)
    }

    /// The rows at `indices`, in the order of `indices`.
    ///
    /// # Errors
    /// A bug in the caller: an index out of bounds.
    pub fn take(&self, indices: &UInt32Array) -> Result<Self> {
        let rows = arrow_select::take::take_record_batch(&self.rows, indices).map_err(Error::from_arrow)?;
        let kinds = match &self.kinds {
            None => None,
            Some(kinds) => {
                let kinds = UInt8Array::new(kinds.clone(), None);
                let taken = arrow_select::take::take(&kinds, indices, None).map_err(Error::from_arrow)?;
                Some(into_kinds(taken.as_ref())?)
            }
        };
        Self::try_new(rows, kinds)
    }

    /// Only the columns at `columns`, in that order.
    ///
    /// # Errors
    /// A bug in the caller: a column out of bounds.
    pub fn project(&self, columns: &[usize]) -> Result<Self> {
        let rows = self.rows.project(columns).map_err(Error::from_arrow)?;
        Ok(Self { rows, kinds: self.kinds.clone() })
    }

    /// All rows of `batches` in their order; `None` without batches.
    ///
    /// # Errors
    /// A bug in the caller: batches of different schemas.
    pub fn concat(batches: &[Self]) -> Result<Option<Self>> {
        let Some(first) = batches.first() else {
            return Ok(None);
        };
        if batches.len() == 1 {
            return Ok(Some(first.clone()));
        }
        let rows = arrow_select::concat::concat_batches(&first.schema(), batches.iter().map(|batch| &batch.rows))
            .map_err(Error::from_arrow)?;
        let kinds = batches.iter().any(|batch| batch.kinds.is_some()).then(|| {
            let mut kinds = Vec::with_capacity(rows.num_rows());
            for batch in batches {
                match &batch.kinds {
                    Some(some) => kinds.extend_from_slice(some),
                    None => kinds.resize(kinds.len() + batch.num_rows(), RowKind::Insert as u8),
                }
            }
            RowKinds::from(kinds)
        });
        Ok(Some(Self { rows, kinds }))
    }

    /// The same changes without `-U` rows, for consumers that go by key.
    ///
    /// # Errors
    /// None in practice; filtering reports a bug as an error.
    pub fn without_update_before(self) -> Result<Self> {
        let Some(kinds) = &self.kinds else {
            return Ok(self);
        };
        if !kinds.contains(&(RowKind::UpdateBefore as u8)) {
            return Ok(self);
        }
        let keep: BooleanArray = kinds.iter().map(|kind| Some(*kind != RowKind::UpdateBefore as u8)).collect();
        self.filter(&keep)
    }

    /// The same columns under another schema of the same types (names or nullability differ).
    ///
    /// # Errors
    /// A bug in the caller: other types, or nulls where the schema allows none.
    pub fn with_schema(self, schema: SchemaRef) -> Result<Self> {
        if Arc::ptr_eq(&schema, &self.rows.schema()) {
            return Ok(self);
        }
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(self.rows.num_rows()));
        let rows = RecordBatch::try_new_with_options(schema, self.rows.columns().to_vec(), &options)
            .map_err(Error::from_arrow)?;
        Ok(Self { rows, kinds: self.kinds })
    }
}

fn into_kinds(array: &dyn Array) -> Result<RowKinds> {
    array
        .as_any()
        .downcast_ref::<UInt8Array>()
        .map(|kinds| kinds.values().clone())
        .ok_or_else(|| Error::bug("row kinds are not bytes"))
}

#[cfg(test)]
mod tests {
    use crate::{ChangelogBatch, from_pretty, to_pretty};
    use arrow_array::{BooleanArray, UInt32Array};

    fn batch() -> ChangelogBatch {
        from_pretty("id INT, name STRING", "+I 1 a / -U 1 a / +U 1 b / -D 2 c")
    }

    #[test]
    fn filter_keeps_order_and_kinds() {
        let kept = batch().filter(&BooleanArray::from(vec![true, false, true, true])).unwrap();
        assert_eq!(to_pretty(&kept), "+I 1 a / +U 1 b / -D 2 c");
    }

    #[test]
    fn take_follows_the_indices() {
        let taken = batch().take(&UInt32Array::from(vec![3, 0])).unwrap();
        assert_eq!(to_pretty(&taken), "-D 2 c / +I 1 a");
    }

    #[test]
    fn concat_mixes_append_and_changelog() {
        let append = from_pretty("id INT, name STRING", "+I 9 z");
        assert!(append.kinds().is_none());
        let all = ChangelogBatch::concat(&[append, batch()]).unwrap().unwrap();
        assert_eq!(to_pretty(&all), "+I 9 z / +I 1 a / -U 1 a / +U 1 b / -D 2 c");
    }

    #[test]
    fn update_before_can_be_dropped() {
        assert_eq!(to_pretty(&batch().without_update_before().unwrap()), "+I 1 a / +U 1 b / -D 2 c");
    }
}
