//! One function per kind of statement.

mod create;
mod create_table;
mod dml;
mod explain;
mod like;
mod session;
mod show;
mod table_check;

use sluice_model::{Error, Result, TableOption, TableOptions, suggest};
use sqlparser::tokenizer::Token;

use super::ast::{NotSupported, Statement};
use super::cursor::{Cursor, Tokens, describe};
use super::dialect::FlinkDialect;
use super::lexer::is_word;
use super::splitter::RawStatement;

/// Words that start a statement.
const STARTS: [&str; 37] = [
    "ADD", "ALTER", "ANALYZE", "BEGIN", "CALL", "CLEAR", "COMPILE", "CREATE", "DELETE", "DESC", "DESCRIBE", "DROP",
    "EXECUTE", "EXIT", "EXPLAIN", "HELP", "INSERT", "LOAD", "QUIT", "REMOVE", "REPLACE", "RESET", "SELECT", "SET",
    "SHOW", "STOP", "TRUNCATE", "UNLOAD", "UPDATE", "UPSERT", "USE", "VALUES", "WITH", "END", "COMMIT", "GRANT",
    "SOURCE",
];

/// Reads a statement.
pub(crate) fn parse(raw: &RawStatement) -> Result<Statement> {
    read(raw).map_err(|error| error.at(raw.position()))
}

fn read(raw: &RawStatement) -> Result<Statement> {
    // These take text that is not made of SQL tokens: SET a = file:///b
    if let Some(statement) = session::parse_text(raw) {
        return statement;
    }
    let dialect = FlinkDialect::default();
    let mut cursor = Cursor::new(raw, &dialect)?;
    let statement = parse_any(&mut cursor)?;
    // What is not supported is not read to its end either.
    if !matches!(statement, Statement::NotSupported(_)) {
        cursor.finish()?;
    }
    Ok(statement)
}

fn parse_any(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let position = cursor.position();
    let Token::Word(word) = cursor.next_symbol() else {
        // (SELECT …) UNION …
        if cursor.next_symbol() == &Token::LParen {
            return cursor.query().map(Statement::Query);
        }
        return Err(
            Error::fix(format!("expected a statement but found {}", describe(cursor.next_symbol()))).at(position)
        );
    };
    let not_supported = |name: &str| Ok(not_supported(name, cursor));
    match word.value.to_ascii_uppercase().as_str() {
        _ if word.quote_style.is_some() => Err(unknown_statement(cursor)),
        "CREATE" => create::parse(cursor),
        "DROP" => create::parse_drop(cursor),
        "INSERT" => dml::parse_insert(cursor),
        "EXECUTE" => dml::parse_execute(cursor),
        "BEGIN" => dml::parse_begin(cursor),
        "SELECT" | "WITH" | "VALUES" => cursor.query().map(Statement::Query),
        "EXPLAIN" => explain::parse(cursor),
        "SHOW" => show::parse(cursor),
        "DESCRIBE" | "DESC" => show::parse_describe(cursor),
        "USE" => session::parse_use(cursor),
        "STOP" => session::parse_stop(cursor),
        "QUIT" | "EXIT" => client(cursor, Statement::Quit),
        "CLEAR" => client(cursor, Statement::Clear),
        "HELP" => client(cursor, Statement::Help),
        "ALTER" => Ok(not_supported_of_two_words(cursor)),
        "REPLACE" => not_supported("REPLACE TABLE"),
        "COMPILE" => not_supported("COMPILE PLAN"),
        "ANALYZE" => not_supported("ANALYZE TABLE"),
        "TRUNCATE" => not_supported("TRUNCATE TABLE"),
        "LOAD" => not_supported("LOAD MODULE"),
        "UNLOAD" => not_supported("UNLOAD MODULE"),
        "UPSERT" => not_supported("UPSERT INTO"),
        "UPDATE" => not_supported("UPDATE"),
        "DELETE" => not_supported("DELETE"),
        "CALL" => not_supported("CALL"),
        "END" => Err(Error::fix("END without BEGIN")
            .at(position)
            .with_hint("a statement set is written EXECUTE STATEMENT SET BEGIN … END")),
        _ => Err(unknown_statement(cursor)),
    }
}

fn client(cursor: &mut Cursor<'_>, statement: Statement) -> Result<Statement> {
    cursor.skip();
    Ok(statement)
}

