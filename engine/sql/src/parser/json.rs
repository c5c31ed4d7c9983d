//! `JSON_VALUE`, `JSON_QUERY` and `JSON_EXISTS` with their SQL:2016 clauses.
//!
//! The clauses become named arguments behind the two plain ones:
//!
//! | clause | argument |
//! |---|---|
//! | `RETURNING INT` | `returning => 'INT'` |
//! | `NULL ON EMPTY`, `ERROR ON EMPTY`, `EMPTY ARRAY ON EMPTY` | `on_empty => 'NULL'`, `'ERROR'`, `'EMPTY ARRAY'` |
//! | `DEFAULT 1 ON ERROR` | `default_on_error => 1` |
//! | `TRUE ON ERROR` | `on_error => 'TRUE'` |
//! | `WITH CONDITIONAL ARRAY WRAPPER` | `wrapper => 'CONDITIONAL'` |

use sqlparser::ast::{DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArgOperator, Ident, Value};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token};

use super::cursor::Tokens;
use super::dialect::{FlinkDialect, call, unnamed};
use super::lexer::is_word;

type Parsed<T> = Result<T, ParserError>;

/// Reads one of the three functions; its name is the next token.
pub(crate) fn function(dialect: &FlinkDialect, parser: &mut Parser<'_>, name: &str) -> Parsed<Expr> {
    let token = parser.next_token();
    parser.expect_token(&Token::LParen)?;
    let mut args = vec![unnamed(parser.parse_expr()?)];
    parser.expect_token(&Token::Comma)?;
    args.push(unnamed(parser.parse_expr()?));
    if name != "JSON_EXISTS" && parser.accept("RETURNING") {
        let DataType::Custom(type_name, _) = dialect.data_type(parser)? else {
            return parser.expected_at("a type", parser.get_current_index());
        };
        args.push(named("returning", text(&type_name.to_string(), token.span)));
    }
    if name == "JSON_QUERY"
        && let Some(wrapper) = wrapper(parser)?
    {
        args.push(named("wrapper", text(wrapper, token.span)));
    }
    while let Some(arg) = behaviour(parser, token.span)? {
        args.push(arg);
    }
    parser.expect_token(&Token::RParen)?;
    Ok(call(Ident { value: name.to_owned(), quote_style: None, span: token.span }, args))
}

/// `{WITHOUT | WITH [CONDITIONAL | UNCONDITIONAL]} [ARRAY] WRAPPER`
fn wrapper(parser: &mut Parser<'_>) -> Parsed<Option<&'static str>> {
    let wrapper = if parser.accept("WITHOUT") {
        "WITHOUT"
    } else if parser.accept("WITH") {
        if parser.accept("CONDITIONAL") {
            "CONDITIONAL"
        } else {
            parser.accept("UNCONDITIONAL");
            "UNCONDITIONAL"
        }
    } else {
        return Ok(None);
    };
    parser.accept("ARRAY");
    if !parser.accept("WRAPPER") {
        return parser.expected_ref("WRAPPER", parser.peek_token_ref());
    }
    Ok(Some(wrapper))
}

/// `{NULL | ERROR | TRUE | … | DEFAULT x} ON {EMPTY | ERROR}`
fn behaviour(parser: &mut Parser<'_>, span: Span) -> Parsed<Option<FunctionArg>> {
    if parser.accept("DEFAULT") {
        let value = parser.parse_expr()?;
        let event = event(parser)?;
        return Ok(Some(named(if event == "EMPTY" { "default_on_empty" } else { "default_on_error" }, value)));
    }
    const BEHAVIOURS: [&[&str]; 7] =
        [&["NULL"], &["ERROR"], &["TRUE"], &["FALSE"], &["UNKNOWN"], &["EMPTY", "ARRAY"], &["EMPTY", "OBJECT"]];
    let found = BEHAVIOURS.iter().find(|words| {
        words.iter().enumerate().all(|(n, word)| is_word(parser.symbol_at(n), word))
            && is_word(parser.symbol_at(words.len()), "ON")
    });
    let Some(words) = found else { return Ok(None) };
    parser.accept_all(words);
    let event = event(parser)?;
    let name = if event == "EMPTY" { "on_empty" } else { "on_error" };
    Ok(Some(named(name, text(&words.join(" "), span))))
}

fn event(parser: &mut Parser<'_>) -> Parsed<&'static str> {
    if !parser.accept("ON") {
        return parser.expected_ref("ON", parser.peek_token_ref());
    }
    match ["EMPTY", "ERROR"].into_iter().find(|event| parser.accept(event)) {
        Some(event) => Ok(event),
        None => parser.expected_ref("EMPTY or ERROR", parser.peek_token_ref()),
    }
}

fn named(name: &str, expr: Expr) -> FunctionArg {
    FunctionArg::Named {
        name: Ident::new(name),
        arg: FunctionArgExpr::Expr(expr),
        operator: FunctionArgOperator::RightArrow,
    }
}

fn text(value: &str, span: Span) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.to_owned()).with_span(span))
}
