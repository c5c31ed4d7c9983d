//! How long state is kept after it was last written (`table.exec.state.ttl`).
//!
//! Time is counted in coarse steps, a sixteenth of the time to live each, and every row has the number
//! of the step in which it was last written. So writing a row costs a number, there are no timers per
//! row, and once a step all rows are looked through for those that are too old. A row lives at least
//! its time, and at most a sixteenth longer.
//!
//! ```text
//! 16 s to live, a step is 1 s      written in step 3, at 3.7 s      gone in step 20, at 20 s
//! ```
//!
//! State that has expired is gone without a word, as in Flink: what was put out because of it stays.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array};
use arrow_schema::{DataType, Field, Schema};
use sluice_model::{Error, Result};

use crate::{StateTable, memory};

/// Steps of a life.
const STEPS: i64 = 16;
/// Never written.
const NEVER: i64 = i64::MIN;

/// When each row was last written. Rows are known by a number.
#[derive(Debug)]
pub(crate) struct Ttl {
    /// Milliseconds of a step.
    step: i64,
    /// The step that it is; `NEVER` as long as nobody has said.
    now: i64,
    written: Vec<i64>,
}

impl Ttl {
    /// `None` if state is kept for ever.
    pub(crate) fn new(ttl: Option<Duration>) -> Option<Self> {
        let millis = i64::try_from(ttl?.as_millis()).unwrap_or(i64::MAX);
        let step = (millis > 0).then(|| millis / STEPS + i64::from(millis % STEPS != 0))?;
        Some(Self { step, now: NEVER, written: Vec::new() })
    }

    /// When the next step begins, in milliseconds since 1970.
    pub(crate) fn next_timer(&self) -> i64 {
        if self.now == NEVER { i64::MIN } else { (self.now + 1).saturating_mul(self.step) }
    }

    /// It is `now_millis`. Returns whether a step has begun. Time does not go back.
    pub(crate) fn advance(&mut self, now_millis: i64) -> bool {
        let now = now_millis.div_euclid(self.step);
        let is_later = now > self.now;
        self.now = self.now.max(now);
        is_later
    }

    /// A row is written. Returns whether that makes it live longer.
    pub(crate) fn write(&mut self, row: u32) -> bool {
        let now = self.now;
        std::mem::replace(self.place(row), now) != now
    }

    /// Whether the time of a row is over.
    pub(crate) fn is_expired(&self, row: u32) -> bool {
        let written = self.written.get(row as usize).copied().unwrap_or(NEVER);
        written != NEVER && self.now.saturating_sub(written) > STEPS
    }

    /// When rows were written, as a column of state: milliseconds since 1970.
    pub(crate) fn column(&self, rows: impl IntoIterator<Item = u32>) -> ArrayRef {
        let written = |row: u32| self.written.get(row as usize).copied().filter(|written| *written != NEVER);
        let millis = |row| written(row).map(|step| step.saturating_mul(self.step));
        Arc::new(rows.into_iter().map(millis).collect::<Int64Array>())
    }

    /// A row was written when a column of state says.
    pub(crate) fn restore(&mut self, row: u32, millis: Option<i64>) {
        *self.place(row) = millis.map_or(NEVER, |millis| millis.div_euclid(self.step));
    }

    /// As [`restore`](Self::restore), unless something else has said that it was written later.
    pub(crate) fn restore_latest(&mut self, row: u32, millis: Option<i64>) {
        let before = *self.place(row);
        self.restore(row, millis);
        let written = self.place(row);
        *written = (*written).max(before);
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        memory::of_vec(&self.written)
    }

    fn place(&mut self, row: u32) -> &mut i64 {
        let row = row as usize;
        if row >= self.written.len() {
            self.written.resize(row + 1, NEVER);
        }
        &mut self.written[row]
    }
}

/// Puts the column behind the others of a table.
pub(crate) fn add_column(table: &mut StateTable) {
    let mut fields: Vec<_> = table.schema.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new("$written", DataType::Int64, true)));
    table.schema = Arc::new(Schema::new(fields));
}

/// Reads the last column of rows of state, by row.
///
/// # Errors
/// It is no column of times.
pub(crate) fn read_column(columns: &[ArrayRef]) -> Result<impl Fn(usize) -> Option<i64> + use<>> {
    let column = columns.last().and_then(|column| column.as_primitive_opt::<Int64Type>());
    let column = column.cloned().ok_or_else(|| Error::bug("state with a time to live lacks its times"))?;
    Ok(move |row| column.is_valid(row).then(|| column.value(row)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_lives_at_least_its_time_and_a_sixteenth_longer_at_most() {
        for ttl in [1, 5, 15, 16, 17, 1000, 86_400_000, 123_457] {
            for write in [0_i64, 1, 999, 1_700_000_000_123] {
                let mut rows = Ttl::new(Some(Duration::from_millis(ttl))).unwrap();
                assert_eq!(rows.next_timer(), i64::MIN);
                rows.advance(write);
                assert!(rows.write(3));
                assert!(!rows.write(3));
                let ttl = ttl as i64;
                rows.advance(write + ttl - 1);
                assert!(!rows.is_expired(3), "{ttl} ms, written at {write}");
                while !rows.is_expired(3) {
                    let next = rows.next_timer();
                    assert!(next <= write + ttl + ttl / 16 + 17, "{ttl} ms, written at {write}: {next}");
                    rows.advance(next);
                }
            }
        }
    }

    #[test]
    fn nothing_expires_without_a_time_to_live() {
        assert!(Ttl::new(None).is_none());
        assert!(Ttl::new(Some(Duration::ZERO)).is_none());
    }

    #[test]
    fn times_survive_a_restart_with_another_time_to_live() {
        let mut before = Ttl::new(Some(Duration::from_secs(16))).unwrap();
        before.advance(1_000_500);
        before.write(0);
        let column = before.column([0, 1]);
        let read = read_column(&[column]).unwrap();
        let mut after = Ttl::new(Some(Duration::from_secs(32))).unwrap();
        after.restore(0, read(0));
        after.restore(1, read(1));
        after.advance(1_032_000);
        assert!(!after.is_expired(0));
        after.advance(1_035_000);
        assert!(after.is_expired(0));
        assert!(!after.is_expired(1), "what was never written does not expire");
    }

    #[test]
    fn a_clock_that_is_set_back_changes_nothing() {
        let mut rows = Ttl::new(Some(Duration::from_secs(16))).unwrap();
        rows.advance(50_000);
        rows.write(0);
        assert!(!rows.advance(0));
        rows.write(1);
        assert!(!rows.is_expired(0) && !rows.is_expired(1));
    }
}
