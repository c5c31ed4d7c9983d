//! Queries and expressions: sqlparser does the reading, this module hands over hints and errors.

use sluice_model::{Error, Result};
use sqlparser::ast::Query;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::ast::{ParsedExpr, ParsedQuery};
use super::cursor::{Cursor, Tokens};
use super::lexer::is_word;
use super::{query_check, set_operations};

impl Cursor<'_> {
    /// A query up to where sqlparser ends it.
    pub(crate) fn query(&mut self) -> Result<ParsedQuery> {
        let (start, position) = (self.index(), self.position());
        let mut query: Box<Query> = match self.parser.parse_query() {
            Ok(query) => query,
            Err(error) => return Err(self.explain(error, start)),
        };
        let behind = self.position();
        // What follows a query is an error more often than not, and then says more than the checks below.
        if !self.at_end_of_query() {
            return Err(self.explain_leftover());
        }
        set_operations::balance(&mut query)?;
        let hints = self.hints.take_range(position, behind);
        query_check::check(&query, &hints)?;
        Ok(ParsedQuery { query, text: self.text_since(start), hints, position })
    }

    /// What may follow a query: nothing, the `;` or `END` of a statement set, `ON CONFLICT`.
    fn at_end_of_query(&self) -> bool {
        matches!(self.next_symbol(), Token::EOF | Token::SemiColon)
            || self.next_is("END")
            || (self.next_is("ON") && is_word(self.symbol_at(1), "CONFLICT"))
    }

    /// An expression, as of a computed column or a watermark.
    pub(crate) fn expr(&mut self) -> Result<ParsedExpr> {
        let (start, position) = (self.index(), self.position());
        let expr = match self.parser.parse_expr() {
            Ok(expr) => expr,
            Err(error) => return Err(self.explain(error, start)),
        };
        query_check::check_expr(&expr)?;
        if let Some(subquery) = query_check::first_subquery(&expr) {
            return Err(Error::fix("a computed column or watermark must not contain a query").at_opt(subquery));
        }
        Ok(ParsedExpr { expr, text: self.text_since(start), position })
    }

    /// Lets sqlparser read something, with its errors explained.
    pub(crate) fn read<T>(
        &mut self,
        read: impl FnOnce(&mut Parser<'_>) -> std::result::Result<T, ParserError>,
    ) -> Result<T> {
        let start = self.index();
        read(&mut self.parser).map_err(|error| self.explain(error, start))
    }
}
