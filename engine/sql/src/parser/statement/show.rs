//! `SHOW` and `DESCRIBE`.

use sluice_model::Result;
use sqlparser::tokenizer::Token;

use super::super::ast::{Describe, LikePattern, ObjectPath, Show, Statement};
use super::super::cursor::{Cursor, Tokens};
use super::not_supported;

const KINDS: &str = "TABLES, VIEWS, DATABASES, CATALOGS, COLUMNS, FUNCTIONS, MODULES, JARS, JOBS, CREATE, CURRENT";

/// `SHOW …`
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("SHOW")?;
    for (word, name) in [
        ("MATERIALIZED", "SHOW MATERIALIZED TABLES"),
        ("PARTITIONS", "SHOW PARTITIONS"),
        ("PROCEDURES", "SHOW PROCEDURES"),
        ("MODELS", "SHOW MODELS"),
        ("CONNECTIONS", "SHOW CONNECTIONS"),
    ] {
        if cursor.next_is(word) {
            return Ok(not_supported(name, cursor));
        }
    }
    if cursor.accept("CREATE") {
        return show_create(cursor);
    }
    let show = if cursor.accept("CATALOGS") {
        Show::Catalogs(like(cursor)?)
    } else if cursor.accept("CURRENT") {
        current(cursor)?
    } else if cursor.accept("DATABASES") {
        let catalog = if from(cursor) { Some(cursor.identifier("the name of a catalog")?) } else { None };
        Show::Databases(catalog, like(cursor)?)
    } else if cursor.accept("TABLES") {
        Show::Tables(from_database(cursor)?, like(cursor)?)
    } else if cursor.accept("VIEWS") {
        Show::Views(from_database(cursor)?, like(cursor)?)
    } else if cursor.accept("COLUMNS") {
        if !from(cursor) {
            return Err(cursor.unexpected("FROM, IN"));
        }
        Show::Columns(cursor.path("the name of a table")?, like(cursor)?)
    } else if cursor.accept("FUNCTIONS") {
        Show::Functions { user: false, from: from_database(cursor)?, like: like(cursor)? }
    } else if cursor.accept_all(&["USER", "FUNCTIONS"]) {
        Show::Functions { user: true, from: from_database(cursor)?, like: like(cursor)? }
    } else if cursor.accept("MODULES") {
        Show::Modules { full: false }
    } else if cursor.accept_all(&["FULL", "MODULES"]) {
        Show::Modules { full: true }
    } else if cursor.accept("JARS") {
        Show::Jars
    } else if cursor.accept("JOBS") {
        Show::Jobs
    } else {
        return Err(cursor.unexpected(KINDS));
    };
    Ok(Statement::Show(show))
}

fn current(cursor: &mut Cursor<'_>) -> Result<Show> {
    if cursor.accept("CATALOG") {
        Ok(Show::CurrentCatalog)
    } else if cursor.accept("DATABASE") {
        Ok(Show::CurrentDatabase)
    } else {
        Err(cursor.unexpected("CATALOG, DATABASE"))
    }
}

fn show_create(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let show = if cursor.accept("TABLE") {
        Show::CreateTable(cursor.path("the name of a table")?)
    } else if cursor.accept("VIEW") {
        Show::CreateView(cursor.path("the name of a view")?)
    } else if cursor.accept("CATALOG") {
        Show::CreateCatalog(cursor.identifier("the name of a catalog")?)
    } else if let Some(name) = [
        ("MODEL", "SHOW CREATE MODEL"),
        ("CONNECTION", "SHOW CREATE CONNECTION"),
        ("MATERIALIZED", "SHOW CREATE MATERIALIZED TABLE"),
        ("OR", "SHOW CREATE OR ALTER MATERIALIZED TABLE"),
    ]
    .iter()
    .find_map(|(word, name)| cursor.next_is(word).then_some(*name))
    {
        return Ok(not_supported(name, cursor));
    } else {
        return Err(cursor.unexpected("TABLE, VIEW, CATALOG"));
    };
    Ok(Statement::Show(show))
}

fn from(cursor: &mut Cursor<'_>) -> bool {
    cursor.accept("FROM") || cursor.accept("IN")
}

fn from_database(cursor: &mut Cursor<'_>) -> Result<Option<ObjectPath>> {
    if from(cursor) { cursor.path_of("the name of a database", 2).map(Some) } else { Ok(None) }
}

/// `[NOT] LIKE | ILIKE 'pattern'`
fn like(cursor: &mut Cursor<'_>) -> Result<Option<LikePattern>> {
    let negated = cursor.accept("NOT");
    let case_insensitive = cursor.accept("ILIKE");
    if !case_insensitive && !cursor.accept("LIKE") {
        return if negated { Err(cursor.unexpected("LIKE, ILIKE")) } else { Ok(None) };
    }
    let pattern = cursor.string("a pattern")?;
    Ok(Some(LikePattern { negated, case_insensitive, pattern }))
}

/// `DESCRIBE …`
pub(super) fn parse_describe(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.skip();
    let extended = matches!(cursor.symbol_at(1), Token::Word(_)) && cursor.accept("EXTENDED");
    if !extended && matches!(cursor.symbol_at(1), Token::SingleQuotedString(_)) && cursor.accept("JOB") {
        let position = cursor.position();
        let id = cursor.string("the id of the job")?;
        return Ok(Statement::Describe(Describe::Job(id, position)));
    }
    let followed_by_word = matches!(cursor.symbol_at(1), Token::Word(_));
    for (word, name) in
        [("FUNCTION", "DESCRIBE FUNCTION"), ("MODEL", "DESCRIBE MODEL"), ("CONNECTION", "DESCRIBE CONNECTION")]
    {
        if followed_by_word && cursor.next_is(word) {
            return Ok(not_supported(name, cursor));
        }
    }
    let describe = if followed_by_word && cursor.accept("CATALOG") {
        Describe::Catalog(cursor.identifier("the name of a catalog")?)
    } else if followed_by_word && cursor.accept("DATABASE") {
        Describe::Database(cursor.path_of("the name of a database", 2)?)
    } else {
        // Not part of the dialect, but meant often enough.
        if followed_by_word && cursor.next_is("TABLE") {
            return Err(cursor.unexpected("the name of a table").with_hint("write DESCRIBE name, without TABLE"));
        }
        Describe::Table(cursor.path("the name of a table")?)
    };
    Ok(Statement::Describe(describe))
}
