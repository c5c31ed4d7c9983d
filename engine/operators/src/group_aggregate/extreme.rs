//! `MIN` and `MAX` where values can be taken back.
//!
//! All values of a group are counted; a heap of the different ones has the extreme on top. A value
//! that is taken back for good stays in the heap until it comes to the top, or until such values
//! are the larger part of the heap.
//!
//! ```text
//! MAX: +I 5, +I 9, +I 7       heap 9 5 7
//! -D 7                        heap 9 5 (7)
//! -D 9                        heap 5           (7) came to the top and is gone
//! ```

use arrow_array::{ArrayRef, UInt32Array};
use arrow_schema::DataType;
use sluice_model::{Error, Result};

use super::accumulator::{Accumulator, Input};
use super::marks::HELD;
use super::multiset::Multiset;
use super::side::{SideOutput, SideTable};
use crate::Scope;
use crate::key_index::Slot;
use crate::memory;

/// The least or the greatest value of each group.
#[derive(Debug)]
pub(super) struct RetractableExtreme {
    values: Multiset,
    /// Binary heaps of entries, by group. Entries in a heap are held.
    heaps: Vec<Vec<Slot>>,
    largest: bool,
}

/// Values that are gone are left in small heaps: sorting them out would not pay.
const SMALL_HEAP: usize = 8;

impl RetractableExtreme {
    pub(super) fn new(data_type: DataType, largest: bool) -> Result<Self> {
        Ok(Self { values: Multiset::new(vec![data_type])?, heaps: Vec::new(), largest })
    }

    /// Whether an entry has to lie above another one.
    fn wins(&self, entry: Slot, other: Slot) -> bool {
        if self.largest { self.values.is_before(other, entry) } else { self.values.is_before(entry, other) }
    }

    fn push(&mut self, entry: Slot) {
        let group = self.values.group(entry) as usize;
        self.values.marks.hold(entry);
        let mut heap = std::mem::take(&mut self.heaps[group]);
        heap.push(entry);
        let mut at = heap.len() - 1;
        while at > 0 && self.wins(heap[at], heap[(at - 1) / 2]) {
            heap.swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
        self.heaps[group] = heap;
    }

    fn sift_down(&self, heap: &mut [Slot], mut at: usize) {
        loop {
            let children = 2 * at + 1..(2 * at + 3).min(heap.len());
            let Some(best) =
                children.reduce(|best, child| if self.wins(heap[child], heap[best]) { child } else { best })
            else {
                return;
            };
            if !self.wins(heap[best], heap[at]) {
                return;
            }
            heap.swap(at, best);
            at = best;
        }
    }

    /// Brings a value that occurs to the top of a group's heap; what was removed is added to `removed`.
    fn settle(&mut self, group: Slot, removed: &mut Vec<Slot>) {
        let mut heap = std::mem::take(&mut self.heaps[group as usize]);
        let removed_before = removed.len();
        if heap.len() > 2 * self.values.size(group) + SMALL_HEAP {
            removed.extend(heap.extract_if(.., |entry| !self.values.occurs(*entry)));
            for at in (0..heap.len() / 2).rev() {
                self.sift_down(&mut heap, at);
            }
        }
        while heap.first().is_some_and(|top| !self.values.occurs(*top)) {
            removed.push(heap.swap_remove(0));
            self.sift_down(&mut heap, 0);
        }
        for entry in &removed[removed_before..] {
            self.values.marks.let_go(*entry);
        }
        self.heaps[group as usize] = heap;
    }
}

impl Accumulator for RetractableExtreme {
    fn resize(&mut self, slots: usize) {
        self.values.resize(slots);
        self.heaps.resize(slots, Vec::new());
    }

    fn bytes(&self) -> usize {
        // Heaps are as long as there are values, with room for twice as many in a heap of its own each.
        let heaps = self.values.len() * (2 * size_of::<Slot>() + memory::OVERHEAD);
        self.values.bytes() + memory::of_vec(&self.heaps) + heaps
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        let mut entries = self.values.entries(input.slots, input.arguments)?;
        let mut removed = Vec::new();
        for (row, (slot, weight)) in input.slots.iter().zip(input.weights).enumerate() {
            let entry = entries[row];
            match *weight {
                0 => {}
                1.. => {
                    if self.values.add(entry) && !self.values.marks.is(entry, HELD) {
                        self.push(entry);
                    }
                }
                _ => {
                    if self.values.take(entry) {
                        self.settle(*slot, &mut removed);
                    }
                }
            }
        }
        // Not sooner: a later row may name an entry that an earlier one has taken back.
        entries.append(&mut removed);
        for entry in entries {
            self.values.release(entry);
        }
        Ok(())
    }

    fn evaluate(&self, slots: &[Slot]) -> Result<ArrayRef> {
        let tops: Vec<Slot> = slots.iter().filter_map(|slot| self.heaps[*slot as usize].first().copied()).collect();
        let values = self.values.values(&tops)?.pop().ok_or_else(|| Error::bug("values without a column"))?;
        if tops.len() == slots.len() {
            return Ok(values);
        }
        let mut next = 0..;
        let places: UInt32Array =
            slots.iter().map(|slot| self.heaps[*slot as usize].first().and_then(|_| next.next())).collect();
        arrow_select::take::take(&values, &places, None).map_err(Error::from_arrow)
    }

    fn clear(&mut self, slot: Slot) {
        let heap = std::mem::take(&mut self.heaps[slot as usize]);
        for entry in &heap {
            self.values.marks.let_go(*entry);
        }
        self.values.clear(slot);
        for entry in heap {
            self.values.release(entry);
        }
    }

    fn side(&mut self) -> Option<&mut dyn SideTable> {
        Some(self)
    }
}

impl SideTable for RetractableExtreme {
    fn columns(&self) -> (Vec<(String, DataType)>, usize) {
        self.values.columns()
    }

    fn snapshot(&mut self, scope: Scope, output: SideOutput<'_>) -> Result<()> {
        self.values.snapshot(scope, output)
    }

    fn restore(&mut self, groups: &[Slot], columns: &[ArrayRef], live: bool) -> Result<()> {
        let mut entries = self.values.restore_entries(groups, columns, live)?;
        let mut removed = Vec::new();
        for (row, group) in groups.iter().enumerate() {
            if live && !self.values.marks.is(entries[row], HELD) {
                self.push(entries[row]);
            } else if !live {
                self.settle(*group, &mut removed);
            }
        }
        entries.append(&mut removed);
        for entry in entries {
            self.values.release(entry);
        }
        Ok(())
    }
}
