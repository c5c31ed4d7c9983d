//! DataFusion's errors in Sluice's words: what, where, and a suggestion.

use datafusion_common::{DataFusionError, SchemaError};
use sluice_model::{Error, Position, suggest};

use super::group_window;
use super::mistake::{refused_call, refused_operator, type_name};

/// Translates an error of name resolution or typing. `functions` are suggested for unknown ones.
pub(crate) fn from_datafusion(error: DataFusionError, functions: &[String]) -> Error {
    let position = error
        .diagnostic()
        .and_then(|diagnostic| diagnostic.span)
        .map(|span| Position { line: span.start.line, column: span.start.column });
    translate(error, functions).at_opt(position)
}

/// The column that a `SELECT` has twice.
pub(super) fn selected_again(error: &DataFusionError) -> Option<String> {
    let text = match error {
        DataFusionError::Diagnostic(_, inner) | DataFusionError::Context(_, inner) => return selected_again(inner),
        DataFusionError::Plan(text) => text,
        _ => return None,
    };
    twice(text).map(|name| name.rsplit('.').next().unwrap_or(name).to_owned())
}

fn twice(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("Projections require unique expression names but the expression \"")?;
    let (name, _) = rest.split_once("\" at position")?;
    Some(name)
}

fn translate(error: DataFusionError, functions: &[String]) -> Error {
    match error {
        DataFusionError::Diagnostic(_, inner) | DataFusionError::Context(_, inner) => translate(*inner, functions),
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(own) => *own,
            Err(other) => Error::fix(other.to_string()),
        },
        DataFusionError::SchemaError(error, _) => schema_error(&error),
        DataFusionError::NotImplemented(text) => Error::fix(format!("not supported yet: {text}")),
        DataFusionError::Plan(text) => plan_error(&text, functions),
        DataFusionError::Execution(text) => Error::fix(text),
        DataFusionError::ArrowError(error, _) => Error::from_arrow(*error),
        DataFusionError::Collection(errors) => {
            let errors = errors.into_iter().map(|error| from_datafusion(error, functions)).collect();
            Error::many(errors).unwrap_or_else(|| Error::bug("an empty list of errors"))
        }
        DataFusionError::Shared(error) => Error::fix(error.to_string()),
        other => Error::bug(other.to_string()),
    }
}

fn schema_error(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let names: Vec<&str> = valid_fields.iter().map(|field| field.name.as_str()).collect();
            let hint = match suggest(&field.name, names.iter().copied()) {
                Some(like) => format!("did you mean '{like}'?"),
                None if names.is_empty() => "no columns are in reach here".to_owned(),
                None => format!("columns in reach: {}", names.join(", ")),
            };
            Error::fix(format!("column '{}' not found in any table", field.flat_name())).with_hint(hint)
        }
        SchemaError::AmbiguousReference { field } => Error::fix(format!("column '{}' is ambiguous", field.name))
            .with_hint("put the name of its table in front: t.column"),
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            Error::fix(format!("two columns are called '{name}'")).with_hint("give one of them another name with AS")
        }
    }
}

/// Functions that Flink has and that need state; so that they are not taken for misspelt ones.
const AGGREGATES: [&str; 13] = [
    "array_agg",
    "avg",
    "count",
    "first_value",
    "last_value",
    "listagg",
    "max",
    "min",
    "stddev_pop",
    "stddev_samp",
    "sum",
    "var_pop",
    "var_samp",
];

fn plan_error(text: &str, functions: &[String]) -> Error {
    if let Some(error) = refused_call(text).or_else(|| refused_operator(text)) {
        return error;
    }
    if let Some(column) = not_grouped(text) {
        return Error::fix(format!("expression '{column}' is not being grouped"))
            .with_hint("add it to GROUP BY, or aggregate it, for example with MAX");
    }
    if let Some(error) = not_boolean(text).or_else(|| different_rows(text)) {
        return error;
    }
    if text.starts_with("Too many columns! The subquery should only return one column") {
        return Error::fix("a sub-query in an expression has one column, this one has more")
            .with_hint("select one column; several are compared as (a, b) IN (SELECT x, y …)");
    }
    if let Some(name) = twice(text) {
        return Error::fix(format!("column '{name}' is selected twice")).with_hint("give one of them a name with AS");
    }
    if let Some((columns, names)) = not_named(text) {
        return Error::fix(format!("the table has {columns}, and its alias names {names}"))
            .with_hint("name all columns behind AS t, or none");
    }
    let Some(rest) = text.strip_prefix("Invalid function '") else {
        return Error::fix(text.to_owned());
    };
    let name = rest.split('\'').next().unwrap_or(rest);
    if AGGREGATES.contains(&name.to_ascii_lowercase().as_str()) {
        return Error::fix(format!("aggregate function {} is not supported yet", name.to_uppercase()));
    }
    if group_window::FUNCTIONS.contains(&name.to_ascii_lowercase().as_str()) {
        let name = name.to_uppercase();
        let window = name.split('_').next().unwrap_or(&name);
        return Error::fix(format!("{name} belongs to a query that is grouped by {window}"))
            .with_hint(format!("write GROUP BY {window}(ts, INTERVAL '1' MINUTE), with the lengths of the window"));
    }
    let error = Error::fix(format!("no function is called '{name}'"));
    match suggest(name, functions.iter().map(String::as_str)) {
        Some(like) => error.with_hint(format!("did you mean {}?", like.to_uppercase())),
        None => error.with_hint("docs/functions.md lists the functions"),
    }
}

