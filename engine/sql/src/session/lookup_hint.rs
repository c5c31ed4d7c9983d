//! `SELECT /*+ LOOKUP('table' = 'c', …) */ … JOIN customer FOR SYSTEM_TIME AS OF o.p AS c`: how a lookup join asks.
//!
//! What is of use here is asking again for keys that have no row yet:
//!
//! ```text
//! 'table' = 'c', 'retry-predicate' = 'lookup_miss', 'retry-strategy' = 'fixed_delay',
//! 'fixed-delay' = '10s', 'max-attempts' = '3'
//! ```
//!
//! The keys for asynchronous lookups (`async`, `output-mode`, `capacity`, `timeout`) are checked and have no
//! effect: one question asks for all keys of a batch, and the answer keeps their order.

use sluice_model::{Error, Result, TableOption, parse_duration, suggest};
use sluice_planner::{LookupRetry, mark_retry};
use sqlparser::ast::{Select, TableFactor, TableVersion};

use super::hints::visible_name;
use crate::parser::QueryHint;

const KEYS: [&str; 10] = [
    "table",
    "async",
    "output-mode",
    "capacity",
    "timeout",
    "retry-predicate",
    "retry-strategy",
    "fixed-delay",
    "max-attempts",
    "shuffle",
];

/// The keys without which there is no asking again.
const RETRY_KEYS: [&str; 4] = ["retry-predicate", "retry-strategy", "fixed-delay", "max-attempts"];

/// Marks the table that the hint names.
///
/// # Errors
/// An unknown key, a value that is none, keys that are missing, or a table that is not looked up.
pub(super) fn apply(hint: &QueryHint, select: &mut Select) -> Result<()> {
    if let Some(name) = hint.tables.first() {
        return Err(Error::fix("the hint LOOKUP takes 'key' = 'value' pairs").at(name.position));
    }
    hint.options.iter().try_for_each(check)?;
    let Some(table) = hint.options.iter().find(|option| option.key == "table") else {
        return Err(Error::fix("the hint LOOKUP does not say for which table")
            .at(hint.position)
            .with_hint("add 'table' = 'c', with the alias that the table has in the query"));
    };
    let retry = retry(hint)?;
    let mut names = Vec::new();
    for join in select.from.iter_mut().flat_map(|from| from.joins.iter_mut()) {
        let Some(name) = visible_name(&join.relation) else { continue };
        let TableFactor::Table { version: Some(TableVersion::ForSystemTimeAsOf(time)), .. } = &mut join.relation else {
            continue;
        };
        if name.value == table.value {
            if let Some(retry) = retry {
                mark_retry(time, retry);
            }
            return Ok(());
        }
        names.push(name.value);
    }
    let error = Error::fix(format!("the hint LOOKUP names '{}', which is not looked up in this SELECT", table.value));
    Err(error.at_opt(table.position).with_hint(match suggest(&table.value, names.iter().map(String::as_str)) {
        Some(like) => format!("did you mean '{like}'?"),
        None if names.is_empty() => "look a table up with JOIN t FOR SYSTEM_TIME AS OF o.proc_time AS t".to_owned(),
        None => format!("looked up are {}; an alias hides the name of its table", names.join(", ")),
    }))
}

fn check(option: &TableOption) -> Result<()> {
    let value = option.value.as_str();
    let expected = match option.key.as_str() {
        "table" => None,
        "async" | "shuffle" => {
            (!["true", "false"].contains(&value.to_ascii_lowercase().as_str())).then_some("'true' or 'false'")
        }
        "output-mode" => (!["ordered", "allow_unordered"].contains(&value)).then_some("'ordered' or 'allow_unordered'"),
        "retry-predicate" => (value != "lookup_miss").then_some("'lookup_miss'"),
        "retry-strategy" => (value != "fixed_delay").then_some("'fixed_delay'"),
        "capacity" | "max-attempts" => {
            value.parse::<u32>().ok().filter(|number| *number > 0).is_none().then_some("a number above zero")
        }
        "timeout" | "fixed-delay" => parse_duration(value).is_none().then_some("a duration such as '10 s'"),
        unknown => {
            let error = Error::fix(format!("the hint LOOKUP has no key '{unknown}'")).at_opt(option.position);
            return Err(error.with_hint(match suggest(unknown, KEYS) {
                Some(like) => format!("did you mean '{like}'?"),
                None => format!("its keys are {}", KEYS.join(", ")),
            }));
        }
    };
    match expected {
        None => Ok(()),
        Some(expected) => Err(Error::fix(format!("'{}' in the hint LOOKUP is {expected}, not '{value}'", option.key))
            .at_opt(option.position)),
    }
}

fn retry(hint: &QueryHint) -> Result<Option<LookupRetry>> {
    let value = |key: &str| hint.options.iter().find(|option| option.key == key).map(|option| option.value.as_str());
    let missing: Vec<&str> = RETRY_KEYS.into_iter().filter(|key| value(key).is_none()).collect();
    if missing.len() == RETRY_KEYS.len() {
        return Ok(None);
    }
    let delay = value("fixed-delay").and_then(parse_duration);
    let max_attempts = value("max-attempts").and_then(|number| number.parse().ok());
    match (missing.as_slice(), delay, max_attempts) {
        ([], Some(delay), Some(max_attempts)) => Ok(Some(LookupRetry { delay, max_attempts })),
        _ => Err(Error::fix(format!("the hint LOOKUP asks again only with all of {}", RETRY_KEYS.join(", ")))
            .because(format!("missing: {}", missing.join(", ")))
            .at(hint.position)),
    }
}
