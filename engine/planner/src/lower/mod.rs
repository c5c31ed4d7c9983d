//! From optimised logical plans to one stream plan.
//!
//! ```text
//! needs   which tables, which columns, who needs -U?           (all INSERTs together)
//! sources one node per connection, one port per table
//! nodes   each query bottom-up; an equal part is made once
//! sinks   keys checked, rows dealt by key where there are several writers
//! ```

mod aggregate;
mod batch;
mod changes;
mod columns;
mod fields;
mod interval;
mod join;
mod keys;
mod lookup;
mod needs;
mod nodes;
mod over;
mod rank;
mod scans;
mod sinks;
mod slices;
mod sort;
mod state_ttl;
mod target;
mod temporal;
mod time;
mod unnest;

use datafusion_expr::LogicalPlan;
use sluice_connector_api::Connectors;
use sluice_model::Result;
use sluice_plan::{Input, StreamPlan};

use crate::PlannerSettings;

pub(crate) use rank::{is_rank_condition, row_number_of};
pub(crate) use scans::shared_tables;
pub use state_ttl::state_ttl_alias;
pub(crate) use target::Target;

/// Lowers the queries of one job with their targets. Also returns the notes of the connectors.
pub(crate) fn lower(
    connectors: &Connectors,
    settings: &PlannerSettings,
    queries: &[LogicalPlan],
    targets: &[Target],
) -> Result<(StreamPlan, Vec<String>)> {
    if settings.batch {
        return batch::lower(connectors, settings, queries, targets);
    }
    let mut sinks =
        targets.iter().map(|target| sinks::PreparedSink::new(connectors, target)).collect::<Result<Vec<_>>>()?;
    // What a sink needs of its query may show only when the query's keys are known. Sinks learn, and
    // never forget: each round but the last adds to what one of them needs.
    loop {
        let mut needs = needs::Needs::default();
        let mut fields = fields::RowFields::default();
        for (query, sink) in queries.iter().zip(&sinks) {
            needs.collect(query, sink.needs_update_before())?;
            fields.collect(query)?;
        }
        let mut plan = StreamPlan::default();
        plan.set_state_ttl(settings.state_ttl);
        plan.set_mini_batch(settings.mini_batch);
        let ports = std::mem::take(&mut needs.scans).sources(connectors, settings, &fields, &mut plan)?;
        let mut nodes = nodes::Nodes::new(plan, ports, needs, settings);
        let inputs = queries.iter().map(|query| nodes.lower(query)).collect::<Result<Vec<_>>>()?;
        let mut is_settled = true;
        for (input, sink) in inputs.iter().zip(&mut sinks) {
            is_settled &= !sink.decide_materialize(settings, nodes.plan().output(input));
        }
        if is_settled {
            return add_sinks(connectors, settings, queries, &sinks, inputs, nodes);
        }
    }
}

fn add_sinks(
    connectors: &Connectors,
    settings: &PlannerSettings,
    queries: &[LogicalPlan],
    sinks: &[sinks::PreparedSink<'_>],
    inputs: Vec<Input>,
    mut nodes: nodes::Nodes,
) -> Result<(StreamPlan, Vec<String>)> {
    let mut notes = Vec::new();
    for ((query, sink), input) in queries.iter().zip(sinks).zip(inputs) {
        sink.add(connectors, settings, query, input, &mut nodes, &mut notes)?;
    }
    notes.dedup();
    Ok((nodes.into_plan(), notes))
}
