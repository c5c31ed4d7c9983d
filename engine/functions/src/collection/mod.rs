//! Arrays, maps and rows. Positions count from 1.

mod access;
mod array;
mod build;
mod gathered;
mod map;
mod pool;
mod sort;

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Field};
use datafusion_common::Result;

use crate::function::Definition;

pub(crate) fn definitions() -> Vec<Definition> {
    [
        access::definitions(),
        array::definitions(),
        build::definitions(),
        gathered::definitions(),
        map::definitions(),
        sort::definitions(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Builds a column of `ARRAY<STRING>`; the closure appends the items and says `false` for `NULL`.
pub(crate) fn string_lists(
    rows: usize,
    mut write: impl FnMut(usize, &mut StringBuilder) -> Result<bool>,
) -> Result<ArrayRef> {
    let item = Arc::new(Field::new("item", DataType::Utf8, true));
    let mut lists = ListBuilder::new(StringBuilder::new()).with_field(item);
    for row in 0..rows {
        let is_valid = write(row, lists.values())?;
        lists.append(is_valid);
    }
    let lists = lists.finish();
    debug_assert_eq!(lists.len(), rows);
    Ok(Arc::new(lists))
}
