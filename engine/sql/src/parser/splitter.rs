//! Cuts a script into statements.
//!
//! A statement ends at a `;` outside quotes and comments; the last one may omit it. The `;` inside a
//! statement set belong to the set:
//!
//! ```text
//! SET 'k' = 'v';                                    1:1
//! EXECUTE STATEMENT SET BEGIN                       2:1
//!   INSERT INTO a SELECT * FROM s;
//!   INSERT INTO b SELECT * FROM s;
//! END;
//! SELECT 1                                          6:1
//! ```

use sluice_model::{Position, Result};
use sqlparser::tokenizer::Token;

use super::lexer::{Lexed, lex};

/// One statement of a script, not parsed yet.
#[derive(Debug, Clone)]
pub struct RawStatement {
    text: String,
    tokens: Vec<Lexed>,
    /// Byte of the script at which `text` starts; the offsets of the tokens count from the script's start.
    base: usize,
}

impl RawStatement {
    fn new(script: &str, tokens: Vec<Lexed>) -> Option<Self> {
        let (first, last) = (tokens.first()?, tokens.last()?);
        Some(Self { text: script[first.start..last.end].to_owned(), base: first.start, tokens })
    }

    /// The statement as written, without the `;` and without comments before and after it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Place of its first character in the script.
    pub fn position(&self) -> Position {
        self.tokens.first().map_or(Position { line: 1, column: 1 }, Lexed::position)
    }

    pub(crate) fn tokens(&self) -> &[Lexed] {
        &self.tokens
    }

    /// The text between two byte offsets of the script.
    pub(crate) fn slice(&self, start: usize, end: usize) -> &str {
        let clamp = |offset: usize| offset.saturating_sub(self.base).min(self.text.len());
        self.text.get(clamp(start)..clamp(end)).unwrap_or_default()
    }
}

/// Cuts a script into its statements, in order.
///
/// Errors: a quote or comment that is never closed, at its start.
pub fn split(script: &str) -> Result<Vec<RawStatement>> {
    let tokens = lex(script).map_err(|error| error.error)?;
    let mut splitter = Splitter::default();
    let mut statements = Vec::new();
    for lexed in tokens {
        if lexed.is(&Token::SemiColon) && splitter.ends_statement() {
            statements.extend(RawStatement::new(script, splitter.finish()));
        } else {
            splitter.push(lexed);
        }
    }
    statements.extend(RawStatement::new(script, splitter.finish()));
    Ok(statements)
}

/// True if an interactive shell should run `text` now rather than ask for another line.
///
/// That is when the text ends with the `;` of a statement, when there is nothing in it, and for the
/// words that need no `;`: `QUIT`, `EXIT`, `CLEAR`, `HELP`.
pub fn is_complete(text: &str) -> bool {
    let tokens = match lex(text) {
        Ok(tokens) => tokens,
        // What no further line can complete is best reported at once.
        Err(error) => return !error.unterminated,
    };
    if let [only] = tokens.as_slice()
        && ["QUIT", "EXIT", "CLEAR", "HELP"].iter().any(|word| only.is_word(word))
    {
        return true;
    }
    let mut splitter = Splitter::default();
    for lexed in tokens {
        if lexed.is(&Token::SemiColon) && splitter.ends_statement() {
            splitter.finish();
        } else {
            splitter.push(lexed);
        }
    }
    splitter.tokens.is_empty()
}

#[derive(Default)]
struct Splitter {
    tokens: Vec<Lexed>,
    set: StatementSet,
    /// `CASE`s that wait for their `END`.
    open_cases: usize,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum StatementSet {
    #[default]
    None,
    Open,
    Closed,
}

impl Splitter {
    fn push(&mut self, lexed: Lexed) {
        match self.set {
            StatementSet::Open if lexed.is_word("CASE") => self.open_cases += 1,
            StatementSet::Open if lexed.is_word("END") => match self.open_cases {
                0 => self.set = StatementSet::Closed,
                _ => self.open_cases -= 1,
            },
            _ => {}
        }
        self.tokens.push(lexed);
        if self.set == StatementSet::None && self.opens_set() {
            self.set = StatementSet::Open;
        }
    }

