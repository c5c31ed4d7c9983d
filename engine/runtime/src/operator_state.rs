//! State of operators on its way into a checkpoint and back.
//!
//! The tables of an operator become bytes ([`state_tables`](crate::state_tables)) while these are written
//! to the storage, a few MiB at a time; small states at once. At a restore every subtask reads what all
//! former subtasks wrote, and keeps the rows of its own key groups: by the hash that also deals the rows
//! of exchanges, so that state lies where the rows of its keys arrive, at any parallelism.
//!
//! Incremental checkpoints hold what an operator has changed since the checkpoint before. They begin
//! anew with everything when the changes have grown to half of that, so that they cost at most half
//! as much again to keep and to read:
//!
//! ```text
//! checkpoint          1           2          3           4         5
//! handed out   base 90 KB  delta 20 KB   +20 KB      +20 KB   base 95 KB
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::BooleanArray;
use sluice_model::{Barrier, ChangelogBatch, CheckpointId, Error, Result, key_group_of, subtask_of_key_group};
use sluice_operators::{Operator, Scope, StateTable};
use sluice_state::{Content, Encode, Part, TaskState};

use crate::hash::hash_rows;
use crate::spill::{Run, Running};
use crate::state_tables::{Origin, bytes_of, pieces, read_tables, write_table};

/// States of fewer bytes are encoded at once; larger ones when they are written, as they do not fit twice.
const SMALL: usize = 1 << 20;

/// How many times smaller encoded rows are, at best. Where more is expected, nothing is encoded to see.
const SHRINKS: u64 = 8;

/// Deltas on one base, which are files to read at a restore.
const MOST_DELTAS: u64 = 64;

/// What an operator has handed out last, to decide what it hands out next.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    /// States of fewer bytes are handed out as a whole: a reference to a file costs as much.
    threshold: u64,
    checkpoint: Option<CheckpointId>,
    /// Known when it has been encoded, which is before the checkpoint is complete.
    sizes: Arc<Sizes>,
}

/// Bytes of what was handed out.
#[derive(Debug, Default)]
struct Sizes {
    base: AtomicU64,
    deltas: AtomicU64,
    /// Number of deltas.
    count: AtomicU64,
}

impl Saved {
    pub(crate) fn new(threshold: u64) -> Self {
        Self { threshold, ..Self::default() }
    }

    /// Whether the next checkpoint gets what has changed, and since when.
    fn next_part(&self, barrier: Barrier) -> Part {
        let base = self.sizes.base.load(Ordering::Relaxed);
        let grown = self.sizes.deltas.load(Ordering::Relaxed) >= base / 2;
        let many = self.sizes.count.load(Ordering::Relaxed) >= MOST_DELTAS;
        match barrier.since.filter(|since| self.checkpoint == Some(*since)) {
            Some(since) if base >= self.threshold && !grown && !many => Part::Delta { since },
            _ => Part::Base,
        }
    }
}

impl Sizes {
    fn add(&self, part: Part, bytes: u64) {
        if let Part::Delta { .. } = part {
            self.deltas.fetch_add(bytes, Ordering::Relaxed);
            self.count.fetch_add(1, Ordering::Relaxed);
        } else {
            self.base.store(bytes, Ordering::Relaxed);
            self.deltas.store(0, Ordering::Relaxed);
            self.count.store(0, Ordering::Relaxed);
        }
    }
}

/// What one operator has handed out, before it is encoded.
#[derive(Debug)]
pub(crate) struct OperatorSnapshot {
    id: String,
    subtask: usize,
    threshold: u64,
    rows: HandedOut,
}

/// Rows that are encoded as they are written.
#[derive(Debug)]
struct HandedOut {
    part: Part,
    /// What lies on disk in the form of the checkpoint.
    spilled: Vec<Arc<Run>>,
    tables: Vec<(StateTable, Vec<ChangelogBatch>)>,
    sizes: Arc<Sizes>,
}

impl OperatorSnapshot {
    /// Asks an operator for all of its state, or for what has changed of it; `None` if it keeps none.
    ///
    /// # Errors
    /// The operator failed.
    pub(crate) fn take(
        operator: &mut Running,
        barrier: Barrier,
        saved: &mut Saved,
        id: &str,
        subtask: usize,
    ) -> Result<Option<Self>> {
        let mut tables: Vec<_> = operator.state_tables().iter().map(|table| (table.clone(), Vec::new())).collect();
        if tables.is_empty() {
            return Ok(None);
        }
        let part = saved.next_part(barrier);
        let scope = if part == Part::Base { Scope::All } else { Scope::Changes };
        saved.checkpoint = Some(barrier.checkpoint);
        let spilled = match operator {
            Running::Spilling(operator) => operator.snapshot_spilled(scope)?,
            Running::Plain(_) => Vec::new(),
        };
        operator.snapshot(scope, &mut |table, rows| {
            let (_, batches) = tables.get_mut(table).ok_or_else(|| Error::bug("rows of no table of the state"))?;
            batches.push(rows);
            Ok(())
        })?;
        let rows = HandedOut { part, spilled, tables, sizes: Arc::clone(&saved.sizes) };
        Ok(Some(Self { id: id.to_owned(), subtask, threshold: saved.threshold, rows }))
    }

