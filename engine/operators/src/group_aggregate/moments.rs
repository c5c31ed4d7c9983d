//! `STDDEV_POP`, `STDDEV_SAMP`, `VAR_POP` and `VAR_SAMP`: sum and sum of squares by slot.
//!
//! Sums of integers and of decimals of up to 18 digits are exact, so that taking values back leaves
//! no trace; those of other numbers are `DOUBLE` and drift, as in Flink. The result has the type of
//! `AVG`: a `STDDEV_POP` of `INT` is an `INT`, as Flink and the SQL standard have it.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow_array::{Array, ArrayRef, Decimal128Array, Float64Array};
use arrow_schema::DataType;
use sluice_functions::{SessionInfo, cast_array, exact_variance, variance};
use sluice_model::{Error, Result, SqlType};

use super::accumulator::{Accumulator, Input, primitive};
use super::sum::{gather, lost, scatter};
use crate::key_index::Slot;
use crate::memory;

/// What is made of the sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spread {
    StddevPop,
    StddevSamp,
    VarPop,
    VarSamp,
}

impl Spread {
    fn is_sample(self) -> bool {
        matches!(self, Self::StddevSamp | Self::VarSamp)
    }

    fn of_variance(self, variance: f64) -> f64 {
        if matches!(self, Self::StddevPop | Self::StddevSamp) { variance.sqrt() } else { variance }
    }
}

/// Number, sum and sum of squares of each group's values.
#[derive(Debug)]
pub(super) struct Moments {
    counts: Vec<i64>,
    sums: Sums,
    result: DataType,
    spread: Spread,
}

#[derive(Debug)]
enum Sums {
    /// In units of the argument's scale.
    Exact {
        sums: Vec<i128>,
        squares: Vec<i128>,
        argument: DataType,
        scale: u8,
    },
    Approximate {
        sums: Vec<f64>,
        squares: Vec<f64>,
        argument: DataType,
    },
}

/// Decimals of more digits than this are summed as `DOUBLE`: their squares would overflow.
const EXACT_DIGITS: u8 = 18;
/// How exact sums are kept on disk.
const WIDE: DataType = DataType::Decimal128(38, 0);

impl Moments {
    pub(super) fn new(argument: &DataType, result: &DataType, spread: Spread) -> Result<Self> {
        let exact = |scale| {
            let argument = argument.clone();
            Sums::Exact { sums: Vec::new(), squares: Vec::new(), argument, scale }
        };
        let sums = match argument {
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => exact(0),
            DataType::Decimal128(precision, scale) if *precision <= EXACT_DIGITS => {
                exact(u8::try_from(*scale).unwrap_or(0))
            }
            DataType::Float32 | DataType::Float64 | DataType::Decimal128(..) => {
                Sums::Approximate { sums: Vec::new(), squares: Vec::new(), argument: argument.clone() }
            }
            other => return Err(Error::fix(format!("STDDEV and VAR need a number, not {other}"))),
        };
        Ok(Self { counts: Vec::new(), sums, result: result.clone(), spread })
    }

    fn value(&self, slot: usize) -> Option<f64> {
        let (count, sample) = (self.counts[slot], self.spread.is_sample());
        let variance = match &self.sums {
            Sums::Exact { sums, squares, scale, .. } => {
                exact_variance(count, sums[slot], squares[slot], *scale, sample)
            }
            Sums::Approximate { sums, squares, .. } => variance(count, sums[slot], squares[slot], sample),
        };
        variance.map(|variance| self.spread.of_variance(variance))
    }
}

