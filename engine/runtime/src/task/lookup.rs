//! The step of a task that asks another system: a lookup join.
//!
//! A batch is looked up as a whole, in one round trip, and the next one is not read meanwhile: order
//! and backpressure are kept, and nothing is in flight when a barrier comes.
//!
//! Keys without a row are asked for again where a hint says so, and the batch waits for them:
//!
//! ```text
//! keys 7 8 9 ─► rows of 7, 9      pause      8 ─► row of 8      7 8 9, as if they had been there
//! ```

use std::sync::Arc;

use arrow_array::{ArrayRef, UInt32Array};
use arrow_select::concat::concat_batches;
use arrow_select::take::{take, take_record_batch};
use sluice_connector_api::{Found, Lookup, LookupContext, LookupSource};
use sluice_model::{ChangelogBatch, Error, Result};
use sluice_operators::LookupJoin;
use sluice_plan::LookupRetry;

/// A lookup join that is planned.
#[derive(Debug, Clone)]
pub(crate) struct PlannedLookup {
    pub(crate) source: Arc<dyn LookupSource>,
    pub(crate) join: Arc<LookupJoin>,
    pub(crate) retry: Option<LookupRetry>,
}

/// A running lookup join.
pub(crate) struct LookupStep {
    lookup: Box<dyn Lookup>,
    join: Arc<LookupJoin>,
    retry: Option<LookupRetry>,
}

impl PlannedLookup {
    /// Connects.
    ///
    /// # Errors
    /// The table cannot be reached, or is another one.
    pub(crate) async fn open(self, context: LookupContext) -> Result<LookupStep> {
        Ok(LookupStep { lookup: self.source.open(context).await?, join: self.join, retry: self.retry })
    }
}

impl LookupStep {
    /// The rows of a batch, joined.
    ///
    /// # Errors
    /// The table cannot be asked, or answers with something else.
    pub(crate) async fn join(&mut self, batch: ChangelogBatch) -> Result<ChangelogBatch> {
        let keys = self.join.keys(&batch)?;
        let mut found = checked(self.lookup.lookup(&keys.columns).await?)?;
        if let Some(retry) = self.retry {
            found = self.with_misses(found, &keys.columns, keys.count, retry).await?;
        }
        self.join.join(&batch, &keys, &found.keys, &found.rows)
    }

    /// Asks for the keys that have no row until they have one, or have been asked for often enough.
    async fn with_misses(
        &mut self,
        mut found: Found,
        keys: &[ArrayRef],
        count: usize,
        retry: LookupRetry,
    ) -> Result<Found> {
        for _ in 0..retry.max_attempts {
            let missing = missing(&found, count);
            if missing.is_empty() {
                break;
            }
            tokio::time::sleep(retry.delay).await;
            let missing = UInt32Array::from(missing);
            let asked = keys.iter().map(|key| take(key, &missing, None)).collect::<std::result::Result<Vec<_>, _>>();
            let late = checked(self.lookup.lookup_again(&asked.map_err(Error::from_arrow)?).await?)?;
            found = merged(found, late, &missing)?;
        }
        Ok(found)
    }
}

fn checked(found: Found) -> Result<Found> {
    if !found.keys.is_sorted() || found.keys.len() != found.rows.num_rows() {
        return Err(Error::bug("a lookup answered in another order than it was asked"));
    }
    Ok(found)
}

/// The positions of the keys that have no row.
fn missing(found: &Found, count: usize) -> Vec<u32> {
    let mut keys = found.keys.iter().copied().peekable();
    let has_none = |key: &u32| {
        let mut has_none = true;
        while keys.next_if_eq(key).is_some() {
            has_none = false;
        }
        has_none
    };
    (0..count as u32).filter(has_none).collect()
}

/// What was found first and what was found later, by the positions of all keys.
fn merged(found: Found, late: Found, asked: &UInt32Array) -> Result<Found> {
    if late.keys.is_empty() {
        return Ok(found);
    }
    let place = |key: &u32| asked.values().get(*key as usize).copied();
    let late_keys = late.keys.iter().map(place).collect::<Option<Vec<_>>>();
    let late_keys = late_keys.ok_or_else(|| Error::bug("a lookup found a row of a key that was not asked for"))?;
    let keys: Vec<u32> = found.keys.into_iter().chain(late_keys).collect();
    let rows = concat_batches(&late.rows.schema(), [&found.rows, &late.rows]).map_err(Error::from_arrow)?;
    let mut order: Vec<u32> = (0..keys.len() as u32).collect();
    order.sort_by_key(|row| keys[*row as usize]);
    let keys = order.iter().map(|row| keys[*row as usize]).collect();
    let rows = take_record_batch(&rows, &UInt32Array::from(order)).map_err(Error::from_arrow)?;
    Ok(Found { keys, rows })
}
