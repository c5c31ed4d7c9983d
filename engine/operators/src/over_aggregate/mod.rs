//! `OVER`: each row with aggregates over the rows before it, in the order of event time.
//!
//! ```text
//! SUM(v) OVER (PARTITION BY k ORDER BY t ROWS 1 PRECEDING)      rows put out    round 0    round 1
//!
//! +I a 00:02 3 / +I a 00:01 5 / +I b 00:02 7
//! watermark 00:02                                               a 00:01 5 → 5   +a 5
//!                                                               a 00:02 3 → 8              +a 3
//!                                                               b 00:02 7 → 7   +b 7
//! +I a 00:03 1
//! watermark 00:03                                               a 00:03 1 → 4   -a 5, +a 1
//! ```
//!
//! Rows wait for the watermark. What it has reached is dealt to rounds such that a round holds one step
//! of each partition, and a round goes through the accumulators of a [`GroupAggregate`] at once: rows
//! that leave the frame are taken back, rows that enter are added. Rows in frames are kept, without a
//! bound only the accumulators are.
//!
//! In processing time the time of a row is that of the clock when it comes. Nothing has to wait, except in
//! frames of milliseconds: rows of one millisecond see each other.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_schema::{Field, Schema, SchemaRef};
use arrow_select::interleave::interleave;
use arrow_select::take::take_record_batch;
use sluice_model::{ChangelogBatch, Error, Result, RowKind};
use sluice_plan::Frame;

use crate::group_aggregate::GroupAggregate;
use crate::row_store::RowId;
use crate::state::{Scope, StateOutput, StateTable};
use crate::timed_rows::{Clock, TimeOf, TimedRows};
use crate::{Operator, Output, watermark};

/// The operator of [`sluice_plan::OverAggregate`].
pub struct OverAggregate {
    frame: Frame,
    output: SchemaRef,
    rows: TimedRows,
    aggregates: GroupAggregate,
    watermark: i64,
    /// What the clock shows, if that is the time.
    clock: Option<Clock>,
    /// By partition, for the rows that are being put out: the last round, and its time.
    turns: Vec<Option<(usize, i64)>>,
    /// Those of the aggregates, then the rows, then the watermark.
    tables: Vec<StateTable>,
}

/// One step of several partitions.
#[derive(Debug, Default)]
struct Round {
    /// Places among the rows of the steps.
    rows: Vec<u32>,
    kinds: Vec<u8>,
}

/// The rows that a watermark has reached, and what leaves frames for them.
#[derive(Debug, Default)]
struct Steps {
    rows: Vec<RowId>,
    rounds: Vec<Round>,
    /// The rows to put out, as places among `rows`.
    due: Vec<u32>,
    /// For each of these: its round, and its place there.
    sources: Vec<(usize, usize)>,
}

impl OverAggregate {
    /// For rows of schema `input`; the result has the columns of the input, then those of the calls.
    ///
    /// # Errors
    /// An aggregate that is not supported; a bug in the planner.
    pub fn new(node: &sluice_plan::OverAggregate, input: &SchemaRef, output: &SchemaRef) -> Result<Self> {
        let is_bounded = matches!(node.frame, Frame::Rows(_) | Frame::Millis(_));
        let fields = node.partition.iter().map(|column| input.field(*column).clone());
        let results = node.calls.iter().map(|call| call.result.as_ref().clone());
        let inner: Vec<Field> = fields.chain(results).collect();
        let aggregate = sluice_plan::GroupAggregate {
            group: node.partition.clone(),
            calls: node.calls.clone(),
            retracts: is_bounded,
            update_before: false,
            window_end: None,
            row_count: None,
        };
        let aggregates = GroupAggregate::new(&aggregate, input, &Arc::new(Schema::new(inner)))?;
        let time = if node.processing_time { TimeOf::Clock } else { TimeOf::Column(node.time) };
        let rows = TimedRows::new(input, &node.partition, time)?;
        let tables = aggregates.state_tables().iter().cloned().chain([rows.table(), watermark::table()]).collect();
        let output = Arc::clone(output);
        let clock = node.processing_time.then(Clock::new);
        let (watermark, turns) = (i64::MIN, Vec::new());
        Ok(Self { frame: node.frame, output, rows, aggregates, watermark, clock, turns, tables })
    }

    /// Rows of one millisecond of the clock see each other, so that they wait for its end.
    fn is_by_millisecond(&self) -> bool {
        matches!(self.frame, Frame::AllTime | Frame::Millis(_))
    }

    /// Puts out what time has come to.
    fn put_out(&mut self, until: i64, output: Output<'_>) -> Result<()> {
        let is_bounded = matches!(self.frame, Frame::Rows(_) | Frame::Millis(_));
        loop {
            let due = self.rows.due(until);
            if due.is_empty() {
                return Ok(());
            }
            let steps = self.steps(&due);
            let finished = steps.finished(is_bounded);
            let results = self.results(steps)?;
            finished.into_iter().for_each(|id| self.rows.forget(id));
            output(results)?;
        }
    }

