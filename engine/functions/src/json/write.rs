//! `JSON_STRING`, `JSON_OBJECT`, `JSON_ARRAY`, `JSON`, `JSON_QUOTE`.
//!
//! A value that is the result of another of these calls goes in as JSON, not as text. The fields of
//! objects are sorted by their names.

use std::fmt::Write;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, MapArray, StringArray};
use base64::Engine;
use datafusion_common::Result;
use sluice_model::{Error, SqlType};

use crate::cast::{Mode, convert};
use crate::error::{bug, external, fix};
use crate::function::{Call, Cells, Definition, Kind};

pub(super) fn definitions() -> Vec<Definition> {
    vec![
        Definition::new("json_string", &[Kind::Any], SqlType::STRING, json_string),
        Definition::new("json_quote", &[Kind::String], SqlType::STRING, |call| {
            let texts = call.strings(0)?;
            call.write_strings(|row, out| {
                let Some(text) = texts.get(row) else { return Ok(false) };
                write_ascii(text, out);
                Ok(true)
            })
        }),
        Definition::new("__json_raw", &[Kind::String], SqlType::STRING, raw).nullable().fallible(),
        Definition::new("__json_array_of", &[Kind::String, Kind::Boolean, Kind::Array], SqlType::STRING, array_of)
            .not_null(),
        Definition::new("__json_object_of", &[Kind::String, Kind::Boolean, Kind::Array], SqlType::STRING, object_of)
            .not_null()
            .fallible(),
        Definition::new("__json_object", &[], SqlType::STRING, object).variadic(Kind::Any, 1).not_null().fallible(),
        Definition::new("__json_array", &[], SqlType::STRING, array).variadic(Kind::Any, 1).not_null(),
    ]
}

/// Writes the JSON of the value at a position.
type Writer<'a> = Box<dyn Fn(usize, &mut String) + 'a>;

pub(super) fn write_quoted(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// With escapes for all that is not ASCII: what `JSON_QUOTE` writes.
fn write_ascii(text: &str, out: &mut String) {
    let start = out.len();
    write_quoted(text, out);
    if out.is_ascii() {
        return;
    }
    let quoted = out.split_off(start);
    for char in quoted.chars() {
        if char.is_ascii() {
            out.push(char);
        } else {
            for unit in char.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

fn writer<'a>(values: &'a ArrayRef, sql_type: &SqlType, is_json: bool, mode: Mode) -> Result<Writer<'a>> {
    let plain: Writer<'a> = match sql_type {
        _ if is_json => {
            let texts = values.as_string::<i32>();
            Box::new(move |at, out| out.push_str(texts.value(at)))
        }
        SqlType::Null => Box::new(|_, out| out.push_str("null")),
        SqlType::Boolean => {
            let values = values.as_boolean();
            Box::new(move |at, out| out.push_str(if values.value(at) { "true" } else { "false" }))
        }
        SqlType::Array(element) => {
            let list = values.as_list::<i32>();
            let write = writer(list.values(), element, false, mode)?;
            Box::new(move |at, out| {
                let range = list.value_offsets()[at] as usize..list.value_offsets()[at + 1] as usize;
                joined(out, '[', ']', range, &write);
            })
        }
        SqlType::Map(key, value) => map_writer(values, key, value, mode)?,
        SqlType::Row(fields) => {
            let rows = values.as_struct();
            let columns = rows.columns().iter().zip(fields);
            let mut writers = columns
                .map(|(column, (name, sql_type))| Ok((name.clone(), writer(column, sql_type, false, mode)?)))
                .collect::<Result<Vec<_>>>()?;
            writers.sort_by(|(name, _), (other, _)| name.cmp(other));
            Box::new(move |at, out| {
                out.push('{');
                for (index, (name, write)) in writers.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    write_quoted(name, out);
                    out.push(':');
                    write(at, out);
                }
                out.push('}');
            })
        }
        number if crate::types::is_numeric(number) => {
            let texts = convert(values, sql_type, &SqlType::STRING, mode)?;
            Box::new(move |at, out| match texts.as_string::<i32>().value(at) {
                // JSON has no such numbers.
                text @ ("NaN" | "Infinity" | "-Infinity") => write_quoted(text, out),
                text => out.push_str(text),
            })
        }
        SqlType::Binary(_) | SqlType::VarBinary(_) => {
            let values = values.as_binary::<i32>();
            Box::new(move |at, out| {
                out.push('"');
                base64::engine::general_purpose::STANDARD.encode_string(values.value(at), out);
                out.push('"');
            })
        }
        SqlType::Timestamp(_) | SqlType::TimestampLtz(_) => {
            // An instant is written in UTC.
            let utc = Mode { zone: chrono_tz::Tz::UTC, ..mode };
            let texts = convert(values, sql_type, &SqlType::STRING, utc)?;
            let is_instant = matches!(sql_type, SqlType::TimestampLtz(_));
            Box::new(move |at, out| write_iso(texts.as_string::<i32>().value(at), is_instant, out))
        }
        _ => {
            let texts = convert(values, sql_type, &SqlType::STRING, mode)?;
            Box::new(move |at, out| write_quoted(texts.as_string::<i32>().value(at), out))
        }
    };
    Ok(Box::new(move |at, out| if values.is_null(at) { out.push_str("null") } else { plain(at, out) }))
}