    /// What goes into the checkpoint: the bytes of a small state, or what makes them. Takes time: not for
    /// a thread that others wait for.
    ///
    /// # Errors
    /// A bug: rows that do not fit their table.
    pub(crate) fn encode(self) -> Result<TaskState> {
        let Self { id, subtask, threshold, rows } = self;
        let part = rows.part;
        let (part, content) = match rows.small(SMALL.max(usize::try_from(threshold).unwrap_or(usize::MAX)))? {
            Some(bytes) if part == Part::Base && (bytes.len() as u64) < threshold => (Part::Whole, bytes.into()),
            Some(bytes) => (part, bytes.into()),
            None => (part, Content::encoded(Arc::new(rows))),
        };
        Ok(TaskState { id, subtask, part, content })
    }
}

impl HandedOut {
    /// All bytes, if they are no more than `limit`.
    fn small(&self, limit: usize) -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        let spilled = self.spilled.iter().map(|run| run.len()).sum::<usize>();
        if spilled > limit || self.expected() > SHRINKS.saturating_mul(limit as u64) {
            return Ok(None);
        }
        for part in self.parts() {
            bytes.append(&mut part?);
            if bytes.len() > limit {
                return Ok(None);
            }
        }
        Ok(Some(bytes))
    }

    /// The rows of a table; a base says of every table that it is there.
    fn encode_table<'a>(
        &'a self,
        (table, batches): &'a (StateTable, Vec<ChangelogBatch>),
    ) -> impl Iterator<Item = Result<Vec<u8>>> + 'a {
        let mut pieces = pieces(batches);
        if pieces.is_empty() && self.part == Part::Base {
            pieces.push(Vec::new());
        }
        pieces.into_iter().map(move |piece| {
            let mut bytes = Vec::new();
            write_table(&mut bytes, &table.name, &table.schema, &piece)?;
            Ok(bytes)
        })
    }
}

impl Encode for HandedOut {
    fn parts(&self) -> Box<dyn Iterator<Item = Result<Vec<u8>>> + '_> {
        let spilled = self.spilled.iter().map(|run| {
            let mut bytes = Vec::new();
            run.read(&mut bytes)?;
            Ok(bytes)
        });
        let tables = self.tables.iter().flat_map(|table| self.encode_table(table));
        Box::new(Counted { parts: spilled.chain(tables), size: 0, rows: self })
    }

    fn expected(&self) -> u64 {
        let spilled: usize = self.spilled.iter().map(|run| run.len()).sum();
        let rows: usize = self.tables.iter().flat_map(|(_, batches)| batches).map(bytes_of).sum();
        (spilled + rows) as u64
    }
}

/// Counts the bytes of a state that is encoded to its end.
struct Counted<'a, I> {
    parts: I,
    size: u64,
    rows: &'a HandedOut,
}

impl<I: Iterator<Item = Result<Vec<u8>>>> Iterator for Counted<'_, I> {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let part = self.parts.next();
        match &part {
            Some(Ok(bytes)) => self.size += bytes.len() as u64,
            Some(Err(_)) => {}
            None => self.rows.sizes.add(self.rows.part, self.size),
        }
        part
    }
}

/// Which of the rows that were stored belong to a subtask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    pub(crate) subtask: usize,
    pub(crate) parallelism: usize,
}

/// Hands an operator the part of its state that belongs to its subtask. `states` are those of all
/// subtasks that wrote, the parts of each in their order.
///
/// # Errors
/// Bytes that cannot be read, or state that does not fit the operator.
pub(crate) fn restore(operator: &mut dyn Operator, states: &[TaskState], share: Share) -> Result<()> {
    let tables = operator.state_tables().to_vec();
    // With the parallelism unchanged every subtask finds its own state as a whole.
    let writers = states.iter().filter(|state| !matches!(state.part, Part::Delta { .. })).count();
    let is_unchanged = writers == share.parallelism;
    let names: Vec<_> = tables.iter().map(|table| (table.name.as_str(), &table.schema)).collect();
    for state in states.iter().filter(|state| !is_unchanged || state.subtask == share.subtask) {
        let origin = Origin { id: &state.id, subtask: state.subtask };
        read_tables(state.content.reader(), &names, origin, &mut |table, rows| {
            let rows = if is_unchanged { rows } else { share.of(rows, tables[table].distribution)? };
            if rows.is_empty() { Ok(()) } else { operator.restore(table, rows) }
        })?;
    }
    Ok(())
}

impl Share {
    fn of(self, rows: ChangelogBatch, distribution: usize) -> Result<ChangelogBatch> {
        if distribution == StateTable::BROADCAST {
            return Ok(rows);
        }
        if distribution == 0 {
            return Ok(if self.subtask == 0 { rows } else { rows.slice(0, 0) });
        }
        let columns: Vec<usize> = (0..distribution).collect();
        let hashes = hash_rows(rows.rows(), &columns)?;
        let is_own = |hash: &u64| subtask_of_key_group(key_group_of(*hash), self.parallelism) == self.subtask;
        rows.filter(&hashes.iter().map(|hash| Some(is_own(hash))).collect::<BooleanArray>())
    }
}

