//! From optimised logical plans to one stream plan.
//!
//! ```text
//! needs   which tables, which columns, who needs -U?           (all INSERTs together)
//! sources one node per connection, one port per table
//! nodes   each query bottom-up; an equal part is made once
//! sinks   keys checked, rows dealt by key where there are several writers
//! ```

mod aggregate;
mod columns;
mod join;
mod keys;
mod needs;
mod nodes;
mod rank;
mod scans;
mod sinks;
mod target;
mod time;

use datafusion_expr::LogicalPlan;
use sluice_connector_api::Connectors;
use sluice_model::Result;
use sluice_plan::StreamPlan;

use crate::PlannerSettings;

pub(crate) use scans::shared_tables;
pub(crate) use target::Target;

/// Lowers the queries of one job with their targets. Also returns the notes of the connectors.
pub(crate) fn lower(
    connectors: &Connectors,
    settings: &PlannerSettings,
    queries: &[LogicalPlan],
    targets: &[Target],
) -> Result<(StreamPlan, Vec<String>)> {
    let sinks =
        targets.iter().map(|target| sinks::PreparedSink::new(connectors, target)).collect::<Result<Vec<_>>>()?;
    let mut needs = needs::Needs::default();
    for (query, sink) in queries.iter().zip(&sinks) {
        needs.collect(query, sink.needs_update_before())?;
    }
    let mut plan = StreamPlan::default();
    let ports = std::mem::take(&mut needs.scans).sources(connectors, settings, &mut plan)?;
    let mut notes = Vec::new();
    let mut nodes = nodes::Nodes::new(plan, ports, needs, settings.parallelism);
    for (query, sink) in queries.iter().zip(sinks) {
        let input = nodes.lower(query)?;
        sink.add(connectors, settings, query, input, &mut nodes, &mut notes)?;
    }
    notes.dedup();
    Ok((nodes.into_plan(), notes))
}
