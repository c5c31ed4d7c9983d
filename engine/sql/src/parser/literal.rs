//! Escapes inside string literals: `U&'\263A'`, `U&'#263A' UESCAPE '#'`, `E'\n'`, `X'cafe'`.

use sluice_model::{Error, Position};
use sqlparser::tokenizer::Token;

use super::lexer::{LexError, Lexed, Lexeme, position_of};

/// Appends a token. `U&'…'` waits, because `UESCAPE 'c'` may follow and say how to read it; the
/// three tokens then become one plain string.
pub(crate) fn push_joining_unicode_escape(tokens: &mut Vec<Lexed>, lexed: Lexed) -> Result<(), LexError> {
    let waiting = match tokens.as_slice() {
        [.., literal] if is_unicode(literal) && lexed.is_word("UESCAPE") => true,
        [.., literal, word] if is_unicode(literal) && word.is_word("UESCAPE") => {
            let Some(Token::SingleQuotedString(escape)) = lexed.token() else {
                return Err(Error::fix("UESCAPE needs a string of one character").at(lexed.position()).into());
            };
            let mut characters = escape.chars();
            let (Some(escape), None) = (characters.next(), characters.next()) else {
                return Err(Error::fix("UESCAPE needs a string of one character").at(lexed.position()).into());
            };
            tokens.pop();
            decode_last(tokens, escape)?;
            return Ok(());
        }
        _ => false,
    };
    if !waiting {
        decode_pending_unicode(tokens)?;
    }
    tokens.push(lexed);
    Ok(())
}

/// Decodes a trailing `U&'…'` that no `UESCAPE` followed.
pub(crate) fn decode_pending_unicode(tokens: &mut [Lexed]) -> Result<(), LexError> {
    match tokens {
        [.., literal, word] if is_unicode(literal) && word.is_word("UESCAPE") => {
            Err(Error::fix("UESCAPE needs a string of one character").at(word.position()).into())
        }
        [.., literal] if is_unicode(literal) => decode_last(tokens, '\\'),
        _ => Ok(()),
    }
}

fn is_unicode(lexed: &Lexed) -> bool {
    matches!(lexed.token(), Some(Token::UnicodeStringLiteral(_)))
}

fn decode_last(tokens: &mut [Lexed], escape: char) -> Result<(), LexError> {
    if let Some(last) = tokens.last_mut()
        && let Some(Token::UnicodeStringLiteral(text)) = last.token()
    {
        let decoded = decode_unicode(text, escape, position_of(last.span.start))?;
        last.lexeme = Lexeme::Token(Token::SingleQuotedString(decoded));
    }
    Ok(())
}

/// `\XXXX`, `\+XXXXXX` and a doubled escape character (SQL:2016 §5.3).
fn decode_unicode(text: &str, escape: char, position: Position) -> Result<String, LexError> {
    let mut decoded = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != escape {
            decoded.push(character);
            continue;
        }
        if characters.peek() == Some(&escape) {
            characters.next();
            decoded.push(escape);
            continue;
        }
        let digits = if characters.peek() == Some(&'+') {
            characters.next();
            6
        } else {
            4
        };
        decoded.push(code_point(&mut characters, digits, 16, position)?);
    }
    Ok(decoded)
}

/// The escapes of C inside `E'…'`.
pub(crate) fn decode_c_escapes(text: &str, position: Position) -> Result<String, LexError> {
    let mut decoded = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\\' {
            decoded.push(character);
            continue;
        }
        let kind = characters.next();
        decoded.push(match kind {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('x') => code_point(&mut characters, 2, 16, position)?,
            Some('u') => code_point(&mut characters, 4, 16, position)?,
            Some('U') => code_point(&mut characters, 8, 16, position)?,
            Some(other) => other,
            None => {
                return Err(Error::fix("the string ends in the middle of an escape").at(position).into());
            }
        });
    }
    Ok(decoded)
}

fn code_point(
    characters: &mut impl Iterator<Item = char>,
    digits: usize,
    radix: u32,
    position: Position,
) -> Result<char, LexError> {
    let mut value = 0u32;
    for _ in 0..digits {
        let digit = characters.next().and_then(|character| character.to_digit(radix)).ok_or_else(|| {
            LexError::from(
                Error::fix(format!("an escape in this string needs {digits} hexadecimal digits")).at(position),
            )
        })?;
        value = value.saturating_mul(radix).saturating_add(digit);
    }
    char::from_u32(value).ok_or_else(|| {
        Error::fix(format!("an escape in this string is not a character: {value:X}")).at(position).into()
    })
}

/// `X'…'` holds pairs of hexadecimal digits.
pub(crate) fn check_hex(text: &str, position: Position) -> Result<(), LexError> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Error::fix("a binary literal holds pairs of hexadecimal digits")
            .at(position)
            .with_hint("write it like X'0AFF'")
            .into());
    }
    Ok(())
}
