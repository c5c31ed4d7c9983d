//! The first of two steps of an aggregate: groups the rows of each batch, and keeps nothing.
//!
//! ```text
//! COUNT(*) by id in slices of 10 s
//!
//! +I 12:00:03 a / +I 12:00:04 a / +I 12:00:12 a      +I a 12:00:00 2 2 / +I a 12:00:10 1 1
//! ```
//!
//! Where a batch has about as many groups as rows, the rows are not looked up for a while: each is put
//! out as a group of its own, which the second step does not tell from the rest.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow_schema::{DataType, SchemaRef};
use arrow_select::take::take_arrays;
use sluice_functions::WallClock;
use sluice_model::{ChangelogBatch, Error, Result};

use crate::group_aggregate::Calls;
use crate::key_index::{KeyIndex, Slot};
use crate::time::wall_millis;
use crate::{Operator, Output};

/// Batches that are not looked through after one with too many groups.
const PAUSE: u32 = 15;

/// A running [`sluice_plan::LocalAggregate`].
pub struct LocalAggregate {
    group: Vec<usize>,
    time: usize,
    /// Length and offset of a slice.
    slice: (i64, i64),
    clock: WallClock,
    index: KeyIndex,
    calls: Calls,
    /// Slots that the calls have room for.
    capacity: usize,
    /// Batches that are still not looked through.
    pause: u32,
    output: SchemaRef,
}

impl LocalAggregate {
    /// An operator over rows of schema `input`.
    ///
    /// # Errors
    /// A bug in the planner: a column that is not there, an aggregate that is not supported.
    pub fn new(node: &sluice_plan::LocalAggregate, input: &SchemaRef, output: &SchemaRef) -> Result<Self> {
        let width = input.fields().len();
        if node.time >= width || node.group.iter().any(|column| *column >= width) {
            return Err(Error::bug("a group column that is not there"));
        }
        let mut types: Vec<DataType> =
            node.group.iter().map(|column| input.field(*column).data_type().clone()).collect();
        types.push(DataType::Int64);
        let calls = Calls::new(&node.calls, input, false)?;
        Ok(Self {
            group: node.group.clone(),
            time: node.time,
            slice: node.windows.slice(),
            clock: WallClock::new(node.zone),
            index: KeyIndex::new(&types)?,
            calls,
            capacity: 0,
            pause: 0,
            output: Arc::clone(output),
        })
    }

    /// The group of each row: numbers from 0 on, without a gap.
    fn slots(&mut self, group: &[ArrayRef], slices: &Int64Array, rows: u32) -> Result<Vec<Slot>> {
        if self.pause > 0 {
            self.pause -= 1;
            return Ok((0..rows).collect());
        }
        let mut key = group.to_vec();
        key.push(Arc::new(slices.clone()));
        self.index.clear();
        let slots = self.index.insert(&key, slices.len())?;
        if self.index.capacity() * 2 > slots.len() {
            self.pause = PAUSE;
        }
        Ok(slots)
    }
}

impl Operator for LocalAggregate {
    fn on_batch(&mut self, _input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        if batch.kinds().is_some() {
            return Err(Error::bug("changes in front of an aggregate of insertions"));
        }
        let rows = u32::try_from(batch.num_rows()).map_err(|_| Error::bug("a batch of 2^32 rows"))?;
        let (length, offset) = self.slice;
        let start = |time: i64| time - (time - offset).rem_euclid(length);
        let times = wall_millis(batch.rows().column(self.time).as_ref(), &mut self.clock)?;
        let slices: Int64Array = times.into_iter().map(|time| time.map(start)).collect();
        let group: Vec<ArrayRef> =
            self.group.iter().map(|column| ArrayRef::clone(batch.rows().column(*column))).collect();
        let slots = self.slots(&group, &slices, rows)?;
        let firsts = first_rows(&slots);
        let groups: Vec<Slot> = (0..).take(firsts.len()).collect();
        if groups.len() > self.capacity {
            self.capacity = groups.len();
            self.calls.resize(self.capacity);
        }
        let weights = vec![1; slots.len()];
        let mut counts = vec![0_i64; groups.len()];
        slots.iter().for_each(|slot| counts[*slot as usize] += 1);
        let mut columns = group;
        columns.push(Arc::new(slices.reinterpret_cast::<arrow_array::types::TimestampMillisecondType>()));
        let mut columns = take_arrays(&columns, &UInt32Array::from(firsts), None).map_err(Error::from_arrow)?;
        self.calls.update(batch.rows(), &slots, &weights)?;
        columns.extend(self.calls.evaluate(&groups)?);
        self.calls.clear(&groups)?;
        columns.push(Arc::new(Int64Array::from(counts)));
        let rows = RecordBatch::try_new(Arc::clone(&self.output), columns).map_err(Error::from_arrow)?;
        output(ChangelogBatch::append(rows))
    }
}

