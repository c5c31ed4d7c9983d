//! Mini-batches: rows are gathered in front of an operator, so that a key that changes often has one
//! result instead of many.
//!
//! | rows | without | gathered, `SELECT k, COUNT(*) … GROUP BY k` |
//! |---|---|---|
//! | `+I a` | `+I a 1` | |
//! | `+I a` | `-U a 1`, `+U a 2` | |
//! | (time is up) | | `+I a 2` |
//!
//! What is gathered is handed on when there is enough of it, when it has waited long enough, and before
//! anything that must not overtake it: a watermark, a barrier, the end.

use std::time::Duration;

use sluice_model::{ChangelogBatch, Result};

use crate::{Operator, Output, Scope, StateOutput, StateTable};

/// An operator behind its mini-batches.
pub struct MiniBatch {
    inner: Box<dyn Operator>,
    /// Milliseconds.
    latency: i64,
    /// Rows.
    size: usize,
    now: i64,
    /// For each input, what is gathered.
    gathered: Vec<Vec<ChangelogBatch>>,
    rows: usize,
    /// When what is gathered has waited long enough.
    deadline: Option<i64>,
}

impl MiniBatch {
    /// Gathers up to `size` rows for up to `latency`.
    pub fn new(inner: Box<dyn Operator>, inputs: usize, latency: Duration, size: usize) -> Self {
        let latency = i64::try_from(latency.as_millis()).unwrap_or(i64::MAX);
        let gathered = vec![Vec::new(); inputs.max(1)];
        Self { inner, latency, size, now: i64::MIN, gathered, rows: 0, deadline: None }
    }

    fn hand_on(&mut self, output: Output<'_>) -> Result<()> {
        (self.rows, self.deadline) = (0, None);
        for input in 0..self.gathered.len() {
            let batches = std::mem::take(&mut self.gathered[input]);
            if let Some(batch) = ChangelogBatch::concat(&batches)? {
                self.inner.on_batch(input, batch, output)?;
            }
        }
        Ok(())
    }
}

impl Operator for MiniBatch {
    fn on_batch(&mut self, input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        self.rows += batch.num_rows();
        self.gathered[input].push(batch);
        self.deadline.get_or_insert(self.now.saturating_add(self.latency));
        if self.rows >= self.size { self.hand_on(output) } else { Ok(()) }
    }

    fn on_watermark(&mut self, watermark: i64, output: Output<'_>) -> Result<()> {
        self.hand_on(output)?;
        self.inner.on_watermark(watermark, output)
    }

    fn on_barrier(&mut self, output: Output<'_>) -> Result<()> {
        self.hand_on(output)?;
        self.inner.on_barrier(output)
    }

    fn on_processing_time(&mut self, now: i64, output: Output<'_>) -> Result<()> {
        self.now = now;
        self.inner.on_processing_time(now, output)?;
        if self.deadline.is_some_and(|deadline| deadline <= now) { self.hand_on(output) } else { Ok(()) }
    }

    fn next_timer(&self) -> Option<i64> {
        self.deadline.into_iter().chain(self.inner.next_timer()).min()
    }

    fn expire_after(&mut self, ttl: &[Option<Duration>]) {
        self.inner.expire_after(ttl);
    }

    fn new_idleness(&mut self) -> Option<bool> {
        self.inner.new_idleness()
    }

    fn state_bytes(&self) -> usize {
        self.inner.state_bytes()
    }

    fn new_watermark(&mut self) -> Option<i64> {
        self.inner.new_watermark()
    }

    fn passed_watermark(&self, watermark: i64) -> Option<i64> {
        self.inner.passed_watermark(watermark)
    }

    fn take_late_rows(&mut self) -> u64 {
        self.inner.take_late_rows()
    }

    fn state_tables(&self) -> &[StateTable] {
        self.inner.state_tables()
    }

    fn snapshot(&mut self, scope: Scope, output: StateOutput<'_>) -> Result<()> {
        self.inner.snapshot(scope, output)
    }

    fn restore(&mut self, table: usize, rows: ChangelogBatch) -> Result<()> {
        self.inner.restore(table, rows)
    }
}

#[cfg(test)]
mod tests {
    use sluice_model::{from_pretty, to_pretty};

    use super::*;

    /// Puts out what it is handed.
    struct Through;

    impl Operator for Through {
        fn on_batch(&mut self, _input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
            output(batch)
        }
    }

    fn operator() -> MiniBatch {
        let mut operator = MiniBatch::new(Box::new(Through), 2, Duration::from_millis(100), 3);
        operator.on_processing_time(1000, &mut |_| Ok(())).unwrap();
        operator
    }

    fn put_out(step: impl FnOnce(Output<'_>) -> Result<()>) -> Vec<String> {
        let mut results = Vec::new();
        step(&mut |batch| {
            results.push(to_pretty(&batch));
            Ok(())
        })
        .unwrap();
        results
    }

    fn rows(rows: &str) -> ChangelogBatch {
        from_pretty("id INT", rows)
    }

    #[test]
    fn enough_rows_are_handed_on() {
        let mut operator = operator();
        assert!(put_out(|output| operator.on_batch(0, rows("+I 1"), output)).is_empty());
        assert!(put_out(|output| operator.on_batch(1, rows("+I 9"), output)).is_empty());
        assert_eq!(put_out(|output| operator.on_batch(0, rows("-U 1 / +U 2"), output)), ["+I 1 / -U 1 / +U 2", "+I 9"]);
        assert_eq!(operator.next_timer(), None);
    }

    #[test]
    fn rows_that_have_waited_are_handed_on() {
        let mut operator = operator();
        assert!(put_out(|output| operator.on_batch(0, rows("+I 1"), output)).is_empty());
        assert_eq!(operator.next_timer(), Some(1100));
        assert!(put_out(|output| operator.on_processing_time(1099, output)).is_empty());
        assert_eq!(put_out(|output| operator.on_processing_time(1100, output)), ["+I 1"]);
    }

    #[test]
    fn nothing_overtakes_what_is_gathered() {
        let mut operator = operator();
        assert!(put_out(|output| operator.on_batch(0, rows("+I 1"), output)).is_empty());
        assert_eq!(put_out(|output| operator.on_barrier(output)), ["+I 1"]);
        assert!(put_out(|output| operator.on_batch(0, rows("+I 2"), output)).is_empty());
        assert_eq!(put_out(|output| operator.on_watermark(5, output)), ["+I 2"]);
    }
}
