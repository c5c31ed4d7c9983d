//! `ORDER BY` time on a stream: rows in the order of time.
//!
//! ```text
//! ORDER BY t, v                        rows put out
//!
//! +I 00:02 3 / +I 00:01 5 / +I 00:02 1
//! watermark 00:02                      +I 00:01 5 / +I 00:02 1 / +I 00:02 3
//! +I 00:01 4                           none: late
//! ```
//!
//! In processing time rows are in order as they come. With further columns those of one millisecond are
//! sorted when it is over.

use arrow_array::UInt32Array;
use arrow_schema::{SchemaRef, SortOptions};
use arrow_select::take::take_record_batch;
use sluice_model::{ChangelogBatch, Error, Result};

use crate::row_codec::RowCodec;
use crate::row_store::RowId;
use crate::state::{Scope, StateOutput, StateTable};
use crate::timed_rows::{Clock, TimeOf, TimedRows};
use crate::{Operator, Output, watermark};

/// Places of the state tables.
const ROWS: usize = 0;
const WATERMARK: usize = 1;

/// The operator of [`sluice_plan::TemporalSort`].
#[derive(Debug)]
pub struct TemporalSort {
    rows: TimedRows,
    /// The columns behind the time.
    order: RowCodec,
    watermark: i64,
    /// What the clock shows, if that is the time.
    clock: Option<Clock>,
    tables: [StateTable; 2],
}

impl TemporalSort {
    /// For rows of schema `input`.
    ///
    /// # Errors
    /// A column of a type that has no order.
    pub fn new(node: &sluice_plan::TemporalSort, input: &SchemaRef) -> Result<Self> {
        let time = if node.processing_time { TimeOf::Clock } else { TimeOf::Column(node.time) };
        let order: Vec<_> = node
            .order
            .iter()
            .map(|sort| (sort.column, SortOptions { descending: sort.descending, nulls_first: sort.nulls_first }))
            .collect();
        let rows = TimedRows::new(input, &[], time)?;
        Ok(Self {
            tables: [rows.table(), watermark::table()],
            rows,
            order: RowCodec::sorted(input, &order)?,
            watermark: i64::MIN,
            clock: node.processing_time.then(Clock::new),
        })
    }

    /// Rows of one time are never sorted with those of another: they stay in the order of time.
    fn put_out(&mut self, until: i64, output: Output<'_>) -> Result<()> {
        loop {
            let due = self.rows.due(until);
            if due.is_empty() {
                return Ok(());
            }
            let sorted = self.sorted(&due)?;
            due.into_iter().for_each(|id| self.rows.forget(id));
            output(sorted)?;
        }
    }

    fn sorted(&self, due: &[RowId]) -> Result<ChangelogBatch> {
        let rows = self.rows.decode(due)?;
        if self.order.columns().is_empty() {
            return Ok(ChangelogBatch::append(rows));
        }
        let keys = self.order.encode(&rows)?;
        let mut places: Vec<u32> = (0..due.len() as u32).collect();
        places.sort_by(|a, b| {
            let key = |place: u32| (self.rows.meta(due[place as usize]).time, keys.row(place as usize));
            key(*a).cmp(&key(*b))
        });
        let rows = take_record_batch(&rows, &UInt32Array::from(places)).map_err(Error::from_arrow)?;
        Ok(ChangelogBatch::append(rows))
    }
}

impl Operator for TemporalSort {
    fn on_batch(&mut self, _input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        self.rows.settle_restored();
        match self.clock {
            Some(_) if self.order.columns().is_empty() => output(batch),
            Some(clock) => self.rows.add_at(&batch, clock.now),
            None => self.rows.add(&batch, self.watermark),
        }
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
        self.rows.bytes()
    }

    fn take_late_rows(&mut self) -> u64 {
        self.rows.take_late()
    }

    fn state_tables(&self) -> &[StateTable] {
        &self.tables
    }

    fn snapshot(&mut self, scope: Scope, output: StateOutput<'_>) -> Result<()> {
        self.rows.settle_restored();
        self.rows.snapshot(scope, &self.tables[ROWS].schema, &mut |rows| output(ROWS, rows))?;
        output(WATERMARK, watermark::row(self.watermark)?)
    }

    fn restore(&mut self, table: usize, rows: ChangelogBatch) -> Result<()> {
        if table == ROWS {
            return self.rows.restore(&rows);
        }
        self.watermark = self.watermark.max(watermark::largest(rows.rows())?);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
