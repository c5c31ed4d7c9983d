//! Unix times: `FROM_UNIXTIME`, `UNIX_TIMESTAMP`, `TO_TIMESTAMP_LTZ`.

use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray, cast::AsArray};
use arrow_schema::DataType;
use datafusion_common::Result;
use sluice_model::SqlType;

use super::civil::Moment;
use super::format::{DEFAULT_PATTERN, Patterns, Zone, parse_all};
use super::pattern::Style;
use super::zone::{to_last_instant, to_wall};
use crate::cast::{Mode, timestamps};
use crate::error::fix;
use crate::function::{Arguments, Call, Definition, Kind, Stability};

pub(super) fn definitions() -> Vec<Definition> {
    use Kind::{Integer, Number, String};
    vec![
        unix_timestamp_definition(),
        Definition::new("from_unixtime", &[Integer], SqlType::STRING, from_unixtime).or(&[Integer, String]).nullable(),
        Definition::new("to_timestamp_ltz", &[Number], SqlType::Null, to_timestamp_ltz)
            .or(&[Number, Integer])
            .or(&[String])
            .or(&[String, String])
            .or(&[String, String, String])
            .returns(ltz_type)
            .nullable(),
    ]
}

/// `UNIX_TIMESTAMP()`: seconds now, unless a text is given.
fn unix_timestamp_definition() -> Definition {
    Definition::new("unix_timestamp", &[], SqlType::BigInt, |call| {
        if call.len() > 0 {
            return unix_timestamp(call);
        }
        call.primitive::<Int64Type>(|_| Ok(Some(call.session.clock.now_millis().div_euclid(1000))))
    })
    .or(&[Kind::String])
    .or(&[Kind::String, Kind::String])
    .stability(Stability::PerBatch)
}

fn from_unixtime(call: &Call<'_>) -> Result<ArrayRef> {
    /// Seconds beyond which a year has too many digits.
    const FARTHEST: i64 = 1 << 46;
    let seconds = call.integers(0)?;
    let patterns = (call.len() > 1).then(|| call.strings(1)).transpose()?;
    let mut compiled = Patterns::new(Style::Lenient);
    call.write_strings(|row, out| {
        let pattern = patterns.as_ref().map_or(Some(DEFAULT_PATTERN), |patterns| patterns.get(row));
        let (Some(seconds), Some(pattern)) = (seconds.get(row), pattern) else { return Ok(false) };
        if seconds.abs() > FARTHEST {
            return Ok(false);
        }
        let wall = to_wall(Moment { seconds, nanos: 0 }, call.session.time_zone);
        compiled.get(pattern)?.format(wall, wall.seconds - seconds, out);
        Ok(true)
    })
}

/// Seconds of a text in the session's zone; one that cannot be read is the smallest number.
fn unix_timestamp(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.strings(0)?;
    let patterns = (call.len() > 1).then(|| call.strings(1)).transpose()?;
    let mut compiled = Patterns::new(Style::Lenient);
    call.primitive::<Int64Type>(|row| {
        let pattern = patterns.as_ref().map_or(Some(DEFAULT_PATTERN), |patterns| patterns.get(row));
        let (Some(text), Some(pattern)) = (texts.get(row), pattern) else { return Ok(None) };
        Ok(Some(match compiled.get(pattern)?.parse(text) {
            Some((wall, Some(offset))) => wall.seconds - offset,
            Some((wall, None)) => to_last_instant(wall, call.session.time_zone).seconds,
            None => i64::MIN,
        }))
    })
}

fn ltz_type(arguments: &Arguments<'_>) -> Result<SqlType> {
    match arguments.constant_integer(1) {
        Some(precision) if !(0..=9).contains(&precision) => Err(fix(format!(
            "the precision of TO_TIMESTAMP_LTZ is 0 for seconds to 9 for nanoseconds, not {precision}"
        ))),
        Some(precision) if precision > 3 => Ok(SqlType::TimestampLtz(precision as u8)),
        _ => Ok(SqlType::TimestampLtz(3)),
    }
}

fn to_timestamp_ltz(call: &Call<'_>) -> Result<ArrayRef> {
    let mode = Mode { try_cast: true, zone: call.session.time_zone };
    if call.cells_of_any(0)?.array().data_type() == &DataType::Utf8 {
        let moments = parse_all(call)?;
        let zones = (call.len() > 2).then(|| call.strings(2)).transpose()?;
        return timestamps(call.rows, &call.returns, mode, |row| {
            let zone = Zone::parse(zones.as_ref().map_or(Some("UTC"), |zones| zones.get(row))?);
            moments[row].map(|moment| zone.to_instant(moment.truncate(3)))
        });
    }
    let precisions = (call.len() > 1).then(|| call.integers(1)).transpose()?;
    let units = Units::new(call)?;
    timestamps(call.rows, &call.returns, mode, |row| {
        let precision = precisions.as_ref().map_or(Some(3), |precisions| precisions.get(row))?;
        let per_second = 10i64.checked_pow(u32::try_from(precision).ok().filter(|precision| *precision <= 9)?)?;
        let moment = units.moment(row, per_second)?;
        // Years 0 to 9999.
        (-62_167_219_200..=253_402_300_799).contains(&moment.seconds).then_some(moment)
    })
}

/// Numbers as counts of a unit.
enum Units {
    Whole(PrimitiveArray<Int64Type>),
    /// Of a double, the milliseconds count as well.
    Double(PrimitiveArray<Float64Type>),
}

impl Units {
    fn new(call: &Call<'_>) -> Result<Self> {
        let array = call.array(0)?;
        let mode = Mode { try_cast: true, zone: call.session.time_zone };
        Ok(match array.data_type() {
            DataType::Float64 | DataType::Float32 => {
                Self::Double(arrow_cast::cast(&array, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
            }
            _ => {
                let whole = crate::cast::convert(&array, &call.sql_type(0), &SqlType::BigInt, mode)?;
                Self::Whole(whole.as_primitive::<Int64Type>().clone())
            }
        })
    }

    fn moment(&self, row: usize, per_second: i64) -> Option<Moment> {
        match self {
            Self::Whole(counts) => (!counts.is_null(row)).then(|| Moment::from_units(counts.value(row), per_second)),
            Self::Double(counts) => {
                let millis = |count: f64| (count * (1000.0 / per_second as f64)).floor() as i64;
                (!counts.is_null(row)).then(|| Moment::from_units(millis(counts.value(row)), 1000))
            }
        }
    }
}