/// The first row of each slot.
fn first_rows(slots: &[Slot]) -> Vec<u32> {
    let mut firsts = Vec::new();
    for (row, slot) in (0..).zip(slots) {
        if *slot as usize == firsts.len() {
            firsts.push(row);
        }
    }
    firsts
}

#[cfg(test)]
mod tests {
    use arrow_schema::Field;
    use sluice_model::{from_pretty, to_pretty};
    use sluice_plan::{AggregateCall, WindowKind};

    use super::*;

    const INPUT: &str = "id INT, ts TIMESTAMP(3), qty INT";
    const OUTPUT: &str = "id INT, slice TIMESTAMP(3), sum INT, count BIGINT, least INT, rows BIGINT";

    fn operator() -> LocalAggregate {
        let call = |function: &str, arguments: Vec<usize>, result: DataType| AggregateCall {
            function: function.to_owned(),
            arguments,
            literals: Vec::new(),
            distinct: false,
            filter: None,
            result: Arc::new(Field::new(function, result, true)),
        };
        let node = sluice_plan::LocalAggregate {
            group: vec![0],
            time: 1,
            zone: chrono_tz::Tz::UTC,
            windows: WindowKind::Hop { slide: 4000, size: 10_000, offset: 0 },
            calls: vec![
                call("sum", vec![2], DataType::Int32),
                call("count", vec![], DataType::Int64),
                call("min", vec![2], DataType::Int32),
            ],
        };
        let mut fields: Vec<_> = from_pretty(OUTPUT, "").schema().fields().iter().cloned().collect();
        fields[1] = Arc::new(Field::new("slice", DataType::Timestamp(arrow_schema::TimeUnit::Millisecond, None), true));
        LocalAggregate::new(&node, &from_pretty(INPUT, "").schema(), &Arc::new(arrow_schema::Schema::new(fields)))
            .unwrap()
    }

    fn put(operator: &mut LocalAggregate, rows: &str) -> String {
        let mut result = String::new();
        let mut output = |batch| {
            result = to_pretty(&batch);
            Ok(())
        };
        operator.on_batch(0, from_pretty(INPUT, rows), &mut output).unwrap();
        result
    }

    /// Windows of 10 s every 4 s begin and end at multiples of 2 s: that is a slice.
    #[test]
    fn rows_of_a_group_and_slice_are_one() {
        let rows = "+I 1 '1970-01-01 00:00:00.5' 5 / +I 1 '1970-01-01 00:00:01' 3 / +I 1 '1970-01-01 00:00:02' 7 / \
                    +I 1 '1970-01-01 00:00:00' NULL / +I 1 NULL 2 / +I 1 '1969-12-31 23:59:59' 9";
        let mut operator = operator();
        operator.pause = 0;
        let expected = "+I 1 1970-01-01T00:00:00 8 3 3 3 / +I 1 1970-01-01T00:00:02 7 1 7 1 / \
                        +I 1 NULL 2 1 2 1 / +I 1 1969-12-31T23:59:58 9 1 9 1";
        assert_eq!(put(&mut operator, rows), expected);
        // Nothing is left of the batch before.
        operator.pause = 0;
        assert_eq!(put(&mut operator, "+I 1 '1970-01-01 00:00:00' 1"), "+I 1 1970-01-01T00:00:00 1 1 1 1");
    }

    #[test]
    fn rows_that_are_all_different_are_passed_on_for_a_while() {
        let mut operator = operator();
        put(&mut operator, "+I 1 '1970-01-01 00:00:00' 1 / +I 2 '1970-01-01 00:00:00' 1");
        assert_eq!(operator.pause, PAUSE);
        let twice = "+I 1 '1970-01-01 00:00:00' 1 / +I 1 '1970-01-01 00:00:00' 1";
        let single = "+I 1 1970-01-01T00:00:00 1 1 1 1";
        for _ in 0..PAUSE {
            assert_eq!(put(&mut operator, twice), format!("{single} / {single}"));
        }
        assert_eq!(put(&mut operator, twice), "+I 1 1970-01-01T00:00:00 2 2 1 2");
        assert_eq!(operator.pause, 0);
    }
}
