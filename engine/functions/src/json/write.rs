//! `JSON_STRING`, `JSON_OBJECT`, `JSON_ARRAY`, `JSON_QUOTE`.
//!
//! A value that is the result of another of these calls goes in as JSON, not as text.

use std::fmt::Write;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use datafusion_common::Result;
use sluice_model::SqlType;

use crate::cast::{Mode, convert};
use crate::error::{bug, fix};
use crate::function::{Call, Cells, Definition, Kind};

pub(super) fn definitions() -> Vec<Definition> {
    vec![
        Definition::new("json_string", &[Kind::Any], SqlType::STRING, json_string),
        Definition::new("json_quote", &[Kind::String], SqlType::STRING, |call| {
            let texts = call.strings(0)?;
            call.write_strings(|row, out| {
                let Some(text) = texts.get(row) else { return Ok(false) };
                write_quoted(text, out);
                Ok(true)
            })
        }),
        Definition::new("__json_object", &[], SqlType::STRING, object).variadic(Kind::Any, 1).not_null().fallible(),
        Definition::new("__json_array", &[], SqlType::STRING, array).variadic(Kind::Any, 1).not_null(),
    ]
}

/// Writes the JSON of the value at a position.
type Writer<'a> = Box<dyn Fn(usize, &mut String) + 'a>;

fn write_quoted(text: &str, out: &mut String) {
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
            let writers = columns
                .map(|(column, (name, sql_type))| Ok((name.clone(), writer(column, sql_type, false, mode)?)))
                .collect::<Result<Vec<_>>>()?;
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
            Box::new(move |at, out| out.push_str(texts.as_string::<i32>().value(at)))
        }
        _ => {
            let texts = convert(values, sql_type, &SqlType::STRING, mode)?;
            Box::new(move |at, out| write_quoted(texts.as_string::<i32>().value(at), out))
        }
    };
    Ok(Box::new(move |at, out| if values.is_null(at) { out.push_str("null") } else { plain(at, out) }))
}

fn map_writer<'a>(values: &'a ArrayRef, key: &SqlType, value: &SqlType, mode: Mode) -> Result<Writer<'a>> {
    let map = values.as_map();
    let keys = convert(map.keys(), key, &SqlType::STRING, mode)?;
    let write_value = writer(map.values(), value, false, mode)?;
    let write: Writer<'a> = Box::new(move |entry, out| {
        write_quoted(keys.as_string::<i32>().value(entry), out);
        out.push(':');
        write_value(entry, out);
    });
    Ok(Box::new(move |at, out| {
        let range = map.value_offsets()[at] as usize..map.value_offsets()[at + 1] as usize;
        joined(out, '{', '}', range, &write);
    }))
}

fn joined(out: &mut String, open: char, close: char, range: std::ops::Range<usize>, write: &Writer<'_>) {
    out.push(open);
    let first = range.start;
    for index in range {
        out.push_str(if index == first { "" } else { "," });
        write(index, out);
    }
    out.push(close);
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
    built(call, |row, out| {
        out.push('{');
        let mut first = true;
        for ((key, value), write) in keys.iter().zip(&values).zip(&writers) {
            let Some(key) = key.get(row) else { return Err(fix("a key of JSON_OBJECT is NULL")) };
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