/// `2021-04-13 20:12:11.120` as `"2021-04-13T20:12:11.12"`; an instant with as many digits as it needs
/// in groups of three, and `Z`.
fn write_iso(text: &str, is_instant: bool, out: &mut String) {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let significant = fraction.trim_end_matches('0');
    let digits = if is_instant { significant.len().next_multiple_of(3) } else { significant.len() };
    let start = out.len();
    let _ = write!(out, "\"{seconds}");
    if let Some(at) = out[start..].find(' ') {
        out.replace_range(start + at..start + at + 1, "T");
    }
    if digits > 0 {
        let _ = write!(out, ".{significant:0<digits$}");
    }
    out.push_str(if is_instant { "Z\"" } else { "\"" });
}

fn map_writer<'a>(values: &'a ArrayRef, key: &SqlType, value: &SqlType, mode: Mode) -> Result<Writer<'a>> {
    let map = values.as_map();
    let keys = convert(map.keys(), key, &SqlType::STRING, mode)?;
    let write_value = writer(map.values(), value, false, mode)?;
    let sorted = sorted_entries(map, keys.as_string::<i32>());
    let write: Writer<'a> = Box::new(move |entry, out| {
        write_quoted(keys.as_string::<i32>().value(entry), out);
        out.push(':');
        write_value(entry, out);
    });
    Ok(Box::new(move |at, out| {
        let range = map.value_offsets()[at] as usize..map.value_offsets()[at + 1] as usize;
        joined(out, '{', '}', sorted[range].iter().copied(), &write);
    }))
}

fn joined(out: &mut String, open: char, close: char, places: impl Iterator<Item = usize>, write: &Writer<'_>) {
    out.push(open);
    for (index, place) in places.enumerate() {
        out.push_str(if index == 0 { "" } else { "," });
        write(place, out);
    }
    out.push(close);
}

/// The entries of maps, those of each map in the order of their keys.
fn sorted_entries(map: &MapArray, keys: &StringArray) -> Vec<usize> {
    let mut entries: Vec<usize> = (0..map.keys().len()).collect();
    for range in map.value_offsets().windows(2) {
        entries[range[0] as usize..range[1] as usize].sort_by_key(|entry| keys.value(*entry));
    }
    entries
}

fn mode(call: &Call<'_>) -> Mode {
    Mode { try_cast: true, zone: call.session.time_zone }
}

/// `NULL` stays `NULL`.
fn json_string(call: &Call<'_>) -> Result<ArrayRef> {
    let cells = call.cells_of_any(0)?;
    let write = writer(cells.array(), &call.sql_type(0), false, mode(call))?;
    call.write_strings(|row, out| {
        let Some(at) = cells.position(row) else { return Ok(false) };
        write(at, out);
        Ok(true)
    })
}

