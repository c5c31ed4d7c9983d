//! `REGEXP`, `REGEXP_REPLACE`, `REGEXP_EXTRACT` and their family.
//!
//! | call | result |
//! |---|---|
//! | `REGEXP('foobar', 'o+b')` | `TRUE`; an empty or invalid pattern: `FALSE` |
//! | `REGEXP_REPLACE('100-200', '(\d+)', '<$1>')` | `<100>-<200>`; an invalid pattern: `NULL` |
//! | `REGEXP_EXTRACT('100-200', '(\d+)-(\d+)', 2)` | `200`; no match: `NULL` |

use arrow_array::ArrayRef;
use arrow_array::types::Int32Type;
use datafusion_common::Result;
use regex::{CaptureLocations, Captures, Regex};
use sluice_model::SqlType;

use super::{PatternCache, compile, with_patterns};
use crate::collection::string_lists;
use crate::function::{Call, Definition, Kind};

pub(crate) fn definitions() -> Vec<Definition> {
    use Kind::{Integer, String};
    vec![
        Definition::new("regexp", &[String, String], SqlType::Boolean, |call| {
            with_patterns(|cache| regexp(call, cache))
        })
        .fallible(),
        Definition::new("regexp_replace", &[String, String, String], SqlType::STRING, |call| {
            with_patterns(|cache| regexp_replace(call, cache))
        })
        .nullable()
        .fallible(),
        Definition::new("regexp_extract", &[String, String], SqlType::STRING, |call| {
            with_patterns(|cache| regexp_extract(call, cache))
        })
        .or(&[String, String, Integer])
        .nullable()
        .fallible(),
        Definition::new("regexp_extract_all", &[String, String], SqlType::Array(Box::new(SqlType::STRING)), |call| {
            with_patterns(|cache| extract_all(call, cache))
        })
        .or(&[String, String, Integer])
        .nullable()
        .fallible(),
        Definition::new("regexp_count", &[String, String], SqlType::Int, regexp_count).nullable().fallible(),
        Definition::new("regexp_instr", &[String, String], SqlType::Int, regexp_instr).nullable().fallible(),
        Definition::new("regexp_substr", &[String, String], SqlType::STRING, |call| {
            with_patterns(|cache| regexp_substr(call, cache))
        })
        .nullable()
        .fallible(),
    ]
}

fn regexp(call: &Call<'_>, cache: &mut PatternCache) -> Result<ArrayRef> {
    let (texts, patterns) = (call.strings(0)?, call.strings(1)?);
    let mut result = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let value = match (texts.get(row), patterns.get(row)) {
            (Some(_), Some("")) => Some(false),
            (Some(text), Some(pattern)) => Some(cache.get(pattern, compile)?.is_some_and(|regex| regex.is_match(text))),
            _ => None,
        };
        result.push(value);
    }
    call.truths(|row| result[row])
}

fn regexp_replace(call: &Call<'_>, cache: &mut PatternCache) -> Result<ArrayRef> {
    let (texts, patterns, replacements) = (call.strings(0)?, call.strings(1)?, call.strings(2)?);
    call.write_strings(|row, out| {
        let (Some(text), Some(pattern), Some(replacement)) = (texts.get(row), patterns.get(row), replacements.get(row))
        else {
            return Ok(false);
        };
        let Some(regex) = cache.get(pattern, compile)? else { return Ok(false) };
        Ok(replace_all(regex, text, replacement, out))
    })
}

/// Java's `replaceAll`: `$1` and `${name}` are groups, a backslash makes the next character plain.
///
/// `false` if the replacement names a group that is not there.
fn replace_all(regex: &Regex, text: &str, replacement: &str, out: &mut String) -> bool {
    if !replacement.contains(['$', '\\']) {
        let mut end = 0;
        for found in regex.find_iter(text) {
            out.push_str(&text[end..found.start()]);
            out.push_str(replacement);
            end = found.end();
        }
        out.push_str(&text[end..]);
        return true;
    }
    let mut end = 0;
    for groups in regex.captures_iter(text) {
        let Some(whole) = groups.get(0) else { continue };
        out.push_str(&text[end..whole.start()]);
        if !expand(replacement, &groups, out) {
            return false;
        }
        end = whole.end();
    }
    out.push_str(&text[end..]);
    true
}

fn expand(replacement: &str, groups: &Captures<'_>, out: &mut String) -> bool {
    let mut rest = replacement;
    while let Some(at) = rest.find(['$', '\\']) {
        out.push_str(&rest[..at]);
        let special = rest.as_bytes()[at];
        rest = &rest[at + 1..];
        if special == b'\\' {
            let Some(char) = rest.chars().next() else { return false };
            out.push(char);
            rest = &rest[char.len_utf8()..];
        } else {
            let Some((value, length)) = group_of(rest, groups) else { return false };
            out.push_str(value);
            rest = &rest[length..];
        }
    }
    out.push_str(rest);
    true
}

