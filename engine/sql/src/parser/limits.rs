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

const OPERATOR_WORDS: [&str; 12] =
    ["AND", "OR", "NOT", "IS", "IN", "LIKE", "BETWEEN", "SIMILAR", "COLLATE", "UNION", "EXCEPT", "INTERSECT"];

/// Words behind which a new expression starts. Set operations chain over them.
const SEPARATOR_WORDS: [&str; 11] =
    ["SELECT", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "ON", "WHEN", "THEN", "ELSE", "VALUES"];

#[derive(Default)]
struct Level {
    operators: usize,
    set_operators: usize,
}

/// Errors: a chain of operators that is too long.
pub(crate) fn check(tokens: &[Lexed]) -> Result<()> {
    let mut levels = vec![Level::default()];
    let mut total = 0usize;
    for lexed in tokens {
        let Some(token) = lexed.token() else { continue };
        match token {
            Token::LParen | Token::LBracket => {
                levels.push(Level { operators: 1, set_operators: 0 });
                total += 1;
            }
            Token::RParen | Token::RBracket => {
                if levels.len() > 1
                    && let Some(level) = levels.pop()
                {
                    total -= level.operators + level.set_operators;
                }
                // A subscript stays on the path: a[1][2][3].
                if matches!(token, Token::RBracket)
                    && let Some(level) = levels.last_mut()
                {
                    level.operators += 1;
                    total += 1;
                }
            }
            Token::Comma => total -= reset(&mut levels),
            Token::SemiColon => {
                total = 0;
                levels = vec![Level::default()];
            }
            token if SEPARATOR_WORDS.iter().any(|word| is_word(token, word)) => total -= reset(&mut levels),
            token if is_operator(token) => {
                if let Some(level) = levels.last_mut() {
                    let is_set = ["UNION", "EXCEPT", "INTERSECT"].iter().any(|word| is_word(token, word));
                    *(if is_set { &mut level.set_operators } else { &mut level.operators }) += 1;
                    total += 1;
                }
            }
            _ => {}
        }
        if total > MAX_OPERATORS {
            return Err(Error::fix(format!("an expression chains more than {MAX_OPERATORS} operators"))
                .at(lexed.position())
                .with_hint("write a long list of alternatives as IN (…), or as a join with VALUES"));
        }
    }
    Ok(())
}

fn reset(levels: &mut [Level]) -> usize {
    levels.last_mut().map_or(0, |level| std::mem::take(&mut level.operators))
}

fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(_) => OPERATOR_WORDS.iter().any(|word| is_word(token, word)),
        Token::Eq | Token::Neq | Token::Lt | Token::LtEq | Token::Gt | Token::GtEq | Token::Plus | Token::Minus
        | Token::Mul | Token::Div | Token::Mod | Token::StringConcat => true,
        _ => false,
    }
}
