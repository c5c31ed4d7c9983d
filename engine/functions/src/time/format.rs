//! `DATE_FORMAT`, `TO_DATE`, `TO_TIMESTAMP`, `CONVERT_TZ`: timestamps and their texts.

use std::ops::Range;

use arrow_array::types::Date32Type;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use chrono_tz::Tz;
use datafusion_common::Result;
use sluice_model::SqlType;

use super::civil::Moment;
use super::pattern::{Pattern, Style};
use super::zone::{WallTimes, to_instant, to_last_instant, to_wall};
use crate::cast::{Mode, parse_day, parse_moment, timestamps};
use crate::function::{Call, Definition, Kind};

/// Pattern where none is given.
pub(super) const DEFAULT_PATTERN: &str = "yyyy-MM-dd HH:mm:ss";

pub(super) fn definitions() -> Vec<Definition> {
    use Kind::{String, Timestamp};
    vec![
        Definition::new("date_format", &[String, String], SqlType::STRING, date_format)
            .or(&[Timestamp, String])
            .nullable(),
        Definition::new("to_date", &[String], SqlType::Date, to_date).or(&[String, String]).nullable(),
        Definition::new("to_timestamp", &[String], SqlType::Timestamp(3), to_timestamp)
            .or(&[String, String])
            .nullable(),
        Definition::new("convert_tz", &[String, String, String], SqlType::STRING, convert_tz).nullable(),
    ]
}

/// The pattern of an argument: compiled once if it is a constant, and else whenever it changes.
#[derive(Debug)]
pub(super) struct Patterns {
    style: Style,
    last: Option<(String, Pattern)>,
}

impl Patterns {
    pub(super) fn new(style: Style) -> Self {
        Self { style, last: None }
    }

    pub(super) fn get(&mut self, pattern: &str) -> Result<&Pattern> {
        if self.last.as_ref().is_none_or(|(text, _)| text != pattern) {
            self.last = Some((pattern.to_owned(), Pattern::compile(pattern, self.style)?));
        }
        match &self.last {
            Some((_, compiled)) => Ok(compiled),
            None => Err(crate::error::bug("a compiled pattern is missing")),
        }
    }
}

fn date_format(call: &Call<'_>) -> Result<ArrayRef> {
    let patterns = call.strings(1)?;
    let cells = call.cells_of_any(0)?;
    if cells.array().data_type() == &DataType::Utf8 {
        let texts = call.strings(0)?;
        let default = Pattern::compile(DEFAULT_PATTERN, Style::Lenient)?;
        let mut compiled = Patterns::new(Style::Lenient);
        return call.write_strings(|row, out| {
            let (Some(text), Some(pattern)) = (texts.get(row), patterns.get(row)) else { return Ok(false) };
            let pattern = compiled.get(pattern)?;
            let Some((moment, _)) = default.parse(text) else { return Ok(false) };
            pattern.format(moment, 0, out);
            Ok(true)
        });
    }
    let times = WallTimes::new(cells.array(), call.session.time_zone)?;
    let mut compiled = Patterns::new(Style::Strict);
    let has_one_pattern = call.is_constant(1);
    let mut last: Option<((i64, i64), Range<usize>)> = None;
    call.write_strings(|row, out| {
        let (Some(at), Some(pattern)) = (cells.position(row), patterns.get(row)) else { return Ok(false) };
        let wall = times.get(at);
        let offset = if matches!(cells.array().data_type(), DataType::Timestamp(_, Some(_))) {
            wall.seconds - times.instant(at).seconds
        } else {
            0
        };
        let pattern = compiled.get(pattern)?;
        // Times within one unit of the pattern have one text, and times mostly come in their order.
        let unit = pattern.unit().filter(|_| has_one_pattern).map(|unit| (wall.seconds.div_euclid(unit), offset));
        match &last {
            Some((known, text)) if unit == Some(*known) => out.extend_from_within(text.clone()),
            _ => {
                let start = out.len();
                pattern.format(wall, offset, out);
                last = unit.map(|unit| (unit, start..out.len()));
            }
        }
        Ok(true)
    })
}

