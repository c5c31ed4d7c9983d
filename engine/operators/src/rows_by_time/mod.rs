//! Rows by key and by time, in Arrow chunks: for joins that keep rows for as long as event time says.
//!
//! ```text
//! by key    a   00:10 → 0, 00:12 → 2        b   00:11 → 1
//! by time   00:10 → [0]   00:11 → [1]   00:12 → [2]
//! ```
//!
//! Rows come nearly in the order of their time, so that a row goes to the end of its key's queue, or
//! near it, and leaves at the front. Each row has a mark, which its operator gives a meaning.

mod emit;
mod keys;
mod state;

use std::collections::{BTreeMap, HashMap, VecDeque};

use arrow_schema::SchemaRef;
use sluice_model::{Error, Result};

use crate::bit_set::BitSet;
use crate::join::rows::{NO_ROW, Place, RowId, RowStore};
use crate::key_index::Slot;
use crate::memory;

pub(crate) use self::emit::Emitter;
pub(crate) use self::keys::Keys;

/// What is known of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) place: Place,
    pub(crate) slot: Slot,
    pub(crate) time: i64,
    /// Its place in the order of arrival, which tells rows of one key apart.
    pub(crate) number: i64,
    /// What the operator notes of it.
    pub(crate) mark: u8,
    /// The last snapshot has it.
    is_saved: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct RowsByTime {
    input: SchemaRef,
    /// Columns of the join key.
    pub(crate) keys: Vec<usize>,
    pub(crate) rows: RowStore,
    entries: Vec<Entry>,
    free: Vec<RowId>,
    by_key: Vec<VecDeque<(i64, RowId)>>,
    by_time: BTreeMap<i64, Vec<RowId>>,
    next_number: i64,
    /// Rows that have changed since the last snapshot.
    dirty: BitSet,
    /// Rows that the last snapshot has and that are gone; they hold their keys.
    gone: Vec<(Slot, i64)>,
    /// Rows of a snapshot that are in no order yet.
    restored: HashMap<(Slot, i64), RowId>,
}

impl RowsByTime {
    /// Without rows.
    ///
    /// # Errors
    /// A bug in the planner: a key that is no column.
    pub(crate) fn new(input: &SchemaRef, keys: Vec<usize>) -> Result<Self> {
        if keys.iter().any(|key| *key >= input.fields().len()) {
            return Err(Error::bug("a join key is not a column of the input"));
        }
        Ok(Self {
            input: SchemaRef::clone(input),
            keys,
            rows: RowStore::new(input.fields().iter().map(|field| field.data_type())),
            entries: Vec::new(),
            free: Vec::new(),
            by_key: Vec::new(),
            by_time: BTreeMap::new(),
            next_number: 0,
            dirty: BitSet::default(),
            gone: Vec::new(),
            restored: HashMap::new(),
        })
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        // Each row is in two lists.
        let lists = memory::of_vec(&self.by_key) + 2 * size_of::<(i64, RowId)>() * self.entries.len();
        self.rows.memory() + memory::of_vec(&self.entries) + lists + memory::of_vec(&self.gone)
    }

    /// Makes room for keys.
    pub(crate) fn grow(&mut self, num_keys: usize) {
        if self.by_key.len() < num_keys {
            self.by_key.resize_with(num_keys, VecDeque::new);
        }
    }

    /// The rows of a key within a span of time, both ends included, by time.
    pub(crate) fn within(&self, slot: Slot, first: i64, last: i64) -> impl Iterator<Item = RowId> {
        let queue = &self.by_key[slot as usize];
        let start = queue.partition_point(|(time, _)| *time < first);
        queue.range(start..).take_while(move |(time, _)| *time <= last).map(|(_, id)| *id)
    }

    /// The last row of a key at or before a time; of rows of one time, the one that came last.
    pub(crate) fn last_at(&self, slot: Slot, time: i64) -> Option<RowId> {
        let queue = &self.by_key[slot as usize];
        let place = queue.partition_point(|(other, _)| *other <= time).checked_sub(1)?;
        queue.get(place).map(|(_, id)| *id)
    }

