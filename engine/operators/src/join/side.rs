//! What is kept of one input: its rows, what identifies them, and which rows a key has.
//!
//! Every row has a number ([`RowId`]), and what is known of it lies in an array by that number. Rows
//! of one key form a ring, oldest first. A row that is identified by its join key alone has the
//! number of the key, so that a join of primary keys looks up one key per row; rows of a side that
//! only inserts are numbered as they come, and looked up nowhere ([`Identities`]).

use std::time::Duration;

use arrow_array::ArrayRef;
use sluice_model::{ChangelogBatch, Error, Result, RowKind};

use super::identities::Identities;
use super::layout::{Identity, Layout};
use super::rows::{NO_ROW, Place, RowId, RowStore};
use crate::key_index::{KeyIndex, Slot};
use crate::memory;
use crate::ttl::Ttl;

/// One side of a join.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) layout: Layout,
    pub(super) rows: RowStore,
    pub(super) book: Book,
    identities: Identities,
    /// A row or key may be without use since [`Side::release`].
    vacated: bool,
}

/// What is known of the rows of a side besides their content.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: Vec<Entry>,
    /// The oldest row of each key.
    heads: Vec<RowId>,
    /// Rows that have changed since the last snapshot, whether they still exist or not.
    changed: Vec<RowId>,
    /// Set if rows expire.
    ttl: Option<Ttl>,
}

#[derive(Debug, Clone)]
struct Entry {
    place: Place,
    key: Slot,
    next: RowId,
    previous: RowId,
    is_changed: bool,
    is_saved: bool,
    /// How often the row occurs; 0: there is no such row.
    count: u64,
    /// How many partners each occurrence has.
    degree: u64,
}

/// A row of an input batch and what it does to its side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) row: RowId,
    /// `None` if nothing is equal to the key.
    pub(super) key: Option<Slot>,
    /// Content that goes, or none.
    pub(super) old: Place,
    /// Content that comes, or none.
    pub(super) new: Place,
}

impl Side {
    /// An empty side.
    ///
    /// # Errors
    /// A column of a type that cannot identify a row.
    pub(super) fn new(layout: Layout) -> Result<Self> {
        let rows = RowStore::new(layout.types());
        let identities = Identities::new(&layout)?;
        Ok(Self { layout, rows, book: Book::default(), identities, vacated: false })
    }

    /// Numbers of the rows of a batch, given the slots of their keys.
    ///
    /// # Errors
    /// A bug: columns of other types.
    pub(super) fn identify(&mut self, batch: &ChangelogBatch, keys: &[Slot], num_keys: usize) -> Result<Vec<RowId>> {
        let is_arrival = matches!(self.identities, Identities::Arrival(_));
        if is_arrival && (0..batch.num_rows()).any(|row| !batch.kind(row).is_addition()) {
            return Err(Error::bug("rows are taken back from a join that was planned without"));
        }
        self.numbered(batch.rows().columns(), keys, None, num_keys)
    }

    /// Numbers of rows, given the slots of their keys; and, if they are of the state, when they came.
    ///
    /// # Errors
    /// As [`identify`](Self::identify).
    pub(super) fn numbered(
        &mut self,
        columns: &[ArrayRef],
        keys: &[Slot],
        arrivals: Option<&ArrayRef>,
        num_keys: usize,
    ) -> Result<Vec<RowId>> {
        let identity = self.layout.identity_columns().iter().map(|column| columns[*column].clone());
        let ids = match &mut self.identities {
            Identities::Key => keys.to_vec(),
            Identities::Columns(index) => index.insert(&identity.collect::<Vec<_>>(), keys.len())?,
            Identities::Arrival(rows) => match arrivals {
                Some(arrivals) => rows.restore(keys, arrivals)?,
                None => rows.arrive(keys.len())?,
            },
        };
        self.book.grow(self.identities.capacity(num_keys), num_keys);
        Ok(ids)
    }

    /// Takes in the rows of a batch, in their order, and tells what each one does. Rows that do
    /// nothing (they take back what is not there) are left out, as Flink leaves them out.
    ///
    /// `keys` are those of the rows, `ids` their numbers; `joins` tells of a row whether anything
    /// can be equal to its key.
    ///
    /// # Errors
    /// More rows than numbers.
    pub(super) fn apply(
        &mut self,
        batch: &ChangelogBatch,
        keys: &[Slot],
        ids: &[RowId],
        joins: impl Fn(usize) -> bool,
    ) -> Result<Vec<Change>> {
        let chunk = self.rows.push(batch.rows().columns().to_vec(), batch.num_rows())?;
        let mut changes = Vec::with_capacity(batch.num_rows());
        let mut row = 0;
        while row < batch.num_rows() {
            let (id, slot) = (ids[row], keys[row]);
            let kind = batch.kind(row);
            // The old and the new content of one row: one change.
            let is_update = kind == RowKind::UpdateBefore
                && !self.layout.is_multiset()
                && ids.get(row + 1) == Some(&id)
                && batch.kind(row + 1) == RowKind::UpdateAfter;
            row += usize::from(is_update);
            let is_addition = kind.is_addition() || is_update;
            // Fits: the store has taken in the batch.
            let place = Place { chunk, row: row as u32 };
            let change = if is_addition { self.put(id, slot, place) } else { self.take_back(id) };
            if let Some((old, new)) = change {
                changes.push(Change { row: id, key: joins(row).then_some(slot), old, new });
            }
            row += 1;
        }
        Ok(changes)
    }

