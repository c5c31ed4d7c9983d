//! `INSERT` and statement sets.

use sluice_model::{Error, Position, Result, TableOptions};
use sqlparser::ast::Expr;
use sqlparser::tokenizer::Token;

use super::super::ast::{Identifier, Insert, Statement, StatementSet};
use super::super::cursor::{Cursor, Tokens};
use super::super::lexer::is_word;
use super::not_supported;

/// `INSERT …`
pub(super) fn parse_insert(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let insert = insert(cursor)?;
    if cursor.next_is("ON") {
        return Ok(not_supported("INSERT … ON CONFLICT", cursor));
    }
    Ok(Statement::Insert(insert))
}

/// `EXECUTE INSERT | query | STATEMENT SET | PLAN`
pub(super) fn parse_execute(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let position = cursor.position();
    cursor.expect("EXECUTE")?;
    if cursor.next_is("STATEMENT") {
        return parse_statement_set(cursor, position);
    }
    if cursor.next_is("INSERT") {
        return parse_insert(cursor);
    }
    if ["SELECT", "WITH", "VALUES"].iter().any(|word| cursor.next_is(word)) {
        return cursor.query().map(Statement::Query);
    }
    if cursor.next_is("PLAN") {
        return Ok(not_supported("EXECUTE PLAN", cursor));
    }
    Err(cursor.unexpected("STATEMENT, INSERT, SELECT"))
}

/// `BEGIN STATEMENT SET; … END`, the older form.
pub(super) fn parse_begin(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let position = cursor.position();
    cursor.expect_all(&["BEGIN", "STATEMENT", "SET"])?;
    semicolon(cursor)?;
    set_body(cursor, position)
}

/// `STATEMENT SET BEGIN … END`
pub(super) fn parse_statement_set(cursor: &mut Cursor<'_>, position: Position) -> Result<Statement> {
    cursor.expect_all(&["STATEMENT", "SET", "BEGIN"])?;
    set_body(cursor, position)
}

fn set_body(cursor: &mut Cursor<'_>, position: Position) -> Result<Statement> {
    let mut inserts = Vec::new();
    loop {
        if cursor.accept("END") {
            break;
        }
        if cursor.next_symbol() == &Token::EOF {
            return Err(Error::fix("the statement set is never closed").at(position).with_hint("add END; behind it"));
        }
        if cursor.next_is("CREATE") {
            return Ok(not_supported("CREATE TABLE … AS in a statement set", cursor));
        }
        if !cursor.next_is("INSERT") {
            return Err(cursor.unexpected("INSERT, END"));
        }
        inserts.push(insert(cursor)?);
        if cursor.next_is("ON") {
            return Ok(not_supported("INSERT … ON CONFLICT", cursor));
        }
        semicolon(cursor)?;
    }
    if inserts.is_empty() {
        return Err(Error::fix("the statement set is empty").at(position).with_hint("it needs at least one INSERT"));
    }
    Ok(Statement::StatementSet(StatementSet { position, inserts }))
}

fn semicolon(cursor: &mut Cursor<'_>) -> Result<()> {
    if cursor.accept_symbol(&Token::SemiColon) {
        return Ok(());
    }
    Err(cursor.unexpected("';'").with_hint("every statement of a set ends with ';', also the last one before END"))
}

fn insert(cursor: &mut Cursor<'_>) -> Result<Insert> {
    let position = cursor.position();
    cursor.expect("INSERT")?;
    let overwrite = cursor.accept("OVERWRITE");
    if !overwrite && !cursor.accept("INTO") {
        return Err(cursor.unexpected("INTO, OVERWRITE"));
    }
    let target = cursor.path("the name of the table")?;
    let target_options = match target.parts.last() {
        Some(name) => cursor.hints.take_table(name.position).unwrap_or_default(),
        None => TableOptions::default(),
    };
    let partition = if cursor.accept("PARTITION") { partition(cursor)? } else { Vec::new() };
    let columns = if is_column_list(cursor) { cursor.identifiers("the name of a column")? } else { Vec::new() };
    if cursor.next_symbol() == &Token::EOF || cursor.next_symbol() == &Token::SemiColon {
        return Err(cursor.unexpected("SELECT, VALUES, WITH"));
    }
    let source = cursor.query()?;
    Ok(Insert { position, overwrite, target, target_options, partition, columns, source })
}

/// A `(` here starts a list of columns or a query.
fn is_column_list(cursor: &Cursor<'_>) -> bool {
    let behind = cursor.symbol_at(1);
    let is_query = ["SELECT", "WITH", "VALUES"].iter().any(|word| is_word(behind, word));
    cursor.next_symbol() == &Token::LParen && !is_query && behind != &Token::LParen
}

/// `(a = 1, b)`
fn partition(cursor: &mut Cursor<'_>) -> Result<Vec<(Identifier, Option<Expr>)>> {
    cursor.expect_symbol(&Token::LParen)?;
    let mut partition = Vec::new();
    loop {
        let name = cursor.identifier("the name of a column")?;
        let value =
            if cursor.accept_symbol(&Token::Eq) { Some(cursor.read(|parser| parser.parse_expr())?) } else { None };
        partition.push((name, value));
        if !cursor.accept_symbol(&Token::Comma) {
            break;
        }
    }
    cursor.expect_symbol(&Token::RParen)?;
    Ok(partition)
}
