//! `fields.<column>.<option>` becomes a generator for each column.
//!
//! A field of a `ROW` is named by its path (`fields.address.city.length`), an element of an `ARRAY`
//! by `element`, and those of a `MAP` by `key` and `value`.

use std::collections::BTreeMap;
use std::time::Duration;

use sluice_connector_api::{ExtraOptions, OptionReader, OptionValue};
use sluice_model::{Error, Result, SqlType, TableSchema, suggest};

use crate::bounds;
use crate::random::Series;

const OPTIONS: [&str; 9] = ["kind", "min", "max", "max-past", "length", "var-len", "start", "end", "null-rate"];
/// Longest string, array or map: a guard against a slip of the pen.
const MAX_LENGTH: usize = 10_000_000;

/// A column that can be made: its values are functions of row numbers.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) sql_type: SqlType,
    pub(crate) series: Series,
    pub(crate) null_rate: f64,
    pub(crate) kind: Kind,
}

/// What the values of a column are.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Boolean,
    /// From `min` on, `span` numbers, in the unit that the column stores.
    Number {
        min: i128,
        span: u128,
    },
    Real {
        min: f64,
        max: f64,
    },
    /// Hexadecimal digits.
    Text(Length),
    Bytes(Length),
    /// The time at which the row is made, less up to so many milliseconds.
    Now {
        max_past: i64,
    },
    /// `start` plus the row's number, times `unit`.
    Sequence {
        start: i128,
        unit: i128,
    },
    Array {
        length: Length,
        element: Box<Field>,
    },
    Map {
        length: Length,
        key: Box<Field>,
        value: Box<Field>,
    },
    Row(Vec<Field>),
    Null,
}

/// How long values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Length {
    pub(crate) most: usize,
    /// From 1 to `most`, instead of always `most`.
    pub(crate) varies: bool,
}

/// What is wrong with an option.
struct Problem {
    key: String,
    what: String,
    hint: String,
}

/// Leaves everything that is wrong with the options of the columns in the reader.
pub(crate) fn check_fields(schema: &TableSchema, extra: &ExtraOptions, reader: &mut OptionReader<'_>) {
    let mut builder = Builder::new(extra);
    for column in &schema.columns {
        builder.field(&column.name, &column.data_type);
    }
    builder.refuse_unused(schema);
    for Problem { key, what, hint } in builder.problems {
        reader.reject(&key, what, hint);
    }
}

/// Rows until the shortest sequence ends; `None` without a sequence.
pub(crate) fn rows_of_sequences(extra: &ExtraOptions) -> Option<u64> {
    let ends = extra.with_prefix("fields.").filter_map(|(key, end)| {
        let path = key.strip_suffix(".end")?;
        let start = extra.get(&format!("fields.{path}.start"))?;
        let rows = bounds::parse(end, 0)? - bounds::parse(start, 0)? + 1;
        u64::try_from(rows.max(0)).ok()
    });
    ends.min()
}

impl Field {
    /// The fields of a table's columns.
    ///
    /// # Errors
    /// Wrong options, of which the first is told; `check_fields` tells all.
    pub(crate) fn of_table(schema: &TableSchema, extra: &ExtraOptions) -> Result<Vec<Self>> {
        let mut builder = Builder::new(extra);
        let fields = schema.columns.iter().map(|column| builder.field(&column.name, &column.data_type)).collect();
        match builder.problems.into_iter().next() {
            Some(problem) => Err(Error::fix(problem.what).with_hint(problem.hint)),
            None => Ok(fields),
        }
    }
}

struct Builder<'a> {
    /// By full key; what has been read is taken out.
    options: BTreeMap<String, &'a str>,
    problems: Vec<Problem>,
}

impl<'a> Builder<'a> {
    fn new(extra: &'a ExtraOptions) -> Self {
        let options = extra.with_prefix("fields.").map(|(key, value)| (format!("fields.{key}"), value)).collect();
        Self { options, problems: Vec::new() }
    }