/// The group that a text after `$` names, and the length of its name.
fn group_of<'t>(text: &str, groups: &Captures<'t>) -> Option<(&'t str, usize)> {
    if let Some((name, _)) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        let value = groups.name(name).map_or("", |group| group.as_str());
        return Some((value, name.len() + 2));
    }
    // As many digits as make the number of a group.
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let length = (1..=digits).rev().find(|length| text[..*length].parse().is_ok_and(|n: usize| n < groups.len()))?;
    let index: usize = text[..length].parse().ok()?;
    Some((groups.get(index).map_or("", |group| group.as_str()), length))
}

fn regexp_extract(call: &Call<'_>, cache: &mut PatternCache) -> Result<ArrayRef> {
    let (texts, patterns) = (call.strings(0)?, call.strings(1)?);
    let groups = (call.len() > 2).then(|| call.integers(2)).transpose()?;
    let mut places: Option<CaptureLocations> = None;
    call.write_strings(|row, out| {
        let group = groups.as_ref().map_or(Some(0), |groups| groups.get(row));
        let (Some(text), Some(pattern), Some(group)) = (texts.get(row), patterns.get(row), group) else {
            return Ok(false);
        };
        let (Some(regex), Ok(group)) = (cache.get(pattern, compile)?, usize::try_from(group)) else {
            return Ok(false);
        };
        let found = if group == 0 {
            regex.find(text).map(|found| found.range())
        } else {
            // Where groups lie is written to the same memory for row after row.
            let groups = match &mut places {
                Some(places) if places.len() == regex.captures_len() => places,
                places => places.insert(regex.capture_locations()),
            };
            regex.captures_read(groups, text).and_then(|_| groups.get(group)).map(|(start, end)| start..end)
        };
        out.push_str(found.clone().map_or("", |found| &text[found]));
        Ok(found.is_some())
    })
}

fn extract_all(call: &Call<'_>, cache: &mut PatternCache) -> Result<ArrayRef> {
    let (texts, patterns) = (call.strings(0)?, call.strings(1)?);
    let groups = (call.len() > 2).then(|| call.integers(2)).transpose()?;
    string_lists(call.rows, |row, items| {
        let group = groups.as_ref().map_or(Some(1), |groups| groups.get(row));
        let (Some(text), Some(pattern), Some(group)) = (texts.get(row), patterns.get(row), group) else {
            return Ok(false);
        };
        let (Some(regex), Ok(group)) = (cache.get(pattern, compile)?, usize::try_from(group)) else {
            return Ok(false);
        };
        if group >= regex.captures_len() {
            return Ok(false);
        }
        for captures in regex.captures_iter(text) {
            items.append_option(captures.get(group).map(|found| found.as_str()));
        }
        Ok(true)
    })
}

/// A number from each text and its pattern; `NULL` without either or with an invalid pattern.
fn numbers(call: &Call<'_>, number: impl Fn(&Regex, &str) -> usize) -> Result<ArrayRef> {
    let (texts, patterns) = (call.strings(0)?, call.strings(1)?);
    with_patterns(|cache| {
        call.primitive::<Int32Type>(|row| {
            let (Some(text), Some(pattern)) = (texts.get(row), patterns.get(row)) else { return Ok(None) };
            let regex = cache.get(pattern, compile)?;
            Ok(regex.and_then(|regex| i32::try_from(number(regex, text)).ok()))
        })
    })
}

fn regexp_count(call: &Call<'_>) -> Result<ArrayRef> {
    numbers(call, |regex, text| regex.find_iter(text).count())
}

fn regexp_instr(call: &Call<'_>) -> Result<ArrayRef> {
    numbers(call, |regex, text| regex.find(text).map_or(0, |found| crate::text::char_count(&text[..found.start()]) + 1))
}

fn regexp_substr(call: &Call<'_>, cache: &mut PatternCache) -> Result<ArrayRef> {
    let (texts, patterns) = (call.strings(0)?, call.strings(1)?);
    call.write_strings(|row, out| {
        let (Some(text), Some(pattern)) = (texts.get(row), patterns.get(row)) else { return Ok(false) };
        let found = cache.get(pattern, compile)?.and_then(|regex| regex.find(text));
        out.push_str(found.map_or("", |found| found.as_str()));
        Ok(found.is_some())
    })
}
