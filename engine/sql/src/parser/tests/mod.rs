//! Tests of the parser, as tables of SQL and what it means.

mod create_table;
mod dialect;
mod errors;
mod jobs;
mod robustness;
mod statements;
mod types;

use sluice_model::Error;

use super::{CreateTable, ParsedQuery, Statement, parse_one};

fn statement(sql: &str) -> Statement {
    parse_one(sql).unwrap_or_else(|error| panic!("{sql}\n{error}"))
}

fn error(sql: &str) -> Error {
    match parse_one(sql) {
        Ok(statement) => panic!("{sql}\nwas read as {statement:?}"),
        Err(error) => error,
    }
}

fn create_table(sql: &str) -> CreateTable {
    match statement(sql) {
        Statement::CreateTable(table) => table,
        other => panic!("{sql}\nwas read as {other:?}"),
    }
}

fn query(sql: &str) -> ParsedQuery {
    match statement(sql) {
        Statement::Query(query) => query,
        other => panic!("{sql}\nwas read as {other:?}"),
    }
}
