//! Columns of time, in milliseconds.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, ArrowPrimitiveType, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};
use sluice_functions::WallClock;
use sluice_model::{Error, Result};

/// Milliseconds since 1970 of every row; `None` for NULL. Finer parts are cut off.
///
/// # Errors
/// A bug: a column that holds no timestamps.
pub(crate) fn millis(array: &dyn Array) -> Result<Vec<Option<i64>>> {
    Ok(match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => {
            scaled(array.as_primitive::<TimestampSecondType>(), |value| value.saturating_mul(1000))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            scaled(array.as_primitive::<TimestampMillisecondType>(), |value| value)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            scaled(array.as_primitive::<TimestampMicrosecondType>(), |value| value.div_euclid(1000))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            scaled(array.as_primitive::<TimestampNanosecondType>(), |value| value.div_euclid(1_000_000))
        }
        other => return Err(Error::bug(format!("a column of type {other} is no time"))),
    })
}

/// The same as wall-clock times: instants, those of a `TIMESTAMP_LTZ`, as the clock shows them.
///
/// # Errors
/// A bug: a column that holds no timestamps.
pub(crate) fn wall_millis(array: &dyn Array, clock: &mut WallClock) -> Result<Vec<Option<i64>>> {
    let mut times = millis(array)?;
    if matches!(array.data_type(), DataType::Timestamp(_, Some(_))) {
        times.iter_mut().flatten().for_each(|time| *time = clock.at(*time));
    }
    Ok(times)
}

/// The row with the latest time, the first of them; `None` if every row is NULL.
///
/// # Errors
/// A bug: a column that holds no timestamps.
pub(crate) fn latest(array: &dyn Array) -> Result<Option<usize>> {
    Ok(match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => largest(array.as_primitive::<TimestampSecondType>()),
        DataType::Timestamp(TimeUnit::Millisecond, _) => largest(array.as_primitive::<TimestampMillisecondType>()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => largest(array.as_primitive::<TimestampMicrosecondType>()),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => largest(array.as_primitive::<TimestampNanosecondType>()),
        other => return Err(Error::bug(format!("a column of type {other} is no time"))),
    })
}

fn largest<T: ArrowPrimitiveType<Native = i64>>(array: &PrimitiveArray<T>) -> Option<usize> {
    let values = array.values();
    let is_there = |row: usize| array.is_valid(row);
    let largest = match array.null_count() {
        0 => values.iter().copied().max(),
        _ => array.iter().flatten().max(),
    }?;
    values.iter().enumerate().position(|(row, value)| *value == largest && is_there(row))
}

fn scaled<T: ArrowPrimitiveType<Native = i64>>(
    array: &PrimitiveArray<T>,
    scale: impl Fn(i64) -> i64,
) -> Vec<Option<i64>> {
    array.iter().map(|value| value.map(&scale)).collect()
}
