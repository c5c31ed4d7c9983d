//! `ARRAY[a, b]`, `MAP[k, v]`, `ROW(a, b)`.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, StructArray, UInt32Array};
use arrow_buffer::OffsetBuffer;
use arrow_row::{RowConverter, SortField};
use arrow_schema::DataType;
use datafusion_common::Result;
use sluice_model::SqlType;

use super::pool::Pool;
use crate::cast::build_map;
use crate::error::{bug, fix};
use crate::function::{Arguments, Call, Definition, Kind};
use crate::types::common_type;

pub(super) fn definitions() -> Vec<Definition> {
    vec![
        Definition::new("array", &[], SqlType::Null, array).parameters(same_types).returns(array_type).not_null(),
        Definition::new("map", &[], SqlType::Null, map).parameters(pairs).returns(map_type).not_null().fallible(),
        Definition::new("row", &[], SqlType::Null, row).variadic(Kind::Any, 1).returns(row_type).not_null(),
    ]
}

fn common(given: &[DataType]) -> Option<DataType> {
    let types: Vec<SqlType> = given.iter().map(SqlType::of_arrow).collect();
    common_type(&types).map(|common| common.to_arrow())
}

fn same_types(given: &[DataType]) -> Option<Vec<DataType>> {
    Some(vec![common(given)?; given.len()])
}

fn array_type(arguments: &Arguments<'_>) -> Result<SqlType> {
    let element = common_type(&arguments.sql_types());
    element.map(|element| SqlType::Array(Box::new(element))).ok_or_else(|| fix("the elements have no common type"))
}

fn array(call: &Call<'_>) -> Result<ArrayRef> {
    let pool = Pool::new(call, 0..call.len(), false)?;
    pool.lists(call, |row, positions| {
        positions.extend((0..call.len()).map(|argument| pool.element(argument, row) as u32));
        Ok(true)
    })
}

/// Keys in one type and values in one type.
fn pairs(given: &[DataType]) -> Option<Vec<DataType>> {
    let every_second = |skip: usize| given.iter().skip(skip).step_by(2).cloned().collect::<Vec<_>>();
    let (keys, values) = (common(&every_second(0))?, common(&every_second(1))?);
    let even = !given.is_empty() && given.len().is_multiple_of(2);
    even.then(|| (0..given.len()).map(|index| if index % 2 == 0 { keys.clone() } else { values.clone() }).collect())
}

fn map_type(arguments: &Arguments<'_>) -> Result<SqlType> {
    let types = arguments.sql_types();
    let every_second = |skip: usize| types.iter().skip(skip).step_by(2).cloned().collect::<Vec<_>>();
    match (common_type(&every_second(0)), common_type(&every_second(1))) {
        (Some(key), Some(value)) => Ok(SqlType::Map(Box::new(key), Box::new(value))),
        _ => Err(fix("the entries of the map have no common type")),
    }
}

fn map(call: &Call<'_>) -> Result<ArrayRef> {
    let pairs = call.len() / 2;
    let keys = interleaved(call, 0)?;
    if keys.null_count() > 0 {
        return Err(fix("a key of a MAP is NULL"));
    }
    let values = interleaved(call, 1)?;
    let (places, lengths) = last_of_each_key(&keys, pairs)?;
    let take = |array: &ArrayRef, places| arrow_select::take::take(array, &UInt32Array::from(places), None);
    let (keys, values) = match places {
        Some((keys_at, values_at)) => (take(&keys, keys_at)?, take(&values, values_at)?),
        None => (keys, values),
    };
    build_map(&call.returns, keys, values, OffsetBuffer::from_lengths(lengths), None)
}

/// Places of keys and of their values.
type Entries = (Vec<u32>, Vec<u32>);

/// Of maps of so many entries each: where their keys and values stand, with the last value of a key that comes
/// again, and how many each map has left. `None`: all are left.
fn last_of_each_key(keys: &ArrayRef, pairs: usize) -> Result<(Option<Entries>, Vec<usize>)> {
    let converter = RowConverter::new(vec![SortField::new(keys.data_type().clone())])?;
    let rows = converter.convert_columns(std::slice::from_ref(keys))?;
    let (mut keys_at, mut values_at) = (Vec::with_capacity(keys.len()), Vec::with_capacity(keys.len()));
    let mut lengths = Vec::new();
    for start in (0..keys.len()).step_by(pairs.max(1)) {
        let before = keys_at.len();
        for place in start..start + pairs {
            let same = |other: &usize| rows.row(*other) == rows.row(place);
            if !(start..place).any(|other| same(&other)) {
                let last = (place..start + pairs).rev().find(same).unwrap_or(place);
                keys_at.push(place as u32);
                values_at.push(last as u32);
            }
        }
        lengths.push(keys_at.len() - before);
    }
    let is_whole = keys_at.len() == keys.len();
    Ok(((!is_whole).then_some((keys_at, values_at)), lengths))
}

/// Every second argument, row by row.
fn interleaved(call: &Call<'_>, first: usize) -> Result<ArrayRef> {
    let columns = (first..call.len()).step_by(2).map(|index| call.array(index)).collect::<Result<Vec<_>>>()?;
    let parts: Vec<&dyn Array> = columns.iter().map(AsRef::as_ref).collect();
    let all = arrow_select::concat::concat(&parts)?;
    let positions =
        (0..call.rows).flat_map(|row| (0..parts.len()).map(move |column| (column * call.rows + row) as u32));
    let positions: UInt32Array = positions.collect::<Vec<_>>().into();
    Ok(arrow_select::take::take(&all, &positions, None)?)
}

/// Fields without names are called as Flink calls columns without names.
fn row_type(arguments: &Arguments<'_>) -> Result<SqlType> {
    let fields = arguments.sql_types().into_iter().enumerate();
    Ok(SqlType::Row(fields.map(|(index, sql_type)| (format!("EXPR${index}"), sql_type)).collect()))
}

fn row(call: &Call<'_>) -> Result<ArrayRef> {
    let DataType::Struct(fields) = call.return_type else { return Err(bug("a ROW is not a struct")) };
    let columns = (0..call.len()).map(|index| call.array(index)).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, None, call.rows)?))
}
