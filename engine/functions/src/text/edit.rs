//! Parts of texts, and replacing them.

use arrow_array::ArrayRef;
use datafusion_common::Result;
use memchr::memmem::Finder;
use sluice_model::SqlType;

use super::{byte_of, char_count};
use crate::function::{Call, Definition, Kind};

pub(super) fn definitions() -> Vec<Definition> {
    use Kind::{Integer, String};
    let text = |name, parameters: &[Kind], kernel| Definition::new(name, parameters, SqlType::STRING, kernel);
    vec![
        text("substring", &[String, Integer], substring).or(&[String, Integer, Integer]).alias("substr").nullable(),
        text("replace", &[String, String, String], replace),
        text("translate", &[String, String, String], translate).alias("translate3"),
        text("overlay", &[String, String, Integer], overlay).or(&[String, String, Integer, Integer]),
    ]
}

/// | position | begins at |
/// |---|---|
/// | `p > 0` | the p-th character; none there: `''` |
/// | `0` | the first |
/// | `p < 0` | the p-th from the end; none there: `''` |
///
/// A negative length is `NULL`. Source: `BinaryStringData.substringSQL`.
fn substring(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, positions) = (call.strings(0)?, call.integers(1)?);
    let lengths = (call.len() > 2).then(|| call.integers(2)).transpose()?;
    call.pick_strings(|row| {
        let (text, position) = (texts.get(row)?, positions.get(row)?);
        let length = match &lengths {
            Some(lengths) => usize::try_from(lengths.get(row)?).ok()?,
            None => usize::MAX,
        };
        let skip = match position {
            position if position > 0 => position - 1,
            0 => 0,
            position => char_count(text) as i64 + position,
        };
        let Ok(skip) = usize::try_from(skip) else { return Some("") };
        let tail = &text[byte_of(text, skip)..];
        Some(&tail[..byte_of(tail, length)])
    })
}

fn replace(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, searches, replacements) = (call.strings(0)?, call.strings(1)?, call.strings(2)?);
    // What is looked for is prepared once if it is the same in every row.
    let constant = call.literal(1).filter(|search| !search.is_empty()).map(Finder::new);
    call.write_strings(|row, out| {
        let (Some(text), Some(search), Some(replacement)) = (texts.get(row), searches.get(row), replacements.get(row))
        else {
            return Ok(false);
        };
        let mut end = 0;
        let mut found = |at: usize, out: &mut String| {
            out.push_str(&text[end..at]);
            out.push_str(replacement);
            end = at + search.len();
        };
        match &constant {
            Some(finder) => finder.find_iter(text.as_bytes()).for_each(|at| found(at, out)),
            None => text.match_indices(search).for_each(|(at, _)| found(at, out)),
        }
        out.push_str(&text[end..]);
        Ok(true)
    })
}

/// Characters of the second argument become those of the third; those without a partner go. `NULL`
/// is as good as none.
fn translate(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, from, to) = (call.strings(0)?, call.strings(1)?, call.strings(2)?);
    call.write_strings(|row, out| {
        let Some(text) = texts.get(row) else { return Ok(false) };
        let (from, to) = (from.get(row).unwrap_or(""), to.get(row).unwrap_or(""));
        for char in text.chars() {
            match from.chars().position(|candidate| candidate == char) {
                Some(index) => out.extend(to.chars().nth(index)),
                None => out.push(char),
            }
        }
        Ok(true)
    })
}

/// A position outside of the text leaves it as it is; a length of 0 or less drops what follows.
fn overlay(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, replacements, positions) = (call.strings(0)?, call.strings(1)?, call.integers(2)?);
    let lengths = (call.len() > 3).then(|| call.integers(3)).transpose()?;
    call.write_strings(|row, out| {
        let (Some(text), Some(replacement), Some(position)) =
            (texts.get(row), replacements.get(row), positions.get(row))
        else {
            return Ok(false);
        };
        let length = match &lengths {
            Some(lengths) => match lengths.get(row) {
                Some(length) => length,
                None => return Ok(false),
            },
            None => char_count(replacement) as i64,
        };
        let count = char_count(text) as i64;
        if position <= 0 || position > count {
            out.push_str(text);
            return Ok(true);
        }
        let skip = (position - 1) as usize;
        out.push_str(&text[..byte_of(text, skip)]);
        out.push_str(replacement);
        if length > 0 && length <= count - position {
            out.push_str(&text[byte_of(text, skip + length as usize)..]);
        }
        Ok(true)
    })
}