    /// `… STATEMENT SET BEGIN` (also after EXPLAIN and COMPILE PLAN … FOR) or, at the very start, `BEGIN STATEMENT SET`.
    fn opens_set(&self) -> bool {
        let last_three = |words: [&str; 3]| {
            let tokens = self.tokens.len().checked_sub(3).map_or(&[][..], |from| &self.tokens[from..]);
            tokens.len() == 3 && tokens.iter().zip(words).all(|(lexed, word)| lexed.is_word(word))
        };
        last_three(["STATEMENT", "SET", "BEGIN"])
            || (self.tokens.len() == 3 && last_three(["BEGIN", "STATEMENT", "SET"]))
    }

    fn ends_statement(&self) -> bool {
        self.set != StatementSet::Open
    }

    fn finish(&mut self) -> Vec<Lexed> {
        std::mem::take(self).tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(script: &str) -> Vec<(String, u64, u64)> {
        split(script)
            .unwrap()
            .iter()
            .map(|statement| (statement.text().to_owned(), statement.position().line, statement.position().column))
            .collect()
    }

    fn one(text: &str, line: u64, column: u64) -> (String, u64, u64) {
        (text.to_owned(), line, column)
    }

    #[test]
    fn ends_at_semicolons_and_may_omit_the_last() {
        assert_eq!(texts("SELECT 1;\n  SELECT 2"), [one("SELECT 1", 1, 1), one("SELECT 2", 2, 3)]);
        assert_eq!(texts(" ;; ; "), []);
        assert_eq!(texts(""), []);
    }

    #[test]
    fn quotes_and_comments_hide_semicolons() {
        assert_eq!(
            texts("SELECT 'it''s; a' AS `x;y` -- ; '\n, 1 /* ; ` */;SELECT 2"),
            [one("SELECT 'it''s; a' AS `x;y` -- ; '\n, 1", 1, 1), one("SELECT 2", 2, 15)]
        );
    }

    #[test]
    fn comments_around_a_statement_are_not_part_of_it() {
        assert_eq!(texts("-- header\n/* more */ SELECT 1 -- tail\n;"), [one("SELECT 1", 2, 12)]);
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(texts("SELECT '数据'; SELECT 2"), [one("SELECT '数据'", 1, 1), one("SELECT 2", 1, 14)]);
    }

    #[test]
    fn hints_stay() {
        assert_eq!(
            texts("SELECT * FROM t /*+ OPTIONS('a;'='b') */;"),
            [one("SELECT * FROM t /*+ OPTIONS('a;'='b') */", 1, 1)]
        );
    }

    #[test]
    fn statement_sets_keep_their_semicolons() {
        for set in [
            "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT CASE WHEN x THEN 1 END FROM s; INSERT INTO b SELECT 1; END",
            "begin statement set; insert into a select 1; insert into b select 2; end",
            "EXPLAIN STATEMENT SET BEGIN INSERT INTO a SELECT 1; END",
            "COMPILE PLAN 'f' FOR STATEMENT SET BEGIN INSERT INTO a SELECT 1; END",
        ] {
            let script = format!("{set};\nSELECT 1;");
            assert_eq!(texts(&script), [one(set, 1, 1), one("SELECT 1", 2, 1)], "{set}");
        }
    }

    #[test]
    fn a_set_statement_is_no_statement_set() {
        assert_eq!(texts("SET 'a' = 'b'; SET c = d;"), [one("SET 'a' = 'b'", 1, 1), one("SET c = d", 1, 16)]);
    }

    #[test]
    fn what_is_never_closed_is_reported_where_it_starts() {
        for (script, line, column) in [
            ("SELECT 1;\nSELECT 'a", 2, 8),
            ("SELECT `a", 1, 8),
            ("SELECT 1 /* a ; b", 1, 10),
            ("SELECT 1 /*+ OPTIONS(", 1, 10),
            ("SELECT \"a", 1, 8),
        ] {
            let error = split(script).unwrap_err();
            assert_eq!(error.position(), Some(Position { line, column }), "{script}");
            assert!(error.what().contains("never closed"), "{error}");
        }
    }

    #[test]
    fn a_shell_knows_when_to_ask_for_more() {
        for complete in [
            "",
            "  -- nothing",
            "SELECT 1;",
            "quit",
            "HELP",
            "EXIT;",
            "SELECT 1; -- done",
            "SELECT ';' ;",
            "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; END;",
        ] {
            assert!(is_complete(complete), "{complete}");
        }
        for incomplete in [
            "SELECT 1",
            "SELECT 'a;",
            "SELECT `a;",
            "SELECT 1; SELECT 2",
            "SELECT /* ;",
            "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1;",
            "BEGIN STATEMENT SET;",
            "SET",
        ] {
            assert!(!is_complete(incomplete), "{incomplete}");
        }
    }
}
