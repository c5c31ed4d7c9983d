//! Arithmetic that makes intervals: `t1 - t2`, `(t1 - t2) MONTH`, `i + j`, `i * 2`.
//!
//! Lengths are counted in milliseconds, as Flink's are, or in months.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Float64Type, Int64Type, IntervalMonthDayNanoType, IntervalYearMonthType, Time64MicrosecondType,
};
use arrow_array::{ArrayRef, PrimitiveArray};
use arrow_schema::DataType;
use datafusion_common::Result;
use sluice_model::SqlType;

use super::add_diff::between;
use super::civil::Moment;
use super::unit::Unit;
use super::zone::WallTimes;
use crate::cast::{MILLIS_PER_DAY, interval_of_millis, millis_of_interval};
use crate::error::fix;
use crate::function::{Call, Cells, Definition};

pub(super) fn definitions() -> Vec<Definition> {
    let new = |name, kernel| Definition::new(name, &[], SqlType::IntervalDaySecond, kernel);
    vec![
        new("__minus", days_between).parameters(two_times).infix("-"),
        Definition::new("__minus_months", &[], SqlType::IntervalYearMonth, months_between)
            .parameters(two_days)
            .infix("-"),
        new("__interval_plus", |call| combine(call, i64::checked_add))
            .parameters(two_intervals)
            .same_as(0)
            .fallible()
            .infix("+"),
        new("__interval_minus", |call| combine(call, i64::checked_sub))
            .parameters(two_intervals)
            .same_as(0)
            .fallible()
            .infix("-"),
        new("__interval_times", times).parameters(interval_and_number).same_as(0).fallible().infix("*"),
        new("__interval_divide", divide).parameters(interval_and_number).same_as(0).fallible().infix("/"),
    ]
}

fn is_day(given: &DataType) -> bool {
    matches!(given, DataType::Timestamp(..) | DataType::Date32)
}

fn two_days(given: &[DataType]) -> Option<Vec<DataType>> {
    matches!(given, [a, b] if is_day(a) && is_day(b)).then(|| given.to_vec())
}

fn two_times(given: &[DataType]) -> Option<Vec<DataType>> {
    let of_day = |given: &DataType| matches!(given, DataType::Time64(_));
    match given {
        [a, b] if (is_day(a) && is_day(b)) || (of_day(a) && of_day(b)) => Some(given.to_vec()),
        [time, DataType::Null] | [DataType::Null, time] if is_day(time) || of_day(time) => Some(vec![time.clone(); 2]),
        _ => None,
    }
}

fn two_intervals(given: &[DataType]) -> Option<Vec<DataType>> {
    matches!(given, [a @ DataType::Interval(_), b] if a == b).then(|| given.to_vec())
}

fn interval_and_number(given: &[DataType]) -> Option<Vec<DataType>> {
    match given {
        [interval @ DataType::Interval(_), number] if number.is_integer() || *number == DataType::Null => {
            Some(vec![interval.clone(), DataType::Int64])
        }
        [interval @ DataType::Interval(_), number] if number.is_numeric() => {
            Some(vec![interval.clone(), DataType::Float64])
        }
        _ => None,
    }
}

fn too_long() -> datafusion_common::DataFusionError {
    fix("an interval is too long")
}

/// A column of lengths in the type of the result.
fn lengths(call: &Call<'_>, mut length: impl FnMut(usize) -> Result<Option<i64>>) -> Result<ArrayRef> {
    if call.returns == SqlType::IntervalYearMonth {
        return call.primitive::<IntervalYearMonthType>(|row| {
            length(row)?.map(|months| i32::try_from(months).map_err(|_| too_long())).transpose()
        });
    }
    call.primitive::<IntervalMonthDayNanoType>(|row| {
        let Some(millis) = length(row)? else { return Ok(None) };
        // Days are kept in 32 bits.
        let fits = i32::try_from(millis / MILLIS_PER_DAY).is_ok();
        if fits { Ok(Some(interval_of_millis(millis))) } else { Err(too_long()) }
    })
}

