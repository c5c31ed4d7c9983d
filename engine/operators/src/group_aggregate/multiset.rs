//! How often each combination of values occurs in each group.
//!
//! ```text
//! +I 1 a   +I 1 b   +I 1 a   -D 1 b        group  value  count
//!                                              1      a      2
//! ```

use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, UInt32Array};
use arrow_schema::DataType;
use sluice_model::{Result, RowKind};

use super::accumulator::primitive;
use super::marks::{LIVE, Marks};
use super::side::{BATCH_ROWS, SideOutput, SideTable};
use super::sum::{gather, lost};
use crate::Scope;
use crate::key_index::{KeyIndex, Slot};
use crate::memory;

/// Counts of (group, values). An entry is the slot of such a pair.
#[derive(Debug)]
pub(super) struct Multiset {
    /// Of the group's slot and the values.
    index: KeyIndex,
    types: Vec<DataType>,
    /// By entry.
    counts: Vec<i64>,
    groups: Vec<Slot>,
    pub(super) marks: Marks,
    /// Entries of each group that occur.
    sizes: Vec<u32>,
}

impl Multiset {
    pub(super) fn new(types: Vec<DataType>) -> Result<Self> {
        let key: Vec<_> = std::iter::once(DataType::UInt32).chain(types.iter().cloned()).collect();
        let index = KeyIndex::new(&key)?;
        let (counts, groups, sizes) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { index, types, counts, groups, marks: Marks::default(), sizes })
    }

    /// Makes room for this many groups.
    pub(super) fn resize(&mut self, groups: usize) {
        self.sizes.resize(groups, 0);
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        let entries = memory::of_vec(&self.counts) + memory::of_vec(&self.groups) + self.marks.bytes();
        self.index.bytes() + entries + memory::of_vec(&self.sizes)
    }

    /// Number of different values in all groups.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Entries of rows. Each has to be [released](Self::release) when the rows are dealt with.
    pub(super) fn entries(&mut self, groups: &[Slot], values: &[ArrayRef]) -> Result<Vec<Slot>> {
        let mut key: Vec<ArrayRef> = Vec::with_capacity(1 + values.len());
        key.push(Arc::new(UInt32Array::from(groups.to_vec())));
        key.extend(values.iter().cloned());
        let entries = self.index.insert(&key, groups.len())?;
        self.counts.resize(self.index.capacity(), 0);
        self.groups.resize(self.index.capacity(), 0);
        self.marks.resize(self.index.capacity());
        for (entry, group) in entries.iter().zip(groups) {
            self.groups[*entry as usize] = *group;
        }
        Ok(entries)
    }

    /// One more; true if it is the first.
    pub(super) fn add(&mut self, entry: Slot) -> bool {
        let count = &mut self.counts[entry as usize];
        *count += 1;
        let first = *count == 1;
        self.sizes[self.groups[entry as usize] as usize] += u32::from(first);
        self.marks.changed(entry);
        first
    }

    /// One less; true if it was the last. What does not occur cannot become less.
    pub(super) fn take(&mut self, entry: Slot) -> bool {
        let count = &mut self.counts[entry as usize];
        if *count == 0 {
            return false;
        }
        *count -= 1;
        if *count > 0 {
            self.marks.changed(entry);
            return false;
        }
        self.sizes[self.groups[entry as usize] as usize] -= 1;
        self.marks.dead(entry);
        true
    }

    /// Forgets an entry that does not occur and that nothing needs.
    pub(super) fn release(&mut self, entry: Slot) {
        if self.marks.release(entry) {
            self.index.remove(entry);
        }
    }

    /// Forgets what is left of a group. Its values were all taken back, unless the input contradicts
    /// itself: then they are looked for.
    pub(super) fn clear(&mut self, group: Slot) {
        if self.sizes[group as usize] == 0 {
            return;
        }
        let left: Vec<_> = self.index.slots().filter(|entry| self.groups[*entry as usize] == group).collect();
        for entry in left {
            self.counts[entry as usize] = 0;
            self.marks.dead(entry);
            self.release(entry);
        }
        self.sizes[group as usize] = 0;
    }

    /// Number of different values in a group.
    pub(super) fn size(&self, group: Slot) -> usize {
        self.sizes[group as usize] as usize
    }

    pub(super) fn occurs(&self, entry: Slot) -> bool {
        self.marks.is(entry, LIVE)
    }

    pub(super) fn group(&self, entry: Slot) -> Slot {
        self.groups[entry as usize]
    }

    /// Whether the values of one entry come before those of another of the same group.
    pub(super) fn is_before(&self, entry: Slot, other: Slot) -> bool {
        self.index.key(entry) < self.index.key(other)
    }

    /// Values of entries, as columns.
    pub(super) fn values(&self, entries: &[Slot]) -> Result<Vec<ArrayRef>> {
        Ok(self.index.columns(entries.iter().copied())?.split_off(1))
    }

    /// Takes rows of a snapshot back; their entries.
    pub(super) fn restore_entries(&mut self, groups: &[Slot], columns: &[ArrayRef], live: bool) -> Result<Vec<Slot>> {
        let (counts, values) = columns.split_last().ok_or_else(lost)?;
        let counts = primitive::<Int64Type>(counts)?;
        let entries = self.entries(groups, values)?;
        for (entry, count) in entries.iter().zip(counts.values()) {
            let size = &mut self.sizes[self.groups[*entry as usize] as usize];
            let was_live = self.marks.is(*entry, LIVE);
            *size = *size + u32::from(live) - u32::from(was_live);
            self.counts[*entry as usize] = if live { *count } else { 0 };
            self.marks.restored(*entry, live);
        }
        Ok(entries)
    }
}

impl SideTable for Multiset {
    fn columns(&self) -> (Vec<(String, DataType)>, usize) {
        let mut columns: Vec<_> =
            self.types.iter().enumerate().map(|(n, data_type)| (format!("value{n}"), data_type.clone())).collect();
        let key = columns.len();
        columns.push(("count".to_owned(), DataType::Int64));
        (columns, key)
    }

    fn snapshot(&mut self, scope: Scope, output: SideOutput<'_>) -> Result<()> {
        let delta = self.marks.take_delta(scope);
        let written = if scope == Scope::All { RowKind::Insert } else { RowKind::UpdateAfter };
        for (kind, entries) in [(written, &delta.written), (RowKind::Delete, &delta.deleted)] {
            for entries in entries.chunks(BATCH_ROWS) {
                let groups: Vec<Slot> = entries.iter().map(|entry| self.group(*entry)).collect();
                let mut columns = self.values(entries)?;
                columns.push(gather(&self.counts, entries));
                output(kind, &groups, columns)?;
            }
        }
        for entry in delta.freed {
            self.index.remove(entry);
        }
        Ok(())
    }

    fn restore(&mut self, groups: &[Slot], columns: &[ArrayRef], live: bool) -> Result<()> {
        for entry in self.restore_entries(groups, columns, live)? {
            self.release(entry);
        }
        Ok(())
    }
}
