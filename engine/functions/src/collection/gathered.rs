//! What aggregate functions make of the values that `ARRAY_AGG` has gathered.
//!
//! | aggregate | |
//! |---|---|
//! | `COLLECT(x)` | `__collect(ARRAY_AGG(x))`: how often each value occurs |
//! | `PERCENTILE(x, p)` | `__percentile(ARRAY_AGG(x), p)` |
//! | `PERCENTILE(x, p, n)` | `__percentile(ARRAY_AGG(x), p, ARRAY_AGG(n))`: `x` counts `n` times |

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, ListBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Int32Array, UInt32Array};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_row::{RowConverter, SortField};
use arrow_schema::DataType;
use datafusion_common::Result;
use sluice_model::SqlType;

use crate::cast::build_map;
use crate::error::{bug, fix};
use crate::function::{Arguments, Call, Cells, Definition, Kind};
use crate::types::is_numeric;

pub(super) fn definitions() -> Vec<Definition> {
    vec![
        Definition::new("__collect", &[Kind::Array], SqlType::Null, collect).returns(collected).not_null(),
        Definition::new("__percentile", &[], SqlType::Null, percentile)
            .parameters(numbers_and_shares)
            .returns(percentile_type)
            .nullable()
            .fallible(),
    ]
}

fn collected(arguments: &Arguments<'_>) -> Result<SqlType> {
    match arguments.sql_type(0) {
        SqlType::Array(element) => Ok(SqlType::Map(element, Box::new(SqlType::Int))),
        other => Err(bug(format!("{other} is not an array"))),
    }
}

/// The different values of an array in ascending order, with their number; of no array there are none.
fn collect(call: &Call<'_>) -> Result<ArrayRef> {
    let array = call.array(0)?;
    let list = array.as_list::<i32>();
    let converter = RowConverter::new(vec![SortField::new(list.values().data_type().clone())])?;
    let rows = converter.convert_columns(std::slice::from_ref(list.values()))?;
    let (mut firsts, mut counts): (Vec<u32>, Vec<i32>) = (Vec::new(), Vec::new());
    let mut lengths = Vec::with_capacity(call.rows);
    let mut order: Vec<u32> = Vec::new();
    for row in 0..call.rows {
        let start = firsts.len();
        order.clear();
        if list.is_valid(row) {
            order.extend(list.value_offsets()[row] as u32..list.value_offsets()[row + 1] as u32);
        }
        order.retain(|place| list.values().is_valid(*place as usize));
        order.sort_by(|a, b| rows.row(*a as usize).cmp(&rows.row(*b as usize)).then(a.cmp(b)));
        for group in order.chunk_by(|a, b| rows.row(*a as usize) == rows.row(*b as usize)) {
            firsts.push(group[0]);
            counts.push(group.len() as i32);
        }
        lengths.push(firsts.len() - start);
    }
    let keys = arrow_select::take::take(list.values(), &UInt32Array::from(firsts), None)?;
    let values: ArrayRef = Arc::new(Int32Array::from(counts));
    build_map(&call.returns, keys, values, OffsetBuffer::from_lengths(lengths), None)
}

/// Numbers as `DOUBLE`s, one share or several, how often each number counts.
fn numbers_and_shares(given: &[DataType]) -> Option<Vec<DataType>> {
    let doubles = || DataType::new_list(DataType::Float64, true);
    let is_numbers = |data_type: &DataType| match SqlType::of_arrow(data_type) {
        SqlType::Array(element) => is_numeric(&element) || *element == SqlType::Null,
        _ => false,
    };
    let [numbers, shares, frequencies @ ..] = given else { return None };
    let shares = if is_numbers(shares) { doubles() } else { Kind::Double.accept(shares)? };
    let mut types = vec![is_numbers(numbers).then(doubles)?, shares];
    match frequencies {
        [] => {}
        [frequencies] if is_numbers(frequencies) => types.push(DataType::new_list(DataType::Int64, true)),
        _ => return None,
    }
    Some(types)
}

