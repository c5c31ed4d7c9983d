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

mod pairs;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;

use arrow_array::{Array, ArrayRef};
use arrow_buffer::NullBuffer;
use arrow_schema::SchemaRef;
use sluice_model::{ChangelogBatch, Error, Result, RowKind};
use sluice_plan::JoinKind;

use self::pairs::{Arrival, Pairs};
use crate::event_time::EventTime;
use crate::join::condition::Condition;
use crate::join::rows::Place;
use crate::rows_by_time::{Emitter, Keys, RowsByTime};
use crate::state::{BATCH_ROWS, Scope, StateOutput, StateTable};
use crate::time::millis;
use crate::{Operator, Output};

/// The state table of the watermark; before it come those of the sides.
const WATERMARK: usize = 2;

/// The marks of rows: without a partner so far, and with one.
const ALONE: u8 = 0;
const MATCHED: u8 = 1;

/// The operator of a [`sluice_plan::IntervalJoin`].
#[derive(Debug)]
pub struct IntervalJoin {
    node: sluice_plan::IntervalJoin,
    condition: Option<Condition>,
    keys: Keys,
    sides: [RowsByTime; 2],
    /// Whether the rows of a side that have no partner are put out with NULLs.
    is_outer: [bool; 2],
    /// How long after its time a row of a side may get a partner.
    reach: [i64; 2],
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
        let left = RowsByTime::new(inputs[0], left_keys)?;
        let right = RowsByTime::new(inputs[1], right_keys)?;
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
            is_outer,
            reach: node.reach(),
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
                if self.is_outer[other] {
                    self.sides[other].set_mark(partner, MATCHED);
                }
                self.emit(input, arrival.place, place, output)?;
            }
            let end = |time: i64| time.saturating_add(self.reach[input]);
            let may_match = |time: &i64| lower <= upper && self.time.now() < end(*time);
            match arrival.time.filter(may_match) {
                Some(time) => {
                    let mark = if is_matched { MATCHED } else { ALONE };
                    self.sides[input].keep(arrival.place, arrival.slot, time, mark, &mut self.keys)?;
                }
                None if !is_matched && self.is_outer[input] => {
                    self.emit(input, arrival.place, Place::NONE, output)?;
                }
                None => {}
            }
        }
        self.pairs = pairs;
        Ok(taken)
    }

    fn emit(&mut self, input: usize, own: Place, other: Place, output: Output<'_>) -> Result<()> {
        self.emitter.push(RowKind::Insert, input, own, other);
        if self.emitter.is_full() { self.flush(output) } else { Ok(()) }
    }

    fn flush(&mut self, output: Output<'_>) -> Result<()> {
        self.emitter.flush([&self.sides[0].rows, &self.sides[1].rows], output)
    }

    /// Forgets the rows that get no partner any more; those that have had none are put out with NULLs.
    fn expire(&mut self, output: Output<'_>) -> Result<()> {
        for input in 0..2 {
            let last = match self.time.now() {
                i64::MAX => i64::MAX,
                now => now.saturating_sub(self.reach[input]),
            };
            loop {
                let expired = self.sides[input].take_until(last, BATCH_ROWS);
                if expired.is_empty() {
                    break;
                }
                for id in expired.iter().filter(|_| self.is_outer[input]) {
                    let entry = self.sides[input].entry(*id);
                    if entry.mark == ALONE {
                        self.emitter.push(RowKind::Insert, input, entry.place, Place::NONE);
                    }
                }
                self.flush(output)?;
                expired.into_iter().for_each(|id| self.sides[input].forget(id, &mut self.keys));
                self.sides[input].tidy()?;
            }
        }
        Ok(())
    }

    fn settle_restored(&mut self) {
        self.sides.iter_mut().for_each(|side| side.settle_restored(&self.keys));
    }

    /// True if nothing is kept.
    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.keys.len() == 0 && self.sides.iter().all(RowsByTime::is_empty)
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
        Some(watermark.saturating_sub(self.reach[0].max(self.reach[1]).max(0)))
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
        let ends = self
            .sides
            .iter()
            .zip(self.reach)
            .filter_map(|(side, reach)| Some(side.first_time()?.saturating_add(reach)));
        ends.min().map(|end| end.saturating_add(1))
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
