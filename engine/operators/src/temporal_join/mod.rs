//! Temporal join: each row of the left with the version of a table's row that was valid at its time.
//!
//! ```text
//! orders JOIN rates FOR SYSTEM_TIME AS OF orders.t ON orders.c = rates.c
//!
//! orders (left)   rates (right)      result
//!                 +I € 1.1 00:10
//! +I € 00:15
//!                 +U € 1.2 00:14
//! +I € 00:12
//! watermark 00:13                    +I € 00:12 € 1.1 00:10
//! watermark 00:16                    +I € 00:15 € 1.2 00:14      € 1.1 is forgotten
//! ```
//!
//! As in Flink's `TemporalRowTimeJoinOperator` rows of the left wait for the watermark, and come out in
//! the order in which they came in. A row of the right is the version of its key from its time on; `-D`
//! is a version as well, one without a row, and `-U` says nothing that the `+U` behind it does not. Of
//! the versions that time has passed the newest is kept. A row of the left that comes too late is
//! joined with what is there at the next watermark.

#[cfg(test)]
mod tests;

use arrow_array::{Array, ArrayRef};
use arrow_buffer::NullBuffer;
use arrow_schema::SchemaRef;
use sluice_model::{ChangelogBatch, Error, Result, RowKind};
use sluice_plan::JoinKind;

use crate::event_time::EventTime;
use crate::join::condition::Condition;
use crate::join::rows::{Place, RowId};
use crate::key_index::Slot;
use crate::rows_by_time::{Emitter, Keys, RowsByTime};
use crate::state::{BATCH_ROWS, Scope, StateOutput, StateTable};
use crate::time::millis;
use crate::{Operator, Output};

const LEFT: usize = 0;
const RIGHT: usize = 1;
/// The state table of the watermark; before it come those of the sides.
const WATERMARK: usize = 2;

/// The mark of a row that is there.
const THERE: u8 = 0;
/// The mark of a row of the left that takes one back, and of a version without a row.
const GONE: u8 = 1;

/// The operator of a [`sluice_plan::TemporalJoin`].
#[derive(Debug)]
pub struct TemporalJoin {
    times: [usize; 2],
    /// Rows of the left without a version are put out with NULLs.
    is_outer: bool,
    condition: Option<Condition>,
    keys: Keys,
    /// The rows of the left that wait, and the versions of the right.
    sides: [RowsByTime; 2],
    time: EventTime,
    emitter: Emitter,
    tables: [StateTable; 3],
}

impl TemporalJoin {
    /// A join without rows.
    ///
    /// # Errors
    /// A bug in the planner: keys, times or a condition that do not fit the inputs.
    pub fn new(node: &sluice_plan::TemporalJoin, inputs: [&SchemaRef; 2], output: &SchemaRef) -> Result<Self> {
        if (0..2).any(|side| node.times[side] >= inputs[side].fields().len()) {
            return Err(Error::bug("the time of a temporal join is not a column of the input"));
        }
        let (left_keys, right_keys): (Vec<_>, Vec<_>) = node.keys.iter().copied().unzip();
        let left = RowsByTime::new(inputs[LEFT], left_keys)?;
        let right = RowsByTime::new(inputs[RIGHT], right_keys)?;
        let types = left.key_types();
        if types != right.key_types() {
            return Err(Error::bug("the keys of a join differ in type"));
        }
        let condition = node.condition.as_ref().map(|condition| Condition::compile(condition, inputs)).transpose()?;
        Ok(Self {
            times: node.times,
            is_outer: node.kind == JoinKind::Left,
            condition,
            keys: Keys::new(&types)?,
            tables: [left.table("left"), right.table("versions"), EventTime::table()],
            sides: [left, right],
            time: EventTime::new(),
            emitter: Emitter::new(output),
        })
    }

    /// Keeps the rows of an input that matter.
    fn keep(&mut self, input: usize, batch: &ChangelogBatch) -> Result<()> {
        let times = millis(batch.rows().column(self.times[input]).as_ref())?;
        let key: Vec<ArrayRef> = self.sides[input].keys.iter().map(|key| batch.rows().column(*key).clone()).collect();
        let nulls = key.iter().fold(None, |nulls, key| NullBuffer::union(nulls.as_ref(), key.logical_nulls().as_ref()));
        let slots = self.keys.hold_all(&key, batch.num_rows())?;
        let chunk = self.sides[input].rows.push(batch.rows().columns().to_vec(), batch.num_rows())?;
        self.sides.iter_mut().for_each(|side| side.grow(self.keys.capacity()));
        for (row, (slot, time)) in (0..).zip(slots.iter().zip(times)) {
            let at = row as usize;
            let kind = batch.kind(at);
            // Nothing is equal to NULL.
            let is_alone = nulls.as_ref().is_some_and(|nulls| nulls.is_null(at));
            let is_needed = if input == LEFT { self.is_outer || !is_alone } else { !is_alone };
            if !is_needed || input == RIGHT && kind == RowKind::UpdateBefore {
                continue;
            }
            let time = time.ok_or_else(|| no_time(input))?;
            let mark = if kind.is_addition() { THERE } else { GONE };
            self.sides[input].keep(Place { chunk, row }, *slot, time, mark, &mut self.keys)?;
        }
        slots.into_iter().for_each(|slot| self.keys.release(slot));
        self.sides[input].tidy()
    }

