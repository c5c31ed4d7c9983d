//! `JSON_VALUE`, `JSON_QUERY`, `JSON_EXISTS`, `IS JSON`, `JSON_UNQUOTE`.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, StringArray};
use arrow_select::interleave::interleave;
use datafusion_common::Result;
use serde_json::Value;
use sluice_model::{Error, SqlType};

use super::path::{Found, Mode, Path};
use super::write_sorted;
use crate::cast::{self, convert};
use crate::error::{external, fix};
use crate::function::{Arguments, Call, Cells, Definition, Kind};

pub(super) fn definitions() -> Vec<Definition> {
    use Kind::{Any, String};
    vec![
        Definition::new("json_value", &[String, String], SqlType::STRING, json_value)
            .or(&[String, String, Any, String, Any, String, Any])
            .returns(returned)
            .nullable()
            .fallible(),
        Definition::new("json_query", &[String, String], SqlType::STRING, json_query)
            .or(&[String, String, Any, String, String, String])
            .returns(returned)
            .nullable()
            .fallible(),
        Definition::new("json_exists", &[String, String], SqlType::Boolean, json_exists)
            .or(&[String, String, String])
            .nullable()
            .fallible(),
        Definition::new("__is_json", &[String, String], SqlType::Boolean, is_json).not_null(),
        Definition::new("json_unquote", &[String], SqlType::STRING, json_unquote).nullable(),
    ]
}

/// The type of the third argument, a `NULL` of the type that `RETURNING` names.
fn returned(arguments: &Arguments<'_>) -> Result<SqlType> {
    match arguments.sql_type(2) {
        SqlType::Null => Ok(SqlType::STRING),
        sql_type @ (SqlType::Map(..) | SqlType::Row(_)) => Err(fix(format!("JSON is not read as {sql_type}"))),
        sql_type => Ok(sql_type),
    }
}

/// The path of an argument, compiled again when it changes.
#[derive(Default)]
struct Paths(Option<(String, Path)>);

impl Paths {
    fn get(&mut self, text: &str) -> Result<&Path> {
        if self.0.as_ref().is_none_or(|(last, _)| last != text) {
            self.0 = Some((text.to_owned(), Path::compile(text)?));
        }
        match &self.0 {
            Some((_, path)) => Ok(path),
            None => Err(crate::error::bug("a compiled path is missing")),
        }
    }
}

/// Texts and paths of a call.
struct Documents {
    texts: Cells<StringArray>,
    paths: Cells<StringArray>,
    compiled: Paths,
}

type Document = Result<Value, serde_json::Error>;

impl Documents {
    fn new(call: &Call<'_>) -> Result<Self> {
        Ok(Self { texts: call.strings(0)?, paths: call.strings(1)?, compiled: Paths::default() })
    }

    /// The document and the path of a row; `None` without either, an error inside if it is not JSON.
    fn get(&mut self, row: usize) -> Result<Option<(Document, &Path)>> {
        let (Some(text), Some(path)) = (self.texts.get(row), self.paths.get(row)) else { return Ok(None) };
        let path = self.compiled.get(path)?;
        Ok(Some((serde_json::from_str(text), path)))
    }
}

/// Why there is no value.
#[derive(Debug)]
enum Missing {
    /// A lax path leads to nothing, to `null` or to what is not wanted, or the text is no JSON.
    Empty,
    /// A strict path does so, or the value is not of the type.
    Error(String),
}

impl Missing {
    fn refuse(self, function: &str) -> datafusion_common::DataFusionError {
        external(match self {
            Self::Empty => Error::fix(format!("{function} found nothing")).because("the clause ERROR ON EMPTY"),
            Self::Error(why) => Error::fix(format!("{function} cannot read the JSON")).because(why),
        })
    }
}

fn find<'v>(document: &'v Document, path: &Path) -> Result<Found<'v>, Missing> {
    match (document, path.mode) {
        (Err(_), Mode::Lax) => Ok(Found::Nothing),
        (Err(error), Mode::Strict) => Err(Missing::Error(error.to_string())),
        (Ok(document), mode) => match path.find(document) {
            Found::Nothing if mode == Mode::Strict => Err(Missing::Error("the path leads to nothing".to_owned())),
            found => Ok(found),
        },
    }
}

