//! The Flink dialect for sqlparser.
//!
//! Where sqlparser has no node for something of Flink's, a function call stands for it:
//!
//! | SQL | expression |
//! |---|---|
//! | `TABLE t PARTITION BY k` as an argument | function `TABLE` of the path, see [`TableArgument`] |
//! | `MAP['a', 1]` | function `MAP` of keys and values in turn |
//! | `CAST(x AS ROW<a INT>)` | cast to a custom type, see [`sql_type_of`](super::sql_type_of) |
//! | `(a - b) DAY`, `(a - b) MONTH` | functions `__minus`, `__minus_months` |
//! | `TIMESTAMP WITH LOCAL TIME ZONE '…'` | cast of the text |
//! | `_UTF8'a'`, `'a'` and `'b'` on the next line | one string |
//! | `x IS JSON OBJECT` | function `IS_JSON(x, 'OBJECT')` |
//! | `JSON_VALUE(j, '$.a' NULL ON ERROR)` | function with named arguments, see [`json`](super::json) |
//! | `a BETWEEN SYMMETRIC b AND c` | `(a BETWEEN b AND c OR a BETWEEN c AND b)` |

use std::any::TypeId;
use std::cell::RefCell;

use sluice_model::Error;
use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    CaseWhen, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, ObjectNamePart, OrderByExpr, TrimWhereField, Value, WindowSpec, WindowType,
};
use sqlparser::dialect::{Dialect, GenericDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token};

use super::cursor::Tokens;
use super::lexer::{is_word, position_of};
use super::{comparison, display, json, reserved, temporal, types};

/// Marks a [`ParserError`] that stands for one of [`FlinkDialect::errors`].
const MARK: &str = "\u{1}error ";

pub(super) type Parsed<T> = Result<T, ParserError>;

/// Flink's dialect. One value serves one statement.
#[derive(Debug, Default)]
pub struct FlinkDialect {
    /// Errors with hints, which sqlparser's own errors have no room for.
    errors: RefCell<Vec<Error>>,
}

impl FlinkDialect {
    /// Sends an error through sqlparser.
    pub(crate) fn keep(&self, error: Error) -> ParserError {
        let mut errors = self.errors.borrow_mut();
        errors.push(error);
        ParserError::ParserError(format!("{MARK}{}", errors.len() - 1))
    }

    /// The error that [`keep`](Self::keep) sent.
    pub(crate) fn kept(&self, text: &str) -> Option<Error> {
        let index: usize = text.strip_prefix(MARK)?.parse().ok()?;
        self.errors.borrow().get(index).cloned()
    }

    fn prefix(&self, parser: &mut Parser<'_>) -> Option<Parsed<Expr>> {
        let word = match parser.next_symbol() {
            Token::Word(word) if word.quote_style.is_none() => word,
            Token::SingleQuotedString(_) => return continued_string(parser),
            _ => return None,
        };
        let before_paren = parser.symbol_at(1) == &Token::LParen;
        let name = word.value.to_ascii_uppercase();
        match name.as_str() {
            "CAST" | "TRY_CAST" if before_paren => Some(self.cast(parser, name == "TRY_CAST")),
            "TABLE" if matches!(parser.symbol_at(1), Token::Word(_)) => Some(self.table_argument(parser)),
            "POSITION" if before_paren => Some(position(parser)),
            "CASE" => Some(case(parser)),
            "TRIM" if before_paren => Some(trim(parser)),
            "INTERVAL" => temporal::interval(self, parser),
            "ARRAY" | "MAP" if parser.symbol_at(1) == &Token::LBracket && parser.symbol_at(2) == &Token::RBracket => {
                Some(Err(self.keep(empty_collection(parser, &name))))
            }
            "MAP" if parser.symbol_at(1) == &Token::LBracket => Some(map_constructor(parser)),
            "JSON_VALUE" | "JSON_QUERY" | "JSON_EXISTS" if before_paren => Some(json::function(self, parser, &name)),
            _ if before_paren && !has_own_syntax(&name) => Some(plain_call(parser)),
            _ if before_paren => None,
            "TIMESTAMP" if is_word(parser.symbol_at(1), "WITH") => Some(temporal::local_timestamp(self, parser)),
            "DATE" | "TIME" | "TIMESTAMP" if matches!(parser.symbol_at(1), Token::SingleQuotedString(_)) => None,
            // The argument of TIMESTAMPDIFF(DAY, …) and the like.
            unit if reserved::is_unit(unit)
                && parser.symbol_at(1) == &Token::Comma
                && parser.get_current_token().token == Token::LParen =>
            {
                None
            }
            _ if reserved::is_reserved(&name) && !reserved::starts_expression(&name) => {
                Some(Err(self.keep(reserved_word(parser))))
            }
            "ARRAY" if parser.symbol_at(1) != &Token::LBracket => Some(Err(self.keep(reserved_word(parser)))),
            // A character set: _UTF16'text'.
            _ if name.starts_with('_') && matches!(parser.symbol_at(1), Token::SingleQuotedString(_)) => {
                Some(self.string_of_charset(parser, &name))
            }
            _ if !reserved::is_reserved(&name) => Some(parser.parse_identifier().map(Expr::Identifier)),
            _ => None,
        }
    }

