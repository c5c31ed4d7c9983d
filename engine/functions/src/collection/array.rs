//! `ARRAY_APPEND`, `ARRAY_CONTAINS`, `ARRAY_DISTINCT` and the rest of the family.

use std::collections::HashSet;

use arrow_array::ArrayRef;
use arrow_array::types::Int32Type;
use arrow_schema::DataType;
use datafusion_common::Result;
use sluice_model::SqlType;

use super::pool::Pool;
use crate::function::{Call, Definition, Kind};
use crate::types::common_type;

pub(super) fn definitions() -> Vec<Definition> {
    let with_element = |name, kernel| Definition::new(name, &[], SqlType::Null, kernel).parameters(array_and_element);
    let of_arrays = |name, kernel| Definition::new(name, &[], SqlType::Null, kernel).parameters(arrays).same_as(0);
    let of_two = |name, kernel| of_arrays(name, kernel).parameters(two_arrays);
    let of_one = |name, kernel| Definition::new(name, &[Kind::Array], SqlType::Null, kernel).same_as(0);
    vec![
        with_element("array_append", append).same_as(0),
        with_element("array_prepend", prepend).same_as(0),
        with_element("array_remove", remove).same_as(0),
        with_element("array_contains", contains).returns(|_| Ok(SqlType::Boolean)),
        with_element("array_position", position).returns(|_| Ok(SqlType::Int)),
        of_arrays("array_concat", concat),
        of_one("array_distinct", distinct),
        of_one("array_reverse", reverse),
        of_two("array_except", except),
        of_two("array_intersect", intersect),
        of_two("array_union", union),
        Definition::new("array_slice", &[Kind::Array, Kind::Integer], SqlType::Null, slice)
            .or(&[Kind::Array, Kind::Integer, Kind::Integer])
            .same_as(0),
    ]
}

fn list_of(element: &SqlType) -> DataType {
    SqlType::Array(Box::new(element.clone())).to_arrow()
}

fn array_and_element(given: &[DataType]) -> Option<Vec<DataType>> {
    let [array, element] = given else { return None };
    let SqlType::Array(item) = SqlType::of_arrow(array) else { return None };
    let common = common_type(&[*item, SqlType::of_arrow(element)])?;
    Some(vec![list_of(&common), common.to_arrow()])
}

fn arrays(given: &[DataType]) -> Option<Vec<DataType>> {
    let types: Vec<SqlType> = given.iter().map(SqlType::of_arrow).collect();
    let common = common_type(&types).filter(|common| matches!(common, SqlType::Array(_)))?;
    Some(vec![common.to_arrow(); given.len()])
}

fn two_arrays(given: &[DataType]) -> Option<Vec<DataType>> {
    (given.len() == 2).then(|| arrays(given))?
}

fn extend(positions: &mut Vec<u32>, range: impl Iterator<Item = usize>) {
    positions.extend(range.map(|position| position as u32));
}

fn append(call: &Call<'_>) -> Result<ArrayRef> {
    let pool = Pool::new(call, 0..2, false)?;
    pool.lists(call, |row, positions| {
        let Some(list) = pool.list(0, row) else { return Ok(false) };
        extend(positions, list.chain([pool.element(1, row)]));
        Ok(true)
    })
}

fn prepend(call: &Call<'_>) -> Result<ArrayRef> {
    let pool = Pool::new(call, 0..2, false)?;
    pool.lists(call, |row, positions| {
        let Some(list) = pool.list(0, row) else { return Ok(false) };
        extend(positions, std::iter::once(pool.element(1, row)).chain(list));
        Ok(true)
    })
}

/// Without any of the elements that are equal.
fn remove(call: &Call<'_>) -> Result<ArrayRef> {
    let pool = Pool::new(call, 0..2, true)?;
    pool.lists(call, |row, positions| {
        let Some(list) = pool.list(0, row) else { return Ok(false) };
        let removed = pool.row(pool.element(1, row))?;
        for position in list {
            if pool.row(position)? != removed {
                positions.push(position as u32);
            }
        }
        Ok(true)
    })
}

/// Index of an element in an array, from 0.
fn find(pool: &Pool, row: usize) -> Result<Option<Option<usize>>> {
    let Some(mut list) = pool.list(0, row) else { return Ok(None) };
    let start = list.start;
    let wanted = pool.row(pool.element(1, row))?;
    let found = list.try_fold(None, |found, position| {
        Ok::<_, datafusion_common::DataFusionError>(match found {
            None if pool.row(position)? == wanted => Some(position - start),
            found => found,
        })
    })?;
    Ok(Some(found))
}

