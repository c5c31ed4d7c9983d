//! Chains of set operations, made shallow.
//!
//! sqlparser reads `a UNION ALL b UNION ALL c …` into a tree as deep as the chain is long. Merging a
//! thousand shards that way is common, and everything that walks the tree recurses. `UNION ALL` and
//! `UNION` are associative, so a run of one of them becomes a balanced tree of the same order:
//!
//! ```text
//! (((a ∪ b) ∪ c) ∪ d)   →   ((a ∪ b) ∪ (c ∪ d))
//! ```

use std::ops::ControlFlow;

use sluice_model::{Error, Result};
use sqlparser::ast::{Query, SetExpr, SetOperator, SetQuantifier, Spanned, Values, VisitMut, VisitorMut};

use super::lexer::position_of;

/// Runs of different operators in one chain: each is one level of depth.
const MAX_RUNS: usize = 100;

/// Balances every chain in a query, also in its subqueries.
///
/// Errors: a chain that changes its operator too often.
pub(crate) fn balance(query: &mut Query) -> Result<()> {
    struct Balancer;
    impl VisitorMut for Balancer {
        type Break = Error;
        fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
            match balance_body(take(&mut query.body)) {
                Ok(body) => {
                    *query.body = body;
                    ControlFlow::Continue(())
                }
                Err(error) => ControlFlow::Break(error),
            }
        }
    }
    match VisitMut::visit(query, &mut Balancer) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn take(body: &mut SetExpr) -> SetExpr {
    let nothing = Values { explicit_row: false, value_keyword: false, rows: Vec::new() };
    std::mem::replace(body, SetExpr::Values(nothing))
}

/// One operator and what stands right of it.
struct Step {
    op: SetOperator,
    set_quantifier: SetQuantifier,
    right: SetExpr,
}

impl Step {
    fn is_associative(&self) -> bool {
        self.op == SetOperator::Union
            && matches!(self.set_quantifier, SetQuantifier::All | SetQuantifier::None | SetQuantifier::Distinct)
    }
}

fn balance_body(body: SetExpr) -> Result<SetExpr> {
    if !matches!(body, SetExpr::SetOperation { .. }) {
        return Ok(body);
    }
    let (first, steps) = unwind(body);
    let mut runs = 0;
    let mut left = first;
    let mut steps = steps.into_iter().peekable();
    while let Some(step) = steps.next() {
        runs += 1;
        if runs > MAX_RUNS {
            let at = position_of(step.right.span().start);
            return Err(Error::fix(format!(
                "a chain of set operations changes its operator more than {MAX_RUNS} times"
            ))
            .at(at)
            .with_hint("split the query up with views"));
        }
        let Step { op, set_quantifier, .. } = step;
        let is_associative = step.is_associative();
        // INTERSECT binds closer, so the right side can be a chain as well.
        let mut operands = vec![left, balance_body(step.right)?];
        while is_associative
            && let Some(next) = steps.next_if(|next| next.op == op && next.set_quantifier == set_quantifier)
        {
            operands.push(balance_body(next.right)?);
        }
        left = tree(operands, op, set_quantifier);
    }
    Ok(left)
}

/// The leftmost operand and the operations on it, without recursion.
fn unwind(mut body: SetExpr) -> (SetExpr, Vec<Step>) {
    let mut steps = Vec::new();
    while let SetExpr::SetOperation { op, set_quantifier, left, right } = body {
        steps.push(Step { op, set_quantifier, right: *right });
        body = *left;
    }
    steps.reverse();
    (body, steps)
}

/// A balanced tree over `operands`, in their order.
fn tree(mut operands: Vec<SetExpr>, op: SetOperator, set_quantifier: SetQuantifier) -> SetExpr {
    while operands.len() > 1 {
        let mut pairs = Vec::with_capacity(operands.len().div_ceil(2));
        let mut rest = operands.into_iter();
        while let Some(left) = rest.next() {
            pairs.push(match rest.next() {
                Some(right) => {
                    SetExpr::SetOperation { op, set_quantifier, left: Box::new(left), right: Box::new(right) }
                }
                None => left,
            });
        }
        operands = pairs;
    }
    operands
        .pop()
        .unwrap_or_else(|| SetExpr::Values(Values { explicit_row: false, value_keyword: false, rows: Vec::new() }))
}

#[cfg(test)]
mod tests {
    use super::super::parse_query;

    #[test]
    fn order_and_meaning_stay() {
        for sql in [
            "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5",
            "SELECT 1 UNION SELECT 2 UNION ALL SELECT 3 EXCEPT SELECT 4 EXCEPT SELECT 5 UNION ALL SELECT 6",
            "SELECT 1 UNION ALL SELECT 2 INTERSECT SELECT 3 INTERSECT SELECT 4 UNION ALL SELECT 5",
            "SELECT * FROM (SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS t",
        ] {
            assert_eq!(parse_query(sql).unwrap().query.to_string(), sql);
        }
    }

    #[test]
    fn too_many_changes_are_refused() {
        let sql = format!("SELECT 1{}", " UNION SELECT 1 EXCEPT SELECT 2".repeat(60));
        assert!(parse_query(&sql).unwrap_err().what().contains("changes its operator"));
    }
}
