//! Errors as the user sees them: what, the line with a caret under the place, why, and how to fix it.
//!
//! ```text
//! [ERROR] Could not execute SQL statement. Reason:
//! unknown option 'hostnme' of connector 'mysql-cdc'
//!   at line 2, column 30
//!    2 | WITH ('connector'='mysql-cdc','hostnme'='mysql','password'='******')
//!      |                               ^
//!   hint: did you mean 'hostname'?
//! ```

use std::fmt::Write;

use sluice_model::{Error, Position, Reaction, Secret};

use crate::console::Console;
use crate::width;

/// Columns of a source line that are shown; of a longer one, those around the place.
const SHOWN_COLUMNS: usize = 100;

/// Says that a statement of `source` failed.
pub(crate) fn report(console: &mut Console, error: &Error, source: Option<&str>) {
    console.error("Could not execute SQL statement. Reason:");
    console.line(&explain(error, source));
    console.line("");
}

/// The text of an error and of those reported with it.
pub(crate) fn explain(error: &Error, source: Option<&str>) -> String {
    let mut text = String::new();
    push(&mut text, error, source);
    for also in error.also() {
        text.push('\n');
        push(&mut text, also, source);
    }
    text
}

fn push(text: &mut String, error: &Error, source: Option<&str>) {
    text.push_str(error.what());
    if let Some(position) = error.position() {
        let _ = write!(text, "\n  at {position}");
        if let Some(snippet) = source.and_then(|source| snippet(source, position)) {
            let _ = write!(text, "\n{snippet}");
        }
    }
    if let Some(why) = error.why() {
        let _ = write!(text, "\n  because: {why}");
    }
    if let Some(hint) = error.hint() {
        let _ = write!(text, "\n  hint: {hint}");
    }
    if error.reaction() == Reaction::Bug {
        text.push_str("\n  hint: this is a defect of Sluice, please report it with the job file");
    }
}

