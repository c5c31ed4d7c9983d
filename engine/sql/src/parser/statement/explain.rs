//! `EXPLAIN`.

use sluice_model::Result;
use sqlparser::tokenizer::Token;

use super::super::ast::{Explain, ExplainDetail, Statement};
use super::super::cursor::{Cursor, Tokens};
use super::{dml, not_supported};

const DETAILS: [(&str, ExplainDetail); 4] = [
    ("ESTIMATED_COST", ExplainDetail::EstimatedCost),
    ("CHANGELOG_MODE", ExplainDetail::ChangelogMode),
    ("JSON_EXECUTION_PLAN", ExplainDetail::JsonExecutionPlan),
    ("PLAN_ADVICE", ExplainDetail::PlanAdvice),
];

/// `EXPLAIN [PLAN FOR | detail, …] statement`
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("EXPLAIN")?;
    let details = if cursor.accept_all(&["PLAN", "FOR"]) { Vec::new() } else { details(cursor)? };
    let position = cursor.position();
    let target = if cursor.next_is("STATEMENT") {
        dml::parse_statement_set(cursor, position)?
    } else if cursor.next_is("INSERT") {
        dml::parse_insert(cursor)?
    } else if cursor.next_is("EXECUTE") {
        dml::parse_execute(cursor)?
    } else if is_query(cursor) {
        Statement::Query(cursor.query()?)
    } else if ["CREATE", "REPLACE", "ALTER"].iter().any(|word| cursor.next_is(word)) {
        return Ok(not_supported("EXPLAIN of a CREATE, REPLACE or ALTER statement", cursor));
    } else {
        let names = DETAILS.map(|(name, _)| name).join(", ");
        return Err(cursor
            .unexpected("SELECT, INSERT, STATEMENT")
            .with_hint(format!("EXPLAIN takes a query, an INSERT or a statement set, and before it any of {names}")));
    };
    Ok(match target {
        Statement::NotSupported(_) => target,
        target => Statement::Explain(Explain { details, target: Box::new(target) }),
    })
}

fn is_query(cursor: &Cursor<'_>) -> bool {
    cursor.next_symbol() == &Token::LParen || ["SELECT", "WITH", "VALUES"].iter().any(|word| cursor.next_is(word))
}

fn details(cursor: &mut Cursor<'_>) -> Result<Vec<ExplainDetail>> {
    let mut details = Vec::new();
    while let Some((_, detail)) = DETAILS.iter().find(|(name, _)| cursor.accept(name)) {
        if !details.contains(detail) {
            details.push(*detail);
        }
        if !cursor.accept_symbol(&Token::Comma) {
            return Ok(details);
        }
    }
    if details.is_empty() {
        return Ok(details);
    }
    Err(cursor.unexpected(&DETAILS.map(|(name, _)| name).join(", ")))
}
