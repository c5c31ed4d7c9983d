//! The rows of one side that may still get a partner: by key for the rows that come, by time for the
//! watermark.
//!
//! ```text
//! by key    a   00:10 → 0, 00:12 → 2        b   00:11 → 1
//! by time   00:10 → [0]   00:11 → [1]   00:12 → [2]
//! ```
//!
//! Rows come nearly in the order of their time, so that a row goes to the end of its key's queue, or
//! near it, and leaves at the front.

use std::collections::{BTreeMap, HashMap, VecDeque};

use arrow_schema::SchemaRef;
use sluice_model::{Error, Result};

use crate::bit_set::BitSet;
use crate::join::rows::{NO_ROW, Place, RowId, RowStore};
use crate::key_index::Slot;

/// What is known of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) slot: Slot,
    pub(super) time: i64,
    /// Its place in the order of arrival, which tells rows of one key apart.
    pub(super) number: i64,
    /// It has had a partner.
    pub(super) is_matched: bool,
    /// The last snapshot has it.
    pub(super) is_saved: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) input: SchemaRef,
    /// Columns of the join key.
    pub(super) keys: Vec<usize>,
    /// How long after its time a row may get a partner.
    pub(super) reach: i64,
    /// Rows without a partner are put out with NULLs.
    pub(super) is_outer: bool,
    pub(super) rows: RowStore,
    pub(super) entries: Vec<Entry>,
    free: Vec<RowId>,
    by_key: Vec<VecDeque<(i64, RowId)>>,
    by_time: BTreeMap<i64, Vec<RowId>>,
    pub(super) next_number: i64,
    /// Rows that have changed since the last snapshot.
    pub(super) dirty: BitSet,
    /// Rows that the last snapshot has and that are gone; they hold their keys.
    pub(super) gone: Vec<(Slot, i64)>,
    /// Rows of a snapshot that are in no order yet.
    pub(super) restored: HashMap<(Slot, i64), RowId>,
}

impl Side {
    /// Without rows.
    ///
    /// # Errors
    /// A bug in the planner: a key that is no column.
    pub(super) fn new(input: &SchemaRef, keys: Vec<usize>, reach: i64, is_outer: bool) -> Result<Self> {
        if keys.iter().any(|key| *key >= input.fields().len()) {
            return Err(Error::bug("a join key is not a column of the input"));
        }
        Ok(Self {
            input: SchemaRef::clone(input),
            keys,
            reach,
            is_outer,
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

    /// Makes room for keys.
    pub(super) fn grow(&mut self, num_keys: usize) {
        if self.by_key.len() < num_keys {
            self.by_key.resize_with(num_keys, VecDeque::new);
        }
    }

    /// The rows of a key within a span of time, both ends included, by time.
    pub(super) fn within(&self, slot: Slot, first: i64, last: i64) -> impl Iterator<Item = RowId> {
        let queue = &self.by_key[slot as usize];
        let start = queue.partition_point(|(time, _)| *time < first);
        queue.range(start..).take_while(move |(time, _)| *time <= last).map(|(_, id)| *id)
    }

    /// Keeps a row that has come.
    ///
    /// # Errors
    /// More rows than numbers.
    pub(super) fn keep(&mut self, place: Place, slot: Slot, time: i64, is_matched: bool) -> Result<()> {
        let number = self.next_number;
        self.next_number += 1;
        let id = self.insert(Entry { place, slot, time, number, is_matched, is_saved: false })?;
        self.dirty.insert(id);
        self.link(id);
        Ok(())
    }

    /// Gives a row a number.
    ///
    /// # Errors
    /// As [`keep`](Self::keep).
    pub(super) fn insert(&mut self, entry: Entry) -> Result<RowId> {
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
    pub(super) fn link(&mut self, id: RowId) {
        let Entry { slot, time, .. } = self.entries[id as usize];
        let queue = &mut self.by_key[slot as usize];
        let place = queue.partition_point(|(other, _)| *other <= time);
        queue.insert(place, (time, id));
        self.by_time.entry(time).or_default().push(id);
    }

    /// A row has got a partner.
    pub(super) fn set_matched(&mut self, id: RowId) {
        let entry = &mut self.entries[id as usize];
        if self.is_outer && !entry.is_matched {
            entry.is_matched = true;
            self.dirty.insert(id);
        }
    }

    /// Whether a row of this time may get a partner yet.
    pub(super) fn may_match(&self, time: i64, watermark: i64) -> bool {
        watermark < time.saturating_add(self.reach)
    }

    /// When the first row has waited long enough; `None` without rows.
    pub(super) fn first_end(&self) -> Option<i64> {
        self.by_time.first_key_value().map(|(time, _)| time.saturating_add(self.reach))
    }

    /// Takes some rows out that get no partner any more, by time. They are there until they are
    /// [forgotten](Self::forget).
    pub(super) fn take_expired(&mut self, watermark: i64, some: usize) -> Vec<RowId> {
        let mut expired = Vec::new();
        while expired.len() < some
            && let Some((time, _)) = self.by_time.first_key_value()
            && !self.may_match(*time, watermark)
            && let Some((_, ids)) = self.by_time.pop_first()
        {
            for id in &ids {
                self.unlink(*id);
            }
            expired.extend(ids);
        }
        expired
    }

    /// Takes a row out of the queue of its key; it is the first there, or among the first.
    fn unlink(&mut self, id: RowId) {
        let queue = &mut self.by_key[self.entries[id as usize].slot as usize];
        if let Some(place) = queue.iter().position(|(_, other)| *other == id) {
            queue.remove(place);
        }
        if queue.is_empty() {
            *queue = VecDeque::new();
        }
    }

    /// Forgets a row that is in no order. Returns its key unless the next snapshot needs that.
    pub(super) fn forget(&mut self, id: RowId) -> Option<Slot> {
        let Entry { place, slot, number, is_saved, .. } = self.entries[id as usize];
        self.rows.disown(place);
        self.dirty.remove(id);
        self.free.push(id);
        if is_saved {
            self.gone.push((slot, number));
            return None;
        }
        Some(slot)
    }

    /// Frees the memory of rows that are gone.
    ///
    /// # Errors
    /// More than 2 GiB of text in one column.
    pub(super) fn tidy(&mut self) -> Result<()> {
        let entries = &mut self.entries;
        self.rows.tidy(|id, place| entries[id as usize].place = place)
    }

    /// True if nothing is kept.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.by_time.is_empty() && self.by_key.iter().all(VecDeque::is_empty)
    }
}
