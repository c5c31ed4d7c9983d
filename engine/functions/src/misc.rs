//! Conditions and everything that belongs to no other family.

use arrow_array::types::Int8Type;
use arrow_array::{ArrayRef, BooleanArray, UInt32Array};
use arrow_ord::ord::make_comparator;
use arrow_schema::{DataType, SortOptions};
use datafusion_common::Result;
use sluice_model::SqlType;

use crate::error::{bug, fix};
use crate::function::{Arguments, Call, Definition, Kind, Stability};
use crate::types::common_type;

/// All of this file but what binding alone uses.
pub(crate) fn definitions() -> Vec<Definition> {
    let conditional =
        |name| Definition::new(name, &[], SqlType::Null, not_bound).parameters(common).returns(common_result);
    vec![
        conditional("coalesce"),
        conditional("ifnull").parameters(two_common),
        conditional("nullif").parameters(two_of_any).same_as(0).nullable(),
        conditional("if").parameters(condition_and_common).returns(if_result),
        // Names for DataFusion; binding takes them away.
        Definition::new("__cell", &[Kind::Any], SqlType::Null, not_bound).unlabelled(0),
        Definition::new("__as", &[Kind::String, Kind::Any], SqlType::Null, not_bound).same_as(1),
        Definition::new("__overlaps", &[Kind::Any; 4], SqlType::Boolean, not_bound).nullable(),
        conditional("greatest").with_kernel(greatest),
        conditional("least").with_kernel(least),
        Definition::new("typeof", &[Kind::Any], SqlType::STRING, not_bound).or(&[Kind::Any, Kind::Boolean]).not_null(),
        Definition::new("current_database", &[], SqlType::STRING, |call| {
            call.pick_strings(|_| Some(call.session.database.as_str()))
        })
        .not_null(),
        Definition::new("uuid", &[], SqlType::Char(36), |call| {
            call.write_strings(|_, out| {
                out.push_str(uuid::Uuid::new_v4().hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()));
                Ok(true)
            })
        })
        .not_null()
        .stability(Stability::PerRow),
    ]
}

/// A condition as 1, 0 or `NULL`: binding hides lazy conditions from the optimizer with it.
pub(crate) fn to_flag() -> Definition {
    Definition::new("to_flag", &[Kind::Boolean], SqlType::TinyInt, |call| {
        let condition = call.booleans(0)?;
        call.primitive::<Int8Type>(|row| Ok(condition.get(row).map(i8::from)))
    })
}

/// The condition back from its flag.
pub(crate) fn to_truth() -> Definition {
    Definition::new("to_truth", &[Kind::Any], SqlType::Boolean, |call| {
        let flags = call.primitives::<Int8Type>(0)?;
        call.truths(|row| flags.get(row).map(|flag| flag != 0))
    })
}

/// `IF`, `COALESCE` and their like become `CASE` when a plan is bound, because they are lazy.
fn not_bound(_call: &Call<'_>) -> Result<ArrayRef> {
    Err(bug("a conditional function was evaluated in a plan that was not bound"))
}

fn common_data_type(given: &[DataType]) -> Option<DataType> {
    let types: Vec<SqlType> = given.iter().map(SqlType::of_arrow).collect();
    common_type(&types).map(|common| common.to_arrow())
}

/// One or more arguments of one type.
fn common(given: &[DataType]) -> Option<Vec<DataType>> {
    let common = common_data_type(given)?;
    (!given.is_empty()).then(|| vec![common; given.len()])
}

fn two_common(given: &[DataType]) -> Option<Vec<DataType>> {
    (given.len() == 2).then(|| common(given))?
}

fn two_of_any(given: &[DataType]) -> Option<Vec<DataType>> {
    (given.len() == 2).then(|| given.to_vec())
}

fn condition_and_common(given: &[DataType]) -> Option<Vec<DataType>> {
    let [condition, branches @ ..] = given else { return None };
    let mut types = vec![Kind::Boolean.accept(condition)?];
    types.extend(two_common(branches)?);
    Some(types)
}

fn common_result(arguments: &Arguments<'_>) -> Result<SqlType> {
    common_type(&arguments.sql_types()).ok_or_else(|| fix("the arguments have no common type"))
}

fn if_result(arguments: &Arguments<'_>) -> Result<SqlType> {
    common_type(&arguments.sql_types()[1..]).ok_or_else(|| fix("the branches of IF have no common type"))
}

fn greatest(call: &Call<'_>) -> Result<ArrayRef> {
    extreme(call, std::cmp::Ordering::Greater)
}

fn least(call: &Call<'_>) -> Result<ArrayRef> {
    extreme(call, std::cmp::Ordering::Less)
}

/// The first of the greatest (least) arguments; `NULL` if one of them is.
fn extreme(call: &Call<'_>, wanted: std::cmp::Ordering) -> Result<ArrayRef> {
    let mut best = call.array(0)?;
    for index in 1..call.len() {
        let candidate = call.array(index)?;
        let compare = make_comparator(&candidate, &best, SortOptions::default())?;
        let take_candidate: BooleanArray = (0..call.rows)
            .map(|row| Some(candidate.is_null(row) || (!best.is_null(row) && compare(row, row) == wanted)))
            .collect();
        best = arrow_select::zip::zip(&take_candidate, &candidate, &best)?;
    }
    Ok(best)
}

/// The rows of an array at positions; `None` is `NULL`.
pub(crate) fn take(array: &ArrayRef, positions: impl Iterator<Item = Option<u32>>) -> Result<ArrayRef> {
    let positions: UInt32Array = positions.collect();
    Ok(arrow_select::take::take(array, &positions, None)?)
}
