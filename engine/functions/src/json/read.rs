//! `JSON_VALUE`, `JSON_QUERY`, `JSON_EXISTS`, `IS JSON`, `JSON_UNQUOTE`.

use arrow_array::ArrayRef;
use datafusion_common::Result;
use serde_json::Value;
use sluice_model::{Error, SqlType};

use super::path::{Found, Mode, Path};
use crate::error::{external, fix};
use crate::function::{Call, Cells, Definition, Kind};

pub(super) fn definitions() -> Vec<Definition> {
    use Kind::String;
    let options =
        |count: usize| [String, String].into_iter().chain(std::iter::repeat_n(String, count)).collect::<Vec<_>>();
    vec![
        Definition::new("json_value", &[String, String], SqlType::STRING, json_value)
            .or(&options(4))
            .nullable()
            .fallible(),
        Definition::new("json_query", &[String, String], SqlType::STRING, json_query)
            .or(&options(1))
            .or(&options(3))
            .nullable()
            .fallible(),
        Definition::new("json_exists", &[String, String], SqlType::Boolean, json_exists)
            .or(&options(1))
            .nullable()
            .fallible(),
        Definition::new("__is_json", &[String, String], SqlType::Boolean, is_json).not_null(),
        Definition::new("json_unquote", &[String], SqlType::STRING, json_unquote).nullable(),
    ]
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
    texts: Cells<arrow_array::StringArray>,
    paths: Cells<arrow_array::StringArray>,
    compiled: Paths,
}

impl Documents {
    fn new(call: &Call<'_>) -> Result<Self> {
        Ok(Self { texts: call.strings(0)?, paths: call.strings(1)?, compiled: Paths::default() })
    }

    /// The document and the path of a row; `None` without either, an error inside if it is not JSON.
    #[allow(clippy::type_complexity, reason = "two ways to have no document")]
    fn get(&mut self, row: usize) -> Result<Option<(Result<Value, serde_json::Error>, &Path)>> {
        let (Some(text), Some(path)) = (self.texts.get(row), self.paths.get(row)) else { return Ok(None) };
        let path = self.compiled.get(path)?;
        Ok(Some((serde_json::from_str(text), path)))
    }
}

/// Why there is no value.
enum Missing {
    /// The path leads to nothing, or to `null`.
    Empty,
    /// The text is no JSON, or the path does not fit it.
    Error(String),
}

fn json_value(call: &Call<'_>) -> Result<ArrayRef> {
    let mut documents = Documents::new(call)?;
    let defaults =
        (call.len() > 2).then(|| Ok::<_, datafusion_common::DataFusionError>([call.strings(3)?, call.strings(5)?]));
    let defaults = defaults.transpose()?;
    call.write_strings(|row, out| {
        let Some((document, path)) = documents.get(row)? else { return Ok(false) };
        let missing = match scalar(&document, path) {
            Ok(value) => {
                match value {
                    Value::String(text) => out.push_str(text),
                    other => out.push_str(&other.to_string()),
                }
                return Ok(true);
            }
            Err(missing) => missing,
        };
        let clause = usize::from(matches!(missing, Missing::Error(_)));
        match call.literal(2 + 2 * clause).unwrap_or("NULL") {
            "ERROR" => Err(refuse("JSON_VALUE", missing)),
            "DEFAULT" => {
                let default = defaults.as_ref().and_then(|defaults| defaults[clause].get(row));
                out.push_str(default.unwrap_or(""));
                Ok(default.is_some())
            }
            _ => Ok(false),
        }
    })
}

/// The value of `JSON_VALUE`: not an object, not an array.
fn scalar<'v>(document: &'v Result<Value, serde_json::Error>, path: &Path) -> Result<&'v Value, Missing> {
    match find(document, path)? {
        Found::One(Value::Object(_) | Value::Array(_)) | Found::Many(_) => {
            Err(Missing::Error("the path leads to an object or an array".to_owned()))
        }
        Found::One(Value::Null) | Found::Nothing => Err(Missing::Empty),
        Found::One(value) => Ok(value),
    }
}

fn find<'v>(document: &'v Result<Value, serde_json::Error>, path: &Path) -> Result<Found<'v>, Missing> {
    let document = document.as_ref().map_err(|error| Missing::Error(error.to_string()))?;
    match path.find(document) {
        Found::Nothing if path.mode == Mode::Strict => Err(Missing::Error("the path leads to nothing".to_owned())),
        found => Ok(found),
    }
}

fn refuse(function: &str, missing: Missing) -> datafusion_common::DataFusionError {
    external(match missing {
        Missing::Empty => Error::fix(format!("{function} found nothing")).because("the clause ERROR ON EMPTY"),
        Missing::Error(why) => Error::fix(format!("{function} cannot read the JSON")).because(why),
    })
}

fn json_query(call: &Call<'_>) -> Result<ArrayRef> {
    let mut documents = Documents::new(call)?;
    let wrapper = call.literal(2).unwrap_or("WITHOUT").to_owned();
    call.write_strings(|row, out| {
        let Some((document, path)) = documents.get(row)? else { return Ok(false) };
        let missing = match fragment(&document, path, &wrapper) {
            Ok(text) => {
                out.push_str(&text);
                return Ok(true);
            }
            Err(missing) => missing,
        };
        let clause = usize::from(matches!(missing, Missing::Error(_)));
        match call.literal(3 + clause).unwrap_or("NULL") {
            "ERROR" => return Err(refuse("JSON_QUERY", missing)),
            "EMPTY ARRAY" => out.push_str("[]"),
            "EMPTY OBJECT" => out.push_str("{}"),
            _ => return Ok(false),
        }
        Ok(true)
    })
}

/// The text of `JSON_QUERY`: an object or an array, unless a wrapper makes one.
fn fragment(document: &Result<Value, serde_json::Error>, path: &Path, wrapper: &str) -> Result<String, Missing> {
    let scalar = || Missing::Error("the path leads to a scalar".to_owned());
    match (find(document, path)?, wrapper) {
        (Found::Nothing | Found::One(Value::Null), _) => Err(Missing::Empty),
        (Found::One(value @ (Value::Object(_) | Value::Array(_))), "UNCONDITIONAL") => Ok(format!("[{value}]")),
        (Found::One(value @ (Value::Object(_) | Value::Array(_))), _) => Ok(value.to_string()),
        (Found::One(value), "CONDITIONAL" | "UNCONDITIONAL") => Ok(format!("[{value}]")),
        (Found::One(_), _) => Err(scalar()),
        (Found::Many(values), _) => {
            let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
            Ok(format!("[{}]", texts.join(",")))
        }
    }
}

fn json_exists(call: &Call<'_>) -> Result<ArrayRef> {
    let mut documents = Documents::new(call)?;
    let mut result = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let found = match documents.get(row)? {
            None => None,
            Some((document, path)) => match find(&document, path) {
                Ok(found) => Some(!matches!(found, Found::Nothing)),
                Err(missing) => match call.literal(2).unwrap_or("FALSE") {
                    "TRUE" => Some(true),
                    "UNKNOWN" => None,
                    "ERROR" if document.is_err() => return Err(refuse("JSON_EXISTS", missing)),
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
