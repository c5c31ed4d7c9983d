//! The windows of each row: `TUMBLE`, `HOP`, `CUMULATE`.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, TimestampMillisecondArray, UInt32Array};
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use sluice_model::{ChangelogBatch, Error, Result};
use sluice_plan::WindowKind;

use crate::time::millis;
use crate::{Operator, Output};

/// A running [`sluice_plan::AssignWindow`].
#[derive(Debug)]
pub struct AssignWindow {
    time: usize,
    kind: WindowKind,
    output: SchemaRef,
}

impl AssignWindow {
    /// `output` is the schema of the input with the three columns of the window behind it.
    ///
    /// # Errors
    /// A bug in the planner: window columns that hold no milliseconds.
    pub fn new(node: &sluice_plan::AssignWindow, output: &SchemaRef) -> Result<Self> {
        let fields = output.fields();
        let start = fields.len().checked_sub(3).ok_or_else(|| Error::bug("a window without its columns"))?;
        let is_millis =
            |field: &arrow_schema::FieldRef| matches!(field.data_type(), DataType::Timestamp(TimeUnit::Millisecond, _));
        if !fields[start..].iter().all(is_millis) {
            return Err(Error::bug("the columns of a window are no milliseconds"));
        }
        Ok(Self { time: node.time, kind: node.kind, output: Arc::clone(output) })
    }
}

impl Operator for AssignWindow {
    fn on_batch(&mut self, _input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        let times = millis(batch.rows().column(self.time).as_ref())?;
        let mut windows = Windows::default();
        for (row, time) in times.into_iter().enumerate() {
            let time = time.ok_or_else(|| {
                Error::fix("a row has NULL as its time, so it belongs to no window")
                    .with_hint("leave such rows out: WHERE the column IS NOT NULL")
            })?;
            windows.of_row(u32::try_from(row).map_err(|_| Error::bug("a batch of 2^32 rows"))?, time, self.kind);
        }
        // One window for every row: the rows stay as they are.
        let is_one_each = matches!(self.kind, WindowKind::Tumble { .. });
        let batch = if is_one_each { batch } else { batch.take(&UInt32Array::from(windows.rows))? };
        let last: Vec<i64> = windows.ends.iter().map(|end| end - 1).collect();
        let mut columns = batch.rows().columns().to_vec();
        let fields = &self.output.fields()[columns.len()..];
        for (values, field) in [windows.starts, windows.ends, last].into_iter().zip(fields) {
            let zone = match field.data_type() {
                DataType::Timestamp(_, zone) => zone.clone(),
                _ => None,
            };
            let column: ArrayRef = Arc::new(TimestampMillisecondArray::from(values).with_timezone_opt(zone));
            columns.push(column);
        }
        let rows = RecordBatch::try_new(Arc::clone(&self.output), columns).map_err(Error::from_arrow)?;
        output(batch.with_rows(rows)?)
    }
}

/// Windows and their rows, column by column.
#[derive(Debug, Default)]
struct Windows {
    rows: Vec<u32>,
    starts: Vec<i64>,
    ends: Vec<i64>,
}

impl Windows {
    fn of_row(&mut self, row: u32, time: i64, kind: WindowKind) {
        match kind {
            WindowKind::Tumble { size, offset } => {
                let start = start_of(time, size, offset);
                self.push(row, start, start + size);
            }
            WindowKind::Hop { slide, size, offset } => {
                // From the latest window that has begun back to the earliest that has not ended.
                let mut start = start_of(time, slide, offset);
                while start > time - size {
                    self.push(row, start, start + size);
                    start -= slide;
                }
            }
            WindowKind::Cumulate { step, size, offset } => {
                let start = start_of(time, size, offset);
                let mut end = start + ((time - start) / step + 1) * step;
                while end <= start + size {
                    self.push(row, start, end);
                    end += step;
                }
            }
        }
    }

    fn push(&mut self, row: u32, start: i64, end: i64) {
        self.rows.push(row);
        self.starts.push(start);
        self.ends.push(end);
    }
}

/// The latest start at or before `time`, where starts lie at `offset` and every `step` from there.
fn start_of(time: i64, step: i64, offset: i64) -> i64 {
    time - (time - offset).rem_euclid(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(kind: WindowKind, time: i64) -> Vec<(i64, i64)> {
        let mut windows = Windows::default();
        windows.of_row(0, time, kind);
        windows.starts.into_iter().zip(windows.ends).collect()
    }

    #[test]
    fn tumbling_windows_lie_side_by_side() {
        let kind = |offset| WindowKind::Tumble { size: 10, offset };
        assert_eq!(windows(kind(0), 17), [(10, 20)]);
        assert_eq!(windows(kind(0), 20), [(20, 30)]);
        assert_eq!(windows(kind(0), -1), [(-10, 0)]);
        assert_eq!(windows(kind(3), 12), [(3, 13)]);
        assert_eq!(windows(kind(-3), 17), [(17, 27)]);
    }

    #[test]
    fn hopping_windows_overlap_or_leave_gaps() {
        assert_eq!(windows(WindowKind::Hop { slide: 5, size: 10, offset: 0 }, 17), [(15, 25), (10, 20)]);
        assert_eq!(windows(WindowKind::Hop { slide: 10, size: 5, offset: 0 }, 17), []);
        assert_eq!(windows(WindowKind::Hop { slide: 10, size: 5, offset: 0 }, 12), [(10, 15)]);
    }

    #[test]
    fn cumulating_windows_grow() {
        let kind = WindowKind::Cumulate { step: 5, size: 15, offset: 0 };
        assert_eq!(windows(kind, 17), [(15, 20), (15, 25), (15, 30)]);
        assert_eq!(windows(kind, 26), [(15, 30)]);
    }
}
