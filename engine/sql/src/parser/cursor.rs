//! Reading a statement token by token.
//!
//! [`Tokens`] is what every part of this parser needs of sqlparser's, with errors in plain words;
//! [`Cursor`] adds the statement's text and hints.

use sluice_model::{Error, Position, Result, suggest};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use super::ast::{Identifier, ObjectPath};
use super::dialect::FlinkDialect;
use super::hints::{self, Hints};
use super::lexer::{self, Lexed, is_word, position_of};
use super::limits;
use super::reserved::is_reserved;
use super::splitter::RawStatement;

/// Recursion that sqlparser may use up; deeper text is refused before the stack is in danger.
const MAX_RECURSION: usize = 100;

/// Reading words, symbols and names.
pub(crate) trait Tokens {
    /// The next token; `Token::EOF` behind the last one.
    fn next_symbol(&self) -> &Token;
    /// The token `n` places behind the next one.
    fn symbol_at(&self, n: usize) -> &Token;
    /// Place of the next token.
    fn position(&self) -> Position;
    /// Steps over the next token.
    fn skip(&mut self);

    /// True if the next token is the unquoted `word`.
    fn next_is(&self, word: &str) -> bool {
        is_word(self.next_symbol(), word)
    }

    /// Steps over `word` if it is next.
    fn accept(&mut self, word: &str) -> bool {
        let found = self.next_is(word);
        if found {
            self.skip();
        }
        found
    }

    /// Steps over all of `words` if they are next.
    fn accept_all(&mut self, words: &[&str]) -> bool {
        let found = words.iter().enumerate().all(|(n, word)| is_word(self.symbol_at(n), word));
        if found {
            words.iter().for_each(|_| self.skip());
        }
        found
    }

    /// Steps over `token` if it is next.
    fn accept_symbol(&mut self, token: &Token) -> bool {
        let found = self.next_symbol() == token;
        if found {
            self.skip();
        }
        found
    }

    /// Steps over `word`, which must be next.
    fn expect(&mut self, word: &str) -> Result<()> {
        if self.accept(word) { Ok(()) } else { Err(self.unexpected(word)) }
    }

    /// Steps over `words`, which must be next.
    fn expect_all(&mut self, words: &[&str]) -> Result<()> {
        words.iter().try_for_each(|word| self.expect(word))
    }

    /// Steps over `token`, which must be next.
    fn expect_symbol(&mut self, token: &Token) -> Result<()> {
        if self.accept_symbol(token) { Ok(()) } else { Err(self.unexpected(&format!("'{token}'"))) }
    }

    /// `expected … but found …` at the next token. `expected` is one word, or alternatives with commas
    /// between them; a word found that is like one of them gets a suggestion.
    fn unexpected(&self, expected: &str) -> Error {
        let found = self.next_symbol();
        let error = Error::fix(format!("expected {} but found {}", alternatives(expected), describe(found)))
            .at(self.position());
        let Token::Word(word) = found else { return error };
        match suggest(&word.value, expected.split(", ").filter(|part| part.chars().all(|c| c.is_ascii_uppercase()))) {
            Some(likely) if word.quote_style.is_none() => error.with_hint(format!("did you mean {likely}?")),
            _ => error,
        }
    }

    /// A name. Reserved words need backticks.
    fn identifier(&mut self, what: &str) -> Result<Identifier> {
        let position = self.position();
        let Token::Word(word) = self.next_symbol() else { return Err(self.unexpected(what)) };
        if word.quote_style.is_none() && is_reserved(&word.value) {
            return Err(Error::fix(format!("expected {what} but found the reserved word '{}'", word.value))
                .at(position)
                .with_hint(format!("quote it with backticks: `{}`", word.value)));
        }
        if word.value.is_empty() {
            return Err(Error::fix("a name must not be empty").at(position));
        }
        let value = word.value.clone();
        self.skip();
        Ok(Identifier { value, position })
    }

    /// Names with dots between them, at most `most`.
    fn path_of(&mut self, what: &str, most: usize) -> Result<ObjectPath> {
        let mut parts = vec![self.identifier(what)?];
        while self.next_symbol() == &Token::Period {
            if parts.len() == most {
                return Err(Error::fix(format!("{what} has at most {most} parts"))
                    .at(self.position())
                    .with_hint("a name that contains a dot is written in backticks: `a.b`"));
            }
            self.skip();
            parts.push(self.identifier("the next part of the name")?);
        }
        Ok(ObjectPath { parts })
    }

    /// `[[catalog.]database.]name`
    fn path(&mut self, what: &str) -> Result<ObjectPath> {
        self.path_of(what, 3)
    }

    /// `'text'`
    fn string(&mut self, what: &str) -> Result<String> {
        let Token::SingleQuotedString(text) = self.next_symbol() else {
            return Err(self.unexpected(what).with_hint("write it in single quotes: '…'"));
        };
        let text = text.clone();
        self.skip();
        Ok(text)
    }

    /// `(name, …)`
    fn identifiers(&mut self, what: &str) -> Result<Vec<Identifier>> {
        self.expect_symbol(&Token::LParen)?;
        let mut names = vec![self.identifier(what)?];
        while self.accept_symbol(&Token::Comma) {
            names.push(self.identifier(what)?);
        }
        if !self.accept_symbol(&Token::RParen) {
            return Err(self.unexpected("',' or ')'"));
        }
        Ok(names)
    }
}