/// The line of a place with a caret under its column; secrets in it are masked.
fn snippet(source: &str, position: Position) -> Option<String> {
    let line_index = usize::try_from(position.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(position.column).ok()?.checked_sub(1)?;
    let masked = masked_lines(source);
    let line = masked.get(line_index)?;
    let caret = line.iter().position(|(_, original)| *original >= column).unwrap_or(line.len());
    let from = caret.saturating_sub(SHOWN_COLUMNS * 2 / 3).min(line.len());
    let to = (from + SHOWN_COLUMNS).min(line.len());
    let plain = |part: &[(char, usize)]| -> String {
        part.iter().map(|(c, _)| if c.is_control() { ' ' } else { *c }).collect()
    };
    let before = plain(&line[from..caret]);
    let dots = |cut: bool| if cut { "…" } else { "" };
    let shown = format!("{}{}{}", dots(from > 0), plain(&line[from..to]), dots(to < line.len()));
    let indent = " ".repeat(width::of(&before) + usize::from(from > 0));
    let number = position.line;
    let margin = " ".repeat(number.to_string().len().max(4));
    Some(format!("{number:>4} | {shown}\n{margin} | {indent}^"))
}

/// The lines of a text with the values of secret options masked, each character with the column
/// that it has in the text.
fn masked_lines(source: &str) -> Vec<Vec<(char, usize)>> {
    let characters: Vec<char> = source.chars().collect();
    let hidden = secret_ranges(&characters);
    let mut lines = vec![Vec::new()];
    let mut column = 0;
    for (index, c) in characters.iter().enumerate() {
        if *c == '\n' {
            lines.push(Vec::new());
            column = 0;
            continue;
        }
        match (lines.last_mut(), hidden.iter().find(|(start, end)| (*start..*end).contains(&index))) {
            (Some(line), None) if *c != '\r' => line.push((*c, column)),
            (Some(line), Some((start, _))) if *start == index => line.extend(Secret::MASK.chars().map(|c| (c, column))),
            _ => {}
        }
        column += 1;
    }
    lines
}

/// Where the values of secret options stand, without their quotes: of `'password' = 'x'` the `x`.
fn secret_ranges(characters: &[char]) -> Vec<(usize, usize)> {
    let mut ranges = Vec::new();
    let mut key: Option<String> = None;
    let mut index = 0;
    while index < characters.len() {
        let c = characters[index];
        if c == '\'' {
            let start = index + 1;
            let end = literal_end(characters, start);
            let literal: String = characters[start..end].iter().collect();
            let is_secret = key.as_deref().is_some_and(|key| {
                key.ends_with('=') && (Secret::is_secret_key(key) || Secret::mask_url(&literal) != literal)
            });
            if is_secret {
                ranges.push((start, end));
            }
            key = (!is_secret).then_some(literal);
            index = end + 1;
            continue;
        }
        match &mut key {
            Some(key) if c == '=' => key.push('='),
            _ if c.is_whitespace() => {}
            _ => key = None,
        }
        index += 1;
    }
    ranges
}

/// Index of the quote that closes a literal; `''` inside is one quote.
fn literal_end(characters: &[char], start: usize) -> usize {
    let mut index = start;
    while index < characters.len() {
        if characters[index] == '\'' {
            if characters.get(index + 1) != Some(&'\'') {
                return index;
            }
            index += 1;
        }
        index += 1;
    }
    characters.len()
}

/// A text with the values of secret options masked.
pub(crate) fn masked(source: &str) -> String {
    let lines: Vec<String> = masked_lines(source).iter().map(|line| line.iter().map(|(c, _)| *c).collect()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str =
        "CREATE TABLE t (id INT)\nWITH ('password'='hunter2', 'url' = 'http://u:p@h/', 'hostnme'='h');\n-- 数据 'x'";

    #[test]
    fn shows_the_line_and_the_place() {
        let column = SOURCE.lines().nth(1).unwrap().find("'hostnme'").unwrap() as u64 + 1;
        let error = Error::fix("unknown option 'hostnme'")
            .at(Position { line: 2, column })
            .with_hint("did you mean 'hostname'?");
        assert_eq!(
            explain(&error, Some(SOURCE)),
            format!(
                "unknown option 'hostnme'\n  at line 2, column {column}\n   \
                 2 | WITH ('password'='******', 'url' = '******', 'hostnme'='h');\n     \
                 |                                              ^\n  hint: did you mean 'hostname'?"
            )
        );
    }

    #[test]
    fn wide_characters_move_the_caret() {
        let error = Error::fix("x").at(Position { line: 3, column: 7 });
        assert!(explain(&error, Some(SOURCE)).ends_with("   3 | -- 数据 'x'\n     |         ^"));
    }

    #[test]
    fn a_place_outside_of_the_text_is_said_without_a_line() {
        let error = Error::fix("x").at(Position { line: 9, column: 9 });
        assert_eq!(explain(&error, Some(SOURCE)), "x\n  at line 9, column 9");
        let error = Error::fix("x").at(Position { line: 1, column: 900 });
        assert!(explain(&error, Some(SOURCE)).contains("   1 | CREATE TABLE t (id INT)\n"));
    }

    #[test]
    fn masks_what_must_not_be_shown() {
        let text = masked(SOURCE);
        assert!(!text.contains("hunter2") && !text.contains("u:p@") && text.contains("'hostnme'='h'"), "{text}");
        assert_eq!(
            masked("SET 'my.token' = 'a''b'; SELECT 'password', 'x'"),
            "SET 'my.token' = '******'; SELECT 'password', 'x'"
        );
        assert_eq!(masked("'secret' = 'never closed"), "'secret' = '******");
        assert_eq!(masked("'password'\n=\n'a\nb'"), "'password'\n=\n'******\n'");
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let line = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let text = explain(&Error::fix("x").at(Position { line: 1, column: 501 }), Some(&line));
        let lines: Vec<&str> = text.lines().collect();
        let (shown, caret) = (lines[2], lines[3]);
        let at = caret.chars().position(|c| c == '^').unwrap();
        assert_eq!(shown.chars().nth(at), Some('X'));
        assert!(shown.chars().count() < 120);
    }
}
