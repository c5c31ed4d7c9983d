//! `EXPLAIN`.

use sluice_model::{Error, Result};

use crate::parser::{Explain, ExplainDetail, Statement};
use crate::session::{ResultTable, Session};

/// Plans a query or `INSERT`s and shows the plan, without running it.
pub(crate) fn explain(session: &Session, explain: &Explain) -> Result<ResultTable> {
    let planned = match explain.target.as_ref() {
        Statement::Query(query) => session.plan_query(query)?,
        Statement::Insert(insert) => session.plan_inserts(std::slice::from_ref(insert))?,
        Statement::StatementSet(set) => session.plan_inserts(&set.inserts)?,
        _ => return Err(Error::fix("EXPLAIN takes a query, an INSERT or a statement set")),
    };
    for detail in &explain.details {
        let name = match detail {
            ExplainDetail::ChangelogMode => continue,
            ExplainDetail::EstimatedCost => "ESTIMATED_COST",
            ExplainDetail::JsonExecutionPlan => "JSON_EXECUTION_PLAN",
            ExplainDetail::PlanAdvice => "PLAN_ADVICE",
        };
        return Err(Error::fix(format!("EXPLAIN {name} is not supported yet")).with_hint("use EXPLAIN CHANGELOG_MODE"));
    }
    let changelog_mode = explain.details.contains(&ExplainDetail::ChangelogMode);
    Ok(ResultTable::single("result", [planned.explain(changelog_mode)]))
}
