//! What an aggregate function is: arrays over the slots of the groups.
//!
//! ```text
//! rows of a batch          slots      0   1   0   0
//!                          weights   +1  +1  -1   0     -1: taken back, 0: does not count
//!                          argument   5   3   2   9
//! SUM, by slot                        5-2  3
//! ```

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow_schema::DataType;
use sluice_model::{Error, Result};
use sluice_plan::AggregateCall;

use super::extreme::RetractableExtreme;
use super::in_order::{Lag, Ranks};
use super::kept::{Rule, kept};
use super::list::{List, Listing};
use super::moments::{Moments, Spread};
use super::side::SideTable;
use super::sum::{Count, Number, sum};
use super::text::Text;
use crate::key_index::Slot;

/// Rows of a batch, as one call sees them.
#[derive(Debug)]
pub(super) struct Input<'a> {
    /// Slot of the group of each row.
    pub(super) slots: &'a [Slot],
    /// +1: the row is added; -1: it is taken back; 0: it does not count.
    pub(super) weights: &'a [i8],
    /// Columns of the arguments.
    pub(super) arguments: &'a [ArrayRef],
}

impl<'a> Input<'a> {
    /// The first argument as numbers, or as what else Arrow keeps in fixed width.
    pub(super) fn primitive<T: ArrowPrimitiveType>(&self) -> Result<&'a PrimitiveArray<T>> {
        primitive(self.arguments.first().ok_or_else(|| Error::bug("an aggregate without an argument"))?)
    }

    /// Slot and weight of each row.
    pub(super) fn rows(&self) -> impl Iterator<Item = (usize, i8)> + 'a {
        self.slots.iter().map(|slot| *slot as usize).zip(self.weights.iter().copied())
    }
}

/// A column of state or of an argument in its type.
pub(super) fn primitive<T: ArrowPrimitiveType>(column: &ArrayRef) -> Result<&PrimitiveArray<T>> {
    let is = column.data_type();
    column.as_primitive_opt().ok_or_else(|| Error::bug(format!("a column of {is} where {} is due", T::DATA_TYPE)))
}

/// One aggregate function over all groups.
pub(super) trait Accumulator: Send {
    /// Makes room for this many slots; new ones are as if [cleared](Self::clear).
    fn resize(&mut self, slots: usize);

    /// Counts rows in, or takes them back.
    ///
    /// # Errors
    /// Rows that the function refuses, e.g. a second row of a scalar sub-query.
    fn update(&mut self, input: &Input<'_>) -> Result<()>;

    /// Results of groups.
    ///
    /// # Errors
    /// None in practice: kernels report bugs as errors.
    fn evaluate(&self, slots: &[Slot]) -> Result<ArrayRef>;

    /// Forgets a group.
    fn clear(&mut self, slot: Slot);

    /// Bytes of memory.
    fn bytes(&self) -> usize;

    /// What it adds to the table of groups: names and types of columns.
    fn state_columns(&self) -> Vec<(&'static str, DataType)> {
        Vec::new()
    }

    /// These columns, for groups.
    ///
    /// # Errors
    /// None in practice.
    fn state(&self, _slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        Ok(Vec::new())
    }

    /// Takes these columns back.
    ///
    /// # Errors
    /// Columns of other types.
    fn restore(&mut self, _slots: &[Slot], _columns: &[ArrayRef]) -> Result<()> {
        Ok(())
    }

    /// What it keeps apart: several rows a group.
    fn side(&mut self) -> Option<&mut dyn SideTable> {
        None
    }
}

/// The accumulator of a call whose arguments are of these types.
///
/// # Errors
/// A function or a type that is not supported.
pub(super) fn accumulator(call: &AggregateCall, types: &[DataType], retracts: bool) -> Result<Box<dyn Accumulator>> {
    let result = call.result.data_type().clone();
    let first = || types.first().cloned().ok_or_else(|| Error::bug(format!("{} without an argument", call.function)));
    let literal = call.literals.first().map(String::as_str);
    Ok(match call.function.as_str() {
        "count" | "approx_count_distinct" => Box::new(Count::default()),
        "sum" => sum(&first()?, &result, Number::Sum)?,
        "sum0" | "$sum0" => sum(&first()?, &result, Number::SumOrZero)?,
        "avg" => sum(&first()?, &result, Number::Average)?,
        "$avg" => sum(&first()?, &result, Number::AverageOfSums)?,
        "min" if retracts => Box::new(RetractableExtreme::new(first()?, false)?),
        "max" if retracts => Box::new(RetractableExtreme::new(first()?, true)?),
        "min" => kept(first()?, Rule::Least)?,
        "max" => kept(first()?, Rule::Greatest)?,
        "first_value" if retracts => Box::new(List::new(first()?, Listing::First)?),
        "last_value" if retracts => Box::new(List::new(first()?, Listing::Last)?),
        "first_value" => kept(first()?, Rule::First)?,
        "last_value" => kept(first()?, Rule::Last)?,
        "single_value" => Box::new(List::new(first()?, Listing::Single)?),
        "listagg" if retracts => Box::new(List::new(first()?, Listing::joined(literal))?),
        "listagg" => Box::new(Text::new(literal.unwrap_or(","))),
        "array_agg" => Box::new(List::new(first()?, Listing::array(&result)?)?),
        "rank" => Box::new(Ranks::new(false)),
        "dense_rank" => Box::new(Ranks::new(true)),
        "lag" => Box::new(Lag::new(first()?, literal)?),
        "stddev_pop" => Box::new(Moments::new(&first()?, &result, Spread::StddevPop)?),
        "stddev_samp" | "stddev" => Box::new(Moments::new(&first()?, &result, Spread::StddevSamp)?),
        "var_pop" => Box::new(Moments::new(&first()?, &result, Spread::VarPop)?),
        "var_samp" | "variance" => Box::new(Moments::new(&first()?, &result, Spread::VarSamp)?),
        other => return Err(Error::fix(format!("the aggregate function {} is not supported", other.to_uppercase()))),
    })
}

/// Second, constant argument of `ARRAY_AGG(x IGNORE NULLS)`.
const IGNORE_NULLS: &str = "ignore nulls";

/// Whether a row whose argument is NULL counts.
pub(super) fn counts_nulls(call: &AggregateCall) -> bool {
    let ignores = call.literals.first().is_some_and(|literal| literal.eq_ignore_ascii_case(IGNORE_NULLS));
    match call.function.as_str() {
        "single_value" | "lag" => true,
        "array_agg" => !ignores,
        _ => false,
    }
}

/// Whether taking a value twice makes no difference, so that `DISTINCT` does not either.
pub(super) fn is_idempotent(call: &AggregateCall) -> bool {
    matches!(call.function.as_str(), "min" | "max")
}

/// Whether it counts different values even without `DISTINCT`.
pub(super) fn is_always_distinct(call: &AggregateCall) -> bool {
    call.function == "approx_count_distinct"
}
