//! Joins of rows that lie near each other in time.

use datafusion_expr::LogicalPlan;
use sluice_model::{ChangelogMode, Result};
use sluice_plan::{Input, IntervalJoin, Join, Operation, Output};

use super::join::{Side, condition, joined_keys, joined_schema};
use super::nodes::Nodes;
use crate::logical::Interval;

impl Nodes {
    /// Adds the join `node` as one that keeps rows no longer than an interval of time.
    pub(super) fn interval_join(
        &mut self,
        interval: Interval,
        node: Join,
        sides: [Side; 2],
        join: &datafusion_expr::Join,
        query: &LogicalPlan,
    ) -> Result<Input> {
        let outputs = [self.plan().output(&sides[0].input).clone(), self.plan().output(&sides[1].input).clone()];
        let node = IntervalJoin {
            kind: node.kind,
            keys: node.keys,
            null_equals_null: node.null_equals_null,
            condition: interval.rest.map(|rest| condition(&rest, join, false)).transpose()?,
            times: interval.times,
            lower: interval.lower,
            upper: interval.upper,
            processing_time: interval.processing_time,
        };
        let output = Output {
            schema: joined_schema(&outputs, node.kind),
            changelog: ChangelogMode::APPEND,
            keys: joined_keys(&outputs, &sides[0].keys, &sides[1].keys, node.kind),
        };
        let widths = (sides[0].width, outputs[0].schema.fields().len(), sides[1].width);
        let parallelism = if node.keys.is_empty() { 1 } else { self.parallelism() };
        let inputs = sides.map(|side| self.dealt(side, parallelism)).into_iter().collect();
        let id = self.state_id("interval join", query);
        let joined = self.add(Operation::IntervalJoin(Box::new(node)), inputs, output, parallelism, id)?;
        self.without_computed_keys(joined, widths, query)
    }
}
