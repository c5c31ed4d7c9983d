//! `SET`, `RESET`, `USE`, `STOP JOB`, `ADD JAR`.

use sluice_model::{Error, Result};
use sqlparser::tokenizer::Token;

use super::super::ast::{Statement, StopJob};
use super::super::cursor::{Cursor, Tokens};
use super::super::lexer::Lexed;
use super::super::splitter::RawStatement;

/// Reads the statements whose text need not consist of SQL tokens; `None` for all others.
pub(super) fn parse_text(raw: &RawStatement) -> Option<Result<Statement>> {
    let first = raw.tokens().first()?;
    let second_is = |word: &str| raw.tokens().get(1).is_some_and(|second| second.is_word(word));
    if first.is_word("SET") {
        Some(set(raw))
    } else if first.is_word("RESET") {
        Some(reset(raw))
    } else if first.is_word("ADD") && second_is("JAR") {
        Some(jar(raw, "ADD JAR 'path'").map(Statement::AddJar))
    } else if first.is_word("REMOVE") && second_is("JAR") {
        Some(jar(raw, "REMOVE JAR 'path'").map(Statement::RemoveJar))
    } else {
        None
    }
}

/// `SET 'key' = 'value'`, the older `SET key = value`, and `SET`.
fn set(raw: &RawStatement) -> Result<Statement> {
    const FORM: &str = "write SET 'key' = 'value'; or SET; to list what is set";
    let Some(key_token) = raw.tokens().get(1) else { return Ok(Statement::SetList) };
    let position = key_token.position();
    if let [_, key, equals, value] = raw.tokens()
        && let (Some(Token::SingleQuotedString(key)), true, Some(Token::SingleQuotedString(value))) =
            (key.token(), equals.is(&Token::Eq), value.token())
    {
        return Ok(Statement::Set { key: key.clone(), value: value.clone(), position });
    }
    let rest = text_from(raw, key_token);
    if let Some(Token::SingleQuotedString(_)) = key_token.token() {
        let at = raw.tokens().get(2).map_or(position, Lexed::position);
        let is_bare_value = raw.tokens().get(2).is_some_and(|equals| equals.is(&Token::Eq));
        let what = if is_bare_value { "the value must be in single quotes, as the key is" } else { "expected '='" };
        return Err(Error::fix(what).at(at).with_hint(FORM));
    }
    let Some((key, value)) = rest.split_once('=') else {
        return Err(Error::fix("expected '=' and a value").at(position).with_hint(FORM));
    };
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty()
        || key.contains(|character: char| character.is_whitespace() || matches!(character, '\'' | '"' | '`'))
    {
        return Err(Error::fix("a key must be one word, or in single quotes").at(position).with_hint(FORM));
    }
    let value = bare_or_quoted(value)
        .ok_or_else(|| Error::fix("the value must be one word, or in single quotes").at(position).with_hint(FORM))?;
    Ok(Statement::Set { key: key.to_owned(), value, position })
}

/// A value as it is, or without its single quotes.
fn bare_or_quoted(value: &str) -> Option<String> {
    match value.strip_prefix('\'') {
        Some(quoted) => {
            let inside = quoted.strip_suffix('\'')?.replace("''", "\0");
            (!inside.contains('\'')).then(|| inside.replace('\0', "'"))
        }
        None => (!value.is_empty() && !value.contains(['\'', '"'])).then(|| value.to_owned()),
    }
}

/// `RESET 'key'`, `RESET key`, `RESET`
fn reset(raw: &RawStatement) -> Result<Statement> {
    let Some(key_token) = raw.tokens().get(1) else { return Ok(Statement::ResetAll) };
    let position = key_token.position();
    let key = match raw.tokens() {
        [_, only] => match only.token() {
            Some(Token::SingleQuotedString(key)) => key.clone(),
            _ => text_from(raw, key_token).to_owned(),
        },
        _ => text_from(raw, key_token).to_owned(),
    };
    if key.is_empty()
        || key.contains(|character: char| character.is_whitespace() || matches!(character, '\'' | '"' | '`'))
    {
        return Err(Error::fix("expected one key").at(position).with_hint("write RESET 'key'; or RESET; for all"));
    }
    Ok(Statement::Reset { key, position })
}

fn jar(raw: &RawStatement, form: &str) -> Result<String> {
    let Some(path) = raw.tokens().get(2) else {
        return Err(Error::fix("expected the path of a JAR").at(raw.position()).with_hint(format!("write {form}")));
    };
    match (path.token(), raw.tokens().len()) {
        (Some(Token::SingleQuotedString(path)), 3) => Ok(path.clone()),
        (Some(Token::SingleQuotedString(_)), _) => {
            Err(Error::fix("expected the end of the statement behind the path").at(path.position()))
        }
        _ => Ok(text_from(raw, path).to_owned()),
    }
}

/// The text from a token to the end of the statement.
fn text_from<'a>(raw: &'a RawStatement, token: &Lexed) -> &'a str {
    raw.slice(token.start, usize::MAX).trim()
}

/// `USE CATALOG name | MODULES a, b | [catalog.]database`
pub(super) fn parse_use(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("USE")?;
    let followed_by_word = matches!(cursor.symbol_at(1), Token::Word(_));
    if followed_by_word && cursor.accept("CATALOG") {
        return cursor.identifier("the name of the catalog").map(Statement::UseCatalog);
    }
    if followed_by_word && cursor.accept("MODULES") {
        let mut modules = vec![cursor.identifier("the name of a module")?];
        while cursor.accept_symbol(&Token::Comma) {
            modules.push(cursor.identifier("the name of a module")?);
        }
        return Ok(Statement::UseModules(modules));
    }
    if followed_by_word && cursor.next_is("DATABASE") {
        return Err(cursor.unexpected("the name of the database").with_hint("write USE name, without DATABASE"));
    }
    cursor.path_of("the name of the database", 2).map(Statement::UseDatabase)
}

/// `STOP JOB 'id' [WITH SAVEPOINT] [WITH DRAIN]`
pub(super) fn parse_stop(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect_all(&["STOP", "JOB"])?;
    let position = cursor.position();
    let id = cursor.string("the id of the job")?;
    let savepoint = cursor.accept_all(&["WITH", "SAVEPOINT"]);
    let drain_at = cursor.position();
    let drain = cursor.accept_all(&["WITH", "DRAIN"]);
    if cursor.next_is("WITH") {
        return Err(cursor.unexpected("WITH SAVEPOINT or WITH DRAIN"));
    }
    if drain && !savepoint {
        return Err(Error::fix("WITH DRAIN needs WITH SAVEPOINT before it").at(drain_at));
    }
    Ok(Statement::StopJob(StopJob { id, position, savepoint, drain }))
}
