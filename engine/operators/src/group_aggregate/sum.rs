//! `COUNT`, `SUM` and `AVG`: a sum and a number of values by slot.
//!
//! | argument | sum is kept in | on overflow |
//! |---|---|---|
//! | integers | 64 bits | wraps, as Java's addition does |
//! | `DECIMAL` | 128 bits, and how often they overflowed | `NULL` while it needs more than 38 digits |
//! | `FLOAT`, `DOUBLE` | `DOUBLE` | infinity |
//!
//! An average may be put together from sums over parts and their numbers of values (`$avg`).
//!
//! Floating-point sums drift where values are taken back, in Flink as well: `0.1 + 0.2 - 0.1` is not
//! `0.2`. A sum over no values starts again from zero.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow_array::{
    ArrayRef, Decimal128Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
};
use arrow_schema::DataType;
use sluice_functions::{decimal_average, decimal_sum};
use sluice_model::{Error, Result};

use super::accumulator::{Accumulator, Input, primitive};
use crate::key_index::Slot;
use crate::memory;

/// `COUNT`.
#[derive(Debug, Default)]
pub(super) struct Count {
    counts: Vec<i64>,
}

impl Accumulator for Count {
    fn resize(&mut self, slots: usize) {
        self.counts.resize(slots, 0);
    }

    fn bytes(&self) -> usize {
        memory::of_vec(&self.counts)
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        for (slot, weight) in input.rows() {
            self.counts[slot] += i64::from(weight);
        }
        Ok(())
    }

    fn evaluate(&self, slots: &[Slot]) -> Result<ArrayRef> {
        Ok(gather(&self.counts, slots))
    }

    fn clear(&mut self, slot: Slot) {
        self.counts[slot as usize] = 0;
    }

    fn state_columns(&self) -> Vec<(&'static str, DataType)> {
        vec![("count", DataType::Int64)]
    }

    fn state(&self, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(slots)?])
    }

    fn restore(&mut self, slots: &[Slot], columns: &[ArrayRef]) -> Result<()> {
        scatter(&mut self.counts, slots, columns.first())
    }
}

/// Counts by slot as a column.
pub(super) fn gather(counts: &[i64], slots: &[Slot]) -> ArrayRef {
    Arc::new(slots.iter().map(|slot| Some(counts[*slot as usize])).collect::<Int64Array>())
}

/// The reverse of [`gather`].
pub(super) fn scatter(counts: &mut [i64], slots: &[Slot], column: Option<&ArrayRef>) -> Result<()> {
    let column = primitive::<Int64Type>(column.ok_or_else(lost)?)?;
    for (slot, count) in slots.iter().zip(column.values()) {
        counts[*slot as usize] = *count;
    }
    Ok(())
}

/// The state of an accumulator lacks a column.
pub(super) fn lost() -> Error {
    Error::bug("a column of an aggregate's state is missing")
}

/// What is made of sum and number of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    /// `SUM`.
    Sum,
    /// `SUM0`: 0 over no values.
    SumOrZero,
    /// `AVG`.
    Average,
    /// `AVG` of sums over parts, each with its number of values.
    AverageOfSums,
}

/// Counts the values of parts: the second argument of an average of sums. Each part was counted as one.
fn count_parts(number: Number, counts: &mut [i64], input: &Input<'_>) -> Result<()> {
    if number == Number::AverageOfSums {
        let of_parts = primitive::<Int64Type>(input.arguments.get(1).ok_or_else(lost)?)?;
        for ((slot, weight), values) in input.rows().zip(of_parts.values()) {
            counts[slot] += i64::from(weight) * (*values - 1);
        }
    }
    Ok(())
}

/// The sum or average of arguments of this type.
pub(super) fn sum(argument: &DataType, result: &DataType, number: Number) -> Result<Box<dyn Accumulator>> {
    let unsupported = || Error::fix(format!("SUM and AVG need a number, not {argument}"));
    Ok(match (argument, result) {
        (DataType::Int8, _) if result.is_signed_integer() => Box::new(IntegerSum::<Int8Type>::new(result, number)),
        (DataType::Int16, _) if result.is_signed_integer() => Box::new(IntegerSum::<Int16Type>::new(result, number)),
        (DataType::Int32, _) if result.is_signed_integer() => Box::new(IntegerSum::<Int32Type>::new(result, number)),
        (DataType::Int64, _) if result.is_signed_integer() => Box::new(IntegerSum::<Int64Type>::new(result, number)),
        (DataType::Float32, DataType::Float32 | DataType::Float64) => {
            Box::new(FloatSum::<Float32Type>::new(result, number))
        }
        (DataType::Float64, DataType::Float32 | DataType::Float64) => {
            Box::new(FloatSum::<Float64Type>::new(result, number))
        }
        (DataType::Decimal128(_, from), DataType::Decimal128(precision, to)) => {
            let scale = |scale: &i8| u8::try_from(*scale).map_err(|_| unsupported());
            Box::new(DecimalSum::new((scale(from)?, *precision, scale(to)?), number))
        }
        _ => return Err(unsupported()),
    })
}