fn to_date(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.strings(0)?;
    if call.len() == 1 {
        return call.primitive::<Date32Type>(|row| {
            Ok(texts.get(row).and_then(parse_day).map(|day| day.to_epoch_days() as i32))
        });
    }
    let patterns = call.strings(1)?;
    let mut compiled = Patterns::new(Style::Lenient);
    call.primitive::<Date32Type>(|row| {
        let (Some(text), Some(pattern)) = (texts.get(row), patterns.get(row)) else { return Ok(None) };
        Ok(compiled.get(pattern)?.parse(text).map(|(moment, _)| moment.epoch_days() as i32))
    })
}

/// Moments of texts in a column of patterns, or in the default one.
pub(super) fn parse_all(call: &Call<'_>) -> Result<Vec<Option<Moment>>> {
    let texts = call.strings(0)?;
    if call.len() == 1 {
        return Ok((0..call.rows).map(|row| texts.get(row).and_then(parse_moment)).collect());
    }
    let patterns = call.strings(1)?;
    let mut compiled = Patterns::new(Style::Strict);
    let parse = |row| {
        let (Some(text), Some(pattern)) = (texts.get(row), patterns.get(row)) else { return Ok(None) };
        let moment = compiled.get(pattern)?.parse(text).map(|(moment, _)| moment);
        // What Java's java.sql.Timestamp.valueOf reads counts as well: 1999-9-10 05:20:10.
        Ok(moment.or_else(|| parse_moment(text.trim())))
    };
    (0..call.rows).map(parse).collect()
}

/// Texts that cannot be read are `NULL`; fractions are cut to milliseconds.
fn to_timestamp(call: &Call<'_>) -> Result<ArrayRef> {
    let moments = parse_all(call)?;
    let mode = Mode { try_cast: true, zone: call.session.time_zone };
    timestamps(call.rows, &call.returns, mode, |row| moments[row].map(|moment| moment.truncate(3)))
}

/// A zone by its name; Java takes an unknown one for UTC. `GMT+08:00` and `+08:00` are offsets.
#[derive(Debug, Clone, Copy)]
pub(super) enum Zone {
    Named(Tz),
    Offset(i64),
}

impl Zone {
    pub(super) fn parse(name: &str) -> Self {
        if let Ok(zone) = name.parse() {
            return Self::Named(zone);
        }
        let offset = name.strip_prefix("GMT").or_else(|| name.strip_prefix("UTC")).unwrap_or(name);
        let (sign, digits) = match offset.as_bytes().first() {
            Some(b'+') => (1, &offset[1..]),
            Some(b'-') => (-1, &offset[1..]),
            _ => return Self::Offset(0),
        };
        let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
        let number = |text: &str| text.parse::<i64>().unwrap_or(0);
        Self::Offset(sign * (number(hours) * 3600 + number(minutes) * 60))
    }

    pub(super) fn to_instant(self, wall: Moment) -> Moment {
        match self {
            Self::Named(zone) => to_instant(wall, zone),
            Self::Offset(offset) => Moment { seconds: wall.seconds - offset, ..wall },
        }
    }

    fn to_wall(self, instant: Moment) -> Moment {
        match self {
            Self::Named(zone) => to_wall(instant, zone),
            Self::Offset(offset) => Moment { seconds: instant.seconds + offset, ..instant },
        }
    }
}

fn convert_tz(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, from, to) = (call.strings(0)?, call.strings(1)?, call.strings(2)?);
    let pattern = Pattern::compile(DEFAULT_PATTERN, Style::Lenient)?;
    call.write_strings(|row, out| {
        let (Some(text), Some(from), Some(to)) = (texts.get(row), from.get(row), to.get(row)) else {
            return Ok(false);
        };
        let Some((wall, _)) = pattern.parse(text) else { return Ok(false) };
        let instant = match Zone::parse(from) {
            Zone::Named(zone) => to_last_instant(wall, zone),
            offset => offset.to_instant(wall),
        };
        pattern.format(Zone::parse(to).to_wall(instant), 0, out);
        Ok(true)
    })
}
