//! Casts between intervals and integers: months, and milliseconds.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalYearMonthType};
use arrow_array::{ArrayRef, PrimitiveArray};
use datafusion_common::Result;
use sluice_model::SqlType;

use super::number;

const NANOS_PER_MILLI: i64 = 1_000_000;
/// Milliseconds of a day.
pub(crate) const MILLIS_PER_DAY: i64 = 86_400_000;

/// Milliseconds of a `DAY TO SECOND` interval.
pub(crate) fn millis(interval: IntervalMonthDayNano) -> i64 {
    i64::from(interval.days) * MILLIS_PER_DAY + interval.nanoseconds / NANOS_PER_MILLI
}

/// The `DAY TO SECOND` interval of so many milliseconds: whole days and a rest of less than one, so that
/// intervals of one length are equal.
pub(crate) fn of_millis(millis: i64) -> IntervalMonthDayNano {
    IntervalMonthDayNano::new(0, (millis / MILLIS_PER_DAY) as i32, millis % MILLIS_PER_DAY * NANOS_PER_MILLI)
}

pub(super) fn to_number(array: &ArrayRef, from: &SqlType, to: &SqlType) -> Result<ArrayRef> {
    let counts: PrimitiveArray<Int64Type> = match from {
        SqlType::IntervalYearMonth => array.as_primitive::<IntervalYearMonthType>().unary(i64::from),
        _ => array.as_primitive::<IntervalMonthDayNanoType>().unary(millis),
    };
    number::convert(&(Arc::new(counts) as ArrayRef), &SqlType::BigInt, to)
}

pub(super) fn from_number(array: &ArrayRef, _from: &SqlType, to: &SqlType) -> Result<ArrayRef> {
    let counts = number::widen(array)?;
    Ok(match to {
        SqlType::IntervalYearMonth => Arc::new(counts.unary::<_, IntervalYearMonthType>(|months| months as i32)),
        _ => Arc::new(counts.unary::<_, IntervalMonthDayNanoType>(of_millis)),
    })
}