    /// Puts out the rows of the left that time has come to.
    fn join_due(&mut self, output: Output<'_>) -> Result<()> {
        let mut due = Vec::new();
        loop {
            let some = self.sides[LEFT].take_until(self.time.now(), BATCH_ROWS);
            if some.is_empty() {
                break;
            }
            due.extend(some);
        }
        due.sort_unstable_by_key(|id| self.sides[LEFT].entry(*id).number);
        for ids in due.chunks(BATCH_ROWS) {
            let versions = self.versions(ids)?;
            for (id, version) in ids.iter().zip(versions) {
                let entry = self.sides[LEFT].entry(*id);
                if version.is_some() || self.is_outer {
                    let kind = if entry.mark == THERE { RowKind::Insert } else { RowKind::Delete };
                    self.emitter.push(kind, LEFT, entry.place, version);
                }
            }
            self.emitter.flush([&self.sides[LEFT].rows, &self.sides[RIGHT].rows], output)?;
        }
        due.into_iter().for_each(|id| self.sides[LEFT].forget(id, &mut self.keys));
        self.sides[LEFT].tidy()
    }

    /// The versions that rows of the left are joined with; [`Place::NONE`] for none.
    fn versions(&self, ids: &[RowId]) -> Result<Vec<Place>> {
        let [left, right] = &self.sides;
        let version = |id: &RowId| {
            let entry = left.entry(*id);
            let version = right.last_at(entry.slot, entry.time).map(|version| right.entry(version));
            version.filter(|version| version.mark == THERE).map_or(Place::NONE, |version| version.place)
        };
        let mut versions: Vec<Place> = ids.iter().map(version).collect();
        let Some(condition) = &self.condition else { return Ok(versions) };
        let judged: Vec<usize> = (0..versions.len()).filter(|row| versions[*row].is_some()).collect();
        if judged.is_empty() {
            return Ok(versions);
        }
        let own: Vec<Place> = judged.iter().map(|row| left.entry(ids[*row]).place).collect();
        let other: Vec<Place> = judged.iter().map(|row| versions[*row]).collect();
        let holds = condition.evaluate([&left.rows, &right.rows], [&own, &other])?;
        judged.into_iter().zip(holds.iter()).filter(|(_, holds)| !holds).for_each(|(row, _)| {
            versions[row] = Place::NONE;
        });
        Ok(versions)
    }

    /// Forgets the versions that no row of the left is expected for any more.
    fn forget_versions(&mut self) -> Result<()> {
        let (now, versions) = (self.time.now(), &mut self.sides[RIGHT]);
        let mut slots = Vec::<Slot>::new();
        loop {
            let some = versions.take_until(now, BATCH_ROWS);
            if some.is_empty() {
                break;
            }
            slots.extend(some.into_iter().map(|id| versions.entry(id).slot));
        }
        slots.sort_unstable();
        slots.dedup();
        for slot in slots {
            while let Some(id) = versions.outdated(slot, now) {
                versions.forget(id, &mut self.keys);
            }
        }
        versions.tidy()
    }

    fn settle_restored(&mut self) {
        self.sides.iter_mut().for_each(|side| side.settle_restored(&self.keys));
        self.sides.iter_mut().for_each(|side| side.grow(self.keys.capacity()));
    }

    /// True if nothing is kept but the newest versions.
    #[cfg(test)]
    fn is_idle(&self) -> bool {
        self.sides[LEFT].is_empty() && self.sides[RIGHT].first_time().is_none()
    }
}

fn no_time(input: usize) -> Error {
    let side = if input == LEFT { "left" } else { "versioned table" };
    Error::fix(format!("the time attribute of the {side} of a temporal join is NULL in a row"))
        .because("a version is found, and is valid, by that time")
        .with_hint("leave such rows out: WHERE the column IS NOT NULL")
}

impl Operator for TemporalJoin {
    fn on_batch(&mut self, input: usize, batch: ChangelogBatch, _output: Output<'_>) -> Result<()> {
        self.settle_restored();
        self.keep(input, &batch)
    }

    fn on_watermark(&mut self, watermark: i64, output: Output<'_>) -> Result<()> {
        self.settle_restored();
        self.time.advance(watermark);
        self.join_due(output)?;
        self.forget_versions()
    }

    fn state_bytes(&self) -> usize {
        self.keys.bytes() + self.sides.iter().map(RowsByTime::bytes).sum::<usize>()
    }

    fn state_tables(&self) -> &[StateTable] {
        &self.tables
    }

    fn snapshot(&mut self, scope: Scope, output: StateOutput<'_>) -> Result<()> {
        self.settle_restored();
        for (table, side) in self.sides.iter_mut().enumerate() {
            let schema = &self.tables[table].schema;
            side.snapshot(&mut self.keys, schema, scope, &mut |rows| output(table, rows))?;
        }
        self.time.snapshot(WATERMARK, output)
    }

    fn restore(&mut self, table: usize, rows: ChangelogBatch) -> Result<()> {
        match self.sides.get_mut(table) {
            Some(side) => side.restore(&mut self.keys, &rows),
            None => self.time.restore(rows.rows()),
        }
    }
}
