//! `CREATE` and `DROP` of everything but tables.

use sluice_model::{Error, Result};
use sqlparser::tokenizer::Token;

use super::super::ast::{CreateCatalog, CreateDatabase, CreateView, Drop, DropKind, Statement};
use super::super::cursor::{Cursor, Tokens};
use super::{comment, create_table, if_not_exists, not_supported, with_options};

const KINDS: &str = "TABLE, VIEW, DATABASE, CATALOG, FUNCTION";

/// `CREATE …`
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("CREATE")?;
    let or_replace = cursor.accept_all(&["OR", "REPLACE"]);
    if cursor.accept_all(&["OR", "ALTER"]) {
        return Ok(not_supported("CREATE MATERIALIZED TABLE", cursor));
    }
    let temporary = cursor.accept("TEMPORARY") || cursor.accept("TEMP");
    if cursor.accept("SYSTEM") && cursor.next_is("FUNCTION") {
        return Ok(not_supported("CREATE FUNCTION", cursor));
    }
    if cursor.next_is("TABLE") && or_replace {
        return Ok(not_supported("CREATE OR REPLACE TABLE", cursor));
    }
    if cursor.accept("TABLE") {
        return create_table::parse(cursor, temporary);
    }
    if cursor.accept("VIEW") {
        return view(cursor, or_replace, temporary);
    }
    for (word, name) in [
        ("FUNCTION", "CREATE FUNCTION"),
        ("MODEL", "CREATE MODEL"),
        ("CONNECTION", "CREATE CONNECTION"),
        ("MATERIALIZED", "CREATE MATERIALIZED TABLE"),
    ] {
        if cursor.next_is(word) {
            return Ok(not_supported(name, cursor));
        }
    }
    if (cursor.next_is("DATABASE") || cursor.next_is("CATALOG")) && (temporary || or_replace) {
        return Err(cursor.unexpected("TABLE, VIEW"));
    }
    if cursor.accept("DATABASE") {
        return database(cursor);
    }
    if cursor.accept("CATALOG") {
        return catalog(cursor);
    }
    if cursor.next_is("SCHEMA") {
        return Err(cursor.unexpected(KINDS).with_hint("use DATABASE"));
    }
    Err(cursor.unexpected(KINDS))
}

fn view(cursor: &mut Cursor<'_>, or_replace: bool, temporary: bool) -> Result<Statement> {
    let if_not_exists = if_not_exists(cursor)?;
    let name = cursor.path("the name of the view")?;
    let columns =
        if cursor.next_symbol() == &Token::LParen { cursor.identifiers("the name of a column")? } else { Vec::new() };
    let comment = comment(cursor)?;
    cursor.expect("AS")?;
    let query = cursor.query()?;
    Ok(Statement::CreateView(CreateView { or_replace, temporary, if_not_exists, name, columns, comment, query }))
}

fn database(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let if_not_exists = if_not_exists(cursor)?;
    let name = cursor.path_of("the name of the database", 2)?;
    let comment = comment(cursor)?;
    let options = with_options(cursor)?;
    Ok(Statement::CreateDatabase(CreateDatabase { if_not_exists, name, comment, options }))
}

fn catalog(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let if_not_exists = if_not_exists(cursor)?;
    let name = cursor.identifier("the name of the catalog")?;
    let comment = comment(cursor)?;
    let options = with_options(cursor)?;
    Ok(Statement::CreateCatalog(CreateCatalog { if_not_exists, name, comment, options }))
}

/// `DROP …`
pub(super) fn parse_drop(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("DROP")?;
    let temporary_at = cursor.position();
    let temporary = cursor.accept("TEMPORARY") || cursor.accept("TEMP");
    let system = cursor.accept("SYSTEM");
    for (word, name) in [
        ("FUNCTION", "DROP FUNCTION"),
        ("MODEL", "DROP MODEL"),
        ("CONNECTION", "DROP CONNECTION"),
        ("MATERIALIZED", "DROP MATERIALIZED TABLE"),
    ] {
        if cursor.next_is(word) {
            return Ok(not_supported(name, cursor));
        }
    }
    let kind = if system {
        return Err(cursor.unexpected("FUNCTION"));
    } else if cursor.accept("TABLE") {
        DropKind::Table
    } else if cursor.accept("VIEW") {
        DropKind::View
    } else if cursor.accept("DATABASE") {
        DropKind::Database
    } else if cursor.accept("CATALOG") {
        DropKind::Catalog
    } else {
        return Err(cursor.unexpected(KINDS));
    };
    if temporary && matches!(kind, DropKind::Database | DropKind::Catalog) {
        return Err(Error::fix("only tables and views can be temporary").at(temporary_at));
    }
    let if_exists = cursor.accept("IF");
    if if_exists {
        cursor.expect("EXISTS")?;
    }
    let name = match kind {
        DropKind::Table => cursor.path("the name of the table")?,
        DropKind::View => cursor.path("the name of the view")?,
        DropKind::Database => cursor.path_of("the name of the database", 2)?,
        DropKind::Catalog => cursor.path_of("the name of the catalog", 1)?,
    };
    let is_database = kind == DropKind::Database;
    let cascade = is_database && cursor.accept("CASCADE");
    if is_database && !cascade {
        cursor.accept("RESTRICT");
    }
    Ok(Statement::Drop(Drop { kind, temporary, if_exists, name, cascade }))
}
