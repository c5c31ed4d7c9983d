//! The windows of each row: `TUMBLE`, `HOP`, `CUMULATE`.
//!
//! By processing time a row's time is when it comes by. Whenever a window has ended by the clock, the
//! operator sends a watermark behind the rows, so that operators behind it need no clock, and rows
//! that wait in a channel are not late.
//!
//! ```text
//! clock    rows    windows of 10 seconds      watermark
//! 12:03    a, b    12:00–12:10 twice
//! 12:10                                       12:09:59.999
//! 12:12    c       12:10–12:20
//! ```
//!
//! Where the time is a `TIMESTAMP_LTZ`, windows lie between wall-clock times of the session's zone.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow_schema::{DataType, FieldRef, SchemaRef, TimeUnit};
use sluice_functions::WallClock;
use sluice_model::{ChangelogBatch, Error, Result};
use sluice_plan::WindowKind;

use crate::time::wall_millis;
use crate::{Operator, Output};

/// A running [`sluice_plan::AssignWindow`].
#[derive(Debug)]
pub struct AssignWindow {
    time: usize,
    kind: WindowKind,
    output: SchemaRef,
    /// Shows the wall-clock times that windows lie between.
    wall: WallClock,
    /// Set if the rows' time is that of the clock.
    clock: Option<WindowClock>,
}

/// How far the clock has come.
#[derive(Debug)]
struct WindowClock {
    now: i64,
    /// When the next window ends.
    next_end: i64,
    watermark: Option<i64>,
    /// No further rows will come.
    is_ended: bool,
}

impl AssignWindow {
    /// `output` is the schema of the input with the three columns of the window behind it.
    ///
    /// # Errors
    /// A bug in the planner: window columns of another type.
    pub fn new(node: &sluice_plan::AssignWindow, output: &SchemaRef) -> Result<Self> {
        let fields = output.fields();
        let start = fields.len().checked_sub(3).ok_or_else(|| Error::bug("a window without its columns"))?;
        if !fields[start..].iter().all(is_window_column) {
            return Err(Error::bug("the columns of a window are no TIMESTAMP(3)"));
        }
        let clock = WindowClock { now: i64::MIN, next_end: i64::MIN, watermark: None, is_ended: false };
        let clock = node.processing_time.then_some(clock);
        let (output, wall) = (Arc::clone(output), WallClock::new(node.zone));
        Ok(Self { time: node.time, kind: node.kind, output, wall, clock })
    }
}

impl Operator for AssignWindow {
    fn on_batch(&mut self, _input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        let times = match &self.clock {
            Some(clock) => vec![Some(self.wall.at(clock.now)); batch.num_rows()],
            None => wall_millis(batch.rows().column(self.time).as_ref(), &mut self.wall)?,
        };
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
        let mut columns = batch.rows().columns().to_vec();
        let fields = &self.output.fields()[columns.len()..];
        columns.extend(window_columns(windows.starts, windows.ends, fields, &self.wall));
        let rows = RecordBatch::try_new(Arc::clone(&self.output), columns).map_err(Error::from_arrow)?;
        output(batch.with_rows(rows)?)
    }

    fn on_watermark(&mut self, watermark: i64, _output: Output<'_>) -> Result<()> {
        if let Some(clock) = &mut self.clock {
            clock.is_ended |= watermark == i64::MAX;
        }
        Ok(())
    }

    /// The time of the input's columns says nothing about the clock. At the end of the input all
    /// windows end, so that no row is lost.
    fn passed_watermark(&self, watermark: i64) -> Option<i64> {
        (self.clock.is_none() || watermark == i64::MAX).then_some(watermark)
    }

    fn on_processing_time(&mut self, now: i64, _output: Output<'_>) -> Result<()> {
        let Some(clock) = &mut self.clock else { return Ok(()) };
        // A clock that is set back stands still for windows.
        clock.now = clock.now.max(now);
        if clock.now >= clock.next_end {
            clock.watermark = Some(clock.now - 1);
            let end = end_after(self.wall.at(clock.now), self.kind);
            clock.next_end = self.wall.passed_at(end - 1) + 1;
        }
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        self.clock.as_ref().filter(|clock| !clock.is_ended).map(|clock| clock.next_end)
    }

