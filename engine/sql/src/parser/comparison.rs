//! Comparisons that sqlparser does not know, or reads differently.
//!
//! ```text
//! a BETWEEN SYMMETRIC b AND c      a BETWEEN b AND c OR a BETWEEN c AND b
//! a IS DISTINCT FROM b AND c       (a IS DISTINCT FROM b) AND c
//! a IN (VALUES (1), (2))           a query, and no call of a function
//! a IS NOT JSON OBJECT             NOT IS_JSON(a, 'OBJECT')
//! ```

use sqlparser::ast::{BinaryOperator, Expr, Ident, UnaryOperator, Value};
use sqlparser::dialect::{Dialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::cursor::Tokens;
use super::dialect::{FlinkDialect, Parsed, call, unnamed};
use super::lexer::is_word;
use super::temporal;

/// What stands behind `left`, if it is one of these.
pub(super) fn infix(dialect: &FlinkDialect, parser: &mut Parser<'_>, left: &Expr) -> Option<Parsed<Expr>> {
    if temporal::is_unit_behind_paren(parser) {
        return Some(temporal::difference(dialect, parser, left));
    }
    if parser.next_is("IS") {
        let negated = is_word(parser.symbol_at(1), "NOT");
        let is = |word, n| is_word(parser.symbol_at(1 + usize::from(negated) + n), word);
        if is("DISTINCT", 0) && is("FROM", 1) {
            return Some(is_distinct(dialect, parser, left, negated));
        }
        return is("JSON", 0).then(|| Ok(is_json(parser, left, negated)));
    }
    let negated = parser.next_is("NOT");
    let is = |word, n| is_word(parser.symbol_at(usize::from(negated) + n), word);
    if is("IN", 0) && *parser.symbol_at(usize::from(negated) + 1) == Token::LParen && is("VALUES", 2) {
        return Some(in_values(parser, left, negated));
    }
    let symmetric = is("SYMMETRIC", 1);
    (is("BETWEEN", 0) && (symmetric || is("ASYMMETRIC", 1))).then(|| between(dialect, parser, left, negated, symmetric))
}

/// `IS [NOT] DISTINCT FROM`. sqlparser would take all that follows for the right side, `AND` and `OR` too.
fn is_distinct(dialect: &FlinkDialect, parser: &mut Parser<'_>, left: &Expr, negated: bool) -> Parsed<Expr> {
    (0..3 + usize::from(negated)).for_each(|_| parser.advance_token());
    let left = Box::new(left.clone());
    let right = Box::new(parser.parse_subexpr(dialect.prec_value(Precedence::Eq))?);
    Ok(if negated { Expr::IsNotDistinctFrom(left, right) } else { Expr::IsDistinctFrom(left, right) })
}

/// `[NOT] IN (VALUES …)`. sqlparser would take it for a call of a function.
fn in_values(parser: &mut Parser<'_>, left: &Expr, negated: bool) -> Parsed<Expr> {
    (0..2 + usize::from(negated)).for_each(|_| parser.advance_token());
    let subquery = parser.parse_query()?;
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::InSubquery { expr: Box::new(left.clone()), subquery, negated })
}

/// `[NOT] BETWEEN SYMMETRIC` and `ASYMMETRIC`.
fn between(
    dialect: &FlinkDialect,
    parser: &mut Parser<'_>,
    left: &Expr,
    negated: bool,
    symmetric: bool,
) -> Parsed<Expr> {
    (0..2 + usize::from(negated)).for_each(|_| parser.advance_token());
    let precedence = dialect.prec_value(Precedence::Between);
    let low = parser.parse_subexpr(precedence)?;
    parser.expect_keyword(Keyword::AND)?;
    let high = parser.parse_subexpr(precedence)?;
    let between = |low: &Expr, high: &Expr| Expr::Between {
        expr: Box::new(left.clone()),
        negated,
        low: Box::new(low.clone()),
        high: Box::new(high.clone()),
    };
    let forward = between(&low, &high);
    if !symmetric {
        return Ok(forward);
    }
    let op = if negated { BinaryOperator::And } else { BinaryOperator::Or };
    let both = Expr::BinaryOp { left: Box::new(forward), op, right: Box::new(between(&high, &low)) };
    Ok(Expr::Nested(Box::new(both)))
}

/// Reads `IS [NOT] JSON [VALUE | OBJECT | ARRAY | SCALAR]`.
fn is_json(parser: &mut Parser<'_>, left: &Expr, negated: bool) -> Expr {
    let span = parser.peek_token_ref().span;
    (0..2 + usize::from(negated)).for_each(|_| parser.advance_token());
    let kind = ["VALUE", "OBJECT", "ARRAY", "SCALAR"].into_iter().find(|kind| parser.accept(kind)).unwrap_or("VALUE");
    let kind = Expr::Value(Value::SingleQuotedString(kind.to_owned()).with_span(span));
    let name = Ident { value: "IS_JSON".to_owned(), quote_style: None, span };
    let test = call(name, vec![unnamed(left.clone()), unnamed(kind)]);
    if negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(test) } } else { test }
}