    fn put(&mut self, id: RowId, key: Slot, place: Place) -> Option<(Place, Place)> {
        let entry = self.book.change(id);
        if entry.count == 0 {
            (entry.count, entry.key, entry.place) = (1, key, place);
            self.rows.own(place, id);
            self.book.link(id);
            return Some((Place::NONE, place));
        }
        let old = entry.place;
        if self.layout.is_multiset() {
            entry.count += 1;
            return Some((Place::NONE, old));
        }
        entry.place = place;
        self.rows.disown(old);
        self.rows.own(place, id);
        Some((old, place))
    }

    fn take_back(&mut self, id: RowId) -> Option<(Place, Place)> {
        self.vacated = true;
        if self.book.count(id) == 0 {
            return None;
        }
        let entry = self.book.change(id);
        let old = entry.place;
        entry.count -= 1;
        if entry.count == 0 {
            self.rows.disown(old);
            self.book.unlink(id);
        }
        Some((old, Place::NONE))
    }

    /// Forgets the rows whose time is over. Returns their numbers, and those of their keys.
    pub(super) fn expire(&mut self) -> (Vec<RowId>, Vec<Slot>) {
        let expired: Vec<RowId> = self.rows.owners().filter(|id| self.book.is_expired(*id)).collect();
        let mut keys = Vec::with_capacity(expired.len());
        for id in &expired {
            let is_forgotten = self.layout.identity() == Identity::Arrival;
            let entry = self.book.change(*id);
            entry.count = 0;
            // State tells when a row was written: if it came back it would expire at once.
            entry.is_saved &= !is_forgotten;
            keys.push(entry.key);
            self.rows.disown(entry.place);
            self.book.unlink(*id);
        }
        self.vacated |= !expired.is_empty();
        (expired, keys)
    }

    /// Sets a row as a checkpoint has it; `count` 0 removes it.
    pub(super) fn set(&mut self, id: RowId, key: Slot, place: Place, count: u64, degree: u64) {
        let entry = &mut self.book.entries[id as usize];
        if entry.count > 0 {
            entry.count = 0;
            self.rows.disown(entry.place);
            self.book.unlink(id);
        }
        self.vacated |= count == 0;
        let entry = &mut self.book.entries[id as usize];
        (entry.count, entry.degree, entry.is_saved) = (count, degree, count > 0);
        if count > 0 {
            (entry.key, entry.place) = (key, place);
            self.rows.own(place, id);
            self.book.link(id);
        }
    }

    /// Frees the numbers among `ids` that nothing needs any more, and merges chunks. True if keys
    /// may have become free too.
    ///
    /// # Errors
    /// As [`RowStore::tidy`].
    pub(super) fn release(&mut self, ids: &[RowId]) -> Result<bool> {
        let vacated = std::mem::take(&mut self.vacated);
        for id in ids.iter().filter(|_| vacated) {
            let entry = &self.book.entries[*id as usize];
            if entry.count == 0 && !entry.is_saved {
                self.identities.remove(*id);
            }
        }
        let entries = &mut self.book.entries;
        self.rows.tidy(|id, place| entries[id as usize].place = place)?;
        Ok(vacated)
    }

    /// True if a key has rows, or its number stands for a row whose end is not saved yet.
    pub(super) fn needs_key(&self, key: Slot) -> bool {
        let is_saved = || self.book.entries.get(key as usize).is_some_and(|entry| entry.is_saved);
        self.book.head(key).is_some() || matches!(self.identities, Identities::Key) && is_saved()
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.rows.memory() + self.book.bytes() + self.identities.bytes()
    }

    /// True if nothing is kept.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.identities.is_empty()
    }

    /// The columns that identify rows.
    ///
    /// # Errors
    /// A bug: a row that is not known.
    pub(super) fn identities(&self, ids: &[RowId], keys: &KeyIndex) -> Result<Vec<ArrayRef>> {
        self.identities.columns(ids, keys)
    }

    /// When rows came, if that identifies them, and the place of that column in the state.
    pub(super) fn arrivals(&self, ids: &[RowId]) -> Option<(usize, ArrayRef)> {
        let Identities::Arrival(arrivals) = &self.identities else { return None };
        Some((self.layout.arrival()?, arrivals.column(ids)))
    }

    /// All rows are saved, those in `gone` as gone: forgets them, and which rows have changed.
    pub(super) fn saved(&mut self, gone: &[RowId]) {
        for id in std::mem::take(&mut self.book.changed) {
            self.book.entries[id as usize].is_changed = false;
        }
        for id in gone {
            self.book.entries[*id as usize].is_saved = false;
            self.identities.remove(*id);
        }
    }
}