/// The clause `… ON NULL` and, for each argument, whether it is the result of another of these calls.
///
/// Binding marks such arguments: `'NULL'` becomes `'NULL 001'` if the last of three is JSON.
struct Clause {
    leaves_out_nulls: bool,
    is_json: Vec<bool>,
}

impl Clause {
    fn of(call: &Call<'_>) -> Result<Self> {
        let text = call.constant_string(0, "the NULL clause")?;
        let (clause, marks) = text.split_once(' ').unwrap_or((text, ""));
        let leaves_out_nulls = match clause {
            "ABSENT" => true,
            "NULL" => false,
            other => return Err(fix(format!("there is no clause {other} ON NULL"))),
        };
        Ok(Self { leaves_out_nulls, is_json: marks.chars().map(|mark| mark == '1').collect() })
    }

    fn is_json(&self, argument: usize) -> bool {
        self.is_json.get(argument).copied().unwrap_or(false)
    }
}

/// The clause with a mark for each argument that is JSON.
pub(crate) fn marked_clause(clause: &str, is_json: impl Iterator<Item = bool>) -> String {
    let marks: String = is_json.map(|is_json| if is_json { '1' } else { '0' }).collect();
    format!("{} {marks}", clause.split(' ').next().unwrap_or(clause))
}

fn arguments(call: &Call<'_>) -> Result<Vec<Cells<ArrayRef>>> {
    (1..call.len()).map(|argument| call.cells_of_any(argument)).collect()
}

fn object(call: &Call<'_>) -> Result<ArrayRef> {
    let clause = Clause::of(call)?;
    let cells = arguments(call)?;
    if cells.len() % 2 == 1 {
        return Err(bug("a JSON object has a value for every key"));
    }
    let keys = (0..cells.len()).step_by(2).map(|index| call.strings(index + 1)).collect::<Result<Vec<_>>>()?;
    let values: Vec<&Cells<ArrayRef>> = cells.iter().skip(1).step_by(2).collect();
    let writers = value_writers(call, &clause, &values, 2)?;
    // Keys are nearly always literals, then this order is that of every row.
    let mut order: Vec<usize> = (0..keys.len()).collect();
    built(call, |row, out| {
        order.sort_by_key(|index| keys[*index].get(row));
        out.push('{');
        let mut first = true;
        for index in &order {
            let (value, write) = (values[*index], &writers[*index]);
            let Some(key) = keys[*index].get(row) else { return Err(fix("a key of JSON_OBJECT is NULL")) };
            if clause.leaves_out_nulls && value.position(row).is_none() {
                continue;
            }
            out.push_str(if first { "" } else { "," });
            first = false;
            write_quoted(key, out);
            out.push(':');
            write(value.row_index(row), out);
        }
        out.push('}');
        Ok(())
    })
}

/// `JSON(s)`: a text that is JSON already. An empty one is `NULL`.
fn raw(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.strings(0)?;
    call.write_strings(|row, out| {
        let Some(text) = texts.get(row).filter(|text| !text.trim().is_empty()) else { return Ok(false) };
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
            external(Error::fix(format!("'{text}' in JSON(…) is no JSON")).because(error.to_string()))
        })?;
        super::write_sorted(&value, out);
        Ok(true)
    })
}

fn array(call: &Call<'_>) -> Result<ArrayRef> {
    let clause = Clause::of(call)?;
    let cells = arguments(call)?;
    let values: Vec<&Cells<ArrayRef>> = cells.iter().collect();
    let writers = value_writers(call, &clause, &values, 1)?;
    built(call, |row, out| {
        out.push('[');
        let mut first = true;
        for (value, write) in values.iter().zip(&writers) {
            if clause.leaves_out_nulls && value.position(row).is_none() {
                continue;
            }
            out.push_str(if first { "" } else { "," });
            first = false;
            write(value.row_index(row), out);
        }
        out.push(']');
        Ok(())
    })
}

