//! Paths into JSON: `lax $.store.book[0]['title']`, `$.items[*].id`, `$..id`, `$.a[-1]`, `$.a[0:2]`.

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
    /// From 0; negative ones from the end.
    Index(i64),
    /// `['a', 'b']`
    Fields(Vec<String>),
    /// `[0, 2]`
    Indexes(Vec<i64>),
    /// `[from:to]`, without the end.
    Slice(Option<i64>, Option<i64>),
    All,
    /// `..`: the value and all that is in it.
    Within,
}

impl Step {
    fn is_definite(&self) -> bool {
        matches!(self, Self::Field(_) | Self::Index(_))
    }
}

/// A compiled path.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) mode: Mode,
    steps: Vec<Step>,
    is_definite: bool,
}

/// What a path leads to.
#[derive(Debug, PartialEq)]
pub(super) enum Found<'v> {
    /// One value.
    One(&'v Value),
    /// The values of a path with `[*]`, `..` and the like.
    Many(Vec<&'v Value>),
    /// Nothing.
    Nothing,
}

impl Path {
    /// Compiles a path; `a.b` is `$.a.b`.
    ///
    /// # Errors
    /// It has a step that is not known.
    pub(super) fn compile(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        let (mode, rest) = match (trimmed.strip_prefix("lax"), trimmed.strip_prefix("strict")) {
            (Some(rest), _) => (Mode::Lax, rest),
            (_, Some(rest)) => (Mode::Strict, rest),
            // Flink's default.
            _ => (Mode::Strict, trimmed),
        };
        let rest = rest.trim_start();
        let steps = match rest.strip_prefix('$') {
            Some(steps) => parse_steps(steps),
            None => parse_steps(&format!(".{rest}")),
        };
        let steps = steps.ok_or_else(|| {
            external(
                Error::fix(format!("'{text}' is not a JSON path that can be followed"))
                    .with_hint("paths are $, .field, ..field, ['field'], [0], [-1], [0:2], [0,2], [*] and .*"),
            )
        })?;
        Ok(Self { mode, is_definite: steps.iter().all(Step::is_definite), steps })
    }

    /// Follows the path.
    pub(super) fn find<'v>(&self, value: &'v Value) -> Found<'v> {
        if self.is_definite {
            let one = self.steps.iter().try_fold(value, |value, step| child(value, step));
            return one.map_or(Found::Nothing, Found::One);
        }
        let (mut current, mut next) = (vec![value], Vec::new());
        let mut is_definite = true;
        for step in &self.steps {
            // Up to the first step of several values the path has to lead somewhere.
            is_definite &= match step {
                Step::Field(_) | Step::Index(_) if is_definite && child(current[0], step).is_none() => {
                    return self.nothing();
                }
                Step::Slice(..) | Step::Indexes(_) if is_definite && !current[0].is_array() => return self.nothing(),
                step => step.is_definite(),
            };
            current.iter().for_each(|value| follow(value, step, &mut next));
            std::mem::swap(&mut current, &mut next);
            next.clear();
        }
        Found::Many(current)
    }

    /// What a path of several values leads to that does not fit the text.
    fn nothing<'v>(&self) -> Found<'v> {
        match self.mode {
            Mode::Lax => Found::Many(Vec::new()),
            Mode::Strict => Found::Nothing,
        }
    }
}

/// The value that a step of one value leads to.
fn child<'v>(value: &'v Value, step: &Step) -> Option<&'v Value> {
    match (step, value) {
        (Step::Field(name), Value::Object(fields)) => fields.get(name),
        (Step::Index(index), Value::Array(items)) => items.get(place(*index, items.len())?),
        _ => None,
    }
}

fn place(index: i64, length: usize) -> Option<usize> {
    let from_end = i64::try_from(length).ok()?.checked_add(index)?;
    usize::try_from(if index < 0 { from_end } else { index }).ok()
}

