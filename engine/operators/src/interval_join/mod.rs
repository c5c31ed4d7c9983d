//! Interval join: rows of two streams of insertions whose times lie near each other.
//!
//! ```text
//! l LEFT JOIN r ON l.k = r.k AND l.t BETWEEN r.t - INTERVAL '5' SECOND AND r.t
//!
//! left          right         result                     kept
//! +I a 00:10                                             left a 00:10 until 00:15
//!               +I a 00:12    +I a 00:10 a 00:12         right a 00:12 until 00:12
//! +I b 00:11                                             left b 00:11 until 00:16
//! watermark 00:14                                        right a 00:12 is gone
//!               +I b 00:15    +I b 00:11 b 00:15         right b 00:15
//! +I a 00:09    (late)        +I a 00:09 NULL NULL
//! ```
//!
//! As in Flink's `RowTimeIntervalJoin` a row that comes too late is not dropped: it is joined with what
//! is kept, and padded at once if that is nothing and nothing can come. What is put out may be older
//! than the watermark by as much as rows wait, and so the watermark is passed on that much later.

mod emit;
mod keys;
mod pairs;
#[cfg(test)]
mod property_tests;
mod side;
mod state;
#[cfg(test)]
mod tests;

use arrow_array::{Array, ArrayRef};
use arrow_buffer::NullBuffer;
use arrow_schema::SchemaRef;
use sluice_model::{ChangelogBatch, Error, Result, RowKind};
use sluice_plan::JoinKind;

use self::emit::Emitter;
use self::keys::Keys;
use self::pairs::{Arrival, Pairs};
use self::side::Side;
use crate::event_time::EventTime;
use crate::join::condition::Condition;
use crate::join::rows::Place;
use crate::state::{BATCH_ROWS, Scope, StateOutput, StateTable};
use crate::time::millis;
use crate::{Operator, Output};

/// The state table of the watermark; before it come those of the sides.
const WATERMARK: usize = 2;

/// The operator of a [`sluice_plan::IntervalJoin`].
#[derive(Debug)]
pub struct IntervalJoin {
    node: sluice_plan::IntervalJoin,
    condition: Option<Condition>,
    keys: Keys,
    sides: [Side; 2],
    /// No row is expected any more at or before it. Of the clock: the millisecond before now.
    time: EventTime,
    pairs: Pairs,
    emitter: Emitter,
    tables: [StateTable; 3],
}

impl IntervalJoin {
    /// A join without rows.
    ///
    /// # Errors
    /// A bug in the planner: keys, times or a condition that do not fit the inputs.
    pub fn new(node: &sluice_plan::IntervalJoin, inputs: [&SchemaRef; 2], output: &SchemaRef) -> Result<Self> {
        let is_outer = match node.kind {
            JoinKind::Inner => [false, false],
            JoinKind::Left => [true, false],
            JoinKind::Right => [false, true],
            JoinKind::Full => [true, true],
            kind => return Err(Error::bug(format!("an interval join of kind {kind:?}"))),
        };
        if (0..2).any(|side| node.times[side] >= inputs[side].fields().len()) {
            return Err(Error::bug("the time of an interval join is not a column of the input"));
        }
        let (left_keys, right_keys): (Vec<_>, Vec<_>) = node.keys.iter().copied().unzip();
        let reach = node.reach();
        let left = Side::new(inputs[0], left_keys, reach[0], is_outer[0])?;
        let right = Side::new(inputs[1], right_keys, reach[1], is_outer[1])?;
        let types = left.key_types();
        if types != right.key_types() {
            return Err(Error::bug("the keys of a join differ in type"));
        }
        let condition = node.condition.as_ref().map(|condition| Condition::compile(condition, inputs)).transpose()?;
        Ok(Self {
            node: node.clone(),
            condition,
            keys: Keys::new(&types)?,
            tables: [left.table("left"), right.table("right"), EventTime::table()],
            sides: [left, right],
            time: EventTime::new(),
            pairs: Pairs::default(),
            emitter: Emitter::new(output),
        })
    }

    /// The times of rows; `None` where the time or the key is equal to nothing.
    fn times(&self, input: usize, batch: &ChangelogBatch) -> Result<Vec<Option<i64>>> {
        let mut times = if self.node.processing_time {
            vec![Some(self.time.now().saturating_add(1)); batch.num_rows()]
        } else {
            millis(batch.rows().column(self.node.times[input]).as_ref())?
        };
        if !self.node.null_equals_null {
            let columns = self.sides[input].keys.iter().map(|key| batch.rows().column(*key));
            let nulls =
                columns.fold(None, |nulls, key| NullBuffer::union(nulls.as_ref(), key.logical_nulls().as_ref()));
            if let Some(nulls) = nulls {
                times.iter_mut().zip(nulls.iter()).filter(|(_, is_there)| !is_there).for_each(|(time, _)| *time = None);
            }
        }
        Ok(times)
    }