/// Adds to exact sums.
fn add_exact<T: ArrowPrimitiveType>(input: &Input<'_>, sums: &mut [i128], squares: &mut [i128]) -> Result<()>
where
    T::Native: Into<i128>,
{
    for ((slot, weight), value) in input.rows().zip(input.primitive::<T>()?.values()) {
        let (value, weight): (i128, _) = ((*value).into(), i128::from(weight));
        sums[slot] = sums[slot].wrapping_add(value.wrapping_mul(weight));
        squares[slot] = squares[slot].wrapping_add(value.wrapping_mul(value).wrapping_mul(weight));
    }
    Ok(())
}

/// Adds to approximate sums; sums of no values are 0 again.
fn add_approximate(input: &Input<'_>, column: &Float64Array, counts: &[i64], sums: &mut [f64], squares: &mut [f64]) {
    for ((slot, weight), value) in input.rows().zip(column.values()) {
        if weight != 0 {
            sums[slot] += value * f64::from(weight);
            squares[slot] += value * value * f64::from(weight);
        }
        if counts[slot] == 0 {
            (sums[slot], squares[slot]) = (0.0, 0.0);
        }
    }
}

/// An argument as `DOUBLE`.
fn doubles(input: &Input<'_>, argument: &DataType) -> Result<Float64Array> {
    Ok(match argument {
        DataType::Float32 => input.primitive::<Float32Type>()?.unary(f64::from),
        DataType::Float64 => input.primitive::<Float64Type>()?.clone(),
        _ => {
            let column = input.arguments.first().ok_or_else(lost)?;
            let sql_type = SqlType::of_arrow(column.data_type());
            let cast = cast_array(column, &sql_type, &SqlType::Double, false, &SessionInfo::default())?;
            primitive::<Float64Type>(&cast)?.clone()
        }
    })
}

impl Accumulator for Moments {
    fn resize(&mut self, slots: usize) {
        self.counts.resize(slots, 0);
        match &mut self.sums {
            Sums::Exact { sums, squares, .. } => {
                sums.resize(slots, 0);
                squares.resize(slots, 0);
            }
            Sums::Approximate { sums, squares, .. } => {
                sums.resize(slots, 0.0);
                squares.resize(slots, 0.0);
            }
        }
    }

    fn bytes(&self) -> usize {
        let sums = match &self.sums {
            Sums::Exact { sums, squares, .. } => memory::of_vec(sums) + memory::of_vec(squares),
            Sums::Approximate { sums, squares, .. } => memory::of_vec(sums) + memory::of_vec(squares),
        };
        memory::of_vec(&self.counts) + sums
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        for (slot, weight) in input.rows() {
            self.counts[slot] += i64::from(weight);
        }
        match &mut self.sums {
            Sums::Exact { sums, squares, argument, .. } => match argument {
                DataType::Int8 => add_exact::<Int8Type>(input, sums, squares),
                DataType::Int16 => add_exact::<Int16Type>(input, sums, squares),
                DataType::Int32 => add_exact::<Int32Type>(input, sums, squares),
                DataType::Int64 => add_exact::<Int64Type>(input, sums, squares),
                _ => add_exact::<Decimal128Type>(input, sums, squares),
            },
            Sums::Approximate { sums, squares, argument } => {
                let column = doubles(input, argument)?;
                add_approximate(input, &column, &self.counts, sums, squares);
                Ok(())
            }
        }
    }

    fn evaluate(&self, slots: &[Slot]) -> Result<ArrayRef> {
        let values: ArrayRef = Arc::new(slots.iter().map(|slot| self.value(*slot as usize)).collect::<Float64Array>());
        let result = SqlType::of_arrow(&self.result);
        cast_array(&values, &SqlType::Double, &result, false, &SessionInfo::default())
    }

    fn clear(&mut self, slot: Slot) {
        let slot = slot as usize;
        self.counts[slot] = 0;
        match &mut self.sums {
            Sums::Exact { sums, squares, .. } => (sums[slot], squares[slot]) = (0, 0),
            Sums::Approximate { sums, squares, .. } => (sums[slot], squares[slot]) = (0.0, 0.0),
        }
    }

    fn state_columns(&self) -> Vec<(&'static str, DataType)> {
        let data_type = if matches!(self.sums, Sums::Exact { .. }) { WIDE } else { DataType::Float64 };
        vec![("count", DataType::Int64), ("sum", data_type.clone()), ("squares", data_type)]
    }

    fn state(&self, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        let wide = |values: &[i128]| -> ArrayRef {
            let values: Decimal128Array = slots.iter().map(|slot| Some(values[*slot as usize])).collect();
            Arc::new(values.with_data_type(WIDE))
        };
        let doubles = |values: &[f64]| -> ArrayRef {
            Arc::new(slots.iter().map(|slot| Some(values[*slot as usize])).collect::<Float64Array>())
        };
        let (sums, squares) = match &self.sums {
            Sums::Exact { sums, squares, .. } => (wide(sums), wide(squares)),
            Sums::Approximate { sums, squares, .. } => (doubles(sums), doubles(squares)),
        };
        Ok(vec![gather(&self.counts, slots), sums, squares])
    }

    fn restore(&mut self, slots: &[Slot], columns: &[ArrayRef]) -> Result<()> {
        let [counts, sums_column, squares_column] = columns else { return Err(lost()) };
        scatter(&mut self.counts, slots, Some(counts))?;
        match &mut self.sums {
            Sums::Exact { sums, squares, .. } => {
                put::<Decimal128Type>(sums, slots, sums_column)?;
                put::<Decimal128Type>(squares, slots, squares_column)
            }
            Sums::Approximate { sums, squares, .. } => {
                put::<Float64Type>(sums, slots, sums_column)?;
                put::<Float64Type>(squares, slots, squares_column)
            }
        }
    }
}

fn put<T: ArrowPrimitiveType>(places: &mut [T::Native], slots: &[Slot], column: &ArrayRef) -> Result<()> {
    for (slot, value) in slots.iter().zip(primitive::<T>(column)?.values()) {
        places[*slot as usize] = *value;
    }
    Ok(())
}
