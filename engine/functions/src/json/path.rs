//! Paths into JSON: `lax $.store.book[0]['title']`, `$.items[*].id`.

use datafusion_common::Result;
use serde_json::Value;
use sluice_model::Error;

use crate::error::external;

/// What to do with a path that does not fit the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// A missing field is nothing.
    Lax,
    /// A missing field is an error.
    Strict,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
    All,
}

/// A compiled path.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) mode: Mode,
    steps: Vec<Step>,
}

/// What a path leads to.
#[derive(Debug, PartialEq)]
pub(super) enum Found<'v> {
    /// One value.
    One(&'v Value),
    /// The values of a `[*]` or `.*`.
    Many(Vec<&'v Value>),
    /// Nothing.
    Nothing,
}

impl Path {
    /// Compiles a path.
    ///
    /// # Errors
    /// It does not begin with `$`, or has a step that is not known.
    pub(super) fn compile(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        let (mode, rest) = match (trimmed.strip_prefix("lax"), trimmed.strip_prefix("strict")) {
            (Some(rest), _) => (Mode::Lax, rest),
            (_, Some(rest)) => (Mode::Strict, rest),
            // Flink's default.
            _ => (Mode::Strict, trimmed),
        };
        let steps = rest.trim_start().strip_prefix('$').and_then(parse_steps);
        let steps = steps.ok_or_else(|| {
            external(
                Error::fix(format!("'{text}' is not a JSON path that can be followed"))
                    .with_hint("paths are $, .field, ['field'], [0], [*] and .*"),
            )
        })?;
        Ok(Self { mode, steps })
    }

    /// Follows the path.
    pub(super) fn find<'v>(&self, value: &'v Value) -> Found<'v> {
        let is_definite = !self.steps.contains(&Step::All);
        let mut current = vec![value];
        for step in &self.steps {
            current = current.into_iter().flat_map(|value| follow(value, step)).collect();
        }
        match (is_definite, current.as_slice()) {
            (true, []) => Found::Nothing,
            (true, [value, ..]) => Found::One(value),
            (false, _) => Found::Many(current),
        }
    }
}

fn follow<'v>(value: &'v Value, step: &Step) -> Vec<&'v Value> {
    match (step, value) {
        (Step::Field(name), Value::Object(fields)) => fields.get(name).into_iter().collect(),
        (Step::Index(index), Value::Array(items)) => items.get(*index).into_iter().collect(),
        (Step::All, Value::Array(items)) => items.iter().collect(),
        (Step::All, Value::Object(fields)) => fields.values().collect(),
        _ => Vec::new(),
    }
}

fn parse_steps(mut rest: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    rest = rest.trim_end();
    while !rest.is_empty() {
        let (step, tail) =
            if let Some(tail) = rest.strip_prefix('.') { field_step(tail)? } else { bracket_step(rest)? };
        steps.push(step);
        rest = tail;
    }
    Some(steps)
}

fn field_step(rest: &str) -> Option<(Step, &str)> {
    if let Some(tail) = rest.strip_prefix('*') {
        return Some((Step::All, tail));
    }
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let (name, tail) = rest.split_at(end);
    (!name.is_empty() && !name.contains(['(', '?', '@'])).then(|| (Step::Field(name.to_owned()), tail))
}

fn bracket_step(rest: &str) -> Option<(Step, &str)> {
    let inner = rest.strip_prefix('[')?.trim_start();
    for quote in ['\'', '"'] {
        if let Some(quoted) = inner.strip_prefix(quote) {
            let (name, tail) = quoted.split_once(quote)?;
            return Some((Step::Field(name.to_owned()), tail.trim_start().strip_prefix(']')?));
        }
    }
    let (index, tail) = inner.split_once(']')?;
    match index.trim() {
        "*" => Some((Step::All, tail)),
        index => Some((Step::Index(index.parse().ok()?), tail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_paths() {
        let value: Value = serde_json::from_str(r#"{"a":[{"b c":1},{"b c":2}],"d":null}"#).unwrap();
        let find = |path: &str| match Path::compile(path).unwrap().find(&value) {
            Found::One(value) => value.to_string(),
            Found::Many(values) => format!("{} values", values.len()),
            Found::Nothing => "nothing".to_owned(),
        };
        assert_eq!(find("$.a[1]['b c']"), "2");
        assert_eq!(find("lax $.d"), "null");
        assert_eq!(find("strict $.x"), "nothing");
        assert_eq!(find("$.a[*]"), "2 values");
        assert_eq!(find("$"), value.to_string());
        assert!(Path::compile("a.b").is_err());
        assert!(Path::compile("$.a[?(@.b > 1)]").is_err());
    }
}