    fn refuse_unused(&mut self, schema: &TableSchema) {
        for key in self.options.keys() {
            let path = key.trim_start_matches("fields.");
            let (column, option) = path.rsplit_once('.').unwrap_or((path, ""));
            let top = column.split('.').next().unwrap_or(column);
            let names = || schema.columns.iter().map(|column| column.name.as_str());
            let hint = match (schema.index_of(column), suggest(option, OPTIONS), suggest(top, names())) {
                (Some(_), Some(like), _) if like != option => format!("did you mean 'fields.{column}.{like}'?"),
                (Some(_), Some(_), _) => format!("it means nothing for the type and kind of column '{column}'"),
                (None, _, Some(like)) if schema.index_of(top).is_none() => {
                    format!("there is no column '{top}'; did you mean 'fields.{like}.{option}'?")
                }
                _ => format!("options below 'fields.<column>.': {}", OPTIONS.join(", ")),
            };
            let what = format!("unknown option '{key}' of connector 'datagen'");
            self.problems.push(Problem { key: key.clone(), what, hint });
        }
    }

    fn take<T: OptionValue>(&mut self, path: &str, option: &str) -> Option<T> {
        let key = format!("fields.{path}.{option}");
        let text = self.options.remove(&key)?;
        match T::parse_option(text) {
            Ok(value) => Some(value),
            Err(expected) => {
                let what = format!("invalid value '{text}' for option '{key}'");
                self.problems.push(Problem { key, what, hint: expected });
                None
            }
        }
    }

    fn problem(&mut self, path: &str, option: &str, what: String, hint: &str) {
        self.problems.push(Problem { key: format!("fields.{path}.{option}"), what, hint: hint.to_owned() });
    }

    fn field(&mut self, path: &str, sql_type: &SqlType) -> Field {
        let null_rate = self.take(path, "null-rate").unwrap_or(0.0);
        if !(0.0..=1.0).contains(&null_rate) {
            self.problem(path, "null-rate", format!("'{null_rate}' is not a share"), "expected a number from 0 to 1");
        }
        let word = self.take::<String>(path, "kind").unwrap_or_else(|| "random".to_owned());
        let kind = match word.to_ascii_lowercase().as_str() {
            "random" => self.random(path, sql_type),
            "sequence" => self.sequence(path, sql_type),
            _ => {
                let what = format!("unknown kind '{word}' of field '{path}'");
                self.problem(path, "kind", what, "expected one of random, sequence");
                Kind::Null
            }
        };
        Field { sql_type: sql_type.clone(), series: Series::of_path(path), null_rate, kind }
    }

    fn random(&mut self, path: &str, sql_type: &SqlType) -> Kind {
        match sql_type {
            SqlType::Boolean => Kind::Boolean,
            SqlType::Float => self.real(path, f32::MIN_POSITIVE.into(), f32::MAX.into()),
            SqlType::Double => self.real(path, f64::MIN_POSITIVE, f64::MAX),
            SqlType::Char(length) => Kind::Text(Length { most: *length as usize, varies: false }),
            SqlType::Binary(length) => Kind::Bytes(Length { most: *length as usize, varies: false }),
            SqlType::VarChar(most) => Kind::Text(self.length(path, *most as usize, 100)),
            SqlType::VarBinary(most) => Kind::Bytes(self.length(path, *most as usize, 100)),
            SqlType::Date | SqlType::Time(_) | SqlType::Timestamp(_) | SqlType::TimestampLtz(_) => {
                let max_past = self.take::<Duration>(path, "max-past").unwrap_or_default();
                Kind::Now { max_past: i64::try_from(max_past.as_millis()).unwrap_or(i64::MAX) }
            }
            SqlType::Array(element) => Kind::Array {
                length: self.length(path, MAX_LENGTH, 3),
                element: Box::new(self.field(&format!("{path}.element"), element)),
            },
            SqlType::Map(key, value) => Kind::Map {
                length: self.length(path, MAX_LENGTH, 3),
                key: Box::new(self.field(&format!("{path}.key"), key)),
                value: Box::new(self.field(&format!("{path}.value"), value)),
            },
            SqlType::Row(fields) => {
                Kind::Row(fields.iter().map(|(name, field)| self.field(&format!("{path}.{name}"), field)).collect())
            }
            SqlType::Null => Kind::Null,
            number => self.number(path, number),
        }
    }

