//! `MAP_KEYS`, `MAP_VALUES`, `MAP_ENTRIES`, `MAP_FROM_ARRAYS`, `MAP_UNION`.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, MapArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_row::{RowConverter, SortField};
use arrow_schema::DataType;
use arrow_select::concat::concat;
use datafusion_common::Result;
use sluice_model::SqlType;

use crate::cast::build_map;
use crate::error::{bug, fix};
use crate::function::{Arguments, Call, Definition, Kind};
use crate::misc::take;
use crate::types::common_type;

pub(super) fn definitions() -> Vec<Definition> {
    use Kind::{Array, Map};
    vec![
        Definition::new("map_keys", &[Map], SqlType::Null, |call| side(call, |map| Arc::clone(map.keys())))
            .returns(|arguments| map_of(arguments).map(|(key, _)| SqlType::Array(Box::new(key)))),
        Definition::new("map_values", &[Map], SqlType::Null, |call| side(call, |map| Arc::clone(map.values())))
            .returns(|arguments| map_of(arguments).map(|(_, value)| SqlType::Array(Box::new(value)))),
        Definition::new("map_entries", &[Map], SqlType::Null, entries).returns(entries_type),
        Definition::new("map_from_arrays", &[Array, Array], SqlType::Null, from_arrays)
            .returns(from_arrays_type)
            .fallible(),
        Definition::new("map_union", &[], SqlType::Null, union).parameters(maps).returns(union_type),
    ]
}

fn map_of(arguments: &Arguments<'_>) -> Result<(SqlType, SqlType)> {
    match arguments.sql_type(0) {
        SqlType::Map(key, value) => Ok((*key, *value)),
        other => Err(bug(format!("{other} is not a map"))),
    }
}

fn item_field(call: &Call<'_>) -> Result<arrow_schema::FieldRef> {
    match call.return_type {
        DataType::List(item) => Ok(Arc::clone(item)),
        other => Err(bug(format!("{other} is not a list"))),
    }
}

fn side(call: &Call<'_>, values: impl Fn(&arrow_array::MapArray) -> ArrayRef) -> Result<ArrayRef> {
    let array = call.array(0)?;
    let map = array.as_map();
    let lists = ListArray::try_new(item_field(call)?, map.offsets().clone(), values(map), map.nulls().cloned())?;
    Ok(Arc::new(lists))
}

fn entries_type(arguments: &Arguments<'_>) -> Result<SqlType> {
    let (key, value) = map_of(arguments)?;
    Ok(SqlType::Array(Box::new(SqlType::Row(vec![("key".to_owned(), key), ("value".to_owned(), value)]))))
}

fn entries(call: &Call<'_>) -> Result<ArrayRef> {
    let array = call.array(0)?;
    let map = array.as_map();
    let item = item_field(call)?;
    let DataType::Struct(fields) = item.data_type() else { return Err(bug("an entry is not a row")) };
    let columns = vec![Arc::clone(map.keys()), Arc::clone(map.values())];
    let rows = StructArray::try_new(fields.clone(), columns, None)?;
    Ok(Arc::new(ListArray::try_new(item, map.offsets().clone(), Arc::new(rows), map.nulls().cloned())?))
}

fn from_arrays_type(arguments: &Arguments<'_>) -> Result<SqlType> {
    match (arguments.sql_type(0), arguments.sql_type(1)) {
        (SqlType::Array(key), SqlType::Array(value)) => Ok(SqlType::Map(key, value)),
        _ => Err(bug("MAP_FROM_ARRAYS takes two arrays")),
    }
}

fn from_arrays(call: &Call<'_>) -> Result<ArrayRef> {
    let (keys, values) = (call.array(0)?, call.array(1)?);
    let (keys, values) = (keys.as_list::<i32>(), values.as_list::<i32>());
    let mut positions = (Vec::new(), Vec::new());
    let (mut lengths, mut valid) = (Vec::with_capacity(call.rows), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let both = !keys.is_null(row) && !values.is_null(row);
        if both && keys.value_length(row) != values.value_length(row) {
            return Err(fix("MAP_FROM_ARRAYS takes two arrays of one length"));
        }
        let length = if both { keys.value_length(row) } else { 0 };
        let range = |list: &ListArray| {
            (list.value_offsets()[row]..list.value_offsets()[row] + length).map(|at| Some(at as u32))
        };
        positions.0.extend(range(keys));
        positions.1.extend(range(values));
        lengths.push(length as usize);
        valid.push(both);
    }
    let key_column = take(keys.values(), positions.0.into_iter())?;
    if key_column.null_count() > 0 {
        return Err(fix("a key of a MAP is NULL"));
    }
    let value_column = take(values.values(), positions.1.into_iter())?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    build_map(&call.returns, key_column, value_column, offsets, Some(NullBuffer::from(valid)))
}

/// One or more maps of one type.
fn maps(given: &[DataType]) -> Option<Vec<DataType>> {
    let types: Vec<SqlType> = given.iter().map(SqlType::of_arrow).collect();
    let common = common_type(&types).filter(|common| matches!(common, SqlType::Map(..)))?;
    Some(vec![common.to_arrow(); given.len()])
}

fn union_type(arguments: &Arguments<'_>) -> Result<SqlType> {
    common_type(&arguments.sql_types()).ok_or_else(|| fix("the maps have no common type"))
}

/// All entries; of a key that several maps have, the value in the last of them.
fn union(call: &Call<'_>) -> Result<ArrayRef> {
    let cells = (0..call.len()).map(|index| call.cells_of_any(index)).collect::<Result<Vec<_>>>()?;
    let maps: Vec<&MapArray> = cells.iter().map(|cells| cells.array().as_map()).collect();
    let bases: Vec<usize> =
        maps.iter().scan(0, |base, map| Some(std::mem::replace(base, *base + map.keys().len()))).collect();
    let keys: Vec<&dyn Array> = maps.iter().map(|map| map.keys().as_ref()).collect();
    let values: Vec<&dyn Array> = maps.iter().map(|map| map.values().as_ref()).collect();
    let (keys, values) = (concat(&keys)?, concat(&values)?);
    let comparable = RowConverter::new(vec![SortField::new(keys.data_type().clone())])?
        .convert_columns(std::slice::from_ref(&keys))?;
    let mut entries: Vec<u32> = Vec::new();
    let (mut lengths, mut valid) = (Vec::with_capacity(call.rows), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let start = entries.len();
        let all_there = cells.iter().all(|cells| cells.position(row).is_some());
        for ((cells, map), base) in cells.iter().zip(&maps).zip(&bases).filter(|_| all_there) {
            let place = cells.row_index(row);
            for entry in map.value_offsets()[place] as usize..map.value_offsets()[place + 1] as usize {
                let entry = (base + entry) as u32;
                let same = |other: &&mut u32| comparable.row(**other as usize) == comparable.row(entry as usize);
                match entries[start..].iter_mut().find(same) {
                    Some(other) => *other = entry,
                    None => entries.push(entry),
                }
            }
        }
        lengths.push(entries.len() - start);
        valid.push(all_there);
    }
    let column = |from: &ArrayRef| take(from, entries.iter().map(|entry| Some(*entry)));
    let offsets = OffsetBuffer::from_lengths(lengths);
    build_map(&call.returns, column(&keys)?, column(&values)?, offsets, Some(NullBuffer::from(valid)))
}