/// A path that leads to something else than is wanted: a lax one leads to nothing then.
fn unfit(path: &Path, why: &str) -> Missing {
    match path.mode {
        Mode::Lax => Missing::Empty,
        Mode::Strict => Missing::Error(why.to_owned()),
    }
}

/// The two clauses of `JSON_VALUE`: `NULL`, `ERROR` or `DEFAULT`, and the defaults.
struct Clauses<'a> {
    function: &'static str,
    on_empty: &'a str,
    on_error: &'a str,
}

/// What a row is, in the order of the arrays that [`json_value`] puts together.
const FOUND: usize = 0;
const ON_EMPTY: usize = 1;
const ON_ERROR: usize = 2;
const NULL: usize = 3;

impl Clauses<'_> {
    /// Which array the value of a row comes from that is missing.
    fn source(&self, missing: Missing) -> Result<usize> {
        let (clause, default) = match missing {
            Missing::Empty => (self.on_empty, ON_EMPTY),
            Missing::Error(_) => (self.on_error, ON_ERROR),
        };
        match clause {
            "ERROR" => Err(missing.refuse(self.function)),
            "NULL" => Ok(NULL),
            _ => Ok(default),
        }
    }
}

fn json_value(call: &Call<'_>) -> Result<ArrayRef> {
    let mut documents = Documents::new(call)?;
    let clauses = Clauses {
        function: "JSON_VALUE",
        on_empty: call.literal(3).unwrap_or("NULL"),
        on_error: call.literal(5).unwrap_or("NULL"),
    };
    let mut texts = StringBuilder::with_capacity(call.rows, call.rows * 16);
    let mut sources = vec![FOUND; call.rows];
    for (row, source) in sources.iter_mut().enumerate() {
        let Some((document, path)) = documents.get(row)? else {
            texts.append_null();
            continue;
        };
        match scalar(&document, path) {
            Ok(Value::String(text)) => texts.append_value(text),
            Ok(Value::Bool(value)) => texts.append_value(if *value { "true" } else { "false" }),
            Ok(other) => texts.append_value(other.to_string()),
            Err(missing) => {
                *source = clauses.source(missing)?;
                texts.append_null();
            }
        }
    }
    let texts: ArrayRef = Arc::new(texts.finish());
    let values = typed(&texts, call)?;
    for row in (0..call.rows).filter(|row| values.is_null(*row) && !texts.is_null(*row)) {
        let why = format!("cannot cast '{}' to {}", texts.as_string::<i32>().value(row), call.returns);
        sources[row] = clauses.source(Missing::Error(why))?;
    }
    if sources.iter().all(|source| *source == FOUND) {
        return Ok(values);
    }
    let defaults = [default(call, 4, clauses.on_empty)?, default(call, 6, clauses.on_error)?];
    let null = arrow_array::new_null_array(values.data_type(), 1);
    let places = sources.into_iter().enumerate().map(|(row, source)| (source, if source == NULL { 0 } else { row }));
    let places: Vec<(usize, usize)> = places.collect();
    Ok(interleave(&[&values, &defaults[0], &defaults[1], &null], &places)?)
}

/// The value of `JSON_VALUE`: not an object, not an array.
fn scalar<'v>(document: &'v Document, path: &Path) -> Result<&'v Value, Missing> {
    match find(document, path)? {
        Found::One(Value::Object(_) | Value::Array(_)) | Found::Many(_) => {
            Err(unfit(path, "the path leads to an object or an array"))
        }
        Found::One(Value::Null) | Found::Nothing => Err(unfit(path, "the path leads to null")),
        Found::One(value) => Ok(value),
    }
}

fn lenient(call: &Call<'_>) -> cast::Mode {
    cast::Mode { try_cast: true, zone: call.session.time_zone }
}

/// Texts in the type of the result; `NULL` where they are not of it.
fn typed(texts: &ArrayRef, call: &Call<'_>) -> Result<ArrayRef> {
    convert(texts, &SqlType::STRING, &call.returns, lenient(call))
}

/// The default of a clause in the type of the result.
fn default(call: &Call<'_>, argument: usize, clause: &str) -> Result<ArrayRef> {
    if clause != "DEFAULT" {
        return Ok(arrow_array::new_null_array(call.return_type, call.rows));
    }
    convert(&call.array(argument)?, &call.sql_type(argument), &call.returns, lenient(call))
}

