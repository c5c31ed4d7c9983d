//! The kernel: which row each value comes from, and the columns of the values.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Int32Array, StructArray, UInt32Array};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::DataType;
use sluice_model::{Error, Result};

use super::Unnesting;

/// What a column of values becomes.
#[derive(Debug)]
pub struct UnnestedRows {
    /// For each new row, the row that its value comes from, in their order.
    pub source: UInt32Array,
    /// The columns of [`Unnesting::fields`].
    pub columns: Vec<ArrayRef>,
}

/// New rows on their way.
#[derive(Default)]
struct Places {
    source: Vec<u32>,
    /// Which of the values; `None` where a row is kept that has none.
    value: Vec<Option<u32>>,
    /// The place of the value among those of its row, from 1.
    ordinal: Vec<Option<i32>>,
}

impl Unnesting {
    /// Unnests the values of a batch.
    ///
    /// # Errors
    /// More values than a batch may have, or a bug: a value of a type that holds none.
    pub fn rows(self, value: &ArrayRef) -> Result<UnnestedRows> {
        let places = match value.data_type() {
            DataType::List(_) => self.places(value.as_list::<i32>().offsets(), value.nulls())?,
            DataType::Map(_, _) => self.places(value.as_map().offsets(), value.nulls())?,
            DataType::Int64 => self.copies(value.as_ref())?,
            other => return Err(Error::bug(format!("UNNEST of {other}"))),
        };
        let Places { source, value: picked, ordinal } = places;
        let picked = UInt32Array::from(picked);
        let taken = |values: &ArrayRef| arrow_select::take::take(values, &picked, None).map_err(Error::from_arrow);
        let mut columns = match (value.as_list_opt::<i32>(), value.as_map_opt()) {
            (Some(list), _) => apart(taken(list.values())?)?,
            (_, Some(map)) => vec![taken(map.keys())?, taken(map.values())?],
            _ => Vec::new(),
        };
        if self.ordinality {
            columns.push(Arc::new(Int32Array::from(ordinal)));
        }
        Ok(UnnestedRows { source: UInt32Array::from(source), columns })
    }

    fn places(self, offsets: &OffsetBuffer<i32>, nulls: Option<&NullBuffer>) -> Result<Places> {
        let mut places = Places::with_capacity(values_between(offsets));
        for (row, ends) in offsets.windows(2).enumerate() {
            let row = row_number(row)?;
            let is_null = nulls.is_some_and(|nulls| nulls.is_null(row as usize));
            if is_null || ends[0] == ends[1] {
                self.keep(row, &mut places);
                continue;
            }
            for (place, value) in (ends[0]..ends[1]).enumerate() {
                places.push(row, value.unsigned_abs(), place)?;
            }
        }
        Ok(places)
    }

    fn copies(self, counts: &dyn Array) -> Result<Places> {
        let counts = counts.as_primitive::<Int64Type>();
        let mut places = Places::default();
        for (row, count) in counts.iter().enumerate() {
            let row = row_number(row)?;
            let count = usize::try_from(count.unwrap_or(0)).unwrap_or(0);
            if count == 0 {
                self.keep(row, &mut places);
            }
            for place in 0..count {
                places.push(row, 0, place)?;
            }
        }
        Ok(places)
    }

    /// A row without values.
    fn keep(self, row: u32, places: &mut Places) {
        if self.outer {
            places.source.push(row);
            places.value.push(None);
            places.ordinal.push(None);
        }
    }
}

impl Places {
    fn with_capacity(values: usize) -> Self {
        let (source, value, ordinal) =
            (Vec::with_capacity(values), Vec::with_capacity(values), Vec::with_capacity(values));
        Self { source, value, ordinal }
    }

    fn push(&mut self, row: u32, value: u32, place: usize) -> Result<()> {
        let ordinal = i32::try_from(place + 1).ok().filter(|_| self.source.len() < i32::MAX as usize);
        self.source.push(row);
        self.value.push(Some(value));
        self.ordinal.push(Some(ordinal.ok_or_else(too_many)?));
        Ok(())
    }
}