    /// Deals rows to rounds.
    fn steps(&mut self, due: &[RowId]) -> Steps {
        let mut steps = Steps::default();
        self.turns.resize(self.rows.capacity(), None);
        for id in due {
            let (slot, time) = (self.rows.meta(*id).slot, self.rows.meta(*id).time);
            let turn = &mut self.turns[slot as usize];
            let is_range = matches!(self.frame, Frame::AllTime | Frame::Millis(_));
            let round = match *turn {
                // Rows of one time see each other.
                Some((round, last)) if is_range && last == time => round,
                Some((round, _)) => round + 1,
                None => 0,
            };
            *turn = Some((round, time));
            if matches!(self.frame, Frame::Rows(_) | Frame::Millis(_)) {
                let frame = self.frame;
                while let Some(left) = self.rows.leave(slot, |rows, first| match frame {
                    Frame::Rows(preceding) => rows as u64 > preceding,
                    Frame::Millis(preceding) => first.time < time.saturating_sub(preceding),
                    Frame::AllRows | Frame::AllTime => false,
                }) {
                    steps.push(round, left, RowKind::Delete);
                }
                self.rows.enter(*id);
            }
            let place = steps.push(round, *id, RowKind::Insert);
            steps.due.push((steps.rows.len() - 1) as u32);
            steps.sources.push((round, place));
        }
        for id in due {
            self.turns[self.rows.meta(*id).slot as usize] = None;
        }
        steps
    }

    /// The result of steps.
    fn results(&mut self, mut steps: Steps) -> Result<ChangelogBatch> {
        let rows = self.rows.decode(&steps.rows)?;
        let mut results: Vec<Vec<ArrayRef>> = vec![Vec::new(); self.output.fields().len() - rows.num_columns()];
        let mut places = Vec::with_capacity(steps.rounds.len());
        for round in &mut steps.rounds {
            let taken = take_record_batch(&rows, &UInt32Array::from(std::mem::take(&mut round.rows)));
            let kinds = std::mem::take(&mut round.kinds);
            let batch = ChangelogBatch::try_new(taken.map_err(Error::from_arrow)?, Some(kinds.into()))?;
            let (groups, columns) = self.aggregates.fold(&batch)?;
            places.push(groups);
            results.iter_mut().zip(columns).for_each(|(result, column)| result.push(column));
        }
        for (round, place) in &mut steps.sources {
            *place = places[*round][*place] as usize;
        }
        let due = take_record_batch(&rows, &UInt32Array::from(steps.due)).map_err(Error::from_arrow)?;
        let mut columns = due.columns().to_vec();
        for result in &results {
            let rounds: Vec<&dyn Array> = result.iter().map(AsRef::as_ref).collect();
            columns.push(interleave(&rounds, &steps.sources).map_err(Error::from_arrow)?);
        }
        let result = RecordBatch::try_new(Arc::clone(&self.output), columns).map_err(Error::from_arrow)?;
        Ok(ChangelogBatch::append(result))
    }
}

impl Steps {
    /// Adds a row to a round; its place there.
    fn push(&mut self, round: usize, id: RowId, kind: RowKind) -> usize {
        if self.rounds.len() <= round {
            self.rounds.resize_with(round + 1, Round::default);
        }
        let round = &mut self.rounds[round];
        round.rows.push(self.rows.len() as u32);
        round.kinds.push(kind as u8);
        self.rows.push(id);
        round.rows.len() - 1
    }

    /// Rows that no frame holds any more: those that left, and without a bound all.
    fn finished(&self, is_bounded: bool) -> Vec<RowId> {
        let mut finished = Vec::new();
        for round in &self.rounds {
            for (row, kind) in round.rows.iter().zip(&round.kinds) {
                if !is_bounded || *kind == RowKind::Delete as u8 {
                    finished.push(self.rows[*row as usize]);
                }
            }
        }
        finished
    }
}

impl Operator for OverAggregate {
    fn on_batch(&mut self, _input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        self.rows.settle_restored();
        let Some(clock) = self.clock else { return self.rows.add(&batch, self.watermark) };
        self.rows.add_at(&batch, clock.now)?;
        if self.is_by_millisecond() { Ok(()) } else { self.put_out(clock.now, output) }
    }

    fn on_watermark(&mut self, watermark: i64, output: Output<'_>) -> Result<()> {
        self.rows.settle_restored();
        if let Some(clock) = &mut self.clock {
            if watermark != i64::MAX {
                return Ok(());
            }
            clock.is_ended = true;
        }
        self.watermark = self.watermark.max(watermark);
        self.put_out(self.watermark, output)
    }

    fn on_processing_time(&mut self, now: i64, output: Output<'_>) -> Result<()> {
        self.rows.settle_restored();
        let Some(clock) = &mut self.clock else { return Ok(()) };
        let over = clock.tell(now);
        self.put_out(over, output)
    }

    fn next_timer(&self) -> Option<i64> {
        self.clock.filter(|clock| !clock.is_ended)?;
        self.rows.first_pending().map(|time| time.saturating_add(1))
    }

    fn state_bytes(&self) -> usize {
        self.rows.bytes() + self.aggregates.state_bytes()
    }

    fn take_late_rows(&mut self) -> u64 {
        self.rows.take_late()
    }

    fn state_tables(&self) -> &[StateTable] {
        &self.tables
    }

    fn snapshot(&mut self, scope: Scope, output: StateOutput<'_>) -> Result<()> {
        self.rows.settle_restored();
        self.aggregates.snapshot(scope, output)?;
        let table = self.aggregates.state_tables().len();
        self.rows.snapshot(scope, &self.tables[table].schema, &mut |rows| output(table, rows))?;
        output(table + 1, watermark::row(self.watermark)?)
    }

    fn restore(&mut self, table: usize, rows: ChangelogBatch) -> Result<()> {
        let own = self.aggregates.state_tables().len();
        if table < own {
            return self.aggregates.restore(table, rows);
        }
        if table == own {
            return self.rows.restore(&rows);
        }
        self.watermark = self.watermark.max(watermark::largest(rows.rows())?);
        Ok(())
    }
}
