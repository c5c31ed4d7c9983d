//! All values of a group in order of arrival: `ARRAY_AGG`, `SINGLE_VALUE`, and `FIRST_VALUE`,
//! `LAST_VALUE` and `LISTAGG` where values can be taken back.
//!
//! Every value gets a number; taking a value back removes the oldest one that equals it, as Flink
//! does. Finding it looks through the group's values: this is for lists, which are read as a whole
//! anyway.
//!
//! ```text
//! +I a   +I b   +I a   -D a        number  value
//!                                       1      b
//!                                       2      a
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, ListArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, FieldRef};
use sluice_model::{Error, Result, RowKind};

use super::accumulator::{Accumulator, Input, primitive};
use super::codec::Codec;
use super::side::{BATCH_ROWS, SideOutput, SideTable};
use super::sum::lost;
use super::text::column_of;
use crate::Scope;
use crate::key_index::Slot;
use crate::memory;

/// What is made of the values.
#[derive(Debug, Clone)]
pub(super) enum Listing {
    /// The oldest one.
    First,
    /// The newest one.
    Last,
    /// The only one.
    Single,
    /// All, as text with a separator.
    Joined(String),
    /// All, as an array with elements of this field.
    Array(FieldRef),
}

impl Listing {
    /// `LISTAGG`, with a comma unless another separator is given.
    pub(super) fn joined(separator: Option<&str>) -> Self {
        Self::Joined(separator.unwrap_or(",").to_owned())
    }

    /// `ARRAY_AGG` of this type.
    pub(super) fn array(result: &DataType) -> Result<Self> {
        match result {
            DataType::List(element) => Ok(Self::Array(Arc::clone(element))),
            other => Err(Error::bug(format!("ARRAY_AGG cannot be a {other}"))),
        }
    }
}

/// A value and its number.
#[derive(Debug)]
struct Item {
    number: i64,
    value: Box<[u8]>,
}

impl Item {
    /// Memory of one with a value; a queue is at least half full.
    fn bytes(value: &[u8]) -> usize {
        2 * size_of::<Self>() + memory::of_box(value.len())
    }
}

/// The values of each group.
#[derive(Debug)]
pub(super) struct List {
    /// By slot, by number.
    items: Vec<VecDeque<Item>>,
    /// Memory of the items.
    item_bytes: usize,
    codec: Codec,
    data_type: DataType,
    listing: Listing,
    next: i64,
    /// Numbers below are in the last snapshot.
    persisted: i64,
    /// Slots with values that are not in the last snapshot.
    grown: Vec<bool>,
    /// Values that are in the last snapshot, but gone.
    gone: Vec<(Slot, i64)>,
}

impl List {
    pub(super) fn new(data_type: DataType, listing: Listing) -> Result<Self> {
        let codec = Codec::new(&data_type)?;
        let (items, grown, gone) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { items, item_bytes: 0, codec, data_type, listing, next: 0, persisted: 0, grown, gone })
    }

    fn add(&mut self, slot: usize, value: &[u8]) -> Result<()> {
        if matches!(self.listing, Listing::Single) && !self.items[slot].is_empty() {
            return Err(Error::fix("a scalar sub-query has more than one row")
                .with_hint("aggregate its result, for example with MAX, or filter it by a key"));
        }
        self.items[slot].push_back(Item { number: self.next, value: value.into() });
        self.item_bytes += Item::bytes(value);
        self.next += 1;
        self.grown[slot] = true;
        Ok(())
    }

    fn take(&mut self, slot: usize, value: &[u8]) {
        let found = self.items[slot].iter().position(|item| *item.value == *value);
        if let Some(item) = found.and_then(|at| self.items[slot].remove(at)) {
            self.forget(slot, &item);
        }
    }

    fn forget(&mut self, slot: usize, item: &Item) {
        self.item_bytes -= Item::bytes(&item.value);
        if item.number < self.persisted {
            self.gone.push((slot as Slot, item.number));
        }
    }

    /// Values of all groups behind one another, and where each group's end.
    fn values(&self, slots: &[Slot]) -> Result<(ArrayRef, OffsetBuffer<i32>)> {
        let lists = || slots.iter().map(|slot| &self.items[*slot as usize]);
        let values = self.codec.decode(lists().flatten().map(|item| Some(&*item.value)))?;
        Ok((values, OffsetBuffer::from_lengths(lists().map(VecDeque::len))))
    }

    fn joined(&self, slots: &[Slot], separator: &str) -> Result<ArrayRef> {
        let (values, offsets) = self.values(slots)?;
        let values = values.as_string_opt::<i32>().ok_or_else(|| Error::bug("LISTAGG of something else than text"))?;
        let join = |range: &[i32]| {
            let (start, end) = (range[0] as usize, range[1] as usize);
            let mut text = String::new();
            for at in start..end {
                text.push_str(if at == start { "" } else { separator });
                text.push_str(values.value(at));
            }
            (start < end).then_some(text)
        };
        column_of(&offsets.windows(2).map(join).collect::<Vec<_>>())
    }

    fn array(&self, slots: &[Slot], element: &FieldRef) -> Result<ArrayRef> {
        let (values, offsets) = self.values(slots)?;
        let filled = NullBuffer::from_iter(slots.iter().map(|slot| !self.items[*slot as usize].is_empty()));
        let array = ListArray::try_new(Arc::clone(element), offsets, values, Some(filled));
        Ok(Arc::new(array.map_err(Error::from_arrow)?))
    }

    /// Items of groups that are not in the last snapshot, or all.
    fn unwritten(&self, scope: Scope) -> Vec<(Slot, &Item)> {
        let groups = (0..).zip(&self.items).zip(&self.grown);
        let groups = groups.filter(|(_, grown)| scope == Scope::All || **grown);
        let since = if scope == Scope::All { i64::MIN } else { self.persisted };
        let items = groups.flat_map(|((slot, items), _)| {
            let start = items.partition_point(|item| item.number < since);
            items.range(start..).map(move |item| (slot, item))
        });
        items.collect()
    }
}