/// Sums of integers, wrapping.
struct IntegerSum<T> {
    sums: Vec<i64>,
    counts: Vec<i64>,
    result: DataType,
    number: Number,
    argument: std::marker::PhantomData<fn() -> T>,
}

impl<T> IntegerSum<T> {
    fn new(result: &DataType, number: Number) -> Self {
        let argument = std::marker::PhantomData;
        Self { sums: Vec::new(), counts: Vec::new(), result: result.clone(), number, argument }
    }

    fn value(&self, slot: Slot) -> Option<i64> {
        let (sum, count) = (self.sums[slot as usize], self.counts[slot as usize]);
        match self.number {
            Number::SumOrZero => Some(sum),
            _ if count <= 0 => None,
            Number::Sum => Some(sum),
            Number::Average | Number::AverageOfSums => Some(sum / count),
        }
    }
}

impl<T: ArrowPrimitiveType> Accumulator for IntegerSum<T>
where
    T::Native: Into<i64>,
{
    fn resize(&mut self, slots: usize) {
        self.sums.resize(slots, 0);
        self.counts.resize(slots, 0);
    }

    fn bytes(&self) -> usize {
        memory::of_vec(&self.sums) + memory::of_vec(&self.counts)
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        for ((slot, weight), value) in input.rows().zip(input.primitive::<T>()?.values()) {
            let weight = i64::from(weight);
            let value: i64 = (*value).into();
            self.sums[slot] = self.sums[slot].wrapping_add(value.wrapping_mul(weight));
            self.counts[slot] += weight;
        }
        count_parts(self.number, &mut self.counts, input)
    }

    fn evaluate(&self, slots: &[Slot]) -> Result<ArrayRef> {
        let values = slots.iter().map(|slot| self.value(*slot));
        Ok(match self.result {
            DataType::Int8 => Arc::new(values.map(|value| value.map(|value| value as i8)).collect::<Int8Array>()),
            DataType::Int16 => Arc::new(values.map(|value| value.map(|value| value as i16)).collect::<Int16Array>()),
            DataType::Int32 => Arc::new(values.map(|value| value.map(|value| value as i32)).collect::<Int32Array>()),
            _ => Arc::new(values.collect::<Int64Array>()),
        })
    }

    fn clear(&mut self, slot: Slot) {
        self.sums[slot as usize] = 0;
        self.counts[slot as usize] = 0;
    }

    fn state_columns(&self) -> Vec<(&'static str, DataType)> {
        vec![("sum", DataType::Int64), ("count", DataType::Int64)]
    }

    fn state(&self, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        Ok(vec![gather(&self.sums, slots), gather(&self.counts, slots)])
    }

    fn restore(&mut self, slots: &[Slot], columns: &[ArrayRef]) -> Result<()> {
        scatter(&mut self.sums, slots, columns.first())?;
        scatter(&mut self.counts, slots, columns.get(1))
    }
}

/// Exact sums of decimals: `overflows * 2^128 + sum`.
#[derive(Debug)]
struct DecimalSum {
    sums: Vec<i128>,
    overflows: Vec<i64>,
    counts: Vec<i64>,
    /// Scale of the argument; precision and scale of the result.
    from: u8,
    precision: u8,
    scale: u8,
    number: Number,
}

/// How a sum of 128 bits is kept on disk: more digits may be in it than a decimal has.
const WIDE: DataType = DataType::Decimal128(38, 0);

impl DecimalSum {
    fn new((from, precision, scale): (u8, u8, u8), number: Number) -> Self {
        let (sums, overflows, counts) = (Vec::new(), Vec::new(), Vec::new());
        Self { sums, overflows, counts, from, precision, scale, number }
    }

    fn value(&self, slot: usize) -> Option<i128> {
        if self.overflows[slot] != 0 {
            return None;
        }
        let (sum, count) = (self.sums[slot], self.counts[slot]);
        match self.number {
            Number::SumOrZero => decimal_sum(sum, self.from, self.scale, self.precision),
            _ if count <= 0 => None,
            Number::Sum => decimal_sum(sum, self.from, self.scale, self.precision),
            Number::Average | Number::AverageOfSums => {
                decimal_average(sum, count, self.from, self.scale, self.precision)
            }
        }
    }

    fn add(&mut self, slot: usize, value: i128) {
        let (sum, overflowed) = self.sums[slot].overflowing_add(value);
        self.sums[slot] = sum;
        if overflowed {
            self.overflows[slot] += if value < 0 { -1 } else { 1 };
        }
    }
}

impl Accumulator for DecimalSum {
    fn resize(&mut self, slots: usize) {
        self.sums.resize(slots, 0);
        self.overflows.resize(slots, 0);
        self.counts.resize(slots, 0);
    }