fn contains(call: &Call<'_>) -> Result<ArrayRef> {
    let pool = Pool::new(call, 0..2, true)?;
    let found = (0..call.rows).map(|row| find(&pool, row)).collect::<Result<Vec<_>>>()?;
    call.truths(|row| found[row].map(|found| found.is_some()))
}

/// From 1; 0 if it is not there, `NULL` for `NULL`.
fn position(call: &Call<'_>) -> Result<ArrayRef> {
    let pool = Pool::new(call, 0..2, true)?;
    call.primitive::<Int32Type>(|row| {
        if pool.is_null(pool.element(1, row)) {
            return Ok(None);
        }
        Ok(find(&pool, row)?.map(|found| found.map_or(0, |index| index as i32 + 1)))
    })
}

fn concat(call: &Call<'_>) -> Result<ArrayRef> {
    let pool = Pool::new(call, 0..call.len(), false)?;
    pool.lists(call, |row, positions| {
        for argument in 0..call.len() {
            let Some(list) = pool.list(argument, row) else { return Ok(false) };
            extend(positions, list);
        }
        Ok(true)
    })
}

fn reverse(call: &Call<'_>) -> Result<ArrayRef> {
    let pool = Pool::new(call, 0..1, false)?;
    pool.lists(call, |row, positions| {
        let Some(list) = pool.list(0, row) else { return Ok(false) };
        extend(positions, list.rev());
        Ok(true)
    })
}

/// Keeps the first of equal elements.
fn distinct(call: &Call<'_>) -> Result<ArrayRef> {
    let pool = Pool::new(call, 0..1, true)?;
    pool.lists(call, |row, positions| {
        let Some(list) = pool.list(0, row) else { return Ok(false) };
        let mut seen = HashSet::new();
        for position in list {
            if seen.insert(pool.row(position)?) {
                positions.push(position as u32);
            }
        }
        Ok(true)
    })
}

fn union(call: &Call<'_>) -> Result<ArrayRef> {
    let pool = Pool::new(call, 0..2, true)?;
    pool.lists(call, |row, positions| {
        let (Some(left), Some(right)) = (pool.list(0, row), pool.list(1, row)) else { return Ok(false) };
        let mut seen = HashSet::new();
        for position in left.chain(right) {
            if seen.insert(pool.row(position)?) {
                positions.push(position as u32);
            }
        }
        Ok(true)
    })
}

/// The elements that the second array does not have, each once.
fn except(call: &Call<'_>) -> Result<ArrayRef> {
    let pool = Pool::new(call, 0..2, true)?;
    pool.lists(call, |row, positions| {
        let (Some(left), Some(right)) = (pool.list(0, row), pool.list(1, row)) else { return Ok(false) };
        let mut excluded = right.map(|position| pool.row(position)).collect::<Result<HashSet<_>>>()?;
        for position in left {
            if excluded.insert(pool.row(position)?) {
                positions.push(position as u32);
            }
        }
        Ok(true)
    })
}

fn intersect(call: &Call<'_>) -> Result<ArrayRef> {
    let pool = Pool::new(call, 0..2, true)?;
    pool.lists(call, |row, positions| {
        let (Some(left), Some(right)) = (pool.list(0, row), pool.list(1, row)) else { return Ok(false) };
        let mut wanted = right.map(|position| pool.row(position)).collect::<Result<HashSet<_>>>()?;
        for position in left {
            if wanted.remove(&pool.row(position)?) {
                positions.push(position as u32);
            }
        }
        Ok(true)
    })
}

/// Both ends count; negative ones from the end, and 0 is the first.
fn slice(call: &Call<'_>) -> Result<ArrayRef> {
    let pool = Pool::new(call, 0..1, false)?;
    let starts = call.integers(1)?;
    let ends = (call.len() > 2).then(|| call.integers(2)).transpose()?;
    pool.lists(call, |row, positions| {
        let (Some(list), Some(start)) = (pool.list(0, row), starts.get(row)) else { return Ok(false) };
        let length = list.len() as i64;
        let end = match &ends {
            Some(ends) => match ends.get(row) {
                Some(end) => end,
                None => return Ok(false),
            },
            None => length,
        };
        let index = |offset: i64| if offset < 0 { length + offset + 1 } else { offset };
        let first = index(start).max(1);
        let last = index(if end == 0 { 1 } else { end }).min(length);
        if first <= last {
            extend(positions, list.start + first as usize - 1..list.start + last as usize);
        }
        Ok(true)
    })
}