fn follow<'v>(value: &'v Value, step: &Step, found: &mut Vec<&'v Value>) {
    match (step, value) {
        (Step::Field(_) | Step::Index(_), _) => found.extend(child(value, step)),
        (Step::Fields(names), Value::Object(fields)) => found.extend(names.iter().filter_map(|name| fields.get(name))),
        (Step::Indexes(indexes), Value::Array(items)) => {
            let places = indexes.iter().filter_map(|index| place(*index, items.len()));
            found.extend(places.filter_map(|place| items.get(place)));
        }
        (Step::Slice(from, to), Value::Array(items)) => {
            let bound = |index: i64| place(index, items.len()).unwrap_or(0).min(items.len());
            let (from, to) = (from.map_or(0, bound), to.map_or(items.len(), bound));
            found.extend(items.get(from..to).unwrap_or(&[]));
        }
        (Step::All, Value::Array(items)) => found.extend(items),
        (Step::All, Value::Object(fields)) => found.extend(fields.values()),
        (Step::Within, _) => {
            found.push(value);
            match value {
                Value::Array(items) => items.iter().for_each(|item| follow(item, step, found)),
                Value::Object(fields) => fields.values().for_each(|field| follow(field, step, found)),
                _ => {}
            }
        }
        _ => {}
    }
}

fn parse_steps(mut rest: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    rest = rest.trim_end();
    while !rest.is_empty() {
        let (step, tail) = match (rest.strip_prefix(".."), rest.strip_prefix('.')) {
            (Some(tail), _) if !tail.is_empty() => {
                steps.push(Step::Within);
                if tail.starts_with('[') { bracket_step(tail)? } else { field_step(tail)? }
            }
            // $.['field'] is as good as $['field'].
            (_, Some(tail)) if tail.starts_with('[') => bracket_step(tail)?,
            (_, Some(tail)) => field_step(tail)?,
            _ => bracket_step(rest)?,
        };
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
    let mut inner = rest.strip_prefix('[')?.trim_start();
    if inner.starts_with(['\'', '"']) {
        let mut names = Vec::new();
        loop {
            let quote = inner.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
            let (name, tail) = inner[1..].split_once(quote)?;
            names.push(name.to_owned());
            let tail = tail.trim_start();
            if let Some(tail) = tail.strip_prefix(']') {
                let one = names.len() == 1;
                return Some((if one { Step::Field(names.remove(0)) } else { Step::Fields(names) }, tail));
            }
            inner = tail.strip_prefix(',')?.trim_start();
        }
    }
    let (inside, tail) = inner.split_once(']')?;
    let number = |text: &str| text.trim().parse::<i64>().ok();
    let step = match inside.trim() {
        "*" => Step::All,
        indexes if indexes.contains(',') => Step::Indexes(indexes.split(',').map(number).collect::<Option<_>>()?),
        slice if slice.contains(':') => {
            let (from, to) = slice.split_once(':')?;
            let bound = |text: &str| if text.trim().is_empty() { Some(None) } else { number(text).map(Some) };
            Step::Slice(bound(from)?, bound(to)?)
        }
        index => Step::Index(number(index)?),
    };
    Some((step, tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_paths() {
        let value: Value = serde_json::from_str(r#"{"a":[{"b c":1},{"b c":2},{"x":{"b c":3}}],"d":null}"#).unwrap();
        let find = |path: &str| match Path::compile(path).unwrap().find(&value) {
            Found::One(value) => value.to_string(),
            Found::Many(values) => values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            Found::Nothing => "nothing".to_owned(),
        };
        assert_eq!(find("$.a[1]['b c']"), "2");
        assert_eq!(find("$.a[-1].x"), r#"{"b c":3}"#);
        assert_eq!(find("lax $.d"), "null");
        assert_eq!(find("strict $.x"), "nothing");
        assert_eq!(find("$.a[*]['b c']"), "1 2");
        assert_eq!(find("$..['b c']"), "1 2 3");
        assert_eq!(find("$.a[0:2]"), r#"{"b c":1} {"b c":2}"#);
        assert_eq!(find("$.a[0, 1]['b c', 'z']"), "1 2");
        assert_eq!(find("$.['d']"), "null");
        assert_eq!(find("$"), value.to_string());
        assert_eq!(find("a[1]['b c']"), "2");
        assert_eq!(find("$.x[*]"), "nothing");
        assert_eq!(find("lax $.x[*]"), "");
        assert_eq!(find("$.d[*]"), "");
        assert_eq!(find("$.d[0:1]"), "nothing");
        for wrong in ["$.a[?(@.b > 1)]", "$.", "$..", "$[", "$['a'", "$[1,]"] {
            assert!(Path::compile(wrong).is_err(), "{wrong}");
        }
    }
}