    fn number(&mut self, path: &str, sql_type: &SqlType) -> Kind {
        let Some((least, greatest)) = bounds::of_type(sql_type) else { return Kind::Null };
        let min = self.bound(path, "min", sql_type, least);
        let max = self.bound(path, "max", sql_type, greatest);
        if min > max || min < least || max > greatest {
            let what = format!("the bounds of field '{path}' leave no number of type {sql_type}");
            self.problem(path, "max", what, "'min' must not be above 'max', and both must fit the type");
        }
        Kind::Number { min, span: max.abs_diff(min).saturating_add(1) }
    }

    fn bound(&mut self, path: &str, option: &str, sql_type: &SqlType, default: i128) -> i128 {
        let Some(text) = self.take::<String>(path, option) else { return default };
        bounds::parse(&text, bounds::scale(sql_type)).unwrap_or_else(|| {
            let what = format!("invalid value '{text}' for option 'fields.{path}.{option}'");
            self.problem(path, option, what, &format!("expected a number of type {sql_type}"));
            default
        })
    }

    fn real(&mut self, path: &str, least: f64, greatest: f64) -> Kind {
        let min = self.take(path, "min").unwrap_or(least);
        let max = self.take(path, "max").unwrap_or(greatest);
        if min.partial_cmp(&max).is_none_or(std::cmp::Ordering::is_gt) {
            let what = format!("the bounds of field '{path}' leave no number");
            self.problem(path, "max", what, "'min' must not be above 'max'");
        }
        Kind::Real { min, max }
    }

    fn length(&mut self, path: &str, most: usize, default: usize) -> Length {
        let length = self.take(path, "length").unwrap_or(default.min(most));
        let varies = self.take(path, "var-len").unwrap_or(false);
        if length > most.min(MAX_LENGTH) {
            let what = format!("length {length} of field '{path}' is too long");
            self.problem(path, "length", what, &format!("expected at most {}", most.min(MAX_LENGTH)));
        }
        Length { most: length, varies }
    }

    fn sequence(&mut self, path: &str, sql_type: &SqlType) -> Kind {
        let unit = match sql_type {
            SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt => 1,
            SqlType::Float | SqlType::Double | SqlType::Char(_) | SqlType::VarChar(_) => 1,
            SqlType::Decimal(_, scale) => 10i128.pow(u32::from((*scale).min(38))),
            _ => {
                let what = format!("field '{path}' of type {sql_type} cannot be a sequence");
                self.problem(path, "kind", what, "leave 'kind' out for random values");
                return Kind::Null;
            }
        };
        let (start, end) = (self.take::<i64>(path, "start"), self.take::<i64>(path, "end"));
        let (Some(start), Some(end)) = (start, end) else {
            let what = format!("field '{path}' of kind 'sequence' needs 'start' and 'end'");
            self.problem(path, "kind", what, "add 'fields.<column>.start' and 'fields.<column>.end'");
            return Kind::Null;
        };
        let fits = |number: i64| {
            bounds::of_type(sql_type).is_none_or(|(least, greatest)| {
                i128::from(number).checked_mul(unit).is_some_and(|number| (least..=greatest).contains(&number))
            })
        };
        if start > end || !fits(start) || !fits(end) {
            let what = format!("a sequence from {start} to {end} does not fit field '{path}' of type {sql_type}");
            self.problem(path, "end", what, "'start' must not be above 'end', and both must fit the type");
        }
        Kind::Sequence { start: start.into(), unit }
    }
}
