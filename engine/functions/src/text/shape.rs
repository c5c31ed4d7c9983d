//! Case, length, trimming, padding and joining.

use arrow_array::ArrayRef;
use arrow_array::types::Int32Type;
use datafusion_common::Result;
use sluice_model::SqlType;

use super::{byte_of, char_count};
use crate::error::fix;
use crate::function::{Call, Cells, Definition, Kind};

/// Longest text that padding and repeating make, in bytes.
const LONGEST: usize = 1 << 28;

pub(super) fn definitions() -> Vec<Definition> {
    use Kind::{Integer, String};
    let text = |name, parameters: &[Kind], kernel| Definition::new(name, parameters, SqlType::STRING, kernel);
    vec![
        text("upper", &[String], |call| {
            let upper =
                |text: &str, out: &mut std::string::String| extend(out, text.chars().flat_map(char::to_uppercase));
            call.rewrite_ascii(<[u8]>::make_ascii_uppercase, upper)
        }),
        text("lower", &[String], |call| {
            call.rewrite_ascii(<[u8]>::make_ascii_lowercase, |text, out| out.push_str(&text.to_lowercase()))
        }),
        text("initcap", &[String], |call| rewritten(call, initcap)),
        text("reverse", &[String], |call| rewritten(call, |text, out| extend(out, text.chars().rev()))),
        Definition::new("char_length", &[String], SqlType::Int, |call| {
            let texts = call.strings(0)?;
            call.primitive::<Int32Type>(|row| Ok(texts.get(row).map(|text| char_count(text) as i32)))
        })
        .alias("character_length"),
        text("trim", &[String], |call| trimmed(call, true, true)).or(&[String, String]),
        text("btrim", &[String], |call| trimmed(call, true, true)).or(&[String, String]),
        text("ltrim", &[String], |call| trimmed(call, true, false)).or(&[String, String]),
        text("rtrim", &[String], |call| trimmed(call, false, true)).or(&[String, String]),
        text("concat", &[], concat).variadic(String, 1),
        text("concat_ws", &[], concat_ws).variadic(String, 1).nullable(),
        text("repeat", &[String, Integer], repeat).fallible(),
        text("left", &[String, Integer], left),
        text("right", &[String, Integer], right),
        text("lpad", &[String, Integer, String], lpad).nullable().fallible(),
        text("rpad", &[String, Integer, String], rpad).nullable().fallible(),
    ]
}

fn extend(out: &mut String, chars: impl Iterator<Item = char>) {
    out.extend(chars);
}

fn rewritten(call: &Call<'_>, rewrite: impl Fn(&str, &mut String)) -> Result<ArrayRef> {
    let texts = call.strings(0)?;
    call.write_strings(|row, out| {
        let Some(text) = texts.get(row) else { return Ok(false) };
        rewrite(text, out);
        Ok(true)
    })
}

/// A word is a run of ASCII letters and digits.
fn initcap(text: &str, out: &mut String) {
    let mut in_word = false;
    for char in text.chars() {
        out.push(if in_word { char.to_ascii_lowercase() } else { char.to_ascii_uppercase() });
        in_word = char.is_ascii_alphanumeric();
    }
}

/// The second argument is a set of characters; the blank by default.
fn trimmed(call: &Call<'_>, leading: bool, trailing: bool) -> Result<ArrayRef> {
    let texts = call.strings(0)?;
    let sets = (call.len() > 1).then(|| call.strings(1)).transpose()?;
    call.pick_strings(|row| {
        let set = sets.as_ref().map_or(Some(" "), |sets| sets.get(row))?;
        let mut text = texts.get(row)?;
        if leading {
            text = text.trim_start_matches(|char| set.contains(char));
        }
        if trailing {
            text = text.trim_end_matches(|char| set.contains(char));
        }
        Some(text)
    })
}

fn all_strings(call: &Call<'_>, first: usize) -> Result<Vec<Cells<arrow_array::StringArray>>> {
    (first..call.len()).map(|index| call.strings(index)).collect()
}

/// `NULL` if any part is.
fn concat(call: &Call<'_>) -> Result<ArrayRef> {
    let parts = all_strings(call, 0)?;
    call.write_strings(|row, out| {
        for part in &parts {
            let Some(text) = part.get(row) else { return Ok(false) };
            out.push_str(text);
        }
        Ok(true)
    })
}

/// Parts that are `NULL` do not count, nor do their separators.
fn concat_ws(call: &Call<'_>) -> Result<ArrayRef> {
    let (separators, parts) = (call.strings(0)?, all_strings(call, 1)?);
    call.write_strings(|row, out| {
        let Some(separator) = separators.get(row) else { return Ok(false) };
        for (index, text) in parts.iter().filter_map(|part| part.get(row)).enumerate() {
            if index > 0 {
                out.push_str(separator);
            }
            out.push_str(text);
        }
        Ok(true)
    })
}

fn check_length(bytes: usize) -> Result<()> {
    if bytes > LONGEST { Err(fix(format!("a text of {bytes} bytes is too long"))) } else { Ok(()) }
}

fn repeat(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, counts) = (call.strings(0)?, call.integers(1)?);
    call.write_strings(|row, out| {
        let (Some(text), Some(count)) = (texts.get(row), counts.get(row)) else { return Ok(false) };
        let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
        check_length(text.len().saturating_mul(count))?;
        (0..count).for_each(|_| out.push_str(text));
        Ok(true)
    })
}

fn length(count: i64) -> usize {
    usize::try_from(count.max(0)).unwrap_or(usize::MAX)
}

fn left(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, counts) = (call.strings(0)?, call.integers(1)?);
    call.pick_strings(|row| {
        let (text, count) = (texts.get(row)?, counts.get(row)?);
        Some(&text[..byte_of(text, length(count))])
    })
}

fn right(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, counts) = (call.strings(0)?, call.integers(1)?);
    call.pick_strings(|row| {
        let (text, count) = (texts.get(row)?, counts.get(row)?);
        Some(&text[byte_of(text, char_count(text).saturating_sub(length(count)))..])
    })
}

fn lpad(call: &Call<'_>) -> Result<ArrayRef> {
    padded(call, |text, padding, out| {
        out.extend(padding);
        out.push_str(text);
    })
}

fn rpad(call: &Call<'_>) -> Result<ArrayRef> {
    padded(call, |text, padding, out| {
        out.push_str(text);
        out.extend(padding);
    })
}

type Padding<'a> = std::iter::Take<std::iter::Cycle<std::str::Chars<'a>>>;

/// Cut or padded to a length; `NULL` for a negative length or with nothing to pad with.
fn padded(call: &Call<'_>, write: impl Fn(&str, Padding<'_>, &mut String)) -> Result<ArrayRef> {
    let (texts, lengths, pads) = (call.strings(0)?, call.integers(1)?, call.strings(2)?);
    call.write_strings(|row, out| {
        let (Some(text), Some(wanted), Some(pad)) = (texts.get(row), lengths.get(row), pads.get(row)) else {
            return Ok(false);
        };
        if wanted < 0 || pad.is_empty() {
            return Ok(false);
        }
        let wanted = length(wanted);
        let missing = wanted.saturating_sub(char_count(text));
        check_length(missing.saturating_mul(pad.len()))?;
        write(&text[..byte_of(text, wanted)], pad.chars().cycle().take(missing), out);
        Ok(true)
    })
}