/// The column of a `SELECT` that is neither grouped nor aggregated.
fn not_grouped(text: &str) -> Option<&str> {
    let (before, _) = text.split_once("\" must appear in the GROUP BY clause")?;
    before.rsplit('"').next()
}

/// A condition that is no truth value.
fn not_boolean(text: &str) -> Option<Error> {
    let what = if let Some(predicate) = text.strip_prefix("Cannot create filter with non-boolean predicate '") {
        let (expression, given) = predicate.rsplit_once("' returning ")?;
        format!("a condition is a BOOLEAN, and '{expression}' is of type {}", type_name(given))
    } else if let Some(given) = text.strip_prefix("Join condition must be boolean type, but got ") {
        format!("the condition of a join is a BOOLEAN, and this one is of type {}", type_name(given))
    } else if let Some(given) = text.strip_prefix("Unary operator 'NOT' requires a boolean expression, got ") {
        format!("cannot apply NOT to {}", type_name(given))
    } else {
        let given = text.strip_prefix("Cannot infer common argument type for logical boolean operation ")?;
        let operator = [" AND ", " OR "].into_iter().find(|operator| given.contains(operator))?;
        let (left, right) = given.split_once(operator)?;
        format!("cannot apply {} to {} and {}", operator.trim(), type_name(left), type_name(right))
    };
    Some(Error::fix(what).with_hint("compare it with a value"))
}

/// Rows of `VALUES` whose cells have no type in common.
fn different_rows(text: &str) -> Option<Error> {
    let place = text.strip_prefix("Inconsistent data type across values list at row ")?;
    let (place, types) = place.split_once(". Was ")?;
    let (first, other) = types.split_once(" but found ")?;
    let column = place.rsplit(' ').next()?.parse::<usize>().ok()? + 1;
    let (first, other) = (type_name(first), type_name(other));
    let error = Error::fix(format!("column {column} of VALUES has types that do not go together: {first}, {other}"));
    Some(error.with_hint("CAST them to one type"))
}

/// How many columns a table has, and how many its alias names.
fn not_named(text: &str) -> Option<(String, &str)> {
    let (columns, names) = text.strip_prefix("Source table contains ")?.split_once(" columns but only ")?;
    let names = names.split(' ').next()?;
    Some((if columns == "1" { "1 column".to_owned() } else { format!("{columns} columns") }, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_that_is_not_grouped_is_named() {
        let text = "Column in SELECT must be in GROUP BY or an aggregate function: While expanding wildcard, column \
                    \"t.id\" must appear in the GROUP BY clause or must be part of an aggregate function, currently only \
                    \"t.k\" appears in the SELECT clause satisfies this requirement";
        assert_eq!(plan_error(text, &[]).what(), "expression 't.id' is not being grouped");
    }

    #[test]
    fn what_is_no_truth_value_is_named_in_the_types_of_sql() {
        for (text, what) in [
            (
                "Cannot create filter with non-boolean predicate 't.a' returning Utf8",
                "a condition is a BOOLEAN, and 't.a' is of type STRING",
            ),
            (
                "Join condition must be boolean type, but got Int32",
                "the condition of a join is a BOOLEAN, and this one is of type INT",
            ),
            ("Unary operator 'NOT' requires a boolean expression, got Utf8", "cannot apply NOT to STRING"),
            (
                "Cannot infer common argument type for logical boolean operation Int32 AND Boolean",
                "cannot apply AND to INT and BOOLEAN",
            ),
            (
                "Inconsistent data type across values list at row 1 column 0. Was Int32 but found Boolean",
                "column 1 of VALUES has types that do not go together: INT, BOOLEAN",
            ),
        ] {
            assert_eq!(plan_error(text, &[]).what(), what);
        }
    }

    #[test]
    fn an_alias_names_all_columns() {
        let text = "Source table contains 1 columns but only 2 names given as column alias";
        assert_eq!(plan_error(text, &[]).what(), "the table has 1 column, and its alias names 2");
    }
}