#[cfg(test)]
mod tests {
    use sluice_model::{BarrierKind, from_pretty, to_pretty};

    use super::*;

    /// Keeps what it is given.
    struct Keeper {
        tables: [StateTable; 1],
        rows: Vec<ChangelogBatch>,
    }

    impl Keeper {
        fn new(rows: &str) -> Self {
            let rows = from_pretty("id BIGINT, v STRING", rows);
            let (schema, name) = (rows.schema(), "rows".to_owned());
            Self { tables: [StateTable { name, schema, key: 1, distribution: 1 }], rows: vec![rows] }
        }

        fn text(&self) -> Vec<String> {
            let texts = self.rows.iter().map(to_pretty).filter(|text| !text.is_empty());
            let mut rows: Vec<String> =
                texts.flat_map(|text| text.split(" / ").map(str::to_owned).collect::<Vec<_>>()).collect();
            rows.sort();
            rows
        }
    }

    impl Operator for Keeper {
        fn on_batch(&mut self, _: usize, _: ChangelogBatch, _: sluice_operators::Output<'_>) -> Result<()> {
            Ok(())
        }

        fn state_tables(&self) -> &[StateTable] {
            &self.tables
        }

        fn snapshot(&mut self, _: Scope, output: sluice_operators::StateOutput<'_>) -> Result<()> {
            self.rows.iter().try_for_each(|rows| output(0, rows.clone()))
        }

        fn restore(&mut self, _: usize, rows: ChangelogBatch) -> Result<()> {
            self.rows.push(rows);
            Ok(())
        }
    }

    fn stored(rows: &str, subtask: usize) -> TaskState {
        let barrier = Barrier { checkpoint: 1, kind: BarrierKind::Checkpoint, since: None };
        let mut keeper = Running::Plain(Box::new(Keeper::new(rows)));
        let snapshot = OperatorSnapshot::take(&mut keeper, barrier, &mut Saved::default(), "keeper", subtask);
        snapshot.unwrap().unwrap().encode().unwrap()
    }

    #[test]
    fn kinds_and_values_survive() {
        let state = stored("+I 1 a / +U 2 NULL / -D 3 c", 0);
        let mut keeper = Keeper::new("");
        restore(&mut keeper, &[state], Share { subtask: 0, parallelism: 1 }).unwrap();
        assert_eq!(keeper.text(), ["+I 1 a", "+U 2 NULL", "-D 3 c"]);
    }

    #[test]
    fn every_row_goes_to_one_subtask_at_another_parallelism() {
        let rows: Vec<String> = (0..100).map(|id| format!("+I {id} x")).collect();
        let states = [stored(&rows[..50].join(" / "), 0), stored(&rows[50..].join(" / "), 1)];
        let mut all = Vec::new();
        for subtask in 0..3 {
            let mut keeper = Keeper::new("");
            restore(&mut keeper, &states, Share { subtask, parallelism: 3 }).unwrap();
            assert!(keeper.text().len() > 10, "{:?}", keeper.text());
            all.extend(keeper.text());
        }
        all.sort();
        let mut rows = rows;
        rows.sort();
        assert_eq!(all, rows);
    }

    #[test]
    fn every_subtask_gets_what_is_for_all() {
        let states = [stored("+I 1 a", 0), stored("+I 2 b", 1)];
        for subtask in 0..3 {
            let mut keeper = Keeper::new("");
            keeper.tables[0].distribution = StateTable::BROADCAST;
            restore(&mut keeper, &states, Share { subtask, parallelism: 3 }).unwrap();
            assert_eq!(keeper.text(), ["+I 1 a", "+I 2 b"]);
        }
    }

    #[test]
    fn a_large_state_is_not_encoded_to_see_that_it_is_large() {
        let handed_out = |rows: &str| {
            let Keeper { tables: [mut table], rows } = Keeper::new(rows);
            // Rows that do not fit their table cannot be encoded.
            table.schema = from_pretty("id BIGINT", "").schema();
            let tables = vec![(table, rows)];
            HandedOut { part: Part::Base, spilled: Vec::new(), tables, sizes: Arc::default() }
        };
        assert!(handed_out("+I 1 a").small(1000).is_err());
        assert_eq!(handed_out(&format!("+I 1 {}", "a".repeat(10_000))).small(1000).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let mut state = stored("+I 1 a", 0);
        let mut bytes = state.content.load().unwrap();
        bytes.truncate(bytes.len() - 20);
        state.content = bytes.into();
        let share = Share { subtask: 0, parallelism: 1 };
        let error = restore(&mut Keeper::new(""), &[state], share).unwrap_err();
        assert!(error.to_string().contains("state 'keeper' of subtask 0 cannot be read"), "{error}");
    }
}
