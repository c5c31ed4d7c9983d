//! `FLOOR(t TO unit)` and `CEIL(t TO unit)`, as `__floor_to('UNIT', t)` and `__ceil_to('UNIT', t)`.
//!
//! | | of `2021-04-14 10:20:30` |
//! |---|---|
//! | `FLOOR(t TO WEEK)` | `2021-04-11 00:00:00`, a Sunday |
//! | `CEIL(t TO MONTH)` | `2021-05-01 00:00:00` |

use arrow_array::ArrayRef;
use arrow_array::types::{Date32Type, Time64MicrosecondType};
use arrow_schema::DataType;
use datafusion_common::Result;
use sluice_model::SqlType;

use super::civil::{Day, Moment, SECONDS_PER_DAY, iso_day_of_week};
use super::unit::Unit;
use super::zone::{WallTimes, to_instant};
use crate::cast::{Mode, timestamps};
use crate::function::{Call, Definition, Kind};

pub(super) fn definitions() -> Vec<Definition> {
    let rounding =
        |name, kernel| Definition::new(name, &[Kind::String, Kind::Temporal], SqlType::Null, kernel).same_as(1);
    vec![
        rounding("__floor_to", |call| rounded(call, "FLOOR", floor)),
        rounding("__ceil_to", |call| rounded(call, "CEIL", ceil)),
    ]
}

fn rounded(call: &Call<'_>, function: &str, round: fn(Moment, Unit) -> Option<Moment>) -> Result<ArrayRef> {
    let unit = Unit::parse(call.constant_string(0, "the unit")?)?;
    if floor(Moment { seconds: 0, nanos: 0 }, unit).is_none() {
        return Err(unit.refuse(function));
    }
    let cells = call.cells_of_any(1)?;
    if let DataType::Time64(_) = cells.array().data_type() {
        // A day and more is nothing to a time of the day: it stays as it is.
        if !matches!(unit, Unit::Hour | Unit::Minute | Unit::Second | Unit::Millisecond | Unit::Microsecond) {
            return call.array(1);
        }
        let times = call.primitives::<Time64MicrosecondType>(1)?;
        return call.primitive::<Time64MicrosecondType>(|row| {
            let rounded = times.get(row).and_then(|micros| round(Moment::from_units(micros, 1_000_000), unit));
            Ok(rounded.and_then(|moment| moment.to_units(1_000_000)))
        });
    }
    let zone = call.session.time_zone;
    let times = WallTimes::new(cells.array(), zone)?;
    let wall = |row| cells.position(row).filter(|at| !times.is_null(*at)).and_then(|at| round(times.get(at), unit));
    match call.returns {
        SqlType::Date => call.primitive::<Date32Type>(|row| Ok(wall(row).map(|wall| wall.epoch_days() as i32))),
        SqlType::TimestampLtz(_) => timestamps(call.rows, &call.returns, Mode { try_cast: false, zone }, |row| {
            wall(row).map(|wall| to_instant(wall, zone))
        }),
        _ => timestamps(call.rows, &call.returns, Mode { try_cast: false, zone }, wall),
    }
}

/// The last boundary of the unit up to a wall-clock time; `None` if the unit has no boundaries.
pub(super) fn floor(wall: Moment, unit: Unit) -> Option<Moment> {
    let midnight = |epoch_days: i64| Moment { seconds: epoch_days * SECONDS_PER_DAY, nanos: 0 };
    let day = wall.day();
    let first_of_year = |year: i32| midnight(Day { year, month: 1, day: 1 }.to_epoch_days());
    // Centuries and millennia begin with the year 1.
    let nth = |length: i32| first_of_year((day.year - 1).div_euclid(length) * length + 1);
    Some(match unit {
        Unit::Millennium => nth(1000),
        Unit::Century => nth(100),
        Unit::Decade => first_of_year(day.year.div_euclid(10) * 10),
        Unit::Year => first_of_year(day.year),
        Unit::Quarter => midnight(Day { month: (day.month - 1) / 3 * 3 + 1, day: 1, ..day }.to_epoch_days()),
        Unit::Month => midnight(Day { day: 1, ..day }.to_epoch_days()),
        Unit::Week => midnight(wall.epoch_days() - iso_day_of_week(wall.epoch_days()) % 7),
        Unit::Day => midnight(wall.epoch_days()),
        Unit::Hour => Moment { seconds: wall.seconds - wall.seconds.rem_euclid(3600), nanos: 0 },
        Unit::Minute => Moment { seconds: wall.seconds - wall.seconds.rem_euclid(60), nanos: 0 },
        Unit::Second => Moment { nanos: 0, ..wall },
        Unit::Millisecond => wall.truncate(3),
        Unit::Microsecond => wall.truncate(6),
        _ => return None,
    })
}

/// The first boundary from a wall-clock time on.
fn ceil(wall: Moment, unit: Unit) -> Option<Moment> {
    let start = floor(wall, unit)?;
    if start == wall {
        return Some(start);
    }
    match (unit.months(), unit.micros()) {
        (Some(months), _) => {
            let next = start.day().plus_months(months);
            Some(Moment::new(next, 0, 0))
        }
        (None, Some(micros)) => {
            let later = start.plus_millis(micros / 1000)?;
            Some(Moment { nanos: later.nanos + (micros % 1000) as u32 * 1000, ..later })
        }
        (None, None) => None,
    }
}