    /// Keeps a row that has come; the row holds its key.
    ///
    /// # Errors
    /// More rows than numbers.
    pub(crate) fn keep(&mut self, place: Place, slot: Slot, time: i64, mark: u8, keys: &mut Keys) -> Result<()> {
        let number = self.next_number;
        self.next_number += 1;
        let id = self.insert(Entry { place, slot, time, number, mark, is_saved: false })?;
        keys.hold(slot);
        self.dirty.insert(id);
        self.link(id);
        Ok(())
    }

    /// Gives a row a number.
    ///
    /// # Errors
    /// As [`keep`](Self::keep).
    fn insert(&mut self, entry: Entry) -> Result<RowId> {
        let next = || {
            let id = RowId::try_from(self.entries.len()).ok().filter(|id| *id != NO_ROW);
            id.ok_or_else(|| Error::fix("a join keeps more than 2^32 rows on one side"))
        };
        let id = self.free.pop().map_or_else(next, Ok)?;
        match self.entries.get_mut(id as usize) {
            Some(free) => *free = entry,
            None => self.entries.push(entry),
        }
        self.rows.own(entry.place, id);
        Ok(id)
    }

    /// Sorts a row in by key and time.
    fn link(&mut self, id: RowId) {
        let Entry { slot, time, .. } = self.entries[id as usize];
        let queue = &mut self.by_key[slot as usize];
        let place = queue.partition_point(|(other, _)| *other <= time);
        queue.insert(place, (time, id));
        self.by_time.entry(time).or_default().push(id);
    }

    /// What is known of a row.
    pub(crate) fn entry(&self, id: RowId) -> &Entry {
        &self.entries[id as usize]
    }

    /// Notes something else of a row.
    pub(crate) fn set_mark(&mut self, id: RowId, mark: u8) {
        let entry = &mut self.entries[id as usize];
        if entry.mark != mark {
            entry.mark = mark;
            self.dirty.insert(id);
        }
    }

    /// The first time of a row that has not been [taken](Self::take_until).
    pub(crate) fn first_time(&self) -> Option<i64> {
        self.by_time.first_key_value().map(|(time, _)| *time)
    }

    /// Takes some rows with times up to `last` out of the order of time; all rows of a time together.
    pub(crate) fn take_until(&mut self, last: i64, some: usize) -> Vec<RowId> {
        let mut taken = Vec::new();
        while taken.len() < some
            && self.first_time().is_some_and(|time| time <= last)
            && let Some((_, ids)) = self.by_time.pop_first()
        {
            taken.extend(ids);
        }
        taken
    }

    /// The first row of a key, if a later one is at or before `time`.
    pub(crate) fn outdated(&self, slot: Slot, time: i64) -> Option<RowId> {
        let queue = &self.by_key[slot as usize];
        queue.get(1).filter(|(next, _)| *next <= time)?;
        queue.front().map(|(_, first)| *first)
    }

    /// Forgets a row that has been [taken](Self::take_until).
    pub(crate) fn forget(&mut self, id: RowId, keys: &mut Keys) {
        let slot = self.entry(id).slot;
        let queue = &mut self.by_key[slot as usize];
        // It is the first of its key, or among the first.
        if let Some(place) = queue.iter().position(|(_, other)| *other == id) {
            queue.remove(place);
        }
        if queue.is_empty() {
            *queue = VecDeque::new();
        }
        self.give_up(id, keys);
    }

    /// Gives up the number of a row that is in no order.
    fn give_up(&mut self, id: RowId, keys: &mut Keys) {
        let Entry { place, slot, number, is_saved, .. } = self.entries[id as usize];
        self.rows.disown(place);
        self.dirty.remove(id);
        self.free.push(id);
        if is_saved {
            // The next snapshot tells of its end, and needs the key for that.
            self.gone.push((slot, number));
        } else {
            keys.release(slot);
        }
    }

    /// Frees the memory of rows that are gone.
    ///
    /// # Errors
    /// More than 2 GiB of text in one column.
    pub(crate) fn tidy(&mut self) -> Result<()> {
        let entries = &mut self.entries;
        self.rows.tidy(|id, place| entries[id as usize].place = place)
    }

    /// True if nothing is kept.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.by_time.is_empty() && self.by_key.iter().all(VecDeque::is_empty)
    }
}