impl Tokens for Parser<'_> {
    fn next_symbol(&self) -> &Token {
        &self.peek_token_ref().token
    }

    fn symbol_at(&self, n: usize) -> &Token {
        &self.peek_nth_token_ref(n).token
    }

    fn position(&self) -> Position {
        position_of(self.peek_token_ref().span.start)
    }

    fn skip(&mut self) {
        self.advance_token();
    }
}

/// `A, B or C`
fn alternatives(expected: &str) -> String {
    match expected.rsplit_once(", ") {
        Some((first, last)) => format!("{first} or {last}"),
        None => expected.to_owned(),
    }
}

/// A token as messages name it. Texts are not shown: they may be secrets.
pub(crate) fn describe(token: &Token) -> String {
    match token {
        Token::EOF => "the end of the statement".to_owned(),
        Token::SingleQuotedString(_) => "a string".to_owned(),
        token => format!("'{token}'"),
    }
}

/// A statement being read.
pub(crate) struct Cursor<'a> {
    pub(crate) raw: &'a RawStatement,
    pub(crate) dialect: &'a FlinkDialect,
    pub(crate) parser: Parser<'a>,
    /// Hints of the statement that no part of it has taken yet.
    pub(crate) hints: Hints,
    /// The tokens without hints.
    pub(crate) tokens: Vec<Lexed>,
}

impl<'a> Cursor<'a> {
    /// Errors: text that is not of the dialect, malformed hints, nesting that is too deep.
    pub(crate) fn new(raw: &'a RawStatement, dialect: &'a FlinkDialect) -> Result<Self> {
        lexer::refuse_foreign(raw.tokens())?;
        let (mut tokens, hints) = hints::extract(raw.tokens())?;
        drop_key_words(&mut tokens);
        limits::check(&tokens)?;
        let mut spanned: Vec<TokenWithSpan> = tokens.iter().filter_map(Lexed::to_spanned).collect();
        spanned.push(end_token(&tokens));
        let parser = Parser::new(dialect).with_recursion_limit(MAX_RECURSION).with_tokens_with_locations(spanned);
        Ok(Self { raw, dialect, parser, hints, tokens })
    }

    /// Index of the next token.
    pub(crate) fn index(&self) -> usize {
        self.parser.index().min(self.tokens.len())
    }

    /// The text from the token at `start` up to the next token.
    pub(crate) fn text_since(&self, start: usize) -> String {
        let Some(first) = self.tokens.get(start) else { return String::new() };
        let next = self.tokens.get(self.index()).map_or(usize::MAX, |next| next.start);
        // The last token before the next one, which may be a hint.
        let all = self.raw.tokens();
        let before = all.partition_point(|lexed| lexed.start < next);
        let end = before.checked_sub(1).and_then(|last| all.get(last)).map_or(first.end, |last| last.end);
        self.raw.slice(first.start, end).to_owned()
    }

    /// All tokens must have been read, and all hints taken.
    pub(crate) fn finish(&self) -> Result<()> {
        if self.next_symbol() != &Token::EOF {
            return Err(self.explain_leftover());
        }
        self.hints.refuse_all()
    }
}

/// `JSON_OBJECT(KEY 'a' VALUE 1)` says the same without `KEY`, which sqlparser does not know.
fn drop_key_words(tokens: &mut Vec<Lexed>) {
    let is_key = |index: usize, lexed: &Lexed| {
        lexed.is_word("KEY")
            && index > 0
            && (tokens[index - 1].is(&Token::LParen) || tokens[index - 1].is(&Token::Comma))
            && match tokens.get(index + 1).and_then(Lexed::token) {
                Some(Token::SingleQuotedString(_)) => true,
                // Not a column of a table that is called key: (key STRING, …).
                Some(Token::Word(_)) => tokens.get(index + 2).is_some_and(|lexed| lexed.is_word("VALUE")),
                _ => false,
            }
    };
    let superfluous: Vec<bool> = tokens.iter().enumerate().map(|(index, lexed)| is_key(index, lexed)).collect();
    let mut keep = superfluous.iter().map(|superfluous| !superfluous);
    tokens.retain(|_| keep.next().unwrap_or(true));
}

/// What stands behind the last token, so that errors there have a place.
pub(crate) fn end_token(tokens: &[Lexed]) -> TokenWithSpan {
    let span = tokens.last().map_or(Span::empty(), |last| Span { start: last.span.end, end: last.span.end });
    TokenWithSpan { token: Token::EOF, span }
}

impl Tokens for Cursor<'_> {
    fn next_symbol(&self) -> &Token {
        self.parser.next_symbol()
    }

    fn symbol_at(&self, n: usize) -> &Token {
        self.parser.symbol_at(n)
    }

    fn position(&self) -> Position {
        match self.parser.peek_token_ref().span.start.line {
            0 => position_of(end_token(&self.tokens).span.start),
            _ => self.parser.position(),
        }
    }

    fn skip(&mut self) {
        if self.parser.next_symbol() != &Token::EOF {
            self.parser.advance_token();
        }
    }
}
