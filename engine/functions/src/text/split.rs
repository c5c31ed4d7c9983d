//! Splitting texts.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{MapBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use datafusion_common::Result;
use sluice_model::SqlType;

use crate::cast::build_map;
use crate::collection::string_lists;
use crate::function::{Call, Definition, Kind};
use crate::regexp::{PatternCache, compile};

pub(super) fn definitions() -> Vec<Definition> {
    use Kind::{Integer, String};
    let map = SqlType::Map(Box::new(SqlType::STRING), Box::new(SqlType::STRING));
    vec![
        Definition::new("split_index", &[String, String, Integer], SqlType::STRING, split_index)
            .or(&[String, Integer, Integer])
            .nullable(),
        Definition::new("split", &[String, String], SqlType::Array(Box::new(SqlType::STRING)), split),
        Definition::new("str_to_map", &[String], map, str_to_map).or(&[String, String, String]).fallible(),
    ]
}

/// The part of an index that counts from 0; `NULL` if there is none. A separator may be a character's code.
fn split_index(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, indexes) = (call.strings(0)?, call.integers(2)?);
    if let Ok(codes) = call.integers(1) {
        return call.pick_strings(|row| {
            let (text, code, index) = (texts.get(row)?, codes.get(row)?, indexes.get(row)?);
            let separator = char::from(u8::try_from(code).ok().filter(|code| *code > 0)?);
            part(text.split(separator), text, index)
        });
    }
    let separators = call.strings(1)?;
    call.pick_strings(|row| {
        let (text, separator, index) = (texts.get(row)?, separators.get(row)?, indexes.get(row)?);
        match separator.as_bytes() {
            [] => part(text.split(char::is_whitespace), text, index),
            // Far faster to look for than a text of one byte.
            [byte] => part_between(text, *byte, usize::try_from(index).ok()?),
            _ => part(text.split(separator), text, index),
        }
    })
}

/// An empty text has no parts.
fn part<'t>(mut parts: impl Iterator<Item = &'t str>, text: &str, index: i64) -> Option<&'t str> {
    let index = usize::try_from(index).ok()?;
    (!text.is_empty()).then(|| parts.nth(index))?
}

/// The same between separators of one byte.
fn part_between(text: &str, separator: u8, index: usize) -> Option<&str> {
    if text.is_empty() {
        return None;
    }
    let bytes = text.as_bytes();
    let start = if index == 0 { 0 } else { nth_byte(bytes, separator, index - 1)? + 1 };
    let length = nth_byte(&bytes[start..], separator, 0).unwrap_or(bytes.len() - start);
    Some(&text[start..start + length])
}

/// Where a byte occurs for the `nth` time, from 0. Looks at eight bytes at a time, so that bytes that lie
/// close together cost no more than others.
fn nth_byte(bytes: &[u8], byte: u8, mut nth: usize) -> Option<usize> {
    const LOW_BITS: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    let pattern = u64::from_ne_bytes([byte; 8]);
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        // The highest bit of every byte that is equal, and no other bit.
        let differs = u64::from_le_bytes(*word) ^ pattern;
        let mut equal = !(((differs & LOW_BITS) + LOW_BITS) | differs | LOW_BITS);
        let count = equal.count_ones() as usize;
        if count > nth {
            for _ in 0..nth {
                equal &= equal - 1;
            }
            return Some(number * 8 + equal.trailing_zeros() as usize / 8);
        }
        nth -= count;
    }
    let found = rest.iter().enumerate().filter(|(_, other)| **other == byte).nth(nth)?;
    Some(words.len() * 8 + found.0)
}

/// An empty separator splits between all characters; an empty text has no parts.
fn split(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, separators) = (call.strings(0)?, call.strings(1)?);
    string_lists(call.rows, |row, items| {
        let (Some(text), Some(separator)) = (texts.get(row), separators.get(row)) else { return Ok(false) };
        if text.is_empty() {
            return Ok(true);
        }
        if separator.is_empty() {
            text.chars().for_each(|char| items.append_value(char.encode_utf8(&mut [0; 4])));
        } else {
            text.split(separator).for_each(|part| items.append_value(part));
        }
        Ok(true)
    })
}

/// `'k1=v1,k2=v2'`; both separators are regular expressions, and a part without a value is a key of `NULL`.
/// Of a key that comes again the last value counts.
fn str_to_map(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.strings(0)?;
    let separators =
        (call.len() > 1).then(|| Ok::<_, datafusion_common::DataFusionError>((call.strings(1)?, call.strings(2)?)));
    let separators = separators.transpose()?;
    let (mut pair_cache, mut value_cache) = (PatternCache::default(), PatternCache::default());
    let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    let mut entries: Vec<(&str, Option<&str>)> = Vec::new();
    // Where each key stands among them.
    let mut places: HashMap<&str, usize> = HashMap::new();
    for row in 0..call.rows {
        let (between_pairs, in_pair) = match &separators {
            Some((pairs, values)) => (pairs.get(row), values.get(row)),
            None => (Some(","), Some("=")),
        };
        let (Some(text), Some(between_pairs), Some(in_pair)) = (texts.get(row), between_pairs, in_pair) else {
            maps.append(false)?;
            continue;
        };
        let between_pairs = pair_cache.get_or_compile(between_pairs, required)?;
        let in_pair = value_cache.get_or_compile(in_pair, required)?;
        entries.clear();
        places.clear();
        for pair in between_pairs.split(text).filter(|_| !text.is_empty()) {
            let mut sides = in_pair.splitn(pair, 2);
            let key = sides.next().unwrap_or(pair);
            let place = *places.entry(key).or_insert(entries.len());
            match entries.get_mut(place) {
                Some((_, value)) => *value = sides.next(),
                None => entries.push((key, sides.next())),
            }
        }
        for (key, value) in &entries {
            maps.keys().append_value(key);
            maps.values().append_option(*value);
        }
        maps.append(true)?;
    }
    let built: ArrayRef = Arc::new(maps.finish());
    let map = built.as_map();
    build_map(
        &call.returns,
        Arc::clone(map.keys()),
        Arc::clone(map.values()),
        map.offsets().clone(),
        map.nulls().cloned(),
    )
}

fn required(pattern: &str) -> Result<regex::Regex> {
    compile(pattern)?.ok_or_else(|| crate::error::fix(format!("'{pattern}' is not a regular expression")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_found_wherever_they_lie() {
        for text in [
            "",
            "/",
            "a/b",
            "//////////",
            "https://www.nexmark.com/a/bc/_d/item.htm?query=1",
            "ä/ö//ü/ß",
            "\u{af}/\u{12f}",
        ] {
            let bytes = text.as_bytes();
            let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'/').collect();
            for nth in 0..12 {
                assert_eq!(nth_byte(bytes, b'/', nth), places.get(nth).copied(), "{text} {nth}");
                let expected = if text.is_empty() { None } else { text.split('/').nth(nth) };
                assert_eq!(part_between(text, b'/', nth), expected, "{text} {nth}");
            }
        }
    }
}
