//! What calls with `DISTINCT` have seen. Calls over the same arguments share it, each with its own filter.
//!
//! ```text
//! COUNT(DISTINCT id), COUNT(DISTINCT id) FILTER (WHERE price > 5)
//!
//!                    group  id   first call  second call
//! +I 1 a 3           1      a    1           0
//! +I 1 b 9           1      b    1           1
//! +I 1 a 9           1      a    2           1
//! ```
//!
//! A value is looked up once per row, however many calls count it; rows that no filter lets through
//! are not looked up at all.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::types::UInt32Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow_schema::DataType;
use arrow_select::take::take_arrays;
use sluice_model::{Error, Result, RowKind};

use super::accumulator::primitive;
use super::marks::{Delta, LIVE, Mark};
use super::side::{BATCH_ROWS, SideOutput, SideTable};
use super::sum::lost;
use crate::Scope;
use crate::key_index::{KeyIndex, Slot};
use crate::memory;

/// How often the values of some columns occur in each group, counted for some calls. An entry is the slot
/// of a group's values.
#[derive(Debug)]
pub(super) struct Distinct {
    /// Columns of the values.
    arguments: Vec<usize>,
    types: Vec<DataType>,
    /// Of the group's slot and the values.
    index: KeyIndex,
    /// Number of calls.
    members: usize,
    /// By entry and member.
    occurrences: Vec<Occurrence>,
    /// Values that occur, by group and member.
    sizes: Vec<u32>,
}

/// A count, and a mark in its lowest byte.
#[derive(Debug, Clone, Copy, Default)]
struct Occurrence(u64);

impl Occurrence {
    fn new(count: u64, mark: Mark) -> Self {
        Self(count << 8 | u64::from(mark.0))
    }

    fn count(self) -> u64 {
        self.0 >> 8
    }

    fn mark(self) -> Mark {
        Mark((self.0 & 0xFF) as u8)
    }

    /// Counts a row in or out; true if it is the first or was the last. What does not occur cannot
    /// become less.
    fn count_row(&mut self, is_added: bool) -> bool {
        let (before, mut mark) = (self.count(), self.mark());
        let after = if is_added { before + 1 } else { before.saturating_sub(1) };
        if before == 0 && after == 0 {
            return false;
        }
        if after == 0 {
            mark.dead()
        } else {
            mark.changed()
        }
        *self = Self::new(after, mark);
        before == 0 || after == 0
    }
}

impl Distinct {
    /// Values of these columns, which are of these types.
    pub(super) fn new(arguments: Vec<usize>, types: Vec<DataType>) -> Result<Self> {
        let key: Vec<_> = std::iter::once(DataType::UInt32).chain(types.iter().cloned()).collect();
        let index = KeyIndex::new(&key)?;
        Ok(Self { arguments, types, index, members: 0, occurrences: Vec::new(), sizes: Vec::new() })
    }

    pub(super) fn arguments(&self) -> &[usize] {
        &self.arguments
    }

    /// Counts for another call; its number among those that share this.
    pub(super) fn join(&mut self) -> usize {
        self.members += 1;
        self.members - 1
    }

    /// Makes room for this many groups.
    pub(super) fn resize(&mut self, groups: usize) {
        self.sizes.resize(groups * self.members, 0);
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.index.bytes() + memory::of_vec(&self.occurrences) + memory::of_vec(&self.sizes)
    }

    /// Counts the rows of a batch, for each member those that have a weight for it. Rows whose values
    /// were there already, or still are, are left without weight.
    pub(super) fn keep_distinct(&mut self, rows: &RecordBatch, groups: &[Slot], weights: &mut [Vec<i8>]) -> Result<()> {
        let values: Vec<ArrayRef> = self.arguments.iter().map(|column| Arc::clone(rows.column(*column))).collect();
        let counts = |row: usize| weights.iter().any(|weights| weights[row] != 0);
        let counted: Vec<u32> = (0..).zip(0..groups.len()).filter(|(_, row)| counts(*row)).map(|(n, _)| n).collect();
        let entries = if counted.len() == groups.len() {
            self.entries(groups, values)?
        } else {
            let some: Vec<Slot> = counted.iter().map(|row| groups[*row as usize]).collect();
            let indices = UInt32Array::from(counted.clone());
            self.entries(&some, take_arrays(&values, &indices, None).map_err(Error::from_arrow)?)?
        };
        let mut is_smaller = false;
        for (row, entry) in counted.iter().zip(&entries) {
            let group = groups[*row as usize] as usize;
            for (member, weights) in weights.iter_mut().enumerate() {
                let weight = &mut weights[*row as usize];
                if *weight == 0 {
                    continue;
                }
                let is_added = *weight > 0;
                is_smaller |= !is_added;
                if self.occurrences[*entry as usize * self.members + member].count_row(is_added) {
                    let size = &mut self.sizes[group * self.members + member];
                    *size = if is_added { *size + 1 } else { *size - 1 };
                } else {
                    *weight = 0;
                }
            }
        }
        // Not sooner: a later row may name an entry that an earlier one has taken back.
        for entry in entries.into_iter().filter(|_| is_smaller) {
            self.release(entry);
        }
        Ok(())
    }

