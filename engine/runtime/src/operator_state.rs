//! State of operators on its way into a checkpoint and back.
//!
//! The tables of an operator become Arrow IPC streams (their row kinds in one more column), one
//! behind the other, each with its name in front. At a restore every subtask reads what all former
//! subtasks wrote, and keeps the rows of its own key groups: by the hash that also deals the rows of
//! exchanges, so that state lies where the rows of its keys arrive, at any parallelism.
//!
//! ```text
//! name length (u16), name, stream length (u64), Arrow IPC stream     … little end first
//! ```
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

use arrow_array::cast::AsArray;
use arrow_array::types::UInt8Type;
use arrow_array::{BooleanArray, RecordBatch, RecordBatchOptions, UInt8Array};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_ipc::{CompressionType, MetadataVersion};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use sluice_model::{Barrier, ChangelogBatch, CheckpointId, Error, Result, key_group_of, subtask_of_key_group};
use sluice_operators::{Operator, Scope, StateTable};
use sluice_state::{Part, TaskState};

use crate::hash::hash_rows;
use crate::spill::{Run, Running};

/// Column of the row kinds.
const KINDS: &str = "$kind";
/// Rows of a batch that is written: the memory that reading needs.
const BATCH_ROWS: usize = 16 * 1024;

/// Deltas on one base, which are files to read at a restore.
const MOST_DELTAS: u64 = 64;

/// What an operator has handed out last, to decide what it hands out next.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    /// States of fewer bytes are handed out as a whole: a reference to a file costs as much.
    threshold: u64,
    checkpoint: Option<CheckpointId>,
    /// Known when it is encoded, which is before the checkpoint is complete.
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
    part: Part,
    /// What lies on disk in the form of the checkpoint.
    spilled: Vec<Arc<Run>>,
    tables: Vec<(StateTable, Vec<ChangelogBatch>)>,
    threshold: u64,
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
        Ok(Some(Self {
            id: id.to_owned(),
            subtask,
            part,
            spilled,
            tables,
            threshold: saved.threshold,
            sizes: Arc::clone(&saved.sizes),
        }))
    }

    /// The bytes that go into the checkpoint. Takes time: not for a thread that others wait for.
    ///
    /// # Errors
    /// A bug: rows that do not fit their table.
    pub(crate) fn encode(self) -> Result<TaskState> {
        let mut handed_out = Vec::new();
        for (table, batches) in &self.tables {
            if !batches.is_empty() || self.part == Part::Base {
                write_table(&mut handed_out, &table.name, &table.schema, batches)?;
            }
        }
        // What was spilled may be more than what fits into memory twice: no room is taken for more.
        let mut bytes = Vec::with_capacity(self.spilled.iter().map(|run| run.len()).sum::<usize>() + handed_out.len());
        for run in &self.spilled {
            run.read(&mut bytes)?;
        }
        bytes.append(&mut handed_out);
        let size = bytes.len() as u64;
        self.sizes.add(self.part, size);
        let part = if self.part == Part::Base && size < self.threshold { Part::Whole } else { self.part };
        Ok(TaskState { id: self.id, subtask: self.subtask, part, bytes })
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
        read_tables(&state.bytes, &names, origin, &mut |table, rows| {
            let rows = if is_unchanged { rows } else { share.of(rows, tables[table].distribution)? };
            if rows.is_empty() { Ok(()) } else { operator.restore(table, rows) }
        })?;
    }
    Ok(())
}

/// Whose state it is, for errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) id: &'a str,
    pub(crate) subtask: usize,
}

