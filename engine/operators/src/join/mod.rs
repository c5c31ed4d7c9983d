//! Regular join: two changelogs in, the changelog of their join out, for as long as the job runs.
//!
//! Every row of either side is kept. A row that comes or goes looks up the rows of the other side
//! with its key; the condition is evaluated on all the pairs of a batch at once; and rows that are
//! kept without a partner count their partners (their *degree*), as in Flink's
//! `StreamingJoinOperator` and RisingWave's degree tables.
//!
//! # Row kinds of the result
//!
//! The result is a changelog with old contents, and a `-U` in it is always followed by its `+U`:
//! the two are put out only if a row with a unique key was replaced and both its old and its new
//! content make a row of the result with the same partner. Everything else is `+I` and `-D`. So it
//! may be read in every way: as it is, or with `-U` dropped by a consumer that goes by the unique
//! key. (Flink's inner join hands on the kind of its input: a `-U` whose `+U` finds no partner stays
//! alone, and dropping it would lose a deletion.)
//!
//! | left `id, a`, unique `id` | right `id, b` | `LEFT JOIN`: `id, a, id, b` |
//! |---|---|---|
//! | `+I 1 x` | | `+I 1 x NULL NULL` |
//! | | `+I 1 y` | `-D 1 x NULL NULL`, `+I 1 x 1 y` |
//! | `-U 1 x`, `+U 1 z` | | `-U 1 x 1 y`, `+U 1 z 1 y` |
//! | | `-D 1 y` | `-D 1 z 1 y`, `+I 1 z NULL NULL` |
//!
//! # What identifies a row
//!
//! With a unique key: that and the join key. A row of it replaces the one before, `-U` or not, and a
//! row to be taken back need agree in these columns only. Without one, a row is identified by all
//! its columns and counted. Rows of a side that only inserts are not told apart at all.

pub(crate) mod condition;
mod emit;
mod identities;
mod layout;
mod pairs;
#[cfg(test)]
mod property_tests;
pub(crate) mod rows;
mod side;
#[cfg(test)]
mod speed_tests;
mod state;
#[cfg(test)]
mod tests;

use std::time::Duration;

use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::SchemaRef;
use sluice_model::{ChangelogBatch, Error, Result};
use sluice_plan::JoinKind;

use self::condition::Condition;
use self::emit::{Emitter, Rules};
use self::layout::Layout;
use self::pairs::Pairs;
use self::side::{Change, Side};
use crate::key_index::{KeyIndex, Slot};
use crate::ttl;
use crate::{Operator, Output, Scope, StateOutput, StateTable};

/// The operator of a [`sluice_plan::Join`].
#[derive(Debug)]
pub struct Join {
    kind: JoinKind,
    null_equals_null: bool,
    condition: Option<Condition>,
    /// Join keys of both sides.
    keys: KeyIndex,
    sides: [Side; 2],
    tables: [StateTable; 2],
    pairs: Pairs,
    output: SchemaRef,
}

impl Join {
    /// A join without rows.
    ///
    /// # Errors
    /// A bug in the planner: keys or a condition that do not fit the inputs.
    pub fn new(node: &sluice_plan::Join, inputs: [&SchemaRef; 2], output: &SchemaRef) -> Result<Self> {
        let left = Side::new(Layout::new(node, 0, inputs[0].clone())?)?;
        let right = Side::new(Layout::new(node, 1, inputs[1].clone())?)?;
        let types = left.layout.key_types();
        if types != right.layout.key_types() {
            return Err(Error::bug("the keys of a join differ in type"));
        }
        let condition = node.condition.as_ref().map(|condition| Condition::compile(condition, inputs)).transpose()?;
        Ok(Self {
            kind: node.kind,
            null_equals_null: node.null_equals_null,
            condition,
            keys: KeyIndex::new(&types)?,
            tables: [left.layout.table("left"), right.layout.table("right")],
            sides: [left, right],
            pairs: Pairs::default(),
            output: output.clone(),
        })
    }

    /// Which rows have a key that something can be equal to; `None`: all.
    fn comparable(&self, input: usize, batch: &ChangelogBatch) -> Option<BooleanBuffer> {
        if self.null_equals_null {
            return None;
        }
        let columns = self.sides[input].layout.keys().iter().map(|column| batch.rows().column(*column));
        let nulls =
            columns.fold(None, |nulls, column| NullBuffer::union(nulls.as_ref(), column.logical_nulls().as_ref()))?;
        (nulls.null_count() > 0).then(|| nulls.inner().clone())
    }