/// Lengths of an argument: months or milliseconds.
pub(super) fn counts(call: &Call<'_>, index: usize) -> Result<Cells<PrimitiveArray<Int64Type>>> {
    fn convert<T: ArrowPrimitiveType>(
        call: &Call<'_>,
        index: usize,
        count: impl Fn(T::Native) -> i64,
    ) -> Result<Cells<PrimitiveArray<Int64Type>>> {
        let cells = call.primitives::<T>(index)?;
        let counts: ArrayRef = Arc::new(cells.array().unary::<_, Int64Type>(count));
        cells.with(&counts)
    }
    match call.sql_type(index) {
        SqlType::IntervalYearMonth => convert::<IntervalYearMonthType>(call, index, i64::from),
        _ => convert::<IntervalMonthDayNanoType>(call, index, millis_of_interval),
    }
}

fn combine(call: &Call<'_>, operation: fn(i64, i64) -> Option<i64>) -> Result<ArrayRef> {
    let (left, right) = (counts(call, 0)?, counts(call, 1)?);
    lengths(call, |row| match left.get(row).zip(right.get(row)) {
        Some((left, right)) => operation(left, right).map(Some).ok_or_else(too_long),
        None => Ok(None),
    })
}

fn times(call: &Call<'_>) -> Result<ArrayRef> {
    let left = counts(call, 0)?;
    if let SqlType::Double = call.sql_type(1) {
        let factors = call.primitives::<Float64Type>(1)?;
        return lengths(call, |row| {
            Ok(left.get(row).zip(factors.get(row)).map(|(left, by)| (left as f64 * by) as i64))
        });
    }
    combine_with_integer(call, |left, by| left.checked_mul(by).ok_or_else(too_long))
}

fn divide(call: &Call<'_>) -> Result<ArrayRef> {
    let left = counts(call, 0)?;
    if let SqlType::Double = call.sql_type(1) {
        let divisors = call.primitives::<Float64Type>(1)?;
        return lengths(call, |row| match left.get(row).zip(divisors.get(row)) {
            Some((_, 0.0)) => Err(crate::error::division_by_zero()),
            both => Ok(both.map(|(left, by)| (left as f64 / by) as i64)),
        });
    }
    combine_with_integer(call, |left, by| left.checked_div(by).ok_or_else(crate::error::division_by_zero))
}

fn combine_with_integer(call: &Call<'_>, operation: fn(i64, i64) -> Result<i64>) -> Result<ArrayRef> {
    let (left, right) = (counts(call, 0)?, call.integers(1)?);
    lengths(call, |row| left.get(row).zip(right.get(row)).map(|(left, by)| operation(left, by)).transpose())
}

/// `a - b` in milliseconds.
fn days_between(call: &Call<'_>) -> Result<ArrayRef> {
    let millis = |moment: Moment| moment.seconds * 1000 + i64::from(moment.nanos / 1_000_000);
    if let SqlType::Time(_) = call.sql_type(0) {
        let (a, b) = (call.primitives::<Time64MicrosecondType>(0)?, call.primitives::<Time64MicrosecondType>(1)?);
        return lengths(call, |row| {
            let both = a.get(row).zip(b.get(row));
            Ok(both.map(|(a, b)| a.div_euclid(1000) - b.div_euclid(1000)))
        });
    }
    moments(call, |a, b| millis(a) - millis(b))
}

/// `a - b` in whole months.
fn months_between(call: &Call<'_>) -> Result<ArrayRef> {
    moments(call, |a, b| between(b, a, Unit::Month))
}

fn moments(call: &Call<'_>, difference: impl Fn(Moment, Moment) -> i64) -> Result<ArrayRef> {
    let (a_cells, b_cells) = (call.cells_of_any(0)?, call.cells_of_any(1)?);
    let is_instant = |index| matches!(call.sql_type(index), SqlType::TimestampLtz(_));
    // Two instants have a distance in every zone; with a wall-clock time, what the session's clocks show counts.
    let zone = if is_instant(0) && is_instant(1) { chrono_tz::Tz::UTC } else { call.session.time_zone };
    let (a, b) = (WallTimes::new(a_cells.array(), zone)?, WallTimes::new(b_cells.array(), zone)?);
    lengths(call, |row| {
        let both = a_cells.position(row).zip(b_cells.position(row));
        Ok(both.map(|(at_a, at_b)| difference(a.get(at_a), b.get(at_b))))
    })
}
