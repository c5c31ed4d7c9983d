//! sqlparser's errors in plain words, with the mistakes people make most.

use sluice_model::{Error, Position, suggest};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use super::cursor::{Cursor, Tokens, describe, end_token};
use super::dialect::FlinkDialect;
use super::lexer::{Lexed, position_of};
use super::reserved::is_reserved;

/// Words that start a part of a query: what a stray word may have been meant to be.
const CLAUSES: [&str; 12] =
    ["FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "JOIN", "LEFT", "INNER", "SELECT", "VALUES"];

/// How many subqueries are read again to find where the error really is.
const MAX_SUBQUERIES: usize = 500;

impl Cursor<'_> {
    /// Explains an error of sqlparser that happened at or behind the token at `start`.
    pub(crate) fn explain(&self, error: ParserError, start: usize) -> Error {
        // sqlparser tries a parenthesis as subquery first and as something else then, and reports only
        // the second attempt. The innermost subquery that does not parse has the true reason.
        let inner = self.innermost_failure(start);
        self.translate(inner.unwrap_or(error))
    }

    fn translate(&self, error: ParserError) -> Error {
        let text = match error {
            ParserError::RecursionLimitExceeded => {
                return Error::fix("the statement is nested too deeply")
                    .at(self.position())
                    .with_hint("split it up with views, or use WITH");
            }
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        };
        if let Some(kept) = self.dialect.kept(&text) {
            return kept;
        }
        let (what, place) = split_place(&text);
        let at = place.unwrap_or_else(|| position_of(end_token(&self.tokens).span.start));
        let index = self.tokens.partition_point(|lexed| lexed.position() < at);
        if what.contains("DEFINE") && self.tokens.get(index).is_some_and(|found| found.is_word("WITHIN")) {
            return Error::fix("MATCH_RECOGNIZE … WITHIN is not supported yet").at(at);
        }
        if index > 0
            && self.tokens.get(index).is_some_and(|found| found.is_word("SYSTEM_TIME"))
            && self.tokens[index - 1].is_word("FOR")
        {
            return Error::fix("FOR SYSTEM_TIME is at the wrong place")
                .at(self.tokens[index - 1].position())
                .with_hint("write it directly behind the table's name: t FOR SYSTEM_TIME AS OF o.time AS alias");
        }
        match what.strip_prefix("Expected: ").and_then(|rest| rest.rsplit_once(", found: ")) {
            Some((expected, _)) => self.expected_at(&plain(expected), index),
            None => Error::fix(lower_first(what)).at(at),
        }
    }

    /// Tokens are left where a query or statement should have ended.
    pub(crate) fn explain_leftover(&self) -> Error {
        self.expected_at("the end of the statement", self.index())
    }

    fn expected_at(&self, expected: &str, index: usize) -> Error {
        let found = self.tokens.get(index).and_then(Lexed::token).unwrap_or(&Token::EOF);
        let at =
            self.tokens.get(index).map_or_else(|| position_of(end_token(&self.tokens).span.start), Lexed::position);
        let error = Error::fix(format!("expected {expected} but found {}", describe(found))).at(at);
        match self.hint_for(expected, index) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    /// What was probably meant, from the token found and the one before it.
    fn hint_for(&self, expected: &str, index: usize) -> Option<String> {
        let found = self.tokens.get(index).and_then(Lexed::token);
        let before = index.checked_sub(1).and_then(|before| self.tokens.get(before)).and_then(Lexed::token);
        for token in [found, before].into_iter().flatten() {
            if let Token::Word(word) = token
                && word.quote_style.is_none()
                && let Some(likely) = likely_clause(&word.value)
            {
                return Some(format!("did you mean {likely} instead of '{}'?", word.value));
            }
        }
        match (before, found) {
            (_, Some(Token::RParen)) if !self.closes_something(index) => {
                Some("this ')' closes nothing: remove it, or add the '(' before it".to_owned())
            }
            (_, None) if self.has_open_paren() => Some("a '(' is never closed: add the missing ')'".to_owned()),
            (Some(Token::Comma), _) => Some("something is missing behind the comma before it".to_owned()),
            (_, Some(Token::Word(word)))
                if ["GROUP", "ORDER"].iter().any(|first| word.value.eq_ignore_ascii_case(first)) =>
            {
                Some(format!("write {} BY", word.value.to_uppercase()))
            }
            (_, Some(Token::Word(word)))
                if word.quote_style.is_none()
                    && is_reserved(&word.value)
                    && (expected.contains("name") || expected.contains("expression")) =>
            {
                Some(format!("if '{}' is a name, quote it with backticks: `{}`", word.value, word.value))
            }
            (Some(before), Some(found)) if is_operand(before) && is_operand(found) => {
                Some(format!("is a comma or an operator missing before {}?", describe(found)))
            }
            _ => None,
        }
    }

    fn closes_something(&self, index: usize) -> bool {
        self.depth_before(index) > 0
    }

    fn has_open_paren(&self) -> bool {
        self.depth_before(self.tokens.len()) > 0
    }

    fn depth_before(&self, index: usize) -> i64 {
        self.tokens.iter().take(index).fold(0, |depth: i64, lexed| match lexed.token() {
            Some(Token::LParen) => depth + 1,
            Some(Token::RParen) => (depth - 1).max(0),
            _ => depth,
        })
    }

    /// Reads every parenthesised subquery on its own, inner before outer; the first error wins.
    fn innermost_failure(&self, start: usize) -> Option<ParserError> {
        let mut open = Vec::new();
        let mut tried = 0;
        for (index, lexed) in self.tokens.iter().enumerate().skip(start) {
            match lexed.token() {
                Some(Token::LParen) => open.push(index),
                Some(Token::RParen) => {
                    let Some(from) = open.pop() else { continue };
                    let inside = &self.tokens[from + 1..index];
                    if !is_query(inside) || tried == MAX_SUBQUERIES {
                        continue;
                    }
                    tried += 1;
                    if let Err(error) = read_alone(self.dialect, inside, lexed.span) {
                        return Some(error);
                    }
                }
                _ => {}
            }
        }
        // What is never closed: the innermost first, and if all is well inside, that is the error.
        let end = end_token(&self.tokens);
        open.iter().rev().find_map(|from| {
            let inside = &self.tokens[from + 1..];
            if !is_query(inside) {
                return None;
            }
            let missing = || ParserError::ParserError(format!("Expected: ')', found: EOF{}", end.span.start));
            read_alone(self.dialect, inside, end.span).err().or_else(|| Some(missing()))
        })
    }
}

fn is_query(tokens: &[Lexed]) -> bool {
    tokens.first().is_some_and(|first| first.is_word("SELECT") || first.is_word("WITH"))
}

fn read_alone(dialect: &FlinkDialect, inside: &[Lexed], close: Span) -> Result<(), ParserError> {
    let mut tokens: Vec<TokenWithSpan> = inside.iter().filter_map(Lexed::to_spanned).collect();
    tokens.push(TokenWithSpan { token: Token::EOF, span: close });
    let mut parser = Parser::new(dialect).with_recursion_limit(60).with_tokens_with_locations(tokens);
    match parser.parse_query() {
        Ok(_) if *parser.next_symbol() == Token::EOF => Ok(()),
        Ok(_) => parser.expected_ref("')'", parser.peek_token_ref()),
        Err(ParserError::RecursionLimitExceeded) => Ok(()),
        Err(error) => Err(error),
    }
}

/// A clause that an unquoted word is one typing mistake away from.
fn likely_clause(word: &str) -> Option<&'static str> {
    if CLAUSES.iter().any(|clause| clause.eq_ignore_ascii_case(word)) || word.len() < 4 {
        return None;
    }
    suggest(word, CLAUSES).filter(|likely| likely.len().abs_diff(word.len()) <= 1)
}

fn is_operand(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.quote_style.is_some() || !is_reserved(&word.value),
        Token::Number(..) | Token::SingleQuotedString(_) | Token::RParen => true,
        _ => false,
    }
}

/// Cuts ` at Line: 3, Column: 14` off the end.
fn split_place(text: &str) -> (&str, Option<Position>) {
    let place = |tail: &str| {
        let (line, column) = tail.split_once(", Column: ")?;
        Some(Position { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? })
    };
    match text.rsplit_once(" at Line: ") {
        Some((what, tail)) if place(tail).is_some() => (what, place(tail)),
        _ => (text, None),
    }
}

/// sqlparser's description of what it expected, in our words.
fn plain(expected: &str) -> String {
    match expected {
        "end of statement" => "the end of the statement".to_owned(),
        "identifier" => "a name".to_owned(),
        "an expression" | "an expression:" => "an expression".to_owned(),
        "SELECT, VALUES, or a subquery in the query body" => "a query".to_owned(),
        symbol if symbol.chars().count() <= 2 && !symbol.chars().any(char::is_alphanumeric) => format!("'{symbol}'"),
        other => other.to_owned(),
    }
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}
