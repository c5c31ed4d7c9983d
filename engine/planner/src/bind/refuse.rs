//! What DataFusion's planner would drop in silence is refused with its name.

use std::ops::ControlFlow;

use sluice_model::{Error, Position, Result};
use sqlparser::ast::{Query, Spanned, TableFactor, Visit, Visitor};

/// Refuses parts of a query that are read but not carried out.
pub(super) fn refuse_unsupported(query: &Query) -> Result<()> {
    match query.visit(&mut Refuser) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Refuser;

impl Visitor for Refuser {
    type Break = Error;

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Error> {
        let what = match factor {
            TableFactor::Table { version: Some(_), .. } => "FOR SYSTEM_TIME AS OF",
            TableFactor::Table { args: Some(_), .. }
            | TableFactor::TableFunction { .. }
            | TableFactor::Function { .. } => "a table function in FROM",
            TableFactor::Table { partitions, .. } if !partitions.is_empty() => "PARTITION in FROM",
            TableFactor::Table { sample: Some(_), .. } => "TABLESAMPLE",
            TableFactor::Table { with_ordinality: true, .. } => "WITH ORDINALITY",
            TableFactor::MatchRecognize { .. } => "MATCH_RECOGNIZE",
            TableFactor::Pivot { .. } | TableFactor::Unpivot { .. } => "PIVOT",
            _ => return ControlFlow::Continue(()),
        };
        let start = factor.span().start;
        let position = (start.line > 0).then_some(Position { line: start.line, column: start.column });
        ControlFlow::Break(Error::fix(format!("{what} is not supported yet")).at_opt(position))
    }
}