    /// Forgets what is left of groups. Their values were all taken back, unless the input contradicts
    /// itself or the groups have expired: then they are looked for.
    pub(super) fn clear(&mut self, groups: &[Slot]) -> Result<()> {
        let members = self.members;
        let sizes = |group: Slot| group as usize * members..(group as usize + 1) * members;
        let is_left = |group: &Slot| self.sizes[sizes(*group)].iter().any(|size| *size > 0);
        let left: HashSet<Slot> = groups.iter().copied().filter(is_left).collect();
        if left.is_empty() {
            return Ok(());
        }
        let all: Vec<Slot> = self.index.slots().collect();
        let groups = self.groups(&all)?;
        for (entry, _) in all.into_iter().zip(groups).filter(|(_, group)| left.contains(group)) {
            for occurrence in self.of_entry(entry) {
                let mut mark = occurrence.mark();
                if mark.is(LIVE) {
                    mark.dead();
                }
                *occurrence = Occurrence::new(0, mark);
            }
            self.release(entry);
        }
        for group in left {
            self.sizes[sizes(group)].fill(0);
        }
        Ok(())
    }

    /// What a member keeps, as a table.
    pub(super) fn side(&mut self, member: usize) -> MemberSide<'_> {
        MemberSide { distinct: self, member }
    }

    fn of_entry(&mut self, entry: Slot) -> &mut [Occurrence] {
        &mut self.occurrences[entry as usize * self.members..(entry as usize + 1) * self.members]
    }

    /// Entries of values; those that are new get one.
    fn entries(&mut self, groups: &[Slot], values: Vec<ArrayRef>) -> Result<Vec<Slot>> {
        let mut key: Vec<ArrayRef> = vec![Arc::new(UInt32Array::from(groups.to_vec()))];
        key.extend(values);
        let entries = self.index.insert(&key, groups.len())?;
        self.occurrences.resize(self.index.capacity() * self.members, Occurrence::default());
        Ok(entries)
    }

    /// Forgets an entry that no member needs.
    fn release(&mut self, entry: Slot) {
        let occurrences = self.of_entry(entry);
        if occurrences.iter().all(|occurrence| occurrence.mark().is_free()) {
            occurrences.fill(Occurrence::default());
            self.index.remove(entry);
        }
    }

    fn groups(&self, entries: &[Slot]) -> Result<Vec<Slot>> {
        let columns = self.index.columns(entries.iter().copied())?;
        Ok(primitive::<UInt32Type>(columns.first().ok_or_else(lost)?)?.values().to_vec())
    }
}

/// The counts of one member.
pub(super) struct MemberSide<'a> {
    distinct: &'a mut Distinct,
    member: usize,
}

impl MemberSide<'_> {
    fn place(&self, entry: Slot) -> usize {
        entry as usize * self.distinct.members + self.member
    }

    fn take_delta(&mut self, scope: Scope) -> Delta {
        let mut delta = Delta::default();
        let occurrences = self.distinct.occurrences.iter_mut().skip(self.member).step_by(self.distinct.members);
        for (entry, occurrence) in (0..).zip(occurrences) {
            let mut mark = occurrence.mark();
            delta.add(entry, &mut mark, scope);
            *occurrence = Occurrence::new(occurrence.count(), mark);
        }
        delta
    }
}

impl SideTable for MemberSide<'_> {
    fn columns(&self) -> (Vec<(String, DataType)>, usize) {
        let types = self.distinct.types.iter().enumerate();
        let mut columns: Vec<_> = types.map(|(n, data_type)| (format!("value{n}"), data_type.clone())).collect();
        let key = columns.len();
        columns.push(("count".to_owned(), DataType::Int64));
        (columns, key)
    }

    fn snapshot(&mut self, scope: Scope, output: SideOutput<'_>) -> Result<()> {
        let delta = self.take_delta(scope);
        let written = if scope == Scope::All { RowKind::Insert } else { RowKind::UpdateAfter };
        for (kind, entries) in [(written, &delta.written), (RowKind::Delete, &delta.deleted)] {
            for entries in entries.chunks(BATCH_ROWS) {
                let mut columns = self.distinct.index.columns(entries.iter().copied())?;
                let groups = columns.remove(0);
                let count = |entry: &Slot| self.distinct.occurrences[self.place(*entry)].count().cast_signed();
                columns.push(Arc::new(entries.iter().map(count).collect::<Int64Array>()));
                output(kind, primitive::<UInt32Type>(&groups)?.values(), columns)?;
            }
        }
        for entry in delta.freed {
            self.distinct.release(entry);
        }
        Ok(())
    }

    fn restore(&mut self, groups: &[Slot], columns: &[ArrayRef], live: bool) -> Result<()> {
        let (counts, values) = columns.split_last().ok_or_else(lost)?;
        let counts = primitive::<arrow_array::types::Int64Type>(counts)?;
        let entries = self.distinct.entries(groups, values.to_vec())?;
        for ((entry, group), count) in entries.iter().zip(groups).zip(counts.values()) {
            let place = self.place(*entry);
            let occurrence = &mut self.distinct.occurrences[place];
            let mut mark = occurrence.mark();
            let was_live = mark.is(LIVE);
            mark.restored(live);
            *occurrence = Occurrence::new(if live { count.cast_unsigned() } else { 0 }, mark);
            let size = &mut self.distinct.sizes[*group as usize * self.distinct.members + self.member];
            *size = *size + u32::from(live) - u32::from(was_live);
        }
        for entry in entries {
            self.distinct.release(entry);
        }
        Ok(())
    }
}
