//! What the order of rows tells: `RANK`, `DENSE_RANK` and `LAG`, for `OVER` up to the current row.
//!
//! ```text
//! rows in their order    12:01 a    12:02 b    12:02 c    12:03 d
//! RANK                       1          2          2          4
//! DENSE_RANK                 1          2          2          3
//! LAG(v, 2, 'x')             x          x          a          b
//! ```
//!
//! Rows come once and in their order, and nothing is taken back.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, ListArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field};
use sluice_model::{Error, Result};

use super::accumulator::{Accumulator, Input, primitive};
use super::codec::Codec;
use super::sum::lost;
use crate::key_index::Slot;
use crate::memory;
use crate::time::millis;

/// `RANK`, or `DENSE_RANK`, by the time that is the argument.
#[derive(Debug)]
pub(super) struct Ranks {
    places: Vec<Place>,
    dense: bool,
}

/// The last row of a group.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    time: i64,
    /// Number of rows.
    rows: i64,
    rank: i64,
}

impl Ranks {
    pub(super) fn new(dense: bool) -> Self {
        Self { places: Vec::new(), dense }
    }

    fn column(&self, slots: &[Slot], value: impl Fn(&Place) -> i64) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(slots.iter().map(|slot| value(&self.places[*slot as usize]))))
    }
}

impl Accumulator for Ranks {
    fn resize(&mut self, slots: usize) {
        self.places.resize(slots, Place::default());
    }

    fn bytes(&self) -> usize {
        memory::of_vec(&self.places)
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        let times = input.arguments.first().ok_or_else(|| Error::bug("a rank by nothing"))?;
        for ((slot, weight), time) in input.rows().zip(millis(times.as_ref())?) {
            let place = &mut self.places[slot];
            if weight > 0 {
                let time = time.unwrap_or(i64::MIN);
                if place.rows == 0 || place.time != time {
                    place.rank = if self.dense { place.rank } else { place.rows } + 1;
                }
                (place.time, place.rows) = (time, place.rows + 1);
            }
        }
        Ok(())
    }

    fn evaluate(&self, slots: &[Slot]) -> Result<ArrayRef> {
        Ok(self.column(slots, |place| place.rank))
    }

    fn clear(&mut self, slot: Slot) {
        self.places[slot as usize] = Place::default();
    }

    fn state_columns(&self) -> Vec<(&'static str, DataType)> {
        ["time", "rows", "rank"].map(|name| (name, DataType::Int64)).to_vec()
    }

    fn state(&self, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        Ok(vec![
            self.column(slots, |place| place.time),
            self.column(slots, |place| place.rows),
            self.column(slots, |place| place.rank),
        ])
    }

    fn restore(&mut self, slots: &[Slot], columns: &[ArrayRef]) -> Result<()> {
        let [times, rows, ranks] = columns else { return Err(lost()) };
        let (times, rows, ranks) =
            (primitive::<Int64Type>(times)?, primitive::<Int64Type>(rows)?, primitive::<Int64Type>(ranks)?);
        for (row, slot) in slots.iter().enumerate() {
            let is_there = rows.is_valid(row);
            let place = Place { time: times.value(row), rows: rows.value(row), rank: ranks.value(row) };
            self.places[*slot as usize] = if is_there { place } else { Place::default() };
        }
        Ok(())
    }
}

/// `LAG`: the last values of each group, as many as the offset, and that of the current row.
#[derive(Debug)]
pub(super) struct Lag {
    values: Vec<VecDeque<Box<[u8]>>>,
    /// What there is in place of a row that is not there.
    defaults: Vec<Option<Box<[u8]>>>,
    codec: Codec,
    data_type: DataType,
    offset: usize,
    /// Memory of the values.
    value_bytes: usize,
}

impl Lag {
    pub(super) fn new(data_type: DataType, offset: Option<&str>) -> Result<Self> {
        let offset = offset.map_or(Ok(1), |offset| offset.parse().map_err(|_| Error::bug("LAG by no number")))?;
        Ok(Self {
            values: Vec::new(),
            defaults: Vec::new(),
            codec: Codec::new(&data_type)?,
            data_type,
            offset,
            value_bytes: 0,
        })
    }

    fn element(&self) -> Arc<Field> {
        Arc::new(Field::new_list_field(self.data_type.clone(), true))
    }
}

impl Accumulator for Lag {
    fn resize(&mut self, slots: usize) {
        self.values.resize_with(slots, VecDeque::new);
        self.defaults.resize(slots, None);
    }

    fn bytes(&self) -> usize {
        memory::of_vec(&self.values) + memory::of_vec(&self.defaults) + self.value_bytes
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        let value = input.arguments.first().ok_or_else(|| Error::bug("LAG of nothing"))?;
        let encoded = self.codec.encode(value)?;
        let defaults = input.arguments.get(1).map(|default| self.codec.encode(default)).transpose()?;
        for (row, (slot, weight)) in input.rows().enumerate() {
            if weight > 0 {
                let values = &mut self.values[slot];
                values.push_back(encoded.row(row).data().into());
                self.value_bytes += memory::of_box(encoded.row(row).data().len());
                if values.len() > self.offset.saturating_add(1) {
                    self.value_bytes -= values.pop_front().map_or(0, |value| memory::of_box(value.len()));
                }
                self.defaults[slot] = defaults.as_ref().map(|defaults| defaults.row(row).data().into());
            }
        }
        Ok(())
    }

    fn evaluate(&self, slots: &[Slot]) -> Result<ArrayRef> {
        self.codec.decode(slots.iter().map(|slot| {
            let (values, default) = (&self.values[*slot as usize], &self.defaults[*slot as usize]);
            if values.len() > self.offset { values.front().map(AsRef::as_ref) } else { default.as_deref() }
        }))
    }

    fn clear(&mut self, slot: Slot) {
        self.value_bytes -=
            self.values[slot as usize].drain(..).map(|value| memory::of_box(value.len())).sum::<usize>();
        self.defaults[slot as usize] = None;
    }

    fn state_columns(&self) -> Vec<(&'static str, DataType)> {
        vec![("values", DataType::List(self.element()))]
    }

    /// Without the defaults: a result is asked for behind a row, which brings its own.
    fn state(&self, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        let lists = || slots.iter().map(|slot| &self.values[*slot as usize]);
        let values = self.codec.decode(lists().flatten().map(|value| Some(&**value)))?;
        let offsets = OffsetBuffer::from_lengths(lists().map(VecDeque::len));
        let lists = ListArray::try_new(self.element(), offsets, values, None).map_err(Error::from_arrow)?;
        Ok(vec![Arc::new(lists)])
    }

    fn restore(&mut self, slots: &[Slot], columns: &[ArrayRef]) -> Result<()> {
        let lists = columns.first().and_then(|column| column.as_list_opt::<i32>()).ok_or_else(lost)?;
        let encoded = self.codec.encode(lists.values())?;
        for (slot, range) in slots.iter().zip(lists.value_offsets().windows(2)) {
            let (start, end) = (range[0] as usize, range[1] as usize);
            self.clear(*slot);
            let values: VecDeque<Box<[u8]>> = (start..end).map(|row| encoded.row(row).data().into()).collect();
            self.value_bytes += values.iter().map(|value| memory::of_box(value.len())).sum::<usize>();
            self.values[*slot as usize] = values;
        }
        Ok(())
    }
}