/// Appends rows of a table in the form of the checkpoint.
///
/// # Errors
/// A bug: rows that do not fit the table.
pub(crate) fn write_table(
    bytes: &mut Vec<u8>,
    name: &str,
    schema: &SchemaRef,
    batches: &[ChangelogBatch],
) -> Result<()> {
    let length = u16::try_from(name.len()).map_err(|_| Error::bug("the name of a state table is too long"))?;
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(name.as_bytes());
    let stream = write_stream(schema, batches)?;
    bytes.extend_from_slice(&(stream.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&stream);
    Ok(())
}

/// Reads back what [`write_table`] has written: the number of the table, and some of its rows.
///
/// # Errors
/// Bytes that cannot be read, a table that is not among `tables`, or whatever `each` returns.
pub(crate) fn read_tables(
    bytes: &[u8],
    tables: &[(&str, &SchemaRef)],
    origin: Origin<'_>,
    each: &mut dyn FnMut(usize, ChangelogBatch) -> Result<()>,
) -> Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (name, stream) = next_table(&mut rest).ok_or_else(|| damaged(origin))?;
        let Some(index) = tables.iter().position(|(table, _)| table.as_bytes() == name) else {
            return Err(Error::fix(format!("state '{}' has a table that the operator does not know", origin.id))
                .because(format!("the table is called '{}'", String::from_utf8_lossy(name)))
                .with_hint("restore it with the version of the program that wrote it"));
        };
        read_stream(stream, tables[index].1, origin, &mut |rows| each(index, rows))?;
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

fn damaged(origin: Origin<'_>) -> Error {
    Error::fix(format!("state '{}' of subtask {} cannot be read", origin.id, origin.subtask))
        .with_hint("restore an older checkpoint or a savepoint")
}

fn next_table<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let length = u16::from_le_bytes(take(rest, 2)?.try_into().ok()?);
    let name = take(rest, length.into())?;
    let length = u64::from_le_bytes(take(rest, 8)?.try_into().ok()?);
    Some((name, take(rest, usize::try_from(length).ok()?)?))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(taken)
}

/// The columns, and the row kinds behind them.
fn stored_schema(schema: &SchemaRef) -> SchemaRef {
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(KINDS, DataType::UInt8, false)));
    Arc::new(Schema::new(fields))
}

fn write_stream(schema: &SchemaRef, batches: &[ChangelogBatch]) -> Result<Vec<u8>> {
    let stored = stored_schema(schema);
    let options = IpcWriteOptions::try_new(64, false, MetadataVersion::V5)
        .and_then(|options| options.try_with_compression(Some(CompressionType::LZ4_FRAME)))
        .map_err(Error::from_arrow)?;
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &stored, options).map_err(Error::from_arrow)?;
    for batch in batches {
        for start in (0..batch.num_rows()).step_by(BATCH_ROWS) {
            let part = batch.slice(start, BATCH_ROWS.min(batch.num_rows() - start));
            let mut columns = part.rows().columns().to_vec();
            let kinds = part.kinds().map_or_else(|| vec![0; part.num_rows()].into(), Clone::clone);
            columns.push(Arc::new(UInt8Array::new(kinds, None)));
            let rows = RecordBatch::try_new(Arc::clone(&stored), columns).map_err(Error::from_arrow)?;
            writer.write(&rows).map_err(Error::from_arrow)?;
        }
    }
    writer.into_inner().map_err(Error::from_arrow)
}

fn read_stream(
    bytes: &[u8],
    schema: &SchemaRef,
    origin: Origin<'_>,
    each: &mut dyn FnMut(ChangelogBatch) -> Result<()>,
) -> Result<()> {
    let unreadable = |error: arrow_schema::ArrowError| damaged(origin).because(error.to_string());
    let reader = StreamReader::try_new(bytes, None).map_err(unreadable)?;
    if !has_same_types(&reader.schema(), schema) {
        return Err(Error::fix(format!("state '{}' was written by another query", origin.id))
            .because("its columns have other types than those that the operator keeps")
            .with_hint("start the changed query without that state"));
    }
    for rows in reader {
        let rows = rows.map_err(unreadable)?;
        let (kinds, columns) = rows.columns().split_last().ok_or_else(|| damaged(origin))?;
        let kinds = kinds.as_primitive_opt::<UInt8Type>().ok_or_else(|| damaged(origin))?.values().clone();
        let kinds = kinds.iter().any(|kind| *kind != 0).then_some(kinds);
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let rows = RecordBatch::try_new_with_options(Arc::clone(schema), columns.to_vec(), &options);
        each(ChangelogBatch::try_new(rows.map_err(unreadable)?, kinds)?)?;
    }
    Ok(())
}

fn has_same_types(stored: &Schema, wanted: &Schema) -> bool {
    let stored = stored.fields();
    stored.len() == wanted.fields().len() + 1
        && stored.iter().zip(wanted.fields()).all(|(stored, wanted)| stored.data_type() == wanted.data_type())
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
    fn what_cannot_be_read_is_an_error() {
        let mut state = stored("+I 1 a", 0);
        state.bytes.truncate(state.bytes.len() - 20);
        let share = Share { subtask: 0, parallelism: 1 };
        let error = restore(&mut Keeper::new(""), &[state], share).unwrap_err();
        assert!(error.to_string().contains("state 'keeper' of subtask 0 cannot be read"), "{error}");
    }
}
