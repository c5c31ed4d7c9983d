//! `TIMESTAMPADD(unit, n, t)` and `TIMESTAMPDIFF(unit, a, b)`; the unit comes as a string literal.

use arrow_array::ArrayRef;
use arrow_array::types::{Date32Type, Int32Type, Time64MicrosecondType};
use chrono_tz::Tz;
use datafusion_common::Result;
use sluice_model::SqlType;

use super::civil::{Day, Moment};
use super::unit::Unit;
use super::zone::WallTimes;
use crate::cast::{Mode, timestamps};
use crate::function::{Arguments, Call, Definition, Kind};

pub(super) fn definitions() -> Vec<Definition> {
    vec![
        Definition::new("timestampadd", &[Kind::String, Kind::Integer, Kind::Temporal], SqlType::Null, add)
            .returns(sum_type)
            .nullable(),
        Definition::new("timestampdiff", &[Kind::String, Kind::Temporal, Kind::Temporal], SqlType::Int, diff),
    ]
}

/// A date and hours make a timestamp.
fn sum_type(arguments: &Arguments<'_>) -> Result<SqlType> {
    let unit = arguments.constant_string(0).map(Unit::parse).transpose()?;
    let keeps_date = unit.is_none_or(|unit| unit.months().is_some() || matches!(unit, Unit::Day | Unit::Week));
    Ok(match arguments.sql_type(2) {
        SqlType::Date if !keeps_date => SqlType::Timestamp(6),
        other => other,
    })
}

fn add(call: &Call<'_>) -> Result<ArrayRef> {
    let unit = Unit::parse(call.constant_string(0, "the unit of TIMESTAMPADD")?)?;
    if unit.months().is_none() && unit.micros().is_none() {
        return Err(unit.refuse("TIMESTAMPADD"));
    }
    let counts = call.integers(1)?;
    let cells = call.cells_of_any(2)?;
    if let SqlType::Time(_) = call.returns {
        return add_to_time(call, unit);
    }
    // Instants are counted on by instants, so that a day has 24 hours in every zone.
    let zone = Tz::UTC;
    let times = WallTimes::new(cells.array(), zone)?;
    let sum = |row| {
        let at = cells.position(row).filter(|at| !times.is_null(*at))?;
        plus(times.get(at), unit, counts.get(row)?)
    };
    match call.returns {
        SqlType::Date => call.primitive::<Date32Type>(|row| Ok(sum(row).map(|sum| sum.epoch_days() as i32))),
        _ => timestamps(call.rows, &call.returns, Mode { try_cast: true, zone }, sum),
    }
}

/// A time of day goes round at midnight; days and months leave it as it is.
fn add_to_time(call: &Call<'_>, unit: Unit) -> Result<ArrayRef> {
    const MICROS_PER_DAY: i64 = 86_400_000_000;
    let (counts, times) = (call.integers(1)?, call.primitives::<Time64MicrosecondType>(2)?);
    let micros = if unit.months().is_some() { 0 } else { unit.micros().unwrap_or(0) % MICROS_PER_DAY };
    call.primitive::<Time64MicrosecondType>(|row| {
        let both = times.get(row).zip(counts.get(row));
        Ok(both.map(|(time, count)| {
            (time + (micros * (count % MICROS_PER_DAY)) % MICROS_PER_DAY).rem_euclid(MICROS_PER_DAY)
        }))
    })
}

fn plus(moment: Moment, unit: Unit, count: i64) -> Option<Moment> {
    const MOST_MONTHS: i64 = 12 * 20_000;
    if let Some(months) = unit.months() {
        let months = months.checked_mul(count).filter(|months| months.abs() <= MOST_MONTHS)?;
        return Some(Moment::new(moment.day().plus_months(months), moment.second_of_day(), moment.nanos));
    }
    let micros = unit.micros()?.checked_mul(count)?;
    let later = moment.plus_millis(micros.div_euclid(1000))?;
    let nanos = later.nanos + micros.rem_euclid(1000) as u32 * 1000;
    let carry = i64::from(nanos / 1_000_000_000);
    Some(Moment { seconds: later.seconds + carry, nanos: nanos % 1_000_000_000 })
}

fn diff(call: &Call<'_>) -> Result<ArrayRef> {
    let unit = Unit::parse(call.constant_string(0, "the unit of TIMESTAMPDIFF")?)?;
    if unit.months().is_none() && unit.micros().is_none() {
        return Err(unit.refuse("TIMESTAMPDIFF"));
    }
    let (from_cells, to_cells) = (call.cells_of_any(1)?, call.cells_of_any(2)?);
    // Between two instants lie as many hours as pass.
    let are_instants = [1, 2].iter().all(|side| matches!(call.sql_type(*side), SqlType::TimestampLtz(_)));
    let zone = if are_instants { Tz::UTC } else { call.session.time_zone };
    let from = WallTimes::new(from_cells.array(), zone)?;
    let to = WallTimes::new(to_cells.array(), zone)?;
    call.primitive::<Int32Type>(|row| {
        let (Some(a), Some(b)) = (from_cells.position(row), to_cells.position(row)) else { return Ok(None) };
        Ok(Some(between(from.get(a), to.get(b), unit) as i32))
    })
}

/// `b - a` in whole units, towards 0.
pub(super) fn between(a: Moment, b: Moment, unit: Unit) -> i64 {
    if let Some(months) = unit.months() {
        return months_between(a, b) / months;
    }
    let micros = |moment: Moment| i128::from(moment.seconds) * 1_000_000 + i128::from(moment.nanos / 1000);
    ((micros(b) - micros(a)) / i128::from(unit.micros().unwrap_or(1))) as i64
}

/// Whole months from `a` to `b`, as Calcite's `DateTimeUtils.subtractMonths` counts them: from the end of a month
/// to the end of another one is a month, and the times of the day matter where the days fall together.
fn months_between(a: Moment, b: Moment) -> i64 {
    let (first, last) = (a.day(), b.day());
    let months = if b.epoch_days() < a.epoch_days() { -months_of(last, first) } else { months_of(first, last) };
    let time = |moment: Moment| (moment.second_of_day(), moment.nanos / 1_000_000);
    months - i64::from(first.plus_months(months) == last && time(b) < time(a))
}

/// Whole months from a day to a later one.
fn months_of(first: Day, last: Day) -> i64 {
    let total = |day: Day| i64::from(day.year) * 12 + i64::from(day.month);
    let months = total(last) - total(first);
    months - i64::from(first.plus_months(months).to_epoch_days() > last.to_epoch_days())
}