    fn cast(&self, parser: &mut Parser<'_>, is_try: bool) -> Parsed<Expr> {
        parser.advance_token();
        parser.expect_token(&Token::LParen)?;
        let expr = parser.parse_expr()?;
        parser.expect_keyword(Keyword::AS)?;
        let data_type = self.data_type(parser)?;
        parser.expect_token(&Token::RParen)?;
        let kind = if is_try { CastKind::TryCast } else { CastKind::Cast };
        Ok(Expr::Cast { kind, expr: Box::new(expr), data_type, array: false, format: None })
    }

    /// `_UTF8'text'`: all strings are Unicode, so the name of the character set changes nothing.
    fn string_of_charset(&self, parser: &mut Parser<'_>, name: &str) -> Parsed<Expr> {
        const NAMES: [&str; 8] = ["UTF8", "UTF16", "UTF16LE", "UTF16BE", "UTF32", "LATIN1", "ISO_8859_1", "US_ASCII"];
        if !NAMES.contains(&&name[1..]) {
            let error = Error::fix(format!("unknown character set '{}'", &name[1..])).at(parser.position());
            return Err(self.keep(error.with_hint("write the string without it, or _UTF8'text'")));
        }
        parser.advance_token();
        Ok(string(parser))
    }

    /// A type of ours as a custom type of sqlparser's: its name is the type's text.
    pub(crate) fn data_type(&self, parser: &mut Parser<'_>) -> Parsed<DataType> {
        let start = parser.peek_token_ref().span;
        let parsed = types::parse_bare_type(parser).map_err(|error| self.keep(error))?;
        let span = Span { start: start.start, end: parser.get_current_token().span.end };
        let name = Ident { value: display::type_text(&parsed), quote_style: None, span };
        Ok(DataType::Custom(ObjectName::from(vec![name]), Vec::new()))
    }

    /// `TABLE t [PARTITION BY a | (a, b)] [ORDER BY c]`
    fn table_argument(&self, parser: &mut Parser<'_>) -> Parsed<Expr> {
        let table = parser.next_token();
        let path = parser.parse_object_name(true)?;
        let mut parts = Vec::with_capacity(path.0.len());
        for part in path.0 {
            match part {
                ObjectNamePart::Identifier(ident) => parts.push(ident),
                ObjectNamePart::Function(_) => return parser.expected_at("a table", parser.get_current_index()),
            }
        }
        let partition_by = if parser.parse_keywords(&[Keyword::PARTITION, Keyword::BY]) {
            unpack(parser.parse_expr()?)
        } else {
            Vec::new()
        };
        let order_by = if parser.parse_keywords(&[Keyword::ORDER, Keyword::BY]) {
            vec![parser.parse_order_by_expr()?]
        } else {
            Vec::new()
        };
        let over = (!partition_by.is_empty() || !order_by.is_empty()).then_some(WindowType::WindowSpec(WindowSpec {
            window_name: None,
            partition_by,
            order_by,
            window_frame: None,
        }));
        let name = Ident { value: "TABLE".to_owned(), quote_style: None, span: table.span };
        let Expr::Function(function) = call(name, vec![unnamed(Expr::CompoundIdentifier(parts))]) else {
            return parser.expected_at("a table", parser.get_current_index());
        };
        Ok(Expr::Function(Function { over, ..function }))
    }
}

/// Functions with words between their arguments, which sqlparser reads one by one.
fn has_own_syntax(name: &str) -> bool {
    const NAMES: [&str; 18] = [
        "ARRAY",
        "CASE",
        "CEIL",
        "CONVERT",
        "CURRENT_DATE",
        "CURRENT_TIME",
        "CURRENT_TIMESTAMP",
        "EXISTS",
        "EXTRACT",
        "FLOOR",
        "INTERVAL",
        "LOCALTIME",
        "LOCALTIMESTAMP",
        "NOT",
        "OVERLAY",
        "SAFE_CAST",
        "SUBSTR",
        "SUBSTRING",
    ];
    NAMES.contains(&name)
}

