//! Casts among dates, times and timestamps.

use std::sync::Arc;

use arrow_array::builder::PrimitiveBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};
use datafusion_common::Result;
use sluice_model::SqlType;

use super::{Mode, cannot_cast};
use crate::error::bug;
use crate::time::civil::{Moment, SECONDS_PER_DAY, write_moment};
use crate::time::zone::{WallTimes, to_instant, to_wall, units_per_second};

pub(super) fn convert(array: &ArrayRef, from: &SqlType, to: &SqlType, mode: Mode) -> Result<ArrayRef> {
    if let (SqlType::Time(_), SqlType::Time(precision)) = (from, to) {
        return Ok(times_of_precision(array.as_primitive::<Time64MicrosecondType>(), *precision));
    }
    let times = if matches!(from, SqlType::Time(_)) { Times::OfDay(array.as_primitive()) } else { Times::new(array)? };
    match to {
        SqlType::Date => {
            let mut days = PrimitiveBuilder::<Date32Type>::with_capacity(array.len());
            for row in 0..array.len() {
                let wall = times.get(row).map(|moment| wall(moment, from, mode));
                days.append_option(wall.map(|wall| wall.epoch_days() as i32));
            }
            Ok(Arc::new(days.finish()))
        }
        SqlType::Time(precision) => {
            let mut micros = PrimitiveBuilder::<Time64MicrosecondType>::with_capacity(array.len());
            for row in 0..array.len() {
                let wall = times.get(row).map(|moment| wall(moment, from, mode).truncate(*precision));
                micros.append_option(wall.map(|wall| wall.second_of_day() * 1_000_000 + i64::from(wall.nanos / 1000)));
            }
            Ok(Arc::new(micros.finish()))
        }
        SqlType::Timestamp(precision) | SqlType::TimestampLtz(precision) => {
            if *array.data_type() == to.to_arrow() {
                return Ok(cut(array, *precision));
            }
            let from_instant = matches!(from, SqlType::TimestampLtz(_));
            let to_an_instant = matches!(to, SqlType::TimestampLtz(_));
            timestamps(array.len(), to, mode, |row| {
                let moment = times.get(row)?.truncate(*precision);
                Some(match (from_instant, to_an_instant) {
                    (true, false) => to_wall(moment, mode.zone),
                    (false, true) => to_instant(moment, mode.zone),
                    _ => moment,
                })
            })
        }
        other => Err(bug(format!("no point in time casts to {other}"))),
    }
}

/// The wall-clock time of a moment of type `from`.
fn wall(moment: Moment, from: &SqlType, mode: Mode) -> Moment {
    if matches!(from, SqlType::TimestampLtz(_)) { to_wall(moment, mode.zone) } else { moment }
}

/// The source column; a time of day is one of 1970-01-01.
enum Times<'a> {
    OfDay(&'a PrimitiveArray<Time64MicrosecondType>),
    Stored(WallTimes),
}

impl Times<'_> {
    fn new(array: &ArrayRef) -> Result<Self> {
        // UTC: a TIMESTAMP_LTZ is read as the instant that it is.
        Ok(Self::Stored(WallTimes::new(array, chrono_tz::Tz::UTC)?))
    }

    fn get(&self, row: usize) -> Option<Moment> {
        match self {
            Self::OfDay(times) => (!times.is_null(row)).then(|| Moment::from_units(times.value(row), 1_000_000)),
            Self::Stored(times) => (!times.is_null(row)).then(|| times.instant(row)),
        }
    }
}

/// Timestamps without what is finer than `precision`, in the units that they are in.
fn cut(array: &ArrayRef, precision: u8) -> ArrayRef {
    fn cut<T: ArrowPrimitiveType<Native = i64>, const UNIT: i64>(array: &ArrayRef) -> ArrayRef {
        let times = array.as_primitive::<T>();
        Arc::new(
            times
                .unary::<_, T>(|time| time.saturating_sub(time.rem_euclid(UNIT)))
                .with_data_type(array.data_type().clone()),
        )
    }
    type Micros = TimestampMicrosecondType;
    type Nanos = TimestampNanosecondType;
    // Divisors that the compiler knows make this several times as fast.
    match (array.data_type(), precision) {
        (DataType::Timestamp(TimeUnit::Microsecond, _), 0) => cut::<Micros, 1_000_000>(array),
        (DataType::Timestamp(TimeUnit::Microsecond, _), 1) => cut::<Micros, 100_000>(array),
        (DataType::Timestamp(TimeUnit::Microsecond, _), 2) => cut::<Micros, 10_000>(array),
        (DataType::Timestamp(TimeUnit::Microsecond, _), 3) => cut::<Micros, 1_000>(array),
        (DataType::Timestamp(TimeUnit::Microsecond, _), 4) => cut::<Micros, 100>(array),
        (DataType::Timestamp(TimeUnit::Microsecond, _), 5) => cut::<Micros, 10>(array),
        (DataType::Timestamp(TimeUnit::Nanosecond, _), 7) => cut::<Nanos, 100>(array),
        (DataType::Timestamp(TimeUnit::Nanosecond, _), 8) => cut::<Nanos, 10>(array),
        _ => Arc::clone(array),
    }
}

fn times_of_precision(times: &PrimitiveArray<Time64MicrosecondType>, precision: u8) -> ArrayRef {
    let unit = 10i64.pow(u32::from(6 - precision.min(6)));
    Arc::new(times.unary::<_, Time64MicrosecondType>(|micros| micros - micros % unit))
}

/// Builds a `TIMESTAMP` or `TIMESTAMP_LTZ` column; a moment out of the range of its 64 bits is an error.
pub(crate) fn timestamps(
    rows: usize,
    to: &SqlType,
    mode: Mode,
    moment: impl Fn(usize) -> Option<Moment>,
) -> Result<ArrayRef> {
    let data_type = to.to_arrow();
    let per_second = units_per_second(&data_type);
    let mut units = PrimitiveBuilder::<Int64Type>::with_capacity(rows);
    for row in 0..rows {
        let moment = moment(row);
        let value = moment.and_then(|moment| moment.to_units(per_second));
        if let (Some(moment), None, false) = (moment, value, mode.try_cast) {
            let mut text = String::new();
            write_moment(moment, 0, &mut text);
            return Err(cannot_cast(&text, to));
        }
        units.append_option(value);
    }
    let units = units.finish();
    Ok(if per_second == 1_000_000 {
        relabel::<TimestampMicrosecondType>(&units, &data_type)
    } else {
        relabel::<TimestampNanosecondType>(&units, &data_type)
    })
}

/// 64-bit integers as timestamps, without copying.
fn relabel<T: ArrowPrimitiveType<Native = i64>>(
    units: &PrimitiveArray<Int64Type>,
    data_type: &arrow_schema::DataType,
) -> ArrayRef {
    Arc::new(units.reinterpret_cast::<T>().with_data_type(data_type.clone()))
}

/// Seconds of a day as a check for `TIME` values.
pub(super) const fn is_time_of_day(second: i64) -> bool {
    second >= 0 && second < SECONDS_PER_DAY
}
