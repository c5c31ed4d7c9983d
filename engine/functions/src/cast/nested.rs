//! Casts of arrays, maps and rows: element by element.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, MapArray, StructArray};
use arrow_schema::DataType;
use datafusion_common::Result;
use sluice_model::SqlType;

use super::{Mode, convert};
use crate::error::bug;

pub(super) fn lists(array: &ArrayRef, from: &SqlType, to: &SqlType, mode: Mode) -> Result<ArrayRef> {
    let list = array.as_list_opt::<i32>().ok_or_else(|| bug("an ARRAY is not a list"))?;
    let values = convert(list.values(), from, to, mode)?;
    let DataType::List(item) = SqlType::Array(Box::new(to.clone())).to_arrow() else {
        return Err(bug("an ARRAY is not a list"));
    };
    Ok(Arc::new(ListArray::try_new(item, list.offsets().clone(), values, list.nulls().cloned())?))
}

pub(super) fn maps(array: &ArrayRef, from: &SqlType, to: &SqlType, mode: Mode) -> Result<ArrayRef> {
    let (SqlType::Map(from_key, from_value), SqlType::Map(to_key, to_value)) = (from, to) else {
        return Err(bug("a MAP is not a map"));
    };
    let map = array.as_map_opt().ok_or_else(|| bug("a MAP is not a map"))?;
    let keys = convert(map.keys(), from_key, to_key, mode)?;
    let values = convert(map.values(), from_value, to_value, mode)?;
    build_map(to, keys, values, map.offsets().clone(), map.nulls().cloned())
}

/// A map column from its parts.
pub(crate) fn build_map(
    map_type: &SqlType,
    keys: ArrayRef,
    values: ArrayRef,
    offsets: arrow_buffer::OffsetBuffer<i32>,
    nulls: Option<arrow_buffer::NullBuffer>,
) -> Result<ArrayRef> {
    let DataType::Map(entries, sorted) = map_type.to_arrow() else { return Err(bug("a MAP is not a map")) };
    let DataType::Struct(fields) = entries.data_type() else { return Err(bug("a MAP has no entries")) };
    let pairs = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    Ok(Arc::new(MapArray::try_new(entries, offsets, pairs, nulls, sorted)?))
}

pub(super) fn rows(
    array: &ArrayRef,
    from: &[(String, SqlType)],
    to: &[(String, SqlType)],
    mode: Mode,
) -> Result<ArrayRef> {
    let row = array.as_struct_opt().ok_or_else(|| bug("a ROW is not a struct"))?;
    let columns = row
        .columns()
        .iter()
        .zip(from.iter().zip(to))
        .map(|(column, ((_, from), (_, to)))| convert(column, from, to, mode))
        .collect::<Result<Vec<_>>>()?;
    let DataType::Struct(fields) = SqlType::Row(to.to_vec()).to_arrow() else {
        return Err(bug("a ROW is not a struct"));
    };
    Ok(Arc::new(StructArray::try_new_with_length(fields, columns, row.nulls().cloned(), row.len())?))
}
