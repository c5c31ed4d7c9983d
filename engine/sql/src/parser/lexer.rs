//! Turns SQL text into tokens that know their place in the script.
//!
//! The tokens are sqlparser's, so that queries go to its parser as they are; the lexical rules are
//! Flink's: backticks quote identifiers, double quotes quote nothing, `/*+ … */` is a hint. What is
//! no token of the dialect (`"…"`, `!=`, `==`, `@`) stays in the list as [`Lexeme::Foreign`], so that
//! one bad statement does not hide the others; [`refuse_foreign`] reports it when its statement is parsed.
//!
//! ```text
//! SELECT `a b`   →  Word(SELECT) 1:1   Word(`a b`) 1:8
//! ```

use sluice_model::{Error, Position, Result};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

use super::literal;

/// One token and the bytes of the script that it was made from.
#[derive(Debug, Clone)]
pub(crate) struct Lexed {
    pub(crate) lexeme: Lexeme,
    /// Lines and columns in the whole script, as all positions.
    pub(crate) span: Span,
    /// First byte.
    pub(crate) start: usize,
    /// Byte after the last one.
    pub(crate) end: usize,
}

/// What a token is to the statement parser.
#[derive(Debug, Clone)]
pub(crate) enum Lexeme {
    /// A token of the dialect.
    Token(Token),
    /// The inside of `/*+ … */`.
    Hint(Vec<Lexed>),
    /// Not part of the dialect; reported when the statement is parsed.
    Foreign(Foreign),
}

/// Text that other dialects know and this one does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    DoubleQuoted,
    BangEqual,
    DoubleEqual,
    DoubleColon,
    Character(char),
}

/// Why a text cannot be cut into tokens.
#[derive(Debug)]
pub(crate) struct LexError {
    pub(crate) error: Error,
    /// More text could complete it: an open quote or comment.
    pub(crate) unterminated: bool,
}

impl Lexed {
    pub(crate) fn position(&self) -> Position {
        position_of(self.span.start)
    }

    pub(crate) fn token(&self) -> Option<&Token> {
        match &self.lexeme {
            Lexeme::Token(token) => Some(token),
            _ => None,
        }
    }

    /// True for the unquoted word `text`, in any case.
    pub(crate) fn is_word(&self, text: &str) -> bool {
        self.token().is_some_and(|token| is_word(token, text))
    }

    pub(crate) fn is(&self, token: &Token) -> bool {
        self.token() == Some(token)
    }

    pub(crate) fn to_spanned(&self) -> Option<TokenWithSpan> {
        self.token().map(|token| TokenWithSpan { token: token.clone(), span: self.span })
    }
}

/// True if `token` is the unquoted word `text`, in any case.
pub(crate) fn is_word(token: &Token, text: &str) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(text))
}

/// sqlparser's place as ours.
pub(crate) fn position_of(location: Location) -> Position {
    Position { line: location.line, column: location.column }
}

/// Cuts a whole script into tokens. Takes time linear in its length.
pub(crate) fn lex(text: &str) -> Result<Vec<Lexed>, LexError> {
    Lexer { text, offset: 0, at: Location { line: 1, column: 1 } }.run(text.len())
}

/// Reports the first thing in a statement that is no token of the dialect.
pub(crate) fn refuse_foreign(tokens: &[Lexed]) -> Result<()> {
    for lexed in tokens {
        match &lexed.lexeme {
            Lexeme::Foreign(foreign) => return Err(foreign.to_error().at(lexed.position())),
            Lexeme::Hint(inside) => refuse_foreign(inside)?,
            Lexeme::Token(_) => {}
        }
    }
    Ok(())
}