impl Accumulator for List {
    fn resize(&mut self, slots: usize) {
        self.items.resize_with(slots, VecDeque::new);
        self.grown.resize(slots, false);
    }

    fn bytes(&self) -> usize {
        memory::of_vec(&self.items) + memory::of_vec(&self.grown) + memory::of_vec(&self.gone) + self.item_bytes
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        let argument = input.arguments.first().ok_or_else(|| Error::bug("an aggregate without an argument"))?;
        let encoded = self.codec.encode(argument)?;
        for ((slot, weight), value) in input.rows().zip(encoded.iter()) {
            match weight {
                0 => {}
                1.. => self.add(slot, value.data())?,
                _ => self.take(slot, value.data()),
            }
        }
        Ok(())
    }

    fn evaluate(&self, slots: &[Slot]) -> Result<ArrayRef> {
        let lists = slots.iter().map(|slot| &self.items[*slot as usize]);
        match &self.listing {
            Listing::First | Listing::Single => self.codec.decode(lists.map(|list| Some(&*list.front()?.value))),
            Listing::Last => self.codec.decode(lists.map(|list| Some(&*list.back()?.value))),
            Listing::Joined(separator) => self.joined(slots, separator),
            Listing::Array(element) => self.array(slots, element),
        }
    }

    fn clear(&mut self, slot: Slot) {
        for item in std::mem::take(&mut self.items[slot as usize]) {
            self.forget(slot as usize, &item);
        }
    }

    fn side(&mut self) -> Option<&mut dyn SideTable> {
        Some(self)
    }
}

impl SideTable for List {
    fn columns(&self) -> (Vec<(String, DataType)>, usize) {
        (vec![("number".to_owned(), DataType::Int64), ("value".to_owned(), self.data_type.clone())], 1)
    }

    fn snapshot(&mut self, scope: Scope, output: SideOutput<'_>) -> Result<()> {
        for items in self.unwritten(scope).chunks(BATCH_ROWS) {
            let groups: Vec<Slot> = items.iter().map(|(slot, _)| *slot).collect();
            let numbers = Int64Array::from_iter_values(items.iter().map(|(_, item)| item.number));
            let values = self.codec.decode(items.iter().map(|(_, item)| Some(&*item.value)))?;
            output(RowKind::Insert, &groups, vec![Arc::new(numbers), values])?;
        }
        let gone = std::mem::take(&mut self.gone);
        let gone = if scope == Scope::All { &[][..] } else { &gone[..] };
        for items in gone.chunks(BATCH_ROWS) {
            let groups: Vec<Slot> = items.iter().map(|(slot, _)| *slot).collect();
            let numbers = Int64Array::from_iter_values(items.iter().map(|(_, number)| *number));
            let values = arrow_array::new_null_array(&self.data_type, items.len());
            output(RowKind::Delete, &groups, vec![Arc::new(numbers), values])?;
        }
        self.persisted = self.next;
        self.grown.fill(false);
        Ok(())
    }

    fn restore(&mut self, groups: &[Slot], columns: &[ArrayRef], live: bool) -> Result<()> {
        let [numbers, values] = columns else { return Err(lost()) };
        let encoded = self.codec.encode(values)?;
        let numbers = primitive::<Int64Type>(numbers)?.values();
        for ((group, number), value) in groups.iter().zip(numbers).zip(encoded.iter()) {
            let items = &mut self.items[*group as usize];
            match items.binary_search_by_key(number, |item| item.number) {
                Err(at) if live => {
                    items.insert(at, Item { number: *number, value: value.data().into() });
                    self.item_bytes += Item::bytes(value.data());
                }
                Ok(at) if !live => {
                    self.item_bytes -= items.remove(at).map_or(0, |item| Item::bytes(&item.value));
                }
                _ => {}
            }
            self.next = self.next.max(*number + 1);
        }
        self.persisted = self.next;
        Ok(())
    }
}
