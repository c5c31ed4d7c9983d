//! How deep a statement may nest.
//!
//! Parentheses recurse in the parser, and chains of operators become trees as deep as they are long,
//! which later steps walk and drop recursively. Both are measured on the tokens, in one pass, before
//! any tree exists.

use sluice_model::{Error, Result};
use sqlparser::tokenizer::Token;

use super::lexer::{Lexed, is_word};

/// Operators on one path from the root of an expression to a leaf.
const MAX_OPERATORS: usize = 2000;

/// Parentheses and brackets around one another.
const MAX_NESTING: usize = 300;

/// `<` without `>`, as in the types of other dialects that sqlparser reads without counting how deep it is.
const MAX_ANGLES: usize = 400;

const OPERATOR_WORDS: [&str; 9] = ["AND", "OR", "NOT", "IS", "IN", "LIKE", "BETWEEN", "SIMILAR", "COLLATE"];

const SET_WORDS: [&str; 3] = ["UNION", "EXCEPT", "INTERSECT"];

/// Words behind which a new expression starts. Set operations chain over them.
const SEPARATOR_WORDS: [&str; 11] =
    ["SELECT", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "ON", "WHEN", "THEN", "ELSE", "VALUES"];

/// Errors: a chain of operators that is too long, nesting that is too deep.
pub(crate) fn check(tokens: &[Lexed]) -> Result<()> {
    let mut meter = Meter::default();
    for lexed in tokens {
        let Some(token) = lexed.token() else { continue };
        meter.step(token);
        meter.check().map_err(|error| error.at(lexed.position()))?;
    }
    Ok(())
}

#[derive(Default)]
struct Level {
    operators: usize,
    set_operators: usize,
    angles: usize,
}

/// What the path from the outermost level to here has gathered.
#[derive(Default)]
struct Meter {
    /// The levels outside the current one.
    outer: Vec<Level>,
    current: Level,
    /// Operators of all levels.
    total: usize,
}

impl Meter {
    fn step(&mut self, token: &Token) {
        match token {
            Token::LParen | Token::LBracket => {
                self.outer.push(std::mem::take(&mut self.current));
                self.count_operator();
            }
            Token::RParen => self.close(),
            Token::RBracket => {
                self.close();
                // A subscript stays on the path: a[1][2][3].
                self.count_operator();
            }
            Token::Comma => self.start_expression(),
            Token::SemiColon => *self = Self::default(),
            token if SEPARATOR_WORDS.iter().any(|word| is_word(token, word)) => self.start_expression(),
            token if SET_WORDS.iter().any(|word| is_word(token, word)) => {
                self.current.set_operators += 1;
                self.total += 1;
            }
            token if is_operator(token) => {
                self.count_operator();
                match token {
                    Token::Lt => self.current.angles += 1,
                    Token::Gt => self.current.angles = self.current.angles.saturating_sub(1),
                    Token::Word(_) => self.current.angles = 0,
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn count_operator(&mut self) {
        self.current.operators += 1;
        self.total += 1;
    }

    fn start_expression(&mut self) {
        self.total -= std::mem::take(&mut self.current.operators);
    }

    fn close(&mut self) {
        if let Some(outer) = self.outer.pop() {
            self.total -= self.current.operators + self.current.set_operators;
            self.current = outer;
        }
    }

    fn check(&self) -> Result<()> {
        if self.outer.len() >= MAX_NESTING || self.current.angles > MAX_ANGLES {
            return Err(
                Error::fix("the statement is nested too deeply").with_hint("split it up with views, or use WITH")
            );
        }
        if self.total > MAX_OPERATORS {
            return Err(Error::fix(format!("an expression chains more than {MAX_OPERATORS} operators"))
                .with_hint("write a long list of alternatives as IN (…), or as a join with VALUES"));
        }
        Ok(())
    }
}

fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(_) => OPERATOR_WORDS.iter().any(|word| is_word(token, word)),
        Token::Eq
        | Token::Neq
        | Token::Lt
        | Token::LtEq
        | Token::Gt
        | Token::GtEq
        | Token::Plus
        | Token::Minus
        | Token::Mul
        | Token::Div
        | Token::Mod
        | Token::StringConcat => true,
        _ => false,
    }
}