fn unknown_statement(cursor: &Cursor<'_>) -> Error {
    let error = Error::fix(format!("unknown statement {}", describe(cursor.next_symbol()))).at(cursor.position());
    let likely = match cursor.next_symbol() {
        Token::Word(word) if word.quote_style.is_none() => suggest(&word.value, STARTS),
        _ => None,
    };
    match likely {
        Some(likely) => error.with_hint(format!("did you mean {likely}?")),
        None => error.with_hint("HELP lists the statements"),
    }
}

fn not_supported(name: &str, cursor: &Cursor<'_>) -> Statement {
    not_supported_with(name, cursor, None)
}

fn not_supported_with(name: &str, cursor: &Cursor<'_>, hint: Option<&'static str>) -> Statement {
    // The statement's place, not that of the word that told.
    let position = cursor.raw.position();
    Statement::NotSupported(NotSupported { name: name.to_owned(), position, hint })
}

/// `ALTER TABLE` and the like: the first words name the statement.
fn not_supported_of_two_words(cursor: &Cursor<'_>) -> Statement {
    let mut name = String::new();
    for n in 0..3 {
        let Token::Word(word) = cursor.symbol_at(n) else { break };
        let word = word.value.to_ascii_uppercase();
        name.push_str(if n == 0 { "" } else { " " });
        name.push_str(&word);
        if n > 0 && word != "MATERIALIZED" {
            break;
        }
    }
    let hint =
        (name == "ALTER TABLE").then_some("drop the table and create it again: a table holds no data of its own");
    not_supported_with(&name, cursor, hint)
}

/// `IF NOT EXISTS`
fn if_not_exists(cursor: &mut Cursor<'_>) -> Result<bool> {
    if !cursor.accept("IF") {
        return Ok(false);
    }
    cursor.expect_all(&["NOT", "EXISTS"])?;
    Ok(true)
}

/// `COMMENT '…'`
fn comment(cursor: &mut Cursor<'_>) -> Result<Option<String>> {
    if cursor.accept("COMMENT") { cursor.string("the comment").map(Some) } else { Ok(None) }
}

/// `WITH ('key' = 'value', …)`
fn with_options(cursor: &mut Cursor<'_>) -> Result<TableOptions> {
    let mut options = TableOptions::default();
    if !cursor.accept("WITH") {
        return Ok(options);
    }
    cursor.expect_symbol(&Token::LParen)?;
    if cursor.accept_symbol(&Token::RParen) {
        return Ok(options);
    }
    loop {
        options.set(option(cursor)?);
        if cursor.accept_symbol(&Token::Comma) {
            if cursor.next_symbol() == &Token::RParen {
                return Err(Error::fix("expected another option but found ')'")
                    .at(cursor.position())
                    .with_hint("remove the comma after the last option"));
            }
            continue;
        }
        if cursor.accept_symbol(&Token::RParen) {
            return Ok(options);
        }
        let error = cursor.unexpected("',' or ')'");
        return Err(match cursor.next_symbol() {
            Token::SingleQuotedString(_) => error.with_hint("add a comma between the options"),
            Token::EOF => error.with_hint("the '(' after WITH is never closed"),
            _ => error,
        });
    }
}

fn option(cursor: &mut Cursor<'_>) -> Result<TableOption> {
    let position = cursor.position();
    let key = option_text(cursor, "the key of an option")?;
    if !cursor.accept_symbol(&Token::Eq) {
        return Err(cursor.unexpected("'='").with_hint("options are written 'key' = 'value'"));
    }
    let value = option_text(cursor, "the value of the option")?;
    Ok(TableOption { key, value, position: Some(position) })
}

fn option_text(cursor: &mut Cursor<'_>, what: &str) -> Result<String> {
    let found = cursor.next_symbol();
    let is_bare = matches!(found, Token::Number(..) | Token::Word(_));
    let shown = match found {
        // Options may be secrets, so what stands there is not repeated.
        token if is_word(token, "TRUE") || is_word(token, "FALSE") => format!("'{token}'"),
        _ => "'…'".to_owned(),
    };
    if is_bare {
        return Err(Error::fix(format!("{what} must be in single quotes"))
            .at(cursor.position())
            .with_hint(format!("write it as {}", shown.to_lowercase())));
    }
    cursor.string(what)
}