    fn new_watermark(&mut self) -> Option<i64> {
        self.clock.as_mut()?.watermark.take()
    }
}

/// Whether a column has the type of a `TIMESTAMP(3)` or `TIMESTAMP_LTZ(3)`, which is kept in microseconds.
pub(crate) fn is_window_column(field: &FieldRef) -> bool {
    matches!(field.data_type(), DataType::Timestamp(TimeUnit::Microsecond, _))
}

/// `window_start`, `window_end` and `window_time` of rows, given in milliseconds. Where the time is an instant, so is the last.
pub(crate) fn window_columns(
    starts: Vec<i64>,
    ends: Vec<i64>,
    fields: &[FieldRef],
    wall: &WallClock,
) -> impl Iterator<Item = ArrayRef> {
    let mut last: Vec<i64> = ends.iter().map(|end| end - 1).collect();
    let zone = fields.last().and_then(|field| match field.data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    });
    if zone.is_some() {
        last.iter_mut().for_each(|time| *time = wall.instant(*time));
    }
    let column = |millis: Vec<i64>, zone| {
        let micros: Vec<i64> = millis.into_iter().map(|time| time.saturating_mul(1000)).collect();
        Arc::new(TimestampMicrosecondArray::from(micros).with_timezone_opt(zone)) as ArrayRef
    };
    [column(starts, None), column(ends, None), column(last, zone)].into_iter()
}

