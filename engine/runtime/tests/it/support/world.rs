//! The outside: scripts that sources read, and what sinks have made of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sluice_connector_api::{Connector, ConnectorInfo, Connectors, Sink, SinkTable, Source, SourceTable};
use sluice_model::{Result, RowKind};

use super::faults::Faults;
use super::sink::MemorySink;
use super::source::ScriptSource;

/// A row of the tests: kind, `id`, `v`.
pub(crate) type Row = (RowKind, i64, i64);

/// Everything outside of the engine. Survives its crashes.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) faults: Arc<Faults>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) scripts: HashMap<String, Arc<Vec<Row>>>,
    /// Upsert sinks: content of the table.
    pub(crate) tables: HashMap<String, BTreeMap<i64, i64>>,
    /// Transactional sinks: rows that were committed.
    pub(crate) logs: HashMap<String, Vec<Row>>,
    /// Transactional sinks: commits that were done.
    pub(crate) committed: HashSet<(String, Vec<u8>)>,
    /// Transactional sinks: numbers under which a subtask has prepared. They never come twice.
    pub(crate) prepared: HashSet<(String, usize, u64)>,
    /// Rows handed to a sink, committed or not.
    pub(crate) written: HashMap<String, u64>,
    /// Rows read from a source, again and again after restarts.
    pub(crate) read: HashMap<String, u64>,
    /// Position up to which a source was told that its rows are safe.
    pub(crate) acknowledged: HashMap<String, u64>,
    /// Where checkpoints lie, for a source that checks that it was not told too early.
    pub(crate) checkpoints: Option<String>,
    /// Nanoseconds from reading a row to writing it.
    pub(crate) latencies: Vec<u64>,
    pub(crate) read_at: HashMap<i64, std::time::Instant>,
}

impl World {
    pub(crate) fn with_script(self, source: &str, rows: Vec<Row>) -> Self {
        self.lock().scripts.insert(source.to_owned(), Arc::new(rows));
        self
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn connectors(&self) -> Connectors {
        Connectors::default().with(Memory(self.clone()))
    }

    pub(crate) fn table(&self, sink: &str) -> BTreeMap<i64, i64> {
        self.lock().tables.get(sink).cloned().unwrap_or_default()
    }

    /// Committed rows in an order of their own.
    pub(crate) fn log(&self, sink: &str) -> Vec<Row> {
        let mut log = self.lock().logs.get(sink).cloned().unwrap_or_default();
        log.sort_unstable();
        log
    }

    pub(crate) fn written(&self, sink: &str) -> u64 {
        self.lock().written.get(sink).copied().unwrap_or_default()
    }

    pub(crate) fn read(&self, source: &str) -> u64 {
        self.lock().read.get(source).copied().unwrap_or_default()
    }
}

sluice_connector_api::options! {
    /// Options of the connector of the tests.
    pub(crate) struct MemoryOptions {
        /// Rows per batch.
        "batch" => batch: usize = 10_usize,
        /// Pause per batch.
        "delay" => delay: Option<std::time::Duration>,
        /// Time that a sink takes per row.
        "row-delay" => row_delay: Option<std::time::Duration>,
        /// Whether a source ends behind its script.
        "bounded" => bounded: bool = true,
        /// `upsert`, `transactional`, or one that hangs: `hang`, `block`.
        "mode" => mode: String = "upsert",
        /// Fault of its own: `fix-open`, `panic-write`, `fix-write`.
        "fault" => fault: Option<String>,
    }
}

/// The connector of the tests.
#[derive(Debug)]
struct Memory(World);

impl Connector for Memory {
    const NAME: &'static str = "memory";
    type Options = MemoryOptions;

    fn info(&self) -> ConnectorInfo {
        ConnectorInfo { is_source: true, is_sink: true, ..ConnectorInfo::default() }
    }

    fn source(&self, tables: Vec<SourceTable<MemoryOptions>>) -> Result<Arc<dyn Source>> {
        let table = tables.into_iter().next().unwrap();
        Ok(Arc::new(ScriptSource { world: self.0.clone(), name: table.name, options: table.options }))
    }

    fn sink(&self, options: MemoryOptions, table: SinkTable) -> Result<Arc<dyn Sink>> {
        Ok(Arc::new(MemorySink { world: self.0.clone(), name: table.name, options }))
    }
}

/// `rows` changes over the ids that are `remainder` modulo `modulus`: insertions, updates, deletions.
pub(crate) fn updates(rows: usize, keys: i64, (remainder, modulus): (i64, i64)) -> Vec<Row> {
    let mut table = BTreeMap::new();
    let mut script = Vec::with_capacity(rows + 1);
    let mut seed = 0x1234_5678_u64 ^ rows as u64;
    while script.len() < rows {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let id = ((seed >> 33) as i64 % keys) * modulus + remainder;
        let v = script.len() as i64;
        match table.get(&id).copied() {
            None => {
                table.insert(id, v);
                script.push((RowKind::Insert, id, v));
            }
            Some(old) if seed.is_multiple_of(5) => {
                table.remove(&id);
                script.push((RowKind::Delete, id, old));
            }
            Some(old) => {
                table.insert(id, v);
                script.push((RowKind::UpdateBefore, id, old));
                script.push((RowKind::UpdateAfter, id, v));
            }
        }
    }
    script
}

/// Compares rows in any order; says what is missing and what is too many instead of printing all.
pub(crate) fn assert_rows(actual: &[Row], expected: &[Row], context: &str) {
    let mut counts: BTreeMap<Row, i64> = BTreeMap::new();
    expected.iter().for_each(|row| *counts.entry(*row).or_default() += 1);
    actual.iter().for_each(|row| *counts.entry(*row).or_default() -= 1);
    let missing: Vec<_> = counts.iter().filter(|(_, count)| **count > 0).map(|(row, _)| row).collect();
    let surplus: Vec<_> = counts.iter().filter(|(_, count)| **count < 0).map(|(row, _)| row).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "{context}: {} rows are missing, such as {:?}; {} are too many, such as {:?}",
        missing.len(),
        &missing[..missing.len().min(5)],
        surplus.len(),
        &surplus[..surplus.len().min(5)]
    );
}

/// What is left of changes that were committed, in whatever order: each row once.
pub(crate) fn materialised(log: &[Row], context: &str) -> BTreeMap<i64, i64> {
    let mut counts: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for (kind, id, v) in log {
        *counts.entry((*id, *v)).or_default() += if kind.is_addition() { 1 } else { -1 };
    }
    counts.retain(|_, count| *count != 0);
    assert!(counts.values().all(|count| *count == 1), "{context}: {counts:?}");
    counts.into_keys().collect()
}

/// The table that a changelog describes.
pub(crate) fn final_table<'a>(rows: impl IntoIterator<Item = &'a Row>) -> BTreeMap<i64, i64> {
    let mut table = BTreeMap::new();
    for (kind, id, v) in rows {
        if kind.is_addition() {
            table.insert(*id, *v);
        } else {
            table.remove(id);
        }
    }
    table
}