impl Foreign {
    fn to_error(self) -> Error {
        match self {
            Self::DoubleQuoted => Error::fix("double quotes have no meaning in this SQL dialect")
                .with_hint("use single quotes for a string ('text') and backticks for a name (`name`)"),
            Self::BangEqual => Error::fix("the operator '!=' is not part of this SQL dialect").with_hint("use '<>'"),
            Self::DoubleEqual => Error::fix("the operator '==' is not part of this SQL dialect").with_hint("use '='"),
            Self::DoubleColon => {
                Error::fix("the operator '::' is not part of this SQL dialect").with_hint("use CAST(value AS type)")
            }
            Self::Character(quote @ ('\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}')) => {
                Error::fix(format!("unexpected character '{quote}'"))
                    .because("it is a typographic quotation mark, as word processors and web pages insert them")
                    .with_hint("use a plain single quote: '")
            }
            Self::Character('$') => Error::fix("unexpected character '$'")
                .with_hint("if it starts a placeholder such as ${NAME}, fill it in before the statement is run"),
            Self::Character(character) => Error::fix(format!("unexpected character {character:?}"))
                .with_hint("put a name with special characters in backticks, and a text in single quotes"),
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    offset: usize,
    at: Location,
}

impl Lexer<'_> {
    fn run(&mut self, until: usize) -> Result<Vec<Lexed>, LexError> {
        let mut tokens: Vec<Lexed> = Vec::new();
        while self.offset < until {
            let (start, start_at) = (self.offset, self.at);
            let Some(lexeme) = self.next_lexeme(until)? else { continue };
            let span = Span { start: start_at, end: self.at };
            let lexed = Lexed { lexeme, span, start, end: self.offset };
            literal::push_joining_unicode_escape(&mut tokens, lexed)?;
        }
        literal::decode_pending_unicode(&mut tokens)?;
        Ok(tokens)
    }

    fn rest(&self) -> &str {
        &self.text[self.offset..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn starts_with(&self, prefix: &str) -> bool {
        self.rest().starts_with(prefix)
    }

    fn advance(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.offset += character.len_utf8();
        if character == '\n' {
            self.at.line += 1;
            self.at.column = 1;
        } else {
            self.at.column += 1;
        }
        Some(character)
    }

    fn advance_by(&mut self, characters: usize) {
        for _ in 0..characters {
            self.advance();
        }
    }

    /// The next token, or `None` for white space and comments.
    fn next_lexeme(&mut self, until: usize) -> Result<Option<Lexeme>, LexError> {
        let Some(first) = self.peek() else { return Ok(None) };
        if first.is_whitespace() || first == '\u{feff}' {
            self.advance();
            return Ok(None);
        }
        if self.starts_with("--") {
            while self.peek().is_some_and(|character| character != '\n') && self.offset < until {
                self.advance();
            }
            return Ok(None);
        }
        if self.starts_with("/*") {
            return self.comment_or_hint();
        }
        Ok(Some(match first {
            '\'' => Lexeme::Token(Token::SingleQuotedString(self.quoted('\'', "string")?)),
            '`' => Lexeme::Token(Token::make_word(&self.quoted('`', "name")?, Some('`'))),
            '"' => {
                self.quoted('"', "double quote")?;
                Lexeme::Foreign(Foreign::DoubleQuoted)
            }
            first if first.is_ascii_digit() => self.number(),
            '.' if self.rest()[1..].starts_with(|next: char| next.is_ascii_digit()) && !self.follows_name() => {
                self.number()
            }
            first if first.is_alphabetic() || first == '_' => return self.word_or_prefixed_literal().map(Some),
            _ => self.operator(first),
        }))
    }

    /// `t.1` is a path with a bad part, not `t` and the number `.1`.
    fn follows_name(&self) -> bool {
        let before = self.text[..self.offset].chars().next_back();
        before.is_some_and(|before| before.is_alphanumeric() || matches!(before, '_' | '`'))
    }

    fn comment_or_hint(&mut self) -> Result<Option<Lexeme>, LexError> {
        let start = self.at;
        let is_hint = self.starts_with("/*+");
        self.advance_by(if is_hint { 3 } else { 2 });
        let Some(length) = self.rest().find("*/") else {
            let what = if is_hint { "hint" } else { "comment" };
            let error = Error::fix(format!("the {what} that starts here is never closed"))
                .at(position_of(start))
                .with_hint("close it with */");
            return Err(LexError { error, unterminated: true });
        };
        let end = self.offset + length;
        let inside = if is_hint {
            let mut inner = Lexer { text: &self.text[..end], offset: self.offset, at: self.at };
            // A quote left open inside a hint is closed by nothing: the hint ends at the first */.
            let tokens = inner.run(end).map_err(|error| LexError { unterminated: false, ..error })?;
            Some(Lexeme::Hint(tokens))
        } else {
            None
        };
        while self.offset < end {
            self.advance();
        }
        self.advance_by(2);
        Ok(inside)
    }

    /// Text between `quote`s; a doubled quote stands for one.
    fn quoted(&mut self, quote: char, what: &str) -> Result<String, LexError> {
        let start = self.at;
        self.advance();
        let mut value = String::new();
        while let Some(character) = self.advance() {
            if character != quote {
                value.push(character);
            } else if self.peek() == Some(quote) {
                self.advance();
                value.push(quote);
            } else {
                return Ok(value);
            }
        }
        let error = Error::fix(format!("the {what} that starts here is never closed"))
            .at(position_of(start))
            .with_hint(format!("add the missing {quote}"));
        Err(LexError { error, unterminated: true })
    }

    fn number(&mut self) -> Lexeme {
        let start = self.offset;
        self.digits();
        if self.peek() == Some('.') {
            self.advance();
            self.digits();
        }
        let exponent = self.rest().as_bytes();
        if matches!(exponent.first(), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(exponent.get(1), Some(b'+' | b'-')));
            if exponent.get(1 + sign).is_some_and(u8::is_ascii_digit) {
                self.advance_by(1 + sign);
                self.digits();
            }
        }
        Lexeme::Token(Token::Number(self.text[start..self.offset].to_owned(), false))
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|character| character.is_ascii_digit()) {
            self.advance();
        }
    }

    fn word_or_prefixed_literal(&mut self) -> Result<Lexeme, LexError> {
        let rest = self.rest().as_bytes();
        let prefix = rest.first().map(u8::to_ascii_uppercase);
        if prefix == Some(b'U') && rest.get(1..3) == Some(b"&'".as_slice()) {
            self.advance_by(2);
            // Decoded when it is known whether UESCAPE follows.
            return Ok(Lexeme::Token(Token::UnicodeStringLiteral(self.quoted('\'', "string")?)));
        }
        if rest.get(1) == Some(&b'\'') && matches!(prefix, Some(b'X' | b'N' | b'E')) {
            let start = position_of(self.at);
            self.advance();
            let text = self.quoted('\'', "string")?;
            return match prefix {
                Some(b'X') => literal::check_hex(&text, start).map(|()| Token::HexStringLiteral(text)),
                Some(b'E') => literal::decode_c_escapes(&text, start).map(Token::SingleQuotedString),
                _ => Ok(Token::SingleQuotedString(text)),
            }
            .map(Lexeme::Token);
        }
        let start = self.offset;
        while self.peek().is_some_and(|character| character.is_alphanumeric() || matches!(character, '_' | '$')) {
            self.advance();
        }
        Ok(Lexeme::Token(Token::make_word(&self.text[start..self.offset], None)))
    }

    fn operator(&mut self, first: char) -> Lexeme {
        const PAIRS: [(&str, Result<Token, Foreign>); 8] = [
            ("<>", Ok(Token::Neq)),
            ("<=", Ok(Token::LtEq)),
            (">=", Ok(Token::GtEq)),
            ("||", Ok(Token::StringConcat)),
            ("=>", Ok(Token::RArrow)),
            ("!=", Err(Foreign::BangEqual)),
            ("==", Err(Foreign::DoubleEqual)),
            ("::", Err(Foreign::DoubleColon)),
        ];
        for (text, token) in &PAIRS {
            if self.starts_with(text) {
                self.advance_by(2);
                return match token {
                    Ok(token) => Lexeme::Token(token.clone()),
                    Err(foreign) => Lexeme::Foreign(*foreign),
                };
            }
        }
        self.advance();
        Lexeme::Token(match first {
            '=' => Token::Eq,
            '<' => Token::Lt,
            '>' => Token::Gt,
            '+' => Token::Plus,
            '-' => Token::Minus,
            '*' => Token::Mul,
            '/' => Token::Div,
            '%' => Token::Mod,
            '(' => Token::LParen,
            ')' => Token::RParen,
            '[' => Token::LBracket,
            ']' => Token::RBracket,
            ',' => Token::Comma,
            '.' => Token::Period,
            ';' => Token::SemiColon,
            // Only the PATTERN of MATCH_RECOGNIZE uses these; elsewhere sqlparser refuses them.
            '{' => Token::LBrace,
            '}' => Token::RBrace,
            '|' => Token::Pipe,
            '?' => Token::Placeholder("?".to_owned()),
            other => return Lexeme::Foreign(Foreign::Character(other)),
        })
    }
}

impl From<Error> for LexError {
    fn from(error: Error) -> Self {
        Self { error, unterminated: false }
    }
}
