//! What is registered and kept, by name.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use sluice_model::{ChangelogBatch, ChangelogMode, Error, Result, RowKind, suggest, to_pretty};
use tokio::sync::Notify;

#[derive(Default)]
struct Store {
    sources: HashMap<String, Arc<SourceData>>,
    sinks: HashMap<String, Vec<ChangelogBatch>>,
}

static STORE: LazyLock<Mutex<Store>> = LazyLock::new(Mutex::default);

fn store() -> MutexGuard<'static, Store> {
    STORE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The batches of a source.
#[derive(Debug, Default)]
pub(crate) struct SourceData {
    batches: Mutex<Vec<ChangelogBatch>>,
    grown: Notify,
}

impl SourceData {
    /// # Errors
    /// Nothing is registered under this name.
    pub(crate) fn find(data_id: &str) -> Result<Arc<Self>> {
        let store = store();
        store.sources.get(data_id).cloned().ok_or_else(|| {
            let error = Error::fix(format!("no data is registered as '{data_id}'"));
            match suggest(data_id, store.sources.keys().map(String::as_str)) {
                Some(like) => error.with_hint(format!("did you mean '{like}'?")),
                None => error.with_hint("call sluice_values::register_source before the job starts"),
            }
        })
    }

    pub(crate) fn batch(&self, index: usize) -> Option<ChangelogBatch> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner).get(index).cloned()
    }

    /// The batch at `index`, when it is there.
    pub(crate) async fn wait_for(&self, index: usize) -> ChangelogBatch {
        loop {
            // Asked for before looking, so that a batch that comes between is not missed.
            let grown = self.grown.notified();
            if let Some(batch) = self.batch(index) {
                return batch;
            }
            grown.await;
        }
    }

    /// The least mode that covers the batches.
    pub(crate) fn changelog_mode(&self) -> ChangelogMode {
        let batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let has =
            |kind: RowKind| batches.iter().filter_map(ChangelogBatch::kinds).any(|kinds| kinds.contains(&(kind as u8)));
        match (has(RowKind::UpdateBefore), has(RowKind::UpdateAfter), has(RowKind::Delete)) {
            (false, false, false) => ChangelogMode::APPEND,
            (false, true, _) => ChangelogMode::UPSERT,
            _ => ChangelogMode::RETRACT,
        }
    }
}

/// Sets the batches that tables with this `data-id` deliver, in place of any before.
pub fn register_source(data_id: impl Into<String>, batches: Vec<ChangelogBatch>) {
    let data = SourceData { batches: Mutex::new(batches), grown: Notify::new() };
    store().sources.insert(data_id.into(), Arc::new(data));
}

/// Adds a batch; a source with `'bounded' = 'false'` that is running delivers it at once.
pub fn append_source(data_id: &str, batch: ChangelogBatch) {
    let data = Arc::clone(store().sources.entry(data_id.to_owned()).or_default());
    data.batches.lock().unwrap_or_else(PoisonError::into_inner).push(batch);
    data.grown.notify_waiters();
}

/// What tables with this `data-id` were written, in order.
pub fn sink_contents(data_id: &str) -> Vec<ChangelogBatch> {
    store().sinks.get(data_id).cloned().unwrap_or_default()
}

/// The same in the pretty form, one string a row.
pub fn sink_rows(data_id: &str) -> Vec<String> {
    let batches = sink_contents(data_id);
    batches.iter().filter(|batch| !batch.is_empty()).flat_map(pretty_rows).collect()
}

fn pretty_rows(batch: &ChangelogBatch) -> Vec<String> {
    (0..batch.num_rows()).map(|row| to_pretty(&batch.slice(row, 1))).collect()
}

/// The table that the sink's changelog describes: its rows in the pretty form without kinds, sorted.
/// With key columns the newest row of a key counts; without, every addition needs its own removal.
pub fn materialized(data_id: &str, key: &[usize]) -> Vec<String> {
    let mut rows: BTreeMap<String, (String, i64)> = BTreeMap::new();
    for batch in sink_contents(data_id) {
        for row in 0..batch.num_rows() {
            let one = batch.slice(row, 1);
            let text = |batch: &ChangelogBatch| to_pretty(batch).split_off("+I ".len());
            let key_text = one.project(key).ok().filter(|_| !key.is_empty()).map(|key| text(&key));
            let is_addition = batch.kind(row).is_addition();
            match key_text {
                Some(key) if is_addition => _ = rows.insert(key, (text(&one), 1)),
                Some(key) => _ = rows.remove(&key),
                None => rows.entry(text(&one)).or_insert_with(|| (text(&one), 0)).1 += if is_addition { 1 } else { -1 },
            }
        }
    }
    let repeated = |(row, count): (String, i64)| (0..count.unsigned_abs()).map(move |_| row.clone());
    let mut rows: Vec<_> = rows.into_values().flat_map(repeated).collect();
    rows.sort();
    rows
}

/// Forgets what tables with this `data-id` were written.
pub fn clear_sink(data_id: &str) {
    store().sinks.remove(data_id);
}

pub(crate) fn append_sink(data_id: &str, batch: ChangelogBatch) {
    store().sinks.entry(data_id.to_owned()).or_default().push(batch);
}
