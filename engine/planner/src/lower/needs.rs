//! What consumers need from each part of the queries: the old content of updated rows, or not.
//!
//! Flink's `UPDATE_BEFORE` inference, top-down: a sink that goes by key does without, an operator
//! that keeps a running result has to know what to take away again. A part that several consumers
//! share has to please all of them.

use std::collections::HashMap;

use datafusion_expr::LogicalPlan;
use sluice_functions::UnnestNode;
use sluice_model::Result;

use super::scans::{Scans, is_on_key};
use crate::logical::version;

/// Which parts need `-U` rows from what is below them, and the tables that are scanned.
#[derive(Debug, Default)]
pub(super) struct Needs {
    update_before: HashMap<LogicalPlan, bool>,
    pub(super) scans: Scans,
}

impl Needs {
    /// Notes a query whose consumer needs `-U` rows, or not.
    ///
    /// # Errors
    /// A bug: a table that was not expanded.
    pub(super) fn collect(&mut self, query: &LogicalPlan, update_before: bool) -> Result<()> {
        let known = self.update_before.get(query).copied();
        if known == Some(true) || known == Some(update_before) {
            return Ok(());
        }
        self.update_before.insert(query.clone(), update_before);
        if let LogicalPlan::Join(join) = query
            && let Some(version) = version(&join.right)
        {
            self.collect(&join.left, true)?;
            return match version.versions {
                // A version ends when the next one begins.
                Some(_) => self.collect(&version.input, false),
                // The table is not read, it is asked.
                None => Ok(()),
            };
        }
        let below = match query {
            LogicalPlan::TableScan(scan) => return self.scans.add(scan, update_before),
            LogicalPlan::Filter(filter) => update_before || !is_on_key(&filter.predicate, &filter.input),
            // Of the values that a row held, those that are gone are taken away one by one.
            plan if UnnestNode::of(plan).is_some() => true,
            LogicalPlan::Projection(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Union(_)
            | LogicalPlan::Extension(_) => update_before,
            // What keeps a result takes the old content of a row away from it.
            _ => true,
        };
        query.inputs().into_iter().try_for_each(|input| self.collect(input, below))
    }

    /// Whether somebody needs the old content of rows that `query` updates.
    pub(super) fn update_before(&self, query: &LogicalPlan) -> bool {
        self.update_before.get(query).copied().unwrap_or(true)
    }
}
