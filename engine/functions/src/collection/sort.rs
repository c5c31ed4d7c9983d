//! Order of elements: `ARRAY_SORT`, `ARRAY_MAX`, `ARRAY_MIN`, and `ARRAY_JOIN`.

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_schema::DataType;
use datafusion_common::Result;
use sluice_model::SqlType;

use super::pool::Pool;
use crate::error::bug;
use crate::function::{Arguments, Call, Definition, Kind};
use crate::misc::take;

pub(super) fn definitions() -> Vec<Definition> {
    use Kind::{Array, Boolean, String};
    vec![
        Definition::new("array_sort", &[Array], SqlType::Null, sort)
            .or(&[Array, Boolean])
            .or(&[Array, Boolean, Boolean])
            .same_as(0),
        Definition::new("array_max", &[Array], SqlType::Null, |call| extreme(call, true))
            .returns(element_type)
            .nullable(),
        Definition::new("array_min", &[Array], SqlType::Null, |call| extreme(call, false))
            .returns(element_type)
            .nullable(),
        Definition::new("array_join", &[Array, String], SqlType::STRING, join).parameters(array_of_texts),
    ]
}

pub(super) fn element_type(arguments: &Arguments<'_>) -> Result<SqlType> {
    match arguments.sql_type(0) {
        SqlType::Array(element) => Ok(*element),
        other => Err(bug(format!("{other} has no elements"))),
    }
}

/// Ascending with `NULL` first, descending with `NULL` last, unless told where.
fn sort(call: &Call<'_>) -> Result<ArrayRef> {
    let pool = Pool::new(call, 0..1, true)?;
    let ascending = (call.len() > 1).then(|| call.booleans(1)).transpose()?;
    let nulls_first = (call.len() > 2).then(|| call.booleans(2)).transpose()?;
    pool.lists(call, |row, positions| {
        let Some(list) = pool.list(0, row) else { return Ok(false) };
        let Some(ascending) = ascending.as_ref().map_or(Some(true), |cells| cells.get(row)) else { return Ok(false) };
        let Some(nulls_first) = nulls_first.as_ref().map_or(Some(ascending), |cells| cells.get(row)) else {
            return Ok(false);
        };
        let (mut values, nulls): (Vec<usize>, Vec<usize>) = list.partition(|position| !pool.is_null(*position));
        let mut keyed =
            values.drain(..).map(|position| Ok((pool.row(position)?, position))).collect::<Result<Vec<_>>>()?;
        keyed.sort_by(|(a, _), (b, _)| if ascending { a.cmp(b) } else { b.cmp(a) });
        let values = keyed.into_iter().map(|(_, position)| position as u32);
        let nulls = nulls.into_iter().map(|position| position as u32);
        if nulls_first {
            positions.extend(nulls.chain(values));
        } else {
            positions.extend(values.chain(nulls));
        }
        Ok(true)
    })
}

/// `NULL` elements do not count.
fn extreme(call: &Call<'_>, greatest: bool) -> Result<ArrayRef> {
    let pool = Pool::new(call, 0..1, true)?;
    let mut positions = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let mut best: Option<usize> = None;
        for position in pool.list(0, row).unwrap_or(0..0).filter(|position| !pool.is_null(*position)) {
            let better = match best {
                Some(best) if greatest => pool.row(position)? > pool.row(best)?,
                Some(best) => pool.row(position)? < pool.row(best)?,
                None => true,
            };
            if better {
                best = Some(position);
            }
        }
        positions.push(best.map(|position| position as u32));
    }
    take(pool.elements(), positions.into_iter())
}

fn array_of_texts(given: &[DataType]) -> Option<Vec<DataType>> {
    let texts = SqlType::Array(Box::new(SqlType::STRING)).to_arrow();
    let (array, rest) = given.split_first()?;
    let is_texts = matches!(array, DataType::List(item) if *item.data_type() == DataType::Utf8);
    let rest_fits = (1..=2).contains(&rest.len()) && rest.iter().all(|part| Kind::String.accept(part).is_some());
    (is_texts && rest_fits).then(|| {
        let mut types = vec![if matches!(array, DataType::List(_)) { array.clone() } else { texts }];
        types.resize(given.len(), DataType::Utf8);
        types
    })
}

/// `NULL` elements are left out unless there is a text for them.
fn join(call: &Call<'_>) -> Result<ArrayRef> {
    let (cells, separators) = (call.cells_of_any(0)?, call.strings(1)?);
    let replacements = (call.len() > 2).then(|| call.strings(2)).transpose()?;
    let list = cells.array().as_list::<i32>();
    let texts = list.values().as_string_opt::<i32>().ok_or_else(|| bug("ARRAY_JOIN joins texts"))?;
    call.write_strings(|row, out| {
        let (Some(at), Some(separator)) = (cells.position(row), separators.get(row)) else { return Ok(false) };
        let replacement = match &replacements {
            Some(replacements) => match replacements.get(row) {
                Some(replacement) => Some(replacement),
                None => return Ok(false),
            },
            None => None,
        };
        let range = list.value_offsets()[at] as usize..list.value_offsets()[at + 1] as usize;
        let parts = range.filter_map(|index| {
            if arrow_array::Array::is_null(texts, index) { replacement } else { Some(texts.value(index)) }
        });
        for (index, part) in parts.enumerate() {
            out.push_str(if index == 0 { "" } else { separator });
            out.push_str(part);
        }
        Ok(true)
    })
}
