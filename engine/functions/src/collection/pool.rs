//! The elements of several columns in one place, so that a result is a list of positions.
//!
//! A function of arrays says for each row which elements its result has; `take` copies them at
//! once. Elements are compared in their row form, which puts `NULL` first.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, UInt32Array};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_row::{Row, RowConverter, Rows, SortField};
use arrow_schema::DataType;
use datafusion_common::Result;

use crate::error::bug;
use crate::function::{Call, Cells};

/// Elements of the arguments of a call.
pub(super) struct Pool {
    elements: ArrayRef,
    sources: Vec<Source>,
    rows: Option<Rows>,
}

/// One argument: arrays, or single elements.
struct Source {
    cells: Cells<ArrayRef>,
    /// Where its elements begin.
    base: usize,
    is_list: bool,
}

impl Pool {
    /// `compared`: whether elements will be compared.
    pub(super) fn new(call: &Call<'_>, arguments: Range<usize>, compared: bool) -> Result<Self> {
        let mut parts: Vec<ArrayRef> = Vec::new();
        let mut sources = Vec::new();
        let mut base = 0;
        let wanted = call.array_of_elements()?;
        for index in arguments {
            let cells = call.cells_of_any(index)?;
            let list = cells.array().as_list_opt::<i32>().filter(|list| *list.data_type() != wanted);
            let elements = list.map_or_else(|| Arc::clone(cells.array()), |list| Arc::clone(list.values()));
            let is_list = list.is_some();
            let elements =
                if *elements.data_type() == wanted { elements } else { arrow_cast::cast(&elements, &wanted)? };
            sources.push(Source { cells, base, is_list });
            base += elements.len();
            parts.push(elements);
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        let elements = arrow_select::concat::concat(&parts)?;
        let rows = compared.then(|| {
            let converter = RowConverter::new(vec![SortField::new(wanted.clone())])?;
            converter.convert_columns(&[Arc::clone(&elements)])
        });
        Ok(Self { elements, sources, rows: rows.transpose()? })
    }

    /// Positions of the elements that an argument has in a row; `None` if it is `NULL`.
    pub(super) fn list(&self, argument: usize, row: usize) -> Option<Range<usize>> {
        let source = &self.sources[argument];
        let at = source.cells.position(row)?;
        let list: &ListArray = source.cells.array().as_list_opt::<i32>().filter(|_| source.is_list)?;
        // A sliced array does not begin with its first value.
        let offsets = list.value_offsets();
        Some(source.base + offsets[at] as usize..source.base + offsets[at + 1] as usize)
    }

    /// Position of the element that an argument is in a row, which may be `NULL`.
    pub(super) fn element(&self, argument: usize, row: usize) -> usize {
        let source = &self.sources[argument];
        source.base + source.cells.row_index(row)
    }

    pub(super) fn is_null(&self, position: usize) -> bool {
        self.elements.is_null(position)
    }

    pub(super) fn elements(&self) -> &ArrayRef {
        &self.elements
    }

    /// The comparable form of an element.
    pub(super) fn row(&self, position: usize) -> Result<Row<'_>> {
        self.rows.as_ref().map(|rows| rows.row(position)).ok_or_else(|| bug("elements were not made comparable"))
    }

    /// Builds a column of arrays; the closure appends positions and says `false` for `NULL`.
    pub(super) fn lists(
        &self,
        call: &Call<'_>,
        mut write: impl FnMut(usize, &mut Vec<u32>) -> Result<bool>,
    ) -> Result<ArrayRef> {
        let mut positions = Vec::new();
        let mut lengths = Vec::with_capacity(call.rows);
        let mut valid = Vec::with_capacity(call.rows);
        for row in 0..call.rows {
            let before = positions.len();
            valid.push(write(row, &mut positions)?);
            lengths.push(positions.len() - before);
        }
        let DataType::List(item) = call.return_type else { return Err(bug("an ARRAY is not a list")) };
        let values = arrow_select::take::take(&self.elements, &UInt32Array::from(positions), None)?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, Some(NullBuffer::from(valid)))?))
    }
}