fn values_between(offsets: &OffsetBuffer<i32>) -> usize {
    let first = offsets.first().copied().unwrap_or(0);
    let last = offsets.last().copied().unwrap_or(0);
    usize::try_from(last - first).unwrap_or(0)
}

fn row_number(row: usize) -> Result<u32> {
    u32::try_from(row).map_err(|_| too_many())
}

fn too_many() -> Error {
    Error::fix("UNNEST makes more rows of one batch than a batch may have").with_hint("unnest smaller collections")
}

/// The elements of arrays, rows taken apart.
fn apart(values: ArrayRef) -> Result<Vec<ArrayRef>> {
    match values.as_struct_opt() {
        Some(rows) => fields_of(rows),
        None => Ok(vec![values]),
    }
}

/// The fields of rows; those of a row that is NULL are NULL.
fn fields_of(rows: &StructArray) -> Result<Vec<ArrayRef>> {
    let Some(nulls) = rows.nulls().filter(|nulls| nulls.null_count() > 0) else {
        return Ok(rows.columns().to_vec());
    };
    let is_null: BooleanArray = nulls.iter().map(|is_valid| Some(!is_valid)).collect();
    let field = |field| arrow_select::nullif::nullif(field, &is_null).map_err(Error::from_arrow);
    rows.columns().iter().map(|column| field(column.as_ref())).collect()
}

#[cfg(test)]
mod tests {
    use arrow_array::Int64Array;
    use arrow_array::builder::{Int32Builder, ListBuilder, MapBuilder, StringBuilder};
    use arrow_cast::display::array_value_to_string;

    use super::*;

    fn shown(value: ArrayRef, unnesting: Unnesting) -> Vec<String> {
        let rows = unnesting.rows(&value).unwrap();
        let cell = |column: &ArrayRef, row| match column.is_null(row) {
            true => "NULL".to_owned(),
            false => array_value_to_string(column, row).unwrap(),
        };
        let line = |row: usize| {
            let cells = rows.columns.iter().map(|column| cell(column, row));
            std::iter::once(rows.source.value(row).to_string()).chain(cells).collect::<Vec<_>>().join(" ")
        };
        (0..rows.source.len()).map(line).collect()
    }

    fn lists() -> ArrayRef {
        let mut lists = ListBuilder::new(Int32Builder::new());
        lists.append_value([Some(7), None]);
        lists.append_null();
        lists.append_value([]);
        lists.append_value([Some(9)]);
        Arc::new(lists.finish())
    }

    const PLAIN: Unnesting = Unnesting { ordinality: false, outer: false };

    #[test]
    fn every_element_has_a_row() {
        assert_eq!(shown(lists(), PLAIN), ["0 7", "0 NULL", "3 9"]);
        assert_eq!(shown(lists().slice(2, 2), PLAIN), ["1 9"]);
    }

    #[test]
    fn a_left_join_keeps_rows_without_elements() {
        let unnesting = Unnesting { ordinality: true, outer: true };
        assert_eq!(shown(lists(), unnesting), ["0 7 1", "0 NULL 2", "1 NULL NULL", "2 NULL NULL", "3 9 1"]);
    }

    #[test]
    fn maps_have_keys_and_values() {
        let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        maps.keys().append_value("a");
        maps.values().append_value(1);
        maps.keys().append_value("b");
        maps.values().append_null();
        maps.append(true).unwrap();
        maps.append(false).unwrap();
        let unnesting = Unnesting { ordinality: true, outer: false };
        assert_eq!(shown(Arc::new(maps.finish()), unnesting), ["0 a 1 1", "0 b NULL 2"]);
    }

    #[test]
    fn a_number_counts_copies() {
        let counts = Int64Array::from(vec![Some(2), Some(-1), None, Some(1)]);
        assert_eq!(shown(Arc::new(counts), PLAIN), ["0", "0", "3"]);
    }

    #[test]
    fn a_number_of_another_type_holds_nothing() {
        let error = PLAIN.fields(&DataType::Int32).unwrap_err();
        let error = crate::from_datafusion(error);
        assert_eq!(error.what(), "UNNEST takes an ARRAY, a MAP or a MULTISET, not INT");
    }
}