    fn bytes(&self) -> usize {
        memory::of_vec(&self.sums) + memory::of_vec(&self.overflows) + memory::of_vec(&self.counts)
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        for ((slot, weight), value) in input.rows().zip(input.primitive::<Decimal128Type>()?.values()) {
            self.add(slot, value.wrapping_mul(i128::from(weight)));
            self.counts[slot] += i64::from(weight);
        }
        count_parts(self.number, &mut self.counts, input)
    }

    fn evaluate(&self, slots: &[Slot]) -> Result<ArrayRef> {
        let values: Decimal128Array = slots.iter().map(|slot| self.value(*slot as usize)).collect();
        let scale = i8::try_from(self.scale).unwrap_or(i8::MAX);
        Ok(Arc::new(values.with_precision_and_scale(self.precision, scale).map_err(Error::from_arrow)?))
    }

    fn clear(&mut self, slot: Slot) {
        self.sums[slot as usize] = 0;
        self.overflows[slot as usize] = 0;
        self.counts[slot as usize] = 0;
    }

    fn state_columns(&self) -> Vec<(&'static str, DataType)> {
        vec![("sum", WIDE), ("overflows", DataType::Int64), ("count", DataType::Int64)]
    }

    fn state(&self, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        let sums: Decimal128Array = slots.iter().map(|slot| Some(self.sums[*slot as usize])).collect();
        let sums = Arc::new(sums.with_data_type(WIDE));
        Ok(vec![sums, gather(&self.overflows, slots), gather(&self.counts, slots)])
    }

    fn restore(&mut self, slots: &[Slot], columns: &[ArrayRef]) -> Result<()> {
        let sums = primitive::<Decimal128Type>(columns.first().ok_or_else(lost)?)?;
        for (slot, sum) in slots.iter().zip(sums.values()) {
            self.sums[*slot as usize] = *sum;
        }
        scatter(&mut self.overflows, slots, columns.get(1))?;
        scatter(&mut self.counts, slots, columns.get(2))
    }
}

/// Sums of floating-point numbers.
struct FloatSum<T> {
    sums: Vec<f64>,
    counts: Vec<i64>,
    result: DataType,
    number: Number,
    argument: std::marker::PhantomData<fn() -> T>,
}

impl<T> FloatSum<T> {
    fn new(result: &DataType, number: Number) -> Self {
        let argument = std::marker::PhantomData;
        Self { sums: Vec::new(), counts: Vec::new(), result: result.clone(), number, argument }
    }

    fn value(&self, slot: Slot) -> Option<f64> {
        let (sum, count) = (self.sums[slot as usize], self.counts[slot as usize]);
        match self.number {
            Number::SumOrZero => Some(sum),
            _ if count <= 0 => None,
            Number::Sum => Some(sum),
            Number::Average | Number::AverageOfSums => Some(sum / count as f64),
        }
    }
}

impl<T: ArrowPrimitiveType> Accumulator for FloatSum<T>
where
    T::Native: Into<f64>,
{
    fn resize(&mut self, slots: usize) {
        self.sums.resize(slots, 0.0);
        self.counts.resize(slots, 0);
    }

    fn bytes(&self) -> usize {
        memory::of_vec(&self.sums) + memory::of_vec(&self.counts)
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        for ((slot, weight), value) in input.rows().zip(input.primitive::<T>()?.values()) {
            // What lies under a NULL may be NaN: it must not be multiplied in.
            if weight != 0 {
                let value: f64 = (*value).into();
                self.counts[slot] += i64::from(weight);
                let sum = self.sums[slot] + value * f64::from(weight);
                self.sums[slot] = if self.counts[slot] == 0 { 0.0 } else { sum };
            }
        }
        count_parts(self.number, &mut self.counts, input)
    }

    fn evaluate(&self, slots: &[Slot]) -> Result<ArrayRef> {
        let values = slots.iter().map(|slot| self.value(*slot));
        Ok(match self.result {
            DataType::Float32 => {
                Arc::new(values.map(|value| value.map(|value| value as f32)).collect::<Float32Array>())
            }
            _ => Arc::new(values.collect::<Float64Array>()),
        })
    }

    fn clear(&mut self, slot: Slot) {
        self.sums[slot as usize] = 0.0;
        self.counts[slot as usize] = 0;
    }

    fn state_columns(&self) -> Vec<(&'static str, DataType)> {
        vec![("sum", DataType::Float64), ("count", DataType::Int64)]
    }

    fn state(&self, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        let sums: Float64Array = slots.iter().map(|slot| Some(self.sums[*slot as usize])).collect();
        Ok(vec![Arc::new(sums), gather(&self.counts, slots)])
    }

    fn restore(&mut self, slots: &[Slot], columns: &[ArrayRef]) -> Result<()> {
        let sums = primitive::<Float64Type>(columns.first().ok_or_else(lost)?)?;
        for (slot, sum) in slots.iter().zip(sums.values()) {
            self.sums[*slot as usize] = *sum;
        }
        scatter(&mut self.counts, slots, columns.get(1))
    }
}
