//! Java's regular expressions in the syntax of the `regex` crate.
//!
//! | Java | here |
//! |---|---|
//! | `\d \w \s` | ASCII classes, as in Java |
//! | `\p{Alpha}`, `\p{Punct}` … | POSIX classes of ASCII |
//! | `\Q…\E` | escaped text |
//! | `\h`, `\R`, `\Z` | their definitions |
//! | look-around, back-references, possessive quantifiers | an error: they cannot be matched in linear time |

use std::fmt::Write;

use datafusion_common::Result;
use regex::{Regex, RegexBuilder};
use sluice_model::Error;

use crate::error::external;

/// Largest compiled pattern, in bytes.
const SIZE_LIMIT: usize = 16 << 20;

/// The compiled pattern; `None` if Java would not take it either.
///
/// # Errors
/// Java takes it, but it needs what a linear-time matcher does not have.
pub(crate) fn compile(pattern: &str) -> Result<Option<Regex>> {
    let translated = translate(pattern)?;
    match RegexBuilder::new(&translated).size_limit(SIZE_LIMIT).build() {
        Ok(regex) => Ok(Some(regex)),
        Err(regex::Error::CompiledTooBig(_)) => Err(unsupported(pattern, "a pattern of this size")),
        Err(_) => Ok(None),
    }
}

fn unsupported(pattern: &str, what: &str) -> datafusion_common::DataFusionError {
    external(
        Error::fix(format!("{what} is not supported in the regular expression '{pattern}'"))
            .with_hint("look-around, back-references and possessive quantifiers have to be written in another way"),
    )
}

fn translate(pattern: &str) -> Result<String> {
    let mut translation = Translation { pattern, rest: pattern, out: String::with_capacity(pattern.len()), depth: 0 };
    while let Some(char) = translation.next() {
        translation.translate(char)?;
    }
    Ok(translation.out)
}

struct Translation<'p> {
    pattern: &'p str,
    rest: &'p str,
    out: String,
    /// How many `[` are open.
    depth: usize,
}

impl Translation<'_> {
    fn next(&mut self) -> Option<char> {
        let char = self.rest.chars().next()?;
        self.rest = &self.rest[char.len_utf8()..];
        Some(char)
    }

    fn translate(&mut self, char: char) -> Result<()> {
        match char {
            '\\' => return self.translate_escape(),
            '[' => self.depth += 1,
            ']' => self.depth = self.depth.saturating_sub(1),
            '(' if self.depth == 0 => self.refuse_lookaround()?,
            '*' | '+' | '?' | '}' if self.depth == 0 && self.rest.starts_with('+') => {
                return Err(unsupported(self.pattern, "a possessive quantifier"));
            }
            // Operators of classes that only the `regex` crate has.
            '-' | '~' if self.depth > 0 && self.rest.starts_with(char) => self.out.push('\\'),
            _ => {}
        }
        self.out.push(char);
        Ok(())
    }

    fn refuse_lookaround(&self) -> Result<()> {
        if ["?=", "?!", "?<=", "?<!", "?>"].iter().any(|start| self.rest.starts_with(start)) {
            return Err(unsupported(self.pattern, "a group that looks around"));
        }
        Ok(())
    }

    fn translate_escape(&mut self) -> Result<()> {
        let Some(char) = self.next() else {
            self.out.push('\\');
            return Ok(());
        };
        match char {
            'd' => self.class("0-9", false),
            'D' => self.class("0-9", true),
            'w' => self.class("a-zA-Z_0-9", false),
            'W' => self.class("a-zA-Z_0-9", true),
            's' => self.class(" \\t\\n\\x0B\\f\\r", false),
            'S' => self.class(" \\t\\n\\x0B\\f\\r", true),
            'h' => self.class(" \\t\\u{A0}\\u{1680}\\u{180e}\\u{2000}-\\u{200a}\\u{202f}\\u{205f}\\u{3000}", false),
            'R' => self.out.push_str("(?:\\r\\n|[\\n\\x0B\\f\\r\\u{85}\\u{2028}\\u{2029}])"),
            'Z' => self.out.push_str("(?:\\n?\\z)"),
            'e' => self.out.push_str("\\x1B"),
            'Q' => self.quote(),
            'p' | 'P' => self.property(char),
            'k' | '1'..='9' => return Err(unsupported(self.pattern, "a back-reference")),
            'G' => return Err(unsupported(self.pattern, "\\G")),
            '0' => self.octal(),
            // Java escapes any character that is not a letter; the `regex` crate only those of ASCII.
            char if !char.is_ascii() => self.out.push(char),
            char => {
                self.out.push('\\');
                self.out.push(char);
            }
        }
        Ok(())
    }

    fn class(&mut self, members: &str, negated: bool) {
        let caret = if negated { "^" } else { "" };
        let _ = write!(self.out, "[{caret}{members}]");
    }

    fn quote(&mut self) {
        let (quoted, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
        self.rest = rest;
        self.out.push_str(&regex::escape(quoted));
    }

    fn octal(&mut self) {
        let digits = self.rest.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
        let code = u32::from_str_radix(&self.rest[..digits], 8).unwrap_or(0);
        self.rest = &self.rest[digits..];
        let _ = write!(self.out, "\\x{{{code:x}}}");
    }

    /// `\p{Alpha}` is ASCII in Java; other properties mean the same.
    fn property(&mut self, kind: char) {
        const POSIX: [&str; 13] = [
            "Lower", "Upper", "ASCII", "Alpha", "Digit", "Alnum", "Punct", "Graph", "Print", "Blank", "Cntrl",
            "XDigit", "Space",
        ];
        let name = self.rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(name, _)| name);
        match name.filter(|name| POSIX.contains(name)) {
            Some(name) => {
                let negated = if kind == 'P' { "^" } else { "" };
                let _ = write!(self.out, "[[:{negated}{}:]]", name.to_ascii_lowercase());
                self.rest = &self.rest[name.len() + 2..];
            }
            None => {
                self.out.push('\\');
                self.out.push(kind);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_java_patterns() {
        for (pattern, text, matches) in [
            (r"^\d+$", "123", true),
            (r"^\d+$", "١٢٣", false),
            (r"^[\w-]+$", "a-b_1", true),
            (r"\Qa.b\E", "a.b", true),
            (r"\Qa.b\E", "axb", false),
            (r"^\p{Alpha}+$", "é", false),
            (r"^[\u4e00-\u9fa5]+$", "数据", true),
            (r"^(?i)abc$", "ABC", true),
            (r"a\-b", "a-b", true),
        ] {
            assert_eq!(compile(pattern).unwrap().unwrap().is_match(text), matches, "{pattern} {text}");
        }
        assert!(compile("(").unwrap().is_none());
        assert!(compile("(?=a)b").is_err());
        assert!(compile(r"(a)\1").is_err());
        assert!(compile("a++").is_err());
    }
}
