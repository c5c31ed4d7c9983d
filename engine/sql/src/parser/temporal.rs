//! Intervals and times in expressions, where the dialect reads more than sqlparser does.

use sluice_model::Error;
use sqlparser::ast::{BinaryOperator, CastKind, DataType, Expr, Ident, ObjectName};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::cursor::Tokens;
use super::dialect::{FlinkDialect, Parsed, call, string, unnamed};
use super::lexer::position_of;

/// sqlparser would try whatever follows `INTERVAL` twice, and nested ones 2ⁿ times.
pub(super) fn interval(dialect: &FlinkDialect, parser: &Parser<'_>) -> Option<Parsed<Expr>> {
    let signed = usize::from(matches!(parser.symbol_at(1), Token::Minus | Token::Plus));
    if matches!(parser.symbol_at(1 + signed), Token::SingleQuotedString(_) | Token::Number(..)) {
        return None;
    }
    let error = Error::fix("an INTERVAL takes a number in single quotes")
        .at(position_of(parser.peek_nth_token_ref(1).span.start))
        .with_hint("write it like INTERVAL '5' SECOND");
    Some(Err(dialect.keep(error)))
}

/// `TIMESTAMP WITH LOCAL TIME ZONE 'text'`, with as many digits of the second as are written.
pub(super) fn local_timestamp(dialect: &FlinkDialect, parser: &mut Parser<'_>) -> Parsed<Expr> {
    let span = parser.peek_token_ref().span;
    parser.advance_token();
    for keyword in ["WITH", "LOCAL", "TIME", "ZONE"] {
        parser.expect(keyword).map_err(|error| dialect.keep(error))?;
    }
    let Token::SingleQuotedString(text) = parser.next_symbol().clone() else {
        return Err(dialect.keep(parser.unexpected("a string")));
    };
    let digits = text.rsplit_once('.').map_or(0, |(_, fraction)| fraction.trim_end().len()).min(9);
    let expr = Box::new(string(parser));
    let name = Ident { value: format!("TIMESTAMP_LTZ({digits})"), quote_style: None, span };
    let data_type = DataType::Custom(ObjectName::from(vec![name]), Vec::new());
    Ok(Expr::Cast { kind: CastKind::Cast, expr, data_type, array: false, format: None })
}

/// The units that an interval has; all of them are reserved words, so none is an alias.
const INTERVAL_UNITS: [&str; 6] = ["YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"];

/// Whether the next token is the unit of `(a - b) DAY`.
pub(super) fn is_unit_behind_paren(parser: &Parser<'_>) -> bool {
    parser.get_current_token().token == Token::RParen && INTERVAL_UNITS.iter().any(|unit| parser.next_is(unit))
}

/// `(a - b) DAY`, `(a - b) YEAR TO MONTH`: the unit only says which kind of interval it is.
pub(super) fn difference(dialect: &FlinkDialect, parser: &mut Parser<'_>, left: &Expr) -> Parsed<Expr> {
    let Token::Word(unit) = parser.next_symbol().clone() else {
        return parser.expected_ref("a unit", parser.peek_token_ref());
    };
    let unit = unit.value;
    let Expr::Nested(inner) = left else {
        let error = Error::fix(format!("the reserved word '{unit}' cannot be an alias")).at(parser.position());
        return Err(dialect.keep(error.with_hint(format!("if it is a name, quote it with backticks: `{unit}`"))));
    };
    let Expr::BinaryOp { left, op: BinaryOperator::Minus, right } = inner.as_ref() else {
        let error = Error::fix(format!("{unit} stands behind a difference only")).at(parser.position());
        let hint = format!("write (a - b) {unit}; if it is a name, quote it with backticks: `{unit}`");
        return Err(dialect.keep(error.with_hint(hint)));
    };
    let span = parser.next_token().span;
    parser.parse_optional_precision_scale()?;
    if parser.accept("TO") {
        if !INTERVAL_UNITS.iter().any(|unit| parser.accept(unit)) {
            return Err(dialect.keep(parser.unexpected(&INTERVAL_UNITS.join(", "))));
        }
        parser.parse_optional_precision()?;
    }
    let is_months = ["YEAR", "MONTH"].iter().any(|word| unit.eq_ignore_ascii_case(word));
    let name = if is_months { "__minus_months" } else { "__minus" };
    let name = Ident { value: name.to_owned(), quote_style: None, span };
    Ok(call(name, vec![unnamed(left.as_ref().clone()), unnamed(right.as_ref().clone())]))
}