/// `name(argument, …)`. sqlparser would first try to read `name` as a type of some other dialect, and
/// reading types it does not count how deep it is.
fn plain_call(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let name = parser.parse_identifier()?;
    parser.parse_function(ObjectName::from(vec![name]))
}

/// A reserved word where an expression should start.
fn reserved_word(parser: &Parser<'_>) -> Error {
    let Token::Word(word) = parser.next_symbol() else { return parser.unexpected("an expression") };
    let word = &word.value;
    let error =
        Error::fix(format!("expected an expression but found the reserved word '{word}'")).at(parser.position());
    if !reserved::is_clause_word(word) {
        return error.with_hint(format!("if it is a name, quote it with backticks: `{word}`"));
    }
    match parser.get_current_token().token {
        Token::Comma => error.with_hint(format!("remove the comma before {word}, or add what is missing between them")),
        _ => error,
    }
}

/// `POSITION(a IN b)`
fn position(parser: &mut Parser<'_>) -> Parsed<Expr> {
    parser.advance_token();
    parser.expect_token(&Token::LParen)?;
    let expr = parser.parse_subexpr(FlinkDialect::default().prec_value(Precedence::Between))?;
    parser.expect_keyword(Keyword::IN)?;
    let within = parser.parse_expr()?;
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Position { expr: Box::new(expr), r#in: Box::new(within) })
}

/// `CASE [x] WHEN a [, b …] THEN c … [ELSE d] END`: several values are as many branches.
fn case(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let case_token = AttachedToken(parser.next_token());
    let operand = if parser.next_is("WHEN") { None } else { Some(Box::new(parser.parse_expr()?)) };
    let mut conditions = Vec::new();
    parser.expect_keyword(Keyword::WHEN)?;
    loop {
        let values = match operand {
            Some(_) => parser.parse_comma_separated(Parser::parse_expr)?,
            None => vec![parser.parse_expr()?],
        };
        parser.expect_keyword(Keyword::THEN)?;
        let result = parser.parse_expr()?;
        conditions.extend(values.into_iter().map(|condition| CaseWhen { condition, result: result.clone() }));
        if !parser.parse_keyword(Keyword::WHEN) {
            break;
        }
    }
    let else_result = if parser.parse_keyword(Keyword::ELSE) { Some(Box::new(parser.parse_expr()?)) } else { None };
    let end_token = AttachedToken(parser.expect_keyword(Keyword::END)?);
    Ok(Expr::Case { case_token, end_token, operand, conditions, else_result })
}

/// `TRIM([LEADING | TRAILING | BOTH] [characters] FROM text)`, `TRIM(text)`
fn trim(parser: &mut Parser<'_>) -> Parsed<Expr> {
    parser.advance_token();
    parser.expect_token(&Token::LParen)?;
    let sides =
        [("BOTH", TrimWhereField::Both), ("LEADING", TrimWhereField::Leading), ("TRAILING", TrimWhereField::Trailing)];
    let trim_where = sides.into_iter().find(|(word, _)| parser.accept(word)).map(|(_, side)| side);
    let first = if trim_where.is_some() && parser.next_is("FROM") { None } else { Some(parser.parse_expr()?) };
    let (trim_what, expr) = match (first, parser.parse_keyword(Keyword::FROM)) {
        (what, true) => (what.map(Box::new), parser.parse_expr()?),
        (Some(text), false) => (None, text),
        (None, false) => return parser.expected_ref("FROM", parser.peek_token_ref()),
    };
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Trim { expr: Box::new(expr), trim_where, trim_what, trim_characters: None })
}

/// `MAP['a', 1, 'b', 2]`
fn map_constructor(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let map = parser.next_token();
    parser.expect_token(&Token::LBracket)?;
    let entries = parser.parse_comma_separated(Parser::parse_expr)?;
    parser.expect_token(&Token::RBracket)?;
    let name = Ident { value: "MAP".to_owned(), quote_style: None, span: map.span };
    Ok(call(name, entries.into_iter().map(unnamed).collect()))
}

/// `ARRAY[]` and `MAP[]`, whose types nobody knows.
fn empty_collection(parser: &Parser<'_>, name: &str) -> Error {
    Error::fix(format!("{name}[] has no elements, so that its type is not known"))
        .at(parser.position())
        .with_hint("give it an element")
}

