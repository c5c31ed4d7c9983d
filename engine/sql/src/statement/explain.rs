//! `EXPLAIN`.

use sluice_model::{Error, Result};
use sluice_planner::ExplainDetails;

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
    let has = |detail| explain.details.contains(&detail);
    let details = ExplainDetails {
        changelog_mode: has(ExplainDetail::ChangelogMode),
        estimated_cost: has(ExplainDetail::EstimatedCost),
        advice: has(ExplainDetail::PlanAdvice),
        json: has(ExplainDetail::JsonExecutionPlan),
    };
    Ok(ResultTable::single("result", [planned.explain(details)]))
}
