//! SQL text to statements.
//!
//! ```text
//! script ──split──▶ RawStatement ──parse──▶ Statement
//! ```
//!
//! [`split`] cuts a script at its `;`, [`parse`] reads one statement. Statements are read by this
//! module; queries and expressions inside them by sqlparser, with the [`FlinkDialect`]. Every place
//! is one of the whole script, and every error says in plain words what was expected and what was found.
//!
//! ```
//! use sluice_sql::parser::{Statement, parse_script};
//!
//! let script = "SET 'pipeline.name' = 'copy';\nINSERT INTO sink SELECT * FROM source;";
//! let parsed = parse_script(script)?;
//! let Statement::Insert(insert) = &parsed[1].1 else { panic!() };
//! assert_eq!(insert.target.name(), "sink");
//! assert_eq!(insert.source.text, "SELECT * FROM source");
//!
//! let error = parse_script("SELECT a,\n  FROM t").unwrap_err();
//! assert_eq!(error.what(), "expected an expression but found the reserved word 'FROM'");
//! assert_eq!(error.position().map(|at| (at.line, at.column)), Some((2, 3)));
//! # Ok::<(), sluice_model::Error>(())
//! ```

mod ast;
mod comparison;
mod cursor;
mod dialect;
mod display;
mod explain_error;
mod hints;
mod json;
mod lexer;
mod limits;
mod literal;
mod query;
mod query_check;
mod reserved;
mod set_operations;
mod splitter;
mod statement;
mod temporal;
mod types;

#[cfg(test)]
mod tests;

use sluice_model::{Error, Result};

pub use ast::{
    ColumnDefinition, ColumnKind, ColumnType, CreateCatalog, CreateDatabase, CreateTable, CreateView, Describe,
    Distribution, Drop, DropKind, Explain, ExplainDetail, Identifier, Insert, LikeClause, LikeFeature, LikeOption,
    LikePattern, LikeStrategy, NotSupported, ObjectPath, ParsedExpr, ParsedQuery, PrimaryKey, Show, Statement,
    StatementSet, StopJob, Watermark,
};
pub use dialect::{FlinkDialect, TableArgument};
pub use display::{format_create_table, format_create_view, type_text};
pub use hints::{Hints, QueryHint, QueryHintKind};
pub use splitter::{RawStatement, is_complete, split};
pub use types::{parse_type_text, sql_type_of};

/// Reads one statement.
pub fn parse(raw: &RawStatement) -> Result<Statement> {
    statement::parse(raw)
}

/// Reads a script; the first error ends it.
pub fn parse_script(script: &str) -> Result<Vec<(RawStatement, Statement)>> {
    split(script)?
        .into_iter()
        .map(|raw| {
            let statement = parse(&raw)?;
            Ok((raw, statement))
        })
        .collect()
}

/// Reads a text of exactly one statement; a `;` behind it is allowed.
pub fn parse_one(text: &str) -> Result<Statement> {
    match split(text)?.as_slice() {
        [raw] => parse(raw),
        [] => Err(Error::fix("there is no statement in this text")),
        [_, second, ..] => Err(Error::fix("expected one statement, but another one follows").at(second.position())),
    }
}

/// Reads a query, such as the stored text of a view.
pub fn parse_query(text: &str) -> Result<ParsedQuery> {
    match parse_one(text)? {
        Statement::Query(query) => Ok(query),
        _ => Err(Error::fix("expected a query")),
    }
}