    /// Puts out the pairs of some rows, and keeps the rows or pads them. Returns how many rows it were.
    fn take(&mut self, input: usize, arrivals: &[Arrival], output: Output<'_>) -> Result<usize> {
        let mut pairs = std::mem::take(&mut self.pairs);
        let other = 1 - input;
        // The time of the left minus that of the right is within the bounds.
        let (lower, upper) = (self.node.lower, self.node.upper);
        let span = if input == 0 { [upper.saturating_neg(), lower.saturating_neg()] } else { [lower, upper] };
        let taken = pairs.collect(arrivals, &self.sides[other], span);
        if let Some(condition) = self.condition.as_ref().filter(|_| !pairs.rows.is_empty()) {
            pairs.judge(condition, input, [&self.sides[0].rows, &self.sides[1].rows])?;
        }
        for (number, arrival) in arrivals[..taken].iter().enumerate() {
            let mut is_matched = false;
            for (partner, place) in pairs.partners(number) {
                is_matched = true;
                self.sides[other].set_matched(partner);
                self.emit(input, arrival.place, place, output)?;
            }
            let may_match = |time: &i64| lower <= upper && self.sides[input].may_match(*time, self.time.now());
            match arrival.time.filter(may_match) {
                Some(time) => {
                    self.keys.hold(arrival.slot);
                    self.sides[input].keep(arrival.place, arrival.slot, time, is_matched)?;
                }
                None if !is_matched && self.sides[input].is_outer => {
                    self.emit(input, arrival.place, Place::NONE, output)?;
                }
                None => {}
            }
        }
        self.pairs = pairs;
        Ok(taken)
    }

    fn emit(&mut self, input: usize, own: Place, other: Place, output: Output<'_>) -> Result<()> {
        self.emitter.push(input, own, other);
        if self.emitter.is_full() { self.flush(output) } else { Ok(()) }
    }

    fn flush(&mut self, output: Output<'_>) -> Result<()> {
        self.emitter.flush([&self.sides[0].rows, &self.sides[1].rows], output)
    }

    /// Forgets the rows that get no partner any more; those that have had none are put out with NULLs.
    fn expire(&mut self, output: Output<'_>) -> Result<()> {
        for input in 0..2 {
            loop {
                let expired = self.sides[input].take_expired(self.time.now(), BATCH_ROWS);
                if expired.is_empty() {
                    break;
                }
                let is_outer = self.sides[input].is_outer;
                for id in &expired {
                    let entry = self.sides[input].entries[*id as usize];
                    if is_outer && !entry.is_matched {
                        self.emit(input, entry.place, Place::NONE, output)?;
                    }
                }
                self.flush(output)?;
                for id in expired {
                    if let Some(slot) = self.sides[input].forget(id) {
                        self.keys.release(slot);
                    }
                }
                self.sides[input].tidy()?;
            }
        }
        Ok(())
    }

    /// True if nothing is kept.
    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.keys.len() == 0 && self.sides.iter().all(Side::is_empty)
    }
}

impl Operator for IntervalJoin {
    fn on_batch(&mut self, input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        self.settle_restored();
        if batch.kinds().is_some_and(|kinds| kinds.iter().any(|kind| *kind != RowKind::Insert as u8)) {
            return Err(Error::bug("an interval join got a row that is not an insertion"));
        }
        let times = self.times(input, &batch)?;
        let key: Vec<ArrayRef> = self.sides[input].keys.iter().map(|key| batch.rows().column(*key).clone()).collect();
        let slots = self.keys.hold_all(&key, batch.num_rows())?;
        self.sides.iter_mut().for_each(|side| side.grow(self.keys.capacity()));
        let chunk = self.sides[input].rows.push(batch.rows().columns().to_vec(), batch.num_rows())?;
        let arrival = |((row, slot), time): ((u32, &u32), Option<i64>)| Arrival {
            place: Place { chunk, row },
            slot: *slot,
            time,
        };
        let arrivals: Vec<Arrival> = (0..).zip(&slots).zip(times).map(arrival).collect();
        let mut rest = arrivals.as_slice();
        while !rest.is_empty() {
            rest = &rest[self.take(input, rest, output)?..];
        }
        self.flush(output)?;
        slots.into_iter().for_each(|slot| self.keys.release(slot));
        self.sides[input].tidy()
    }

    fn on_watermark(&mut self, watermark: i64, output: Output<'_>) -> Result<()> {
        self.settle_restored();
        // Of the event time of rows that are joined by the clock only the end matters.
        if self.node.processing_time && watermark != i64::MAX {
            return Ok(());
        }
        self.time.advance(watermark);
        self.expire(output)
    }

    fn passed_watermark(&self, watermark: i64) -> Option<i64> {
        if self.node.processing_time || watermark == i64::MAX {
            return Some(watermark);
        }
        let [left, right] = self.node.reach();
        Some(watermark.saturating_sub(left.max(right).max(0)))
    }

    fn on_processing_time(&mut self, now: i64, output: Output<'_>) -> Result<()> {
        self.settle_restored();
        if !self.node.processing_time {
            return Ok(());
        }
        self.time.advance(now.saturating_sub(1));
        self.expire(output)
    }

    fn next_timer(&self) -> Option<i64> {
        if !self.node.processing_time {
            return None;
        }
        self.sides.iter().filter_map(Side::first_end).min().map(|end| end.saturating_add(1))
    }

    fn state_tables(&self) -> &[StateTable] {
        &self.tables
    }

    fn snapshot(&mut self, scope: Scope, output: StateOutput<'_>) -> Result<()> {
        self.settle_restored();
        for table in 0..self.sides.len() {
            self.save(table, scope, output)?;
        }
        self.time.snapshot(WATERMARK, output)
    }

    fn restore(&mut self, table: usize, rows: ChangelogBatch) -> Result<()> {
        if table == WATERMARK { self.time.restore(rows.rows()) } else { self.load(table, &rows) }
    }
}