fn percentile_type(arguments: &Arguments<'_>) -> Result<SqlType> {
    Ok(match arguments.sql_type(1) {
        SqlType::Array(_) => SqlType::Array(Box::new(SqlType::Double)),
        _ => SqlType::Double,
    })
}

/// Numbers in ascending order, each with the number of those up to it.
#[derive(Default)]
struct Sorted {
    numbers: Vec<(f64, i64)>,
}

impl Sorted {
    /// Fills it with the numbers of a row; what is `NULL` or counts less than once is left out.
    fn fill(&mut self, row: usize, lists: &Cells<ArrayRef>, frequencies: Option<&Cells<ArrayRef>>) {
        self.numbers.clear();
        let Some(at) = lists.position(row) else { return };
        let list = lists.array().as_list::<i32>();
        let values = list.values().as_primitive::<Float64Type>();
        let start = list.value_offsets()[at] as usize;
        for place in start..list.value_offsets()[at + 1] as usize {
            let frequency = frequencies.map_or(1, |frequencies| frequency(frequencies, row, place - start));
            if values.is_valid(place) && frequency > 0 {
                self.numbers.push((values.value(place), frequency));
            }
        }
        self.numbers.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut total = 0i64;
        for (_, upto) in &mut self.numbers {
            total = total.saturating_add(*upto);
            *upto = total;
        }
    }

    /// The number at a share of the way, between two of them if need be.
    fn at(&self, share: f64) -> Option<f64> {
        let total = self.numbers.last()?.1;
        let position = (total - 1) as f64 * share;
        let (lower, upper) = (self.nth(position.floor() as i64), self.nth(position.ceil() as i64));
        let part = position - position.floor();
        Some(if part == 0.0 { lower } else { lower + (upper - lower) * part })
    }

    /// The n-th number, from 0.
    fn nth(&self, place: i64) -> f64 {
        let found = self.numbers.partition_point(|(_, upto)| *upto <= place);
        self.numbers.get(found).map_or(f64::NAN, |(number, _)| *number)
    }
}

fn frequency(frequencies: &Cells<ArrayRef>, row: usize, index: usize) -> i64 {
    let Some(at) = frequencies.position(row) else { return 0 };
    let list = frequencies.array().as_list::<i32>();
    let place = list.value_offsets()[at] as usize + index;
    let values = list.values().as_primitive::<Int64Type>();
    if values.is_valid(place) { values.value(place) } else { 0 }
}

fn checked(share: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err(fix(format!("PERCENTILE takes shares between 0 and 1, not {share}")))
    }
}

fn percentile(call: &Call<'_>) -> Result<ArrayRef> {
    let lists = call.cells_of_any(0)?;
    let frequencies = (call.len() > 2).then(|| call.cells_of_any(2)).transpose()?;
    let mut sorted = Sorted::default();
    if call.returns == SqlType::Double {
        let shares = call.doubles(1)?;
        return call.primitive::<Float64Type>(|row| {
            sorted.fill(row, &lists, frequencies.as_ref());
            shares.get(row).map(checked).transpose().map(|share| share.and_then(|share| sorted.at(share)))
        });
    }
    let shares = call.cells_of_any(1)?;
    let mut results = ListBuilder::new(Float64Builder::new());
    let mut valid = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        sorted.fill(row, &lists, frequencies.as_ref());
        let at = shares.position(row).filter(|_| !sorted.numbers.is_empty());
        if let Some(at) = at {
            let list = shares.array().as_list::<i32>();
            for place in list.value_offsets()[at] as usize..list.value_offsets()[at + 1] as usize {
                let values = list.values().as_primitive::<Float64Type>();
                let share = values.is_valid(place).then(|| checked(values.value(place))).transpose()?;
                results.values().append_option(share.and_then(|share| sorted.at(share)));
            }
        }
        results.append(true);
        valid.push(at.is_some());
    }
    let results = results.finish();
    let DataType::List(item) = call.return_type else { return Err(bug("an array is no list")) };
    let nulls = Some(NullBuffer::from(valid));
    let lists = arrow_array::ListArray::try_new(
        Arc::clone(item),
        results.offsets().clone(),
        Arc::clone(results.values()),
        nulls,
    );
    Ok(Arc::new(lists?))
}
