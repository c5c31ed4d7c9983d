//! The step of a task that asks another system: a lookup join.
//!
//! A batch is looked up as a whole, in one round trip, and the next one is not read meanwhile: order
//! and backpressure are kept, and nothing is in flight when a barrier comes.

use std::sync::Arc;

use sluice_connector_api::{Lookup, LookupContext, LookupSource};
use sluice_model::{ChangelogBatch, Error, Result};
use sluice_operators::LookupJoin;

/// A lookup join that is planned.
#[derive(Debug, Clone)]
pub(crate) struct PlannedLookup {
    pub(crate) source: Arc<dyn LookupSource>,
    pub(crate) join: Arc<LookupJoin>,
}

/// A running lookup join.
pub(crate) struct LookupStep {
    lookup: Box<dyn Lookup>,
    join: Arc<LookupJoin>,
}

impl PlannedLookup {
    /// Connects.
    ///
    /// # Errors
    /// The table cannot be reached, or is another one.
    pub(crate) async fn open(self, context: LookupContext) -> Result<LookupStep> {
        Ok(LookupStep { lookup: self.source.open(context).await?, join: self.join })
    }
}

impl LookupStep {
    /// The rows of a batch, joined.
    ///
    /// # Errors
    /// The table cannot be asked, or answers with something else.
    pub(crate) async fn join(&mut self, batch: ChangelogBatch) -> Result<ChangelogBatch> {
        let keys = self.join.keys(&batch)?;
        let found = self.lookup.lookup(&keys.columns).await?;
        if !found.keys.is_sorted() || found.keys.len() != found.rows.num_rows() {
            return Err(Error::bug("a lookup answered in another order than it was asked"));
        }
        self.join.join(&batch, &keys, &found.keys, &found.rows)
    }
}
