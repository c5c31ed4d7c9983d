//! `EXTRACT(unit FROM t)`, `YEAR(t)`, `HOUR(t)` and their like.

use arrow_array::ArrayRef;
use arrow_array::types::{Int64Type, Time64MicrosecondType};
use arrow_schema::DataType;
use datafusion_common::Result;
use sluice_model::SqlType;

use super::civil::{Day, Moment, iso_day_of_week};
use super::difference;
use super::unit::Unit;
use super::zone::WallTimes;
use crate::error::fix;
use crate::function::{Call, Definition, Kind};

pub(super) fn definitions() -> Vec<Definition> {
    let part = |name, kernel| Definition::new(name, &[Kind::Temporal], SqlType::BigInt, kernel);
    vec![
        Definition::new("extract", &[Kind::String, Kind::Temporal], SqlType::BigInt, |call| {
            extract(call, Unit::parse(call.constant_string(0, "the unit of EXTRACT")?)?, 1)
        })
        .or(&[Kind::String, Kind::Interval]),
        part("year", |call| extract(call, Unit::Year, 0)),
        part("quarter", |call| extract(call, Unit::Quarter, 0)),
        part("month", |call| extract(call, Unit::Month, 0)),
        part("week", |call| extract(call, Unit::Week, 0)),
        part("dayofyear", |call| extract(call, Unit::DayOfYear, 0)),
        part("dayofmonth", |call| extract(call, Unit::Day, 0)),
        part("dayofweek", |call| extract(call, Unit::DayOfWeek, 0)),
        part("hour", |call| extract(call, Unit::Hour, 0)),
        part("minute", |call| extract(call, Unit::Minute, 0)),
        part("second", |call| extract(call, Unit::Second, 0)),
    ]
}

fn extract(call: &Call<'_>, unit: Unit, argument: usize) -> Result<ArrayRef> {
    let cells = call.cells_of_any(argument)?;
    if let DataType::Interval(_) = cells.array().data_type() {
        let (unit, length) = interval_part(&call.sql_type(argument), unit)?;
        let lengths = difference::counts(call, argument)?;
        return call.primitive::<Int64Type>(|row| {
            Ok(lengths.get(row).map(|count| length.map_or(count, |length| count % length) / unit))
        });
    }
    if let DataType::Time64(_) = cells.array().data_type() {
        let times = call.primitives::<Time64MicrosecondType>(argument)?;
        if unit.micros().is_none_or(|micros| micros > 3_600_000_000) && unit != Unit::Nanosecond {
            return Err(fix("a TIME has hours, minutes and seconds only"));
        }
        return call.primitive::<Int64Type>(|row| {
            Ok(times.get(row).map(|micros| part(Moment::from_units(micros, 1_000_000), unit)))
        });
    }
    let times = WallTimes::new(cells.array(), call.session.time_zone)?;
    call.primitive::<Int64Type>(|row| {
        let at = cells.position(row).filter(|at| !times.is_null(*at));
        Ok(at.map(|at| part(times.get(at), unit)))
    })
}

/// What a part of an interval is counted in, months or milliseconds, and the length of the next larger part.
fn interval_part(interval: &SqlType, unit: Unit) -> Result<(i64, Option<i64>)> {
    const SECOND: i64 = 1000;
    const HOUR: i64 = 3600 * SECOND;
    let part = match (interval, unit) {
        (SqlType::IntervalYearMonth, Unit::Year) => (12, None),
        (SqlType::IntervalYearMonth, Unit::Month) => (1, Some(12)),
        (SqlType::IntervalYearMonth, _) => return Err(fix("an INTERVAL YEAR TO MONTH has years and months only")),
        (_, Unit::Day) => (24 * HOUR, None),
        (_, Unit::Hour) => (HOUR, Some(24 * HOUR)),
        (_, Unit::Minute) => (60 * SECOND, Some(HOUR)),
        (_, Unit::Second) => (SECOND, Some(60 * SECOND)),
        (_, Unit::Millisecond) => (1, Some(SECOND)),
        (_, Unit::Epoch) => (SECOND, None),
        _ => return Err(fix("an INTERVAL DAY TO SECOND has days, hours, minutes and seconds only")),
    };
    Ok(part)
}

fn part(moment: Moment, unit: Unit) -> i64 {
    let second = moment.second_of_day();
    let nanos = i64::from(moment.nanos);
    match unit {
        Unit::Hour => second / 3600,
        Unit::Minute => second / 60 % 60,
        Unit::Second => second % 60,
        Unit::Millisecond => nanos / 1_000_000,
        Unit::Microsecond => nanos / 1_000,
        Unit::Nanosecond => nanos,
        Unit::Epoch => moment.seconds,
        _ => date_part(moment.day(), unit),
    }
}

fn date_part(day: Day, unit: Unit) -> i64 {
    let year = i64::from(day.year);
    let nth = |length: i64| if year > 0 { (year + length - 1) / length } else { (year - length + 1) / length };
    match unit {
        Unit::Millennium => nth(1000),
        Unit::Century => nth(100),
        Unit::Decade => year / 10,
        Unit::IsoYear => i64::from(day.iso_week().0),
        Unit::Quarter => i64::from(day.month.div_ceil(3)),
        Unit::Month => i64::from(day.month),
        Unit::Week => day.iso_week().1,
        Unit::Day => i64::from(day.day),
        // 1 for Sunday.
        Unit::DayOfWeek => iso_day_of_week(day.to_epoch_days()) % 7 + 1,
        Unit::IsoDayOfWeek => iso_day_of_week(day.to_epoch_days()),
        Unit::DayOfYear => day.day_of_year(),
        _ => year,
    }
}