    fn key_slots(&mut self, input: usize, columns: &[ArrayRef], rows: usize) -> Result<Vec<Slot>> {
        let keys: Vec<_> = self.sides[input].layout.keys().iter().map(|column| columns[*column].clone()).collect();
        self.keys.insert(&keys, rows)
    }

    /// Puts out what the changes of an input do to the result.
    fn put_out(&mut self, input: usize, mut changes: &[Change], output: Output<'_>) -> Result<()> {
        let [left, right] = &mut self.sides;
        let stores = [&left.rows, &right.rows];
        let (own, other) =
            if input == 0 { (&mut left.book, &mut right.book) } else { (&mut right.book, &mut left.book) };
        let mut emitter = Emitter::new(stores, self.kind, &self.output, output);
        let rules = Rules::new(self.kind, input);
        while !changes.is_empty() {
            let (some, rest) = changes.split_at(self.pairs.collect(changes, other));
            if let Some(condition) = &self.condition {
                self.pairs.judge(condition, some, input, other, stores)?;
            }
            for (change, partners) in self.pairs.iter(some) {
                rules.apply(change, &partners, own, other, &mut emitter)?;
            }
            changes = rest;
        }
        emitter.flush()
    }

    /// True if nothing is kept.
    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.keys.len() == 0 && self.sides.iter().all(Side::is_empty)
    }

    /// Forgets the rows of a side whose time is over. Their partners count them on, as in Flink.
    fn expire(&mut self, side: usize) -> Result<()> {
        let (ids, keys) = self.sides[side].expire();
        if self.sides[side].release(&ids)? {
            self.release_keys(&keys);
        }
        Ok(())
    }

    /// Frees keys that nothing needs any more.
    fn release_keys(&mut self, keys: &[Slot]) {
        for key in keys {
            if !self.sides.iter().any(|side| side.needs_key(*key)) {
                self.keys.remove(*key);
            }
        }
    }
}

impl Operator for Join {
    fn on_batch(&mut self, input: usize, mut batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        let mut comparable = self.comparable(input, &batch);
        if let (Some(rows), false) = (&comparable, self.sides[input].layout.keeps_null_keys()) {
            batch = batch.filter(&BooleanArray::new(rows.clone(), None))?;
            comparable = None;
        }
        if batch.is_empty() {
            return Ok(());
        }
        let keys = self.key_slots(input, batch.rows().columns(), batch.num_rows())?;
        let side = &mut self.sides[input];
        let ids = side.identify(&batch, &keys, self.keys.capacity())?;
        let joins = |row| comparable.as_ref().is_none_or(|comparable| comparable.value(row));
        let changes = side.apply(&batch, &keys, &ids, joins)?;
        self.put_out(input, &changes, output)?;
        if self.sides[input].release(&ids)? {
            self.release_keys(&keys);
        }
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        self.sides.iter().filter_map(|side| Some(side.book.ttl()?.next_timer())).min()
    }

    fn on_processing_time(&mut self, now_millis: i64, _output: Output<'_>) -> Result<()> {
        for side in 0..self.sides.len() {
            if self.sides[side].book.advance(now_millis) {
                self.expire(side)?;
            }
        }
        Ok(())
    }

    fn expire_after(&mut self, ttl: &[Option<Duration>]) {
        for ((side, table), ttl) in self.sides.iter_mut().zip(&mut self.tables).zip(ttl) {
            if side.book.expire_after(*ttl) {
                ttl::add_column(table);
            }
        }
    }

    fn state_bytes(&self) -> usize {
        self.keys.bytes() + self.sides.iter().map(Side::bytes).sum::<usize>()
    }

    fn state_tables(&self) -> &[StateTable] {
        &self.tables
    }

    fn snapshot(&mut self, scope: Scope, output: StateOutput<'_>) -> Result<()> {
        for table in 0..self.sides.len() {
            self.save(table, scope, output)?;
        }
        Ok(())
    }

    fn restore(&mut self, table: usize, rows: ChangelogBatch) -> Result<()> {
        self.load(table, &rows)
    }
}