/// When the first window ends that has not ended at `time`.
fn end_after(time: i64, kind: WindowKind) -> i64 {
    match kind {
        WindowKind::Tumble { size, offset } => start_of(time, size, offset) + size,
        WindowKind::Hop { slide, size, offset } => start_of(time - size, slide, offset) + slide + size,
        WindowKind::Cumulate { step, size, offset } => {
            let start = start_of(time, size, offset);
            start + ((time - start) / step + 1) * step
        }
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
    use arrow_schema::{Field, Schema};
    use chrono_tz::Tz;
    use sluice_model::{from_pretty, to_pretty};

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

    #[test]
    fn the_next_end_is_that_of_the_first_window_that_is_open() {
        assert_eq!(end_after(17, WindowKind::Tumble { size: 10, offset: 0 }), 20);
        assert_eq!(end_after(20, WindowKind::Tumble { size: 10, offset: 0 }), 30);
        assert_eq!(end_after(17, WindowKind::Hop { slide: 5, size: 12, offset: 0 }), 22);
        assert_eq!(end_after(22, WindowKind::Hop { slide: 5, size: 12, offset: 0 }), 27);
        assert_eq!(end_after(17, WindowKind::Hop { slide: 10, size: 5, offset: 0 }), 25);
        assert_eq!(end_after(17, WindowKind::Cumulate { step: 5, size: 15, offset: 0 }), 20);
        assert_eq!(end_after(29, WindowKind::Cumulate { step: 5, size: 15, offset: 0 }), 30);
    }

    /// Windows of a `TIMESTAMP_LTZ` in Berlin, on the night in which 02:00 to 03:00 comes twice.
    #[test]
    fn instants_lie_in_windows_of_the_wall_clock() {
        let kind = WindowKind::Tumble { size: 3_600_000, offset: 0 };
        let node = sluice_plan::AssignWindow { time: 0, kind, processing_time: false, zone: Tz::Europe__Berlin };
        let micros = |zone: Option<&str>| DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
        let columns = [("ts", Some("UTC")), ("window_start", None), ("window_end", None), ("window_time", Some("UTC"))];
        let fields: Vec<_> = columns.into_iter().map(|(name, zone)| Field::new(name, micros(zone), false)).collect();
        let input = Arc::new(Schema::new(fields[..1].to_vec()));
        let mut operator = AssignWindow::new(&node, &Arc::new(Schema::new(fields))).unwrap();
        let mut windows = Vec::new();
        for instant in ["2021-07-01T10:30:00", "2021-10-31T00:30:00", "2021-10-31T01:30:00", "2021-10-31T02:30:00"] {
            let instant = instant.parse::<chrono::NaiveDateTime>().unwrap().and_utc().timestamp_micros();
            let column = TimestampMicrosecondArray::from(vec![instant]).with_timezone("UTC");
            let rows = RecordBatch::try_new(Arc::clone(&input), vec![Arc::new(column)]).unwrap();
            let batch = ChangelogBatch::append(rows);
            let keep = &mut |batch: ChangelogBatch| {
                windows.push(to_pretty(&batch.project(&[1, 2, 3])?).replace(":00:00", "").replace("2021-", ""));
                Ok(())
            };
            operator.on_batch(0, batch, keep).unwrap();
        }
        let expected = [
            "+I 07-01T12 07-01T13 07-01T10:59:59.999Z",
            "+I 10-31T02 10-31T03 10-31T00:59:59.999Z",
            "+I 10-31T02 10-31T03 10-31T00:59:59.999Z",
            "+I 10-31T03 10-31T04 10-31T02:59:59.999Z",
        ];
        assert_eq!(windows, expected);
    }

    fn by_processing_time(kind: WindowKind, zone: Tz) -> AssignWindow {
        let node = sluice_plan::AssignWindow { time: 1, kind, processing_time: true, zone };
        let mut fields: Vec<_> =
            from_pretty("k STRING, p TIMESTAMP(3)", "").schema().fields().iter().cloned().collect();
        for name in ["window_start", "window_end", "window_time"] {
            fields.push(Arc::new(Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, None), false)));
        }
        AssignWindow::new(&node, &Arc::new(Schema::new(fields))).unwrap()
    }

    #[test]
    fn by_processing_time_days_end_at_midnight_of_the_zone() {
        let day = WindowKind::Tumble { size: 86_400_000, offset: 0 };
        let mut operator = by_processing_time(day, Tz::Asia__Kolkata);
        operator.on_processing_time(0, &mut |_| Ok(())).unwrap();
        assert_eq!(operator.next_timer(), Some(66_600_000), "half past six in the evening, UTC");
    }

    #[test]
    fn by_processing_time_the_clock_ends_windows() {
        let mut operator = by_processing_time(WindowKind::Tumble { size: 10_000, offset: 0 }, Tz::UTC);
        let tell = |operator: &mut AssignWindow, now| {
            operator.on_processing_time(now, &mut |_| panic!("the clock makes no rows")).unwrap();
            operator.new_watermark()
        };
        let push = |operator: &mut AssignWindow| {
            let mut rows = String::new();
            let batch = from_pretty("k STRING, p TIMESTAMP(3)", "+I a NULL");
            operator
                .on_batch(0, batch, &mut |batch| {
                    rows = to_pretty(&batch).replace("1970-01-01T00:00:", "");
                    Ok(())
                })
                .unwrap();
            rows
        };
        // Windows that ended while nothing ran.
        assert_eq!(tell(&mut operator, 3_000), Some(2_999));
        assert_eq!(operator.next_timer(), Some(10_000));
        assert_eq!(push(&mut operator), "+I a NULL 00 10 09.999");
        assert_eq!(tell(&mut operator, 9_999), None);
        assert_eq!(tell(&mut operator, 2_000), None, "the clock was set back");
        assert_eq!(push(&mut operator), "+I a NULL 00 10 09.999");
        assert_eq!(tell(&mut operator, 31_000), Some(30_999));
        assert_eq!(operator.next_timer(), Some(40_000));
        assert_eq!((operator.passed_watermark(5_000), operator.passed_watermark(i64::MAX)), (None, Some(i64::MAX)));
        operator.on_watermark(i64::MAX, &mut |_| Ok(())).unwrap();
        assert_eq!(operator.next_timer(), None, "there is nothing to wait for");
    }
}
