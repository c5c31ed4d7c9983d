//! Finding texts in texts, and what characters they are of.

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use datafusion_common::Result;
use sluice_model::SqlType;

use super::{byte_of, char_count};
use crate::error::fix;
use crate::function::{Call, Cells, Definition, Kind};
use crate::types::{is_integer, is_numeric};

pub(super) fn definitions() -> Vec<Definition> {
    use Kind::{Binary, Integer, String};
    vec![
        Definition::new("instr", &[String, String], SqlType::Int, |call| {
            if call.len() > 2 { occurrences(call) } else { positions(call.strings(0)?, call.strings(1)?, None, call) }
        })
        .or(&[String, String, Integer])
        .or(&[String, String, Integer, Integer])
        .fallible(),
        Definition::new("locate", &[String, String], SqlType::Int, |call| {
            let from = (call.len() > 2).then(|| call.integers(2)).transpose()?;
            positions(call.strings(1)?, call.strings(0)?, from, call)
        })
        .or(&[String, String, Integer]),
        Definition::new("position", &[String, String], SqlType::Int, |call| {
            positions(call.strings(1)?, call.strings(0)?, None, call)
        }),
        Definition::new("startswith", &[String, String], SqlType::Boolean, |call| {
            pairs(call, |text, part| text.starts_with(part))
        })
        .or(&[Binary, Binary]),
        Definition::new("endswith", &[String, String], SqlType::Boolean, |call| {
            pairs(call, |text, part| text.ends_with(part))
        })
        .or(&[Binary, Binary]),
        Definition::new("ascii", &[String], SqlType::Int, |call| {
            let texts = call.strings(0)?;
            // The first byte, with its sign.
            let first = |text: &str| i32::from(text.bytes().next().unwrap_or(0) as i8);
            call.primitive::<Int32Type>(|row| Ok(texts.get(row).map(first)))
        }),
        Definition::new("chr", &[Integer], SqlType::STRING, |call| {
            let codes = call.integers(0)?;
            call.write_strings(|row, out| {
                let Some(code) = codes.get(row) else { return Ok(false) };
                if code >= 0 {
                    out.push(char::from((code & 0xFF) as u8));
                }
                Ok(true)
            })
        }),
        test("is_alpha", |call| tested(call, |_| false, |text| text.chars().all(char::is_alphabetic))),
        test("is_digit", |call| tested(call, is_integer, |text| text.chars().all(char::is_numeric))),
        test("is_decimal", |call| tested(call, is_numeric, is_number)),
    ]
}

/// Where the part begins, from 1, looking from a position on; 0 if it is not there. Nothing is at 1, always.
fn positions(
    texts: Cells<arrow_array::StringArray>,
    parts: Cells<arrow_array::StringArray>,
    from: Option<Cells<arrow_array::Int64Array>>,
    call: &Call<'_>,
) -> Result<ArrayRef> {
    call.primitive::<Int32Type>(|row| {
        let from = from.as_ref().map_or(Some(1), |from| from.get(row));
        let (Some(text), Some(part), Some(from)) = (texts.get(row), parts.get(row), from) else { return Ok(None) };
        if part.is_empty() {
            return Ok(Some(1));
        }
        let skip = usize::try_from((from - 1).max(0)).unwrap_or(usize::MAX);
        if skip > char_count(text) {
            return Ok(Some(0));
        }
        let start = byte_of(text, skip);
        let found = text[start..].find(part).map(|at| char_count(&text[..start + at]) + 1);
        Ok(Some(found.unwrap_or(0) as i32))
    })
}

/// The n-th occurrence, looking from a position on; a negative position counts from the end and looks
/// backwards, and from position 0 nothing is found. Occurrences may overlap.
fn occurrences(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, parts, starts) = (call.strings(0)?, call.strings(1)?, call.integers(2)?);
    let numbers = (call.len() > 3).then(|| call.integers(3)).transpose()?;
    call.primitive::<Int32Type>(|row| {
        let number = numbers.as_ref().map_or(Some(1), |numbers| numbers.get(row));
        let (Some(text), Some(part), Some(start), Some(number)) =
            (texts.get(row), parts.get(row), starts.get(row), number)
        else {
            return Ok(None);
        };
        if number < 1 {
            return Err(fix(format!("INSTR looks for the first or a later occurrence, not for number {number}")));
        }
        Ok(Some(occurrence(text, part, start, number).unwrap_or(0) as i32))
    })
}

fn occurrence(text: &str, part: &str, start: i64, number: i64) -> Option<usize> {
    let before = usize::try_from(number - 1).ok()?;
    if part.is_empty() && start != 0 {
        return Some(if start > 0 { 1 } else { char_count(text) + 1 });
    }
    let places = || text.char_indices().enumerate().filter(|(_, (at, _))| text[*at..].starts_with(part));
    let place = if start == 0 {
        None
    } else if start > 0 {
        places().filter(|(index, _)| *index as i64 >= start - 1).nth(before)
    } else {
        let last = char_count(text) as i64 + start;
        let matching = places().filter(|(index, _)| *index as i64 <= last).count();
        places().nth(matching.checked_sub(before + 1)?)
    };
    place.map(|(index, _)| index + 1)
}

fn pairs(call: &Call<'_>, test: impl Fn(&[u8], &[u8]) -> bool) -> Result<ArrayRef> {
    let (texts, parts) = (call.bytes(0)?, call.bytes(1)?);
    call.truths(|row| Some(test(texts.get(row)?, parts.get(row)?)))
}

/// A test of anything, which is `FALSE` for `NULL`.
fn test(name: &'static str, kernel: crate::function::Kernel) -> Definition {
    Definition::new(name, &[Kind::Any], SqlType::Boolean, kernel).not_null()
}

fn tested(call: &Call<'_>, of_type: impl Fn(&SqlType) -> bool, of_text: impl Fn(&str) -> bool) -> Result<ArrayRef> {
    let values = call.cells_of_any(0)?;
    if values.array().data_type() == &DataType::Utf8 {
        let texts = call.strings(0)?;
        return call.truths(|row| Some(texts.get(row).is_some_and(|text| !text.is_empty() && of_text(text))));
    }
    let fits = of_type(&call.sql_type(0)) && !values.array().is_empty();
    call.truths(|row| Some(fits && values.position(row).is_some()))
}

/// What `Double.parseDouble` reads.
fn is_number(text: &str) -> bool {
    let text = text.trim_matches(|char: char| char <= ' ');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, "NaN" | "Infinity") {
        return true;
    }
    let number = unsigned.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(unsigned);
    number.starts_with(|char: char| char.is_ascii_digit() || char == '.')
        && number.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'))
        && number.parse::<f64>().is_ok()
}