impl Book {
    fn grow(&mut self, num_rows: usize, num_keys: usize) {
        let empty = Entry {
            place: Place::NONE,
            key: 0,
            next: NO_ROW,
            previous: NO_ROW,
            is_changed: false,
            is_saved: false,
            count: 0,
            degree: 0,
        };
        if self.entries.len() < num_rows {
            self.entries.resize(num_rows, empty);
        }
        if self.heads.len() < num_keys {
            self.heads.resize(num_keys, NO_ROW);
        }
    }

    fn bytes(&self) -> usize {
        let expiry = self.ttl.as_ref().map_or(0, Ttl::bytes);
        memory::of_vec(&self.entries) + memory::of_vec(&self.heads) + memory::of_vec(&self.changed) + expiry
    }

    pub(super) fn count(&self, id: RowId) -> u64 {
        self.entries[id as usize].count
    }

    pub(super) fn degree(&self, id: RowId) -> u64 {
        self.entries[id as usize].degree
    }

    pub(super) fn place(&self, id: RowId) -> Place {
        self.entries[id as usize].place
    }

    /// Sets the number of partners of a row.
    pub(super) fn set_degree(&mut self, id: RowId, degree: u64) {
        self.change(id).degree = degree;
    }

    /// Lets rows expire; false if they live for ever.
    pub(super) fn expire_after(&mut self, ttl: Option<Duration>) -> bool {
        self.ttl = Ttl::new(ttl);
        self.ttl.is_some()
    }

    /// It is `now_millis`. Returns whether rows may have expired.
    pub(super) fn advance(&mut self, now_millis: i64) -> bool {
        self.ttl.as_mut().is_some_and(|ttl| ttl.advance(now_millis))
    }

    pub(super) fn ttl(&self) -> Option<&Ttl> {
        self.ttl.as_ref()
    }

    /// A row was written when a checkpoint says.
    pub(super) fn set_written(&mut self, id: RowId, millis: Option<i64>) {
        if let Some(ttl) = &mut self.ttl {
            ttl.restore(id, millis);
        }
    }

    fn is_expired(&self, id: RowId) -> bool {
        self.ttl.as_ref().is_some_and(|ttl| ttl.is_expired(id))
    }

    /// The rows of a key, oldest first.
    pub(super) fn rows_of(&self, key: Slot) -> impl Iterator<Item = RowId> {
        let head = self.head(key);
        std::iter::successors(head, move |id| {
            let next = self.entries[*id as usize].next;
            (Some(next) != head).then_some(next)
        })
    }

    /// The rows that have changed since the last snapshot: those that exist, and those that were
    /// saved and are gone.
    pub(super) fn changed(&self) -> (Vec<RowId>, Vec<RowId>) {
        let known = self.changed.iter().copied().filter(|id| self.count(*id) > 0 || self.is_saved(*id));
        known.partition(|id| self.count(*id) > 0)
    }

    /// True if the row is in a checkpoint.
    pub(super) fn is_saved(&self, id: RowId) -> bool {
        self.entries[id as usize].is_saved
    }

    /// The row is in a checkpoint.
    pub(super) fn set_saved(&mut self, id: RowId) {
        self.entries[id as usize].is_saved = true;
    }

    fn head(&self, key: Slot) -> Option<RowId> {
        self.heads.get(key as usize).copied().filter(|head| *head != NO_ROW)
    }

    /// The entry of a row that is about to change.
    fn change(&mut self, id: RowId) -> &mut Entry {
        if let Some(ttl) = &mut self.ttl {
            ttl.write(id);
        }
        let entry = &mut self.entries[id as usize];
        if !entry.is_changed {
            entry.is_changed = true;
            self.changed.push(id);
        }
        entry
    }

    /// Makes a row the youngest of its key.
    fn link(&mut self, id: RowId) {
        let key = self.entries[id as usize].key as usize;
        let head = self.heads[key];
        if head == NO_ROW {
            self.heads[key] = id;
            (self.entries[id as usize].next, self.entries[id as usize].previous) = (id, id);
            return;
        }
        let last = std::mem::replace(&mut self.entries[head as usize].previous, id);
        self.entries[last as usize].next = id;
        (self.entries[id as usize].next, self.entries[id as usize].previous) = (head, last);
    }

    fn unlink(&mut self, id: RowId) {
        let Entry { key, next, previous, .. } = self.entries[id as usize];
        self.entries[previous as usize].next = next;
        self.entries[next as usize].previous = previous;
        if self.heads[key as usize] == id {
            self.heads[key as usize] = if next == id { NO_ROW } else { next };
        }
    }
}