/// Whether the clause leaves `NULL`s out, and whether the values are JSON: of `__json_array_of` and its like.
fn gathered_clause(call: &Call<'_>) -> Result<(bool, bool)> {
    let leaves_out_nulls = call.constant_string(0, "the NULL clause")? == "ABSENT";
    Ok((leaves_out_nulls, call.booleans(1)?.get(0) == Some(true)))
}

/// `JSON_ARRAYAGG(x)` of the values that were gathered.
fn array_of(call: &Call<'_>) -> Result<ArrayRef> {
    let (leaves_out_nulls, is_json) = gathered_clause(call)?;
    let cells = call.cells_of_any(2)?;
    let list = cells.array().as_list::<i32>();
    let SqlType::Array(element) = call.sql_type(2) else { return Err(bug("an array is no array")) };
    let write = writer(list.values(), &element, is_json, mode(call))?;
    built(call, |row, out| {
        let range = cells.position(row).map_or(0..0, |at| list.value_offsets()[at]..list.value_offsets()[at + 1]);
        let places = range.map(|place| place as usize);
        joined(out, '[', ']', places.filter(|place| !leaves_out_nulls || list.values().is_valid(*place)), &write);
        Ok(())
    })
}

/// `JSON_OBJECTAGG(KEY k VALUE v)` of the rows of key and value that were gathered.
fn object_of(call: &Call<'_>) -> Result<ArrayRef> {
    let (leaves_out_nulls, is_json) = gathered_clause(call)?;
    let cells = call.cells_of_any(2)?;
    let list = cells.array().as_list::<i32>();
    let (entries, SqlType::Array(entry)) = (list.values().as_struct(), call.sql_type(2)) else {
        return Err(bug("an array is no array"));
    };
    let (keys, SqlType::Row(fields)) = (entries.column(0).as_string_opt::<i32>(), *entry) else {
        return Err(bug("an entry is no row"));
    };
    let keys = keys.ok_or_else(|| fix("a key of JSON_OBJECTAGG is no STRING"))?;
    let values = entries.column(1);
    let write_value = writer(values, &fields[1].1, is_json, mode(call))?;
    let write: Writer<'_> = Box::new(|place, out| {
        write_quoted(keys.value(place), out);
        out.push(':');
        write_value(place, out);
    });
    let mut places: Vec<usize> = Vec::new();
    built(call, |row, out| {
        let range = cells.position(row).map_or(0..0, |at| list.value_offsets()[at]..list.value_offsets()[at + 1]);
        places.clear();
        places.extend(range.map(|place| place as usize));
        if places.iter().any(|place| keys.is_null(*place)) {
            return Err(fix("a key of JSON_OBJECTAGG is NULL"));
        }
        places.sort_by_key(|place| keys.value(*place));
        if let Some(pair) = places.windows(2).find(|pair| keys.value(pair[0]) == keys.value(pair[1])) {
            return Err(fix(format!("the key '{}' is twice in a JSON_OBJECTAGG", keys.value(pair[0]))));
        }
        let shown = places.iter().copied().filter(|place| !leaves_out_nulls || values.is_valid(*place));
        joined(out, '{', '}', shown, &write);
        Ok(())
    })
}

/// Writers of the values: every `step`-th argument, from that one on.
fn value_writers<'a>(
    call: &Call<'_>,
    clause: &Clause,
    values: &[&'a Cells<ArrayRef>],
    step: usize,
) -> Result<Vec<Writer<'a>>> {
    let numbered = values.iter().enumerate().map(|(index, cells)| (step + index * step, cells));
    numbered
        .map(|(argument, cells)| writer(cells.array(), &call.sql_type(argument), clause.is_json(argument), mode(call)))
        .collect()
}

fn built(call: &Call<'_>, mut write: impl FnMut(usize, &mut String) -> Result<()>) -> Result<ArrayRef> {
    let mut builder = StringBuilder::with_capacity(call.rows, call.rows * 32);
    let mut text = String::new();
    for row in 0..call.rows {
        text.clear();
        write(row, &mut text)?;
        builder.append_value(&text);
    }
    Ok(Arc::new(builder.finish()))
}
