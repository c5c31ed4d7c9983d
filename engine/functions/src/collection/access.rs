//! `a[i]`, `m[k]`, `r.f`, `CARDINALITY` and `ELEMENT`.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_row::{RowConverter, SortField};
use arrow_schema::DataType;
use arrow_select::nullif::nullif;
use datafusion_common::Result;
use sluice_model::{Error, SqlType, suggest};

use super::sort::element_type;
use crate::error::{bug, external, fix};
use crate::function::{Arguments, Call, Definition, Kind};
use crate::misc::take;

pub(super) fn definitions() -> Vec<Definition> {
    vec![
        Definition::new("item", &[], SqlType::Null, item).parameters(item_parameters).returns(item_type).nullable(),
        Definition::new("element", &[Kind::Array], SqlType::Null, element).returns(element_type).nullable().fallible(),
        Definition::new("cardinality", &[Kind::Array], SqlType::Int, cardinality).or(&[Kind::Map]),
    ]
}

fn item_parameters(given: &[DataType]) -> Option<Vec<DataType>> {
    let [container, key] = given else { return None };
    let key = match container {
        DataType::List(_) => Kind::Integer.accept(key)?,
        DataType::Map(..) => match SqlType::of_arrow(container) {
            SqlType::Map(wanted, _) => wanted.to_arrow(),
            _ => return None,
        },
        DataType::Struct(_) => Kind::String.accept(key)?,
        _ => return None,
    };
    Some(vec![container.clone(), key])
}

fn item_type(arguments: &Arguments<'_>) -> Result<SqlType> {
    match arguments.sql_type(0) {
        SqlType::Array(element) => match arguments.constant_integer(1) {
            Some(index) if index < 1 => Err(external(
                Error::fix(format!("array index {index} is not positive")).with_hint("the first element is a[1]"),
            )),
            _ => Ok(*element),
        },
        SqlType::Map(_, value) => Ok(*value),
        SqlType::Row(fields) => {
            let name = arguments.constant_string(1).ok_or_else(|| fix("the name of a field must be a literal"))?;
            let found = fields.iter().find(|(field, _)| field == name).map(|(_, sql_type)| sql_type.clone());
            found.ok_or_else(|| {
                let error = Error::fix(format!("the row has no field '{name}'"));
                external(match suggest(name, fields.iter().map(|(field, _)| field.as_str())) {
                    Some(field) => error.with_hint(format!("did you mean '{field}'?")),
                    None => error,
                })
            })
        }
        other => Err(fix(format!("a value of type {other} has no items"))),
    }
}

fn item(call: &Call<'_>) -> Result<ArrayRef> {
    let cells = call.cells_of_any(0)?;
    match cells.array().data_type() {
        DataType::List(_) => {
            let (list, indexes) = (cells.array().as_list::<i32>(), call.integers(1)?);
            let positions = (0..call.rows).map(|row| {
                let (at, index) = (cells.position(row)?, indexes.get(row)?);
                let length = i64::from(list.value_length(at));
                (1..=length).contains(&index).then(|| (i64::from(list.value_offsets()[at]) + index - 1) as u32)
            });
            take(list.values(), positions)
        }
        DataType::Map(..) => value_of_key(call),
        DataType::Struct(_) => {
            let name = call.constant_string(1, "the name of a field")?;
            let rows = call.array(0)?;
            let column = rows.as_struct().column_by_name(name);
            let column = column.ok_or_else(|| bug(format!("the row has no field '{name}'")))?;
            // A NULL row has NULL fields.
            match rows.nulls() {
                Some(nulls) => Ok(nullif(column, &BooleanArray::new(!nulls.inner(), None))?),
                None => Ok(Arc::clone(column)),
            }
        }
        other => Err(bug(format!("{other} has no items"))),
    }
}

fn value_of_key(call: &Call<'_>) -> Result<ArrayRef> {
    let (cells, wanted) = (call.cells_of_any(0)?, call.cells_of_any(1)?);
    let map = cells.array().as_map();
    let converter = RowConverter::new(vec![SortField::new(map.keys().data_type().clone())])?;
    let keys = converter.convert_columns(&[Arc::clone(map.keys())])?;
    let wanted_keys = converter.convert_columns(&[Arc::clone(wanted.array())])?;
    let positions = (0..call.rows).map(|row| {
        let at = cells.position(row)?;
        let key = wanted_keys.row(wanted.position(row)?);
        let mut range = map.value_offsets()[at] as usize..map.value_offsets()[at + 1] as usize;
        range.find(|entry| keys.row(*entry) == key).map(|entry| entry as u32)
    });
    take(map.values(), positions)
}

/// The only element; `NULL` of none.
fn element(call: &Call<'_>) -> Result<ArrayRef> {
    let cells = call.cells_of_any(0)?;
    let list = cells.array().as_list::<i32>();
    let many = |row| cells.position(row).is_some_and(|at| list.value_length(at) > 1);
    if (0..call.rows).any(many) {
        return Err(fix("ELEMENT takes an array of at most one element"));
    }
    let positions = (0..call.rows).map(|row| {
        let at = cells.position(row).filter(|at| list.value_length(*at) == 1)?;
        Some(list.value_offsets()[at] as u32)
    });
    take(list.values(), positions)
}

fn cardinality(call: &Call<'_>) -> Result<ArrayRef> {
    let cells = call.cells_of_any(0)?;
    let offsets = match cells.array().data_type() {
        DataType::Map(..) => cells.array().as_map().value_offsets(),
        _ => cells.array().as_list::<i32>().value_offsets(),
    };
    call.primitive::<Int32Type>(|row| Ok(cells.position(row).map(|at| offsets[at + 1] - offsets[at])))
}
