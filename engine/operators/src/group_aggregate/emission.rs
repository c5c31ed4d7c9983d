//! What a batch has changed in the results.
//!
//! | group before | after | rows |
//! |---|---|---|
//! | absent | there | `+I after` |
//! | there | there, the same | none, or as below where state expires |
//! | there | there, another | `-U before`, `+U after` |
//! | there | absent | `-D before` |

use std::cmp::Ordering;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow_ord::cmp::not_distinct;
use arrow_ord::ord::make_comparator;
use arrow_schema::{SchemaRef, SortOptions};
use arrow_select::interleave::interleave;
use arrow_select::take::take;
use sluice_model::{ChangelogBatch, Error, Result, RowKind, RowKinds};

/// The groups that a batch has touched, before and after it.
#[derive(Debug)]
pub(super) struct Emission<'a> {
    /// A row of the batch of each group, and the columns of the group.
    pub(super) rows: &'a [u32],
    pub(super) group: &'a [ArrayRef],
    /// Whether each group was there, and is there now.
    pub(super) was: &'a [bool],
    pub(super) is: &'a [bool],
    /// Results of the calls.
    pub(super) before: &'a [ArrayRef],
    pub(super) after: &'a [ArrayRef],
    pub(super) update_before: bool,
    /// Results that are the same are put out as well: consumers keep them for a time only.
    pub(super) repeats: bool,
}

/// Where a row comes from: the results before or after, and the place of the group in them.
type Place = (usize, usize);

const BEFORE: usize = 0;
const AFTER: usize = 1;

impl Emission<'_> {
    /// The changes; `None` if there are none.
    pub(super) fn batch(&self, schema: &SchemaRef) -> Result<Option<ChangelogBatch>> {
        let (kinds, places) = self.plan()?;
        if kinds.is_empty() {
            return Ok(None);
        }
        let rows: UInt32Array = places.iter().map(|(_, place)| Some(self.rows[*place])).collect();
        let mut columns = Vec::with_capacity(schema.fields().len());
        for column in self.group {
            columns.push(take(column, &rows, None).map_err(Error::from_arrow)?);
        }
        for (before, after) in self.before.iter().zip(self.after) {
            columns.push(interleave(&[before.as_ref(), after.as_ref()], &places).map_err(Error::from_arrow)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(places.len()));
        let rows = RecordBatch::try_new_with_options(SchemaRef::clone(schema), columns, &options);
        let append = kinds.iter().all(|kind| *kind == RowKind::Insert as u8);
        let kinds = (!append).then(|| RowKinds::from(kinds));
        ChangelogBatch::try_new(rows.map_err(Error::from_arrow)?, kinds).map(Some)
    }

    /// Kinds of the rows, and where each comes from.
    fn plan(&self) -> Result<(Vec<u8>, Vec<Place>)> {
        let same = self.unchanged()?;
        let (mut kinds, mut places) = (Vec::new(), Vec::new());
        let mut push = |kind: RowKind, from: usize, place: usize| {
            kinds.push(kind as u8);
            places.push((from, place));
        };
        for (place, same) in same.into_iter().enumerate() {
            match (self.was[place], self.is[place]) {
                (false, false) => {}
                (false, true) => push(RowKind::Insert, AFTER, place),
                (true, false) => push(RowKind::Delete, BEFORE, place),
                (true, true) if same && !self.repeats => {}
                (true, true) => {
                    if self.update_before {
                        push(RowKind::UpdateBefore, BEFORE, place);
                    }
                    push(RowKind::UpdateAfter, AFTER, place);
                }
            }
        }
        Ok((kinds, places))
    }

    /// Whether all results of a group are what they were.
    fn unchanged(&self) -> Result<Vec<bool>> {
        let mut same = vec![true; self.rows.len()];
        for (before, after) in self.before.iter().zip(self.after) {
            for (same, equal) in same.iter_mut().zip(equal(before, after)?.values()) {
                *same &= equal;
            }
        }
        Ok(same)
    }
}

/// Whether values are equal; NULL equals NULL.
fn equal(before: &ArrayRef, after: &ArrayRef) -> Result<BooleanArray> {
    if !before.data_type().is_nested() {
        return not_distinct(before, after).map_err(Error::from_arrow);
    }
    let compare = make_comparator(before, after, SortOptions::default()).map_err(Error::from_arrow)?;
    Ok((0..before.len()).map(|row| Some(compare(row, row) == Ordering::Equal)).collect())
}