/// What `JSON_QUERY` finds.
enum Fragment<'v> {
    /// A value as it is.
    Plain(&'v Value),
    /// Values that become an array.
    Wrapped(Vec<&'v Value>),
    /// Values whose array becomes the one element of an array.
    Nested(Vec<&'v Value>),
}

/// An object or an array, unless a wrapper makes one.
fn fragment<'v>(document: &'v Document, path: &Path, wrapper: &str) -> Result<Fragment<'v>, Missing> {
    match (find(document, path)?, wrapper) {
        (Found::Nothing | Found::One(Value::Null), _) => Err(unfit(path, "the path leads to null")),
        (Found::Many(values), "UNCONDITIONAL") => Ok(Fragment::Nested(values)),
        (Found::Many(values), _) => Ok(Fragment::Wrapped(values)),
        (Found::One(value), "UNCONDITIONAL") => Ok(Fragment::Wrapped(vec![value])),
        (Found::One(value @ Value::Array(_)), _) => Ok(Fragment::Plain(value)),
        (Found::One(value), "CONDITIONAL") => Ok(Fragment::Wrapped(vec![value])),
        (Found::One(value @ Value::Object(_)), _) => Ok(Fragment::Plain(value)),
        (Found::One(value), _) => {
            Err(unfit(path, &format!("the path leads to {value}, which is no object and no array")))
        }
    }
}

impl Fragment<'_> {
    fn write(&self, out: &mut String) {
        match self {
            Self::Plain(value) => write_sorted(value, out),
            Self::Wrapped(values) => write_array(values, out),
            Self::Nested(values) => {
                out.push('[');
                write_array(values, out);
                out.push(']');
            }
        }
    }

    /// The elements of an array; none of an object.
    fn items(&self) -> Option<Vec<&Value>> {
        match self {
            Self::Plain(Value::Array(items)) => Some(items.iter().collect()),
            Self::Plain(_) | Self::Nested(_) => None,
            Self::Wrapped(values) => Some(values.clone()),
        }
    }
}

fn write_array(values: &[&Value], out: &mut String) {
    out.push('[');
    for (index, value) in values.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "," });
        write_sorted(value, out);
    }
    out.push(']');
}

/// What a clause of `JSON_QUERY` gives for a row without a value.
#[derive(Clone, Copy)]
enum Instead {
    Null,
    Array,
    Object,
}

fn instead(call: &Call<'_>, missing: Missing) -> Result<Instead> {
    let clause = call.literal(4 + usize::from(matches!(missing, Missing::Error(_)))).unwrap_or("NULL");
    Ok(match clause {
        "ERROR" => return Err(missing.refuse("JSON_QUERY")),
        "EMPTY ARRAY" => Instead::Array,
        "EMPTY OBJECT" => Instead::Object,
        _ => Instead::Null,
    })
}

fn json_query(call: &Call<'_>) -> Result<ArrayRef> {
    if let SqlType::Array(element) = &call.returns {
        return json_arrays(call, element);
    }
    if !crate::types::is_string(&call.returns) {
        return Err(fix(format!("JSON_QUERY returns STRING or an ARRAY, not {}", call.returns)));
    }
    let mut documents = Documents::new(call)?;
    let wrapper = call.literal(3).unwrap_or("WITHOUT");
    call.write_strings(|row, out| {
        let Some((document, path)) = documents.get(row)? else { return Ok(false) };
        match fragment(&document, path, wrapper) {
            Ok(fragment) => fragment.write(out),
            Err(missing) => match instead(call, missing)? {
                Instead::Null => return Ok(false),
                Instead::Array => out.push_str("[]"),
                Instead::Object => out.push_str("{}"),
            },
        }
        Ok(true)
    })
}

/// `RETURNING ARRAY<t>`: the elements as texts, which are then cast all at once.
fn json_arrays(call: &Call<'_>, element: &SqlType) -> Result<ArrayRef> {
    if (3..6).any(|argument| call.literal(argument) == Some("EMPTY OBJECT")) {
        return Err(fix(format!("EMPTY OBJECT is no {}", call.returns)));
    }
    let mut documents = Documents::new(call)?;
    let wrapper = call.literal(3).unwrap_or("WITHOUT");
    let is_text = crate::types::is_string(element);
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..call.rows {
        let Some((document, path)) = documents.get(row)? else {
            lists.append_null();
            continue;
        };
        let found = fragment(&document, path, wrapper).and_then(|fragment| {
            let items = fragment.items().ok_or_else(|| Missing::Error("an object is no array".to_owned()))?;
            append_items(&items, is_text, lists.values())
        });
        match found {
            Ok(()) => lists.append(true),
            Err(missing) => lists.append(!matches!(instead(call, missing)?, Instead::Null)),
        }
    }
    checked_elements(&lists.finish(), element, call)
}

