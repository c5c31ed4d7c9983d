//! `LIKE` and `SIMILAR TO` with patterns that are not constants.
//!
//! Source: Flink's `SqlLikeUtils`.

use datafusion_common::Result;
use regex::Regex;
use sluice_model::{Error, SqlType};

use crate::error::{external, fix};
use crate::function::{Call, Definition, Kind};
use crate::regexp::PatternCache;

/// `s LIKE pattern [ESCAPE c]`.
pub(crate) fn like() -> Definition {
    Definition::new("like", &[Kind::String, Kind::String], SqlType::Boolean, |call| matches(call, like_to_regex))
        .or(&[Kind::String, Kind::String, Kind::String])
        .fallible()
}

/// `s SIMILAR TO pattern [ESCAPE c]`.
pub(crate) fn similar_to() -> Definition {
    Definition::new("similar_to", &[Kind::String, Kind::String], SqlType::Boolean, |call| {
        matches(call, similar_to_regex)
    })
    .or(&[Kind::String, Kind::String, Kind::String])
    .fallible()
}

fn matches(call: &Call<'_>, translate: fn(&str, Option<char>) -> Result<String>) -> Result<arrow_array::ArrayRef> {
    let (texts, patterns) = (call.strings(0)?, call.strings(1)?);
    let escape = call.literal(2).and_then(|escape| escape.chars().next());
    let mut cache = PatternCache::default();
    let mut result = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let (Some(text), Some(pattern)) = (texts.get(row), patterns.get(row)) else {
            result.push(None);
            continue;
        };
        let regex = cache.get_or_compile(pattern, |pattern| compile(pattern, &translate(pattern, escape)?))?;
        result.push(Some(regex.is_match(text)));
    }
    call.truths(|row| result[row])
}

/// `pattern` is what the user wrote; the message of a regular expression would show the one made of it.
fn compile(pattern: &str, regex: &str) -> Result<Regex> {
    Regex::new(regex).map_err(|error| {
        let text = error.to_string();
        let reason = text.rsplit_once("error: ").map_or(text.as_str(), |(_, reason)| reason);
        external(Error::fix(format!("invalid pattern '{pattern}'")).because(reason.trim()))
    })
}

/// A `LIKE` pattern whose escape character is the backslash.
///
/// # Errors
/// The escape character stands in front of something else than `%`, `_` or itself.
pub(crate) fn to_backslash_escapes(pattern: &str, escape: Option<char>) -> Result<String> {
    let mut translated = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        let is_escape = Some(char) == escape;
        let literal = if is_escape { escaped(&mut chars, pattern, char)? } else { char };
        if literal == '\\' || (is_escape && matches!(literal, '%' | '_')) {
            translated.push('\\');
        }
        translated.push(literal);
    }
    Ok(translated)
}

fn escaped(chars: &mut std::str::Chars<'_>, pattern: &str, escape: char) -> Result<char> {
    chars
        .next()
        .filter(|next| matches!(next, '%' | '_') || *next == escape)
        .ok_or_else(|| fix(format!("invalid escape sequence in the pattern '{pattern}': '{escape}' escapes % and _")))
}

fn like_to_regex(pattern: &str, escape: Option<char>) -> Result<String> {
    let mut regex = String::from("(?s)^");
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            char if Some(char) == escape => push_literal(escaped(&mut chars, pattern, char)?, &mut regex),
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            char => push_literal(char, &mut regex),
        }
    }
    regex.push('$');
    Ok(regex)
}

fn push_literal(char: char, regex: &mut String) {
    regex.push_str(&regex::escape(char.encode_utf8(&mut [0; 4])));
}

/// SQL's regular expressions: `%` as in `LIKE`; `_` and `.` for a character that ends no line; `^` and
/// `| * + ? {m,n} ( ) [ ]` as usual. As Calcite's `Like.sqlToRegexSimilar` reads them.
fn similar_to_regex(pattern: &str, escape: Option<char>) -> Result<String> {
    let mut regex = String::from("^(?:");
    let mut chars = pattern.chars();
    let mut in_class = false;
    while let Some(char) = chars.next() {
        match char {
            char if Some(char) == escape => {
                let literal = chars.next().ok_or_else(|| fix(format!("the pattern '{pattern}' ends in an escape")))?;
                push_literal(literal, &mut regex);
            }
            '[' | ']' => {
                in_class = char == '[';
                regex.push(char);
            }
            '%' if !in_class => regex.push_str("(?s:.*)"),
            '_' | '.' if !in_class => regex.push_str(r"[^\n\r\u{85}\u{2028}\u{2029}]"),
            '^' | '|' | '*' | '+' | '?' | '{' | '}' | '(' | ')' if !in_class => regex.push(char),
            '^' | '-' | ':' if in_class => regex.push(char),
            char => push_literal(char, &mut regex),
        }
    }
    regex.push_str(")$");
    // [:ALPHA:] and its like are written in capitals in SQL.
    let names = ["ALPHA", "UPPER", "LOWER", "DIGIT", "SPACE", "ALNUM", "WHITESPACE"];
    Ok(names.iter().fold(regex, |regex, name| {
        let class = if *name == "WHITESPACE" { "space".to_owned() } else { name.to_lowercase() };
        regex.replace(&format!("[:{name}:]"), &format!("[:{class}:]"))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewrites_patterns_to_backslash_escapes() {
        assert_eq!(to_backslash_escapes("a\\b%", None).unwrap(), "a\\\\b%");
        assert_eq!(to_backslash_escapes("50!%_", Some('!')).unwrap(), "50\\%_");
        assert_eq!(to_backslash_escapes("!!", Some('!')).unwrap(), "!");
        assert!(to_backslash_escapes("!a", Some('!')).is_err());
    }
}