/// `'a'` with `'b'` on a later line is `'ab'`.
fn continued_string(parser: &mut Parser<'_>) -> Option<Parsed<Expr>> {
    is_continued(parser, 0).then(|| Ok(string(parser)))
}

/// Whether a string at a place is followed by another one on a later line.
fn is_continued(parser: &Parser<'_>, place: usize) -> bool {
    let (first, second) = (parser.peek_nth_token_ref(place), parser.peek_nth_token_ref(place + 1));
    matches!(second.token, Token::SingleQuotedString(_)) && first.span.end.line < second.span.start.line
}

/// The string that is next, with those that continue it.
pub(super) fn string(parser: &mut Parser<'_>) -> Expr {
    let span = parser.peek_token_ref().span;
    let mut text = String::new();
    loop {
        let more = is_continued(parser, 0);
        if let Token::SingleQuotedString(part) = parser.next_token().token {
            text.push_str(&part);
        }
        if !more {
            return Expr::Value(Value::SingleQuotedString(text).with_span(span));
        }
    }
}

/// `a` or `(a, b)`: a comma without parentheses separates arguments.
fn unpack(expr: Expr) -> Vec<Expr> {
    match expr {
        Expr::Tuple(exprs) => exprs,
        Expr::Nested(expr) => vec![*expr],
        expr => vec![expr],
    }
}

pub(crate) fn unnamed(expr: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
}

/// A plain function call.
pub(crate) fn call(name: Ident, args: Vec<FunctionArg>) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![name]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// A `TABLE t [PARTITION BY …] [ORDER BY …]` argument of a table function.
#[derive(Debug, Clone, PartialEq)]
pub struct TableArgument {
    /// The table; its last part carries the place that hints are keyed by.
    pub table: ObjectName,
    /// `PARTITION BY`.
    pub partition_by: Vec<Expr>,
    /// `ORDER BY`.
    pub order_by: Vec<OrderByExpr>,
}

impl TableArgument {
    /// Reads back what stands for a table argument in an expression.
    pub fn of(expr: &Expr) -> Option<Self> {
        let Expr::Function(Function { name, args: FunctionArguments::List(list), over, .. }) = expr else {
            return None;
        };
        let [ObjectNamePart::Identifier(Ident { value, quote_style: None, .. })] = name.0.as_slice() else {
            return None;
        };
        let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::CompoundIdentifier(parts)))] = list.args.as_slice()
        else {
            return None;
        };
        let (partition_by, order_by) = match over {
            Some(WindowType::WindowSpec(spec)) => (spec.partition_by.clone(), spec.order_by.clone()),
            _ => (Vec::new(), Vec::new()),
        };
        (value == "TABLE").then(|| Self { table: ObjectName::from(parts.clone()), partition_by, order_by })
    }

    /// Place of the table's name.
    pub fn position(&self) -> Option<sluice_model::Position> {
        let first = self.table.0.first().and_then(ObjectNamePart::as_ident)?;
        Some(position_of(first.span.start))
    }
}

impl Dialect for FlinkDialect {
    /// Much of sqlparser asks whether the dialect is the generic one.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$'
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`'
    }

    fn identifier_quote_style(&self, _identifier: &str) -> Option<char> {
        Some('`')
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    fn supports_match_recognize(&self) -> bool {
        true
    }

    fn supports_table_versioning(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    /// These never are names, so an error inside them is an error. Otherwise sqlparser would try again
    /// with the word as a name: the message would mislead, and nested attempts would take exponential time.
    fn is_reserved_for_identifier(&self, kw: Keyword) -> bool {
        matches!(
            kw,
            Keyword::ARRAY
                | Keyword::CASE
                | Keyword::CAST
                | Keyword::CEIL
                | Keyword::CONVERT
                | Keyword::EXISTS
                | Keyword::EXTRACT
                | Keyword::FLOOR
                | Keyword::INTERVAL
                | Keyword::MATCH
                | Keyword::NOT
                | Keyword::OVERLAY
                | Keyword::POSITION
                | Keyword::STRUCT
                | Keyword::SUBSTRING
                | Keyword::TRIM
                | Keyword::TRY_CAST
        )
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Parsed<u8>> {
        temporal::is_unit_behind_paren(parser).then(|| Ok(self.prec_value(Precedence::DoubleColon)))
    }

    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Parsed<Expr>> {
        self.prefix(parser)
    }

    fn parse_infix(&self, parser: &mut Parser<'_>, expr: &Expr, _precedence: u8) -> Option<Parsed<Expr>> {
        comparison::infix(self, parser, expr)
    }
}