fn append_items(items: &[&Value], is_text: bool, out: &mut StringBuilder) -> Result<(), Missing> {
    let is_nested = |value: &&Value| value.is_array() || value.is_object();
    if !is_text && items.iter().any(is_nested) {
        return Err(Missing::Error("an element is an object or an array".to_owned()));
    }
    for item in items {
        match item {
            Value::Null => out.append_null(),
            Value::String(text) => out.append_value(text),
            other => {
                let mut text = String::new();
                write_sorted(other, &mut text);
                out.append_value(text);
            }
        }
    }
    Ok(())
}

/// Lists of texts as lists of `element`; a list with a text that is not one is an error, for the clause.
fn checked_elements(lists: &ListArray, element: &SqlType, call: &Call<'_>) -> Result<ArrayRef> {
    let texts = lists.values();
    let values = convert(texts, &SqlType::STRING, element, lenient(call))?;
    let mut starts = Vec::with_capacity(lists.len() + 1);
    let (mut keep, mut valid) = (Vec::with_capacity(values.len()), Vec::with_capacity(lists.len()));
    starts.push(0);
    for row in 0..lists.len() {
        let range = lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize;
        let wrong = range.clone().find(|place| values.is_null(*place) && !texts.is_null(*place));
        let mut is_valid = lists.is_valid(row);
        if let Some(place) = wrong {
            let why = format!("cannot cast '{}' to {element}", texts.as_string::<i32>().value(place));
            is_valid = !matches!(instead(call, Missing::Error(why))?, Instead::Null);
        } else {
            keep.extend(range.map(|place| Some(place as u32)));
        }
        valid.push(is_valid);
        starts.push(keep.len() as i32);
    }
    let values = crate::misc::take(&values, keep.into_iter())?;
    let arrow_schema::DataType::List(field) = call.return_type else {
        return Err(crate::error::bug("an array is no list"));
    };
    let offsets = arrow_buffer::OffsetBuffer::new(starts.into());
    Ok(Arc::new(ListArray::try_new(Arc::clone(field), offsets, values, Some(valid.into()))?))
}

fn json_exists(call: &Call<'_>) -> Result<ArrayRef> {
    let mut documents = Documents::new(call)?;
    let clause = call.literal(2).unwrap_or("FALSE");
    let mut result = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let found = match documents.get(row)? {
            None => None,
            Some((document, path)) => match find(&document, path) {
                // A path of several values leads to a list of them, which is there even if it is empty.
                Ok(found) => Some(!matches!(found, Found::Nothing | Found::One(Value::Null))),
                Err(missing) => match clause {
                    "TRUE" => Some(true),
                    "UNKNOWN" => None,
                    "ERROR" => return Err(missing.refuse("JSON_EXISTS")),
                    _ => Some(false),
                },
            },
        };
        result.push(found);
    }
    call.truths(|row| result[row])
}

fn is_json(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.strings(0)?;
    let test: fn(&Value) -> bool = match call.constant_string(1, "the kind of IS JSON")?.to_ascii_uppercase().as_str() {
        "VALUE" => |_| true,
        "OBJECT" => Value::is_object,
        "ARRAY" => Value::is_array,
        "SCALAR" => |value| !value.is_object() && !value.is_array(),
        other => return Err(fix(format!("IS JSON has no kind {other}"))),
    };
    call.truths(|row| {
        Some(texts.get(row).and_then(|text| serde_json::from_str(text).ok()).is_some_and(|value| test(&value)))
    })
}

/// A text in quotes without them; any other JSON as it is.
fn json_unquote(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.strings(0)?;
    call.write_strings(|row, out| {
        let Some(text) = texts.get(row) else { return Ok(false) };
        match serde_json::from_str(text) {
            Ok(Value::String(plain)) => out.push_str(&plain),
            _ => out.push_str(text),
        }
        Ok(true)
    })
}
