//! The rows of all partitions, and how they are found.
//!
//! | rows are known by | found through |
//! |---|---|
//! | nothing (insertions only) | not needed |
//! | a unique key | a hash table of partition and key |
//! | their content | a hash table of partition and content; equal rows form a queue |
//!
//! A row that is taken out stays readable until [`Rows::settle`], so that the result of a batch can
//! be told by comparing what a partition held before and after.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use sluice_model::Result;

use crate::bit_set::BitSet;
use crate::key_index::{KeyIndex, Slot};
use crate::memory;
use crate::row_store::{NO_ROW, RowId, RowStore};

use super::sorted::SortedRows;

/// What tells rows of a partition apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// Nothing: no row is ever taken back.
    None,
    /// The unique key.
    Key,
    /// All columns; rows may be equal.
    Content,
}

/// What is known of a row besides its content.
#[derive(Debug, Clone, Copy)]
struct Meta {
    /// Number of arrival: orders rows that are equal in the order.
    sequence: i64,
    slot: Slot,
    /// Where the order ends in the row's bytes.
    order_end: u32,
    /// Where the key ends.
    key_end: u32,
    /// Of rows with equal content: the one that came next, and in the first the one that came last.
    next: RowId,
    tail: RowId,
    /// The last snapshot has a row of this identity.
    saved: bool,
    dead: bool,
    /// A newer row has the key of this one.
    replaced: bool,
}

/// One partition.
#[derive(Debug, Default)]
pub(super) struct Partition {
    pub(super) rows: SortedRows,
    /// The batch that touched it last.
    pub(super) touched: u64,
    /// Rows that are gone and that the next snapshot has to tell of.
    gone: u32,
}

/// The rows of all partitions.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) index: KeyIndex,
    /// By slot.
    pub(super) partitions: Vec<Partition>,
    store: RowStore<Meta>,
    identity: Identity,
    known: HashTable<RowId>,
    hasher: DefaultHashBuilder,
    /// Of rows that are equal in the order, the newest is first.
    newest_first: bool,
    next_sequence: i64,
    /// Taken out since the last settlement.
    removed: Vec<RowId>,
    /// Rows that the last snapshot does not have.
    fresh: BitSet,
    /// Rows that only the last snapshot has.
    gone: Vec<RowId>,
    /// While state is being restored: rows by partition and sequence number.
    restoring: Option<HashMap<(Slot, i64), RowId>>,
    /// Bytes of the row that is being looked at.
    scratch: Vec<u8>,
}

impl Rows {
    pub(super) fn new(index: KeyIndex, identity: Identity, newest_first: bool) -> Self {
        Self {
            index,
            partitions: Vec::new(),
            store: RowStore::new(),
            identity,
            known: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            newest_first,
            next_sequence: 0,
            removed: Vec::new(),
            fresh: BitSet::default(),
            gone: Vec::new(),
            restoring: None,
            scratch: Vec::new(),
        }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        let known = memory::of_table::<RowId>(self.known.capacity());
        // The order of the rows of each partition: a number per row, and the lists that hold them where
        // there are several.
        let (partitions, rows) = (self.index.len(), self.store.len());
        let lists = partitions.min(rows.saturating_sub(partitions));
        let order = lists * SortedRows::OVERHEAD + 2 * size_of::<RowId>() * rows;
        let restoring =
            self.restoring.as_ref().map_or(0, |rows| memory::of_table::<((Slot, i64), RowId)>(rows.capacity()));
        let marks = self.fresh.bytes() + memory::of_vec(&self.gone);
        self.index.bytes() + memory::of_vec(&self.partitions) + self.store.bytes() + known + order + restoring + marks
    }

    /// Makes room for the partitions that the index has come to know.
    pub(super) fn grow(&mut self) {
        if self.partitions.len() < self.index.capacity() {
            self.partitions.resize_with(self.index.capacity(), Partition::default);
        }
    }

    /// Order, key and the rest.
    pub(super) fn parts(&self, id: RowId) -> (&[u8], &[u8], &[u8]) {
        let (row, meta) = (self.store.get(id), self.store.meta(id));
        let (order, key) = (meta.order_end as usize, meta.key_end as usize);
        (&row[..order], &row[order..key], &row[key..])
    }

    pub(super) fn content(&self, id: RowId) -> &[u8] {
        self.store.get(id)
    }

    /// What tells the row from others of its partition.
    pub(super) fn identity(&self, id: RowId) -> &[u8] {
        if self.identity == Identity::Key { self.parts(id).1 } else { self.store.get(id) }
    }

    pub(super) fn slot(&self, id: RowId) -> Slot {
        self.store.meta(id).slot
    }

    pub(super) fn sequence(&self, id: RowId) -> i64 {
        self.store.meta(id).sequence
    }

    /// The sequence number of the next row that is added.
    pub(super) fn next_sequence(&self) -> i64 {
        self.next_sequence
    }

    /// True if `left` comes before `right` in their partition.
    pub(super) fn is_before(&self, left: RowId, right: RowId) -> bool {
        is_before(&self.store, self.newest_first, left, right)
    }

    /// True if a row with this order would come behind all of a partition's rows.
    pub(super) fn is_last(&self, slot: Slot, order: &[u8]) -> bool {
        let last = self.partitions[slot as usize].rows.last();
        last.is_none_or(|last| match order.cmp(self.parts(last).0) {
            Ordering::Less => false,
            Ordering::Equal => !self.newest_first,
            Ordering::Greater => true,
        })
    }

    /// Adds a row, or replaces the one with its key. `sequence` is that of a row of a snapshot.
    pub(super) fn add(&mut self, slot: Slot, parts: [&[u8]; 3], sequence: Option<i64>) -> Result<()> {
        if self.identity != Identity::None {
            self.fill_scratch(parts);
        }
        let (order_end, key_end) = (parts[0].len() as u32, (parts[0].len() + parts[1].len()) as u32);
        let number = sequence.unwrap_or(self.next_sequence);
        let (next, tail) = (NO_ROW, NO_ROW);
        let (saved, dead, replaced) = (false, false, false);
        let mut meta = Meta { sequence: number, slot, order_end, key_end, next, tail, saved, dead, replaced };
        let old = if self.identity == Identity::Key { self.find(slot, parts) } else { None };
        if let Some(old) = old {
            let before = *self.store.meta(old);
            if !self.newest_first {
                if sequence.is_none() && !before.dead && self.store.get(old) == self.scratch {
                    return Ok(());
                }
                if sequence.is_none() && self.parts(old).0 == parts[0] {
                    // An update of other columns leaves a row where it is.
                    meta.sequence = before.sequence;
                }
            }
            meta.saved = before.saved;
            self.take_out(old);
            self.store.meta_mut(old).replaced = true;
        }
        self.next_sequence = self.next_sequence.max(meta.sequence + 1);
        let id = self.store.insert_parts(&parts, meta)?;
        self.fresh.insert(id);
        let (store, newest_first) = (&self.store, self.newest_first);
        self.partitions[slot as usize].rows.insert(id, |other| is_before(store, newest_first, other, id));
        match (&mut self.restoring, self.identity) {
            (Some(restoring), Identity::None | Identity::Content) => {
                restoring.insert((slot, meta.sequence), id);
            }
            (_, Identity::None) => {}
            _ => self.make_known(id),
        }
        Ok(())
    }

    /// Takes the row with this key or content out, if there is one; of equal rows the oldest.
    pub(super) fn remove(&mut self, slot: Slot, parts: [&[u8]; 3]) {
        self.fill_scratch(parts);
        let Some(id) = self.find(slot, parts) else { return };
        if self.identity == Identity::Content {
            self.leave_queue(id);
        }
        self.take_out(id);
    }

    /// Takes the last row of a partition out.
    pub(super) fn remove_last(&mut self, slot: Slot) {
        if let Some(id) = self.partitions[slot as usize].rows.pop() {
            self.store.meta_mut(id).dead = true;
            self.removed.push(id);
        }
    }

    /// Takes all rows of a partition out, and frees them.
    pub(super) fn clear(&mut self, slot: Slot) {
        let ids: Vec<RowId> = self.partitions[slot as usize].rows.iter().collect();
        for id in ids {
            let first = if self.identity == Identity::Content { self.first_of(id) } else { id };
            if self.identity == Identity::Content {
                self.leave_queue(first);
            }
            self.take_out(first);
        }
        self.settle([slot]);
    }

    /// The oldest of the rows that are equal to this one.
    fn first_of(&self, id: RowId) -> RowId {
        let (slot, content) = (self.slot(id), self.store.get(id));
        let same = |other: &RowId| self.slot(*other) == slot && self.store.get(*other) == content;
        self.known.find(self.hash(slot, content), same).copied().unwrap_or(id)
    }

    /// Takes all rows of a partition out.
    pub(super) fn remove_all(&mut self, slot: Slot) {
        let mut ids: Vec<RowId> = self.partitions[slot as usize].rows.iter().collect();
        if self.newest_first {
            ids.reverse();
        }
        // Of equal rows the oldest comes first now, as it does in their queue.
        for id in ids {
            if self.identity == Identity::Content {
                self.leave_queue(id);
            }
            self.take_out(id);
        }
    }

    /// Frees what has been taken out, and partitions that have become empty.
    pub(super) fn settle(&mut self, touched: impl IntoIterator<Item = Slot>) {
        for id in std::mem::take(&mut self.removed) {
            let meta = *self.store.meta(id);
            if self.identity == Identity::Key && !meta.replaced {
                let hash = self.hash(meta.slot, self.identity(id));
                if let Ok(entry) = self.known.find_entry(hash, |other| *other == id) {
                    entry.remove();
                }
            }
            self.fresh.remove(id);
            if meta.saved && !meta.replaced {
                self.partitions[meta.slot as usize].gone += 1;
                self.gone.push(id);
            } else {
                self.store.remove(id);
            }
        }
        for slot in touched {
            self.release(slot);
        }
    }

    /// All rows.
    pub(super) fn all(&self) -> Vec<RowId> {
        self.index.slots().flat_map(|slot| self.partitions[slot as usize].rows.iter()).collect()
    }

    /// Rows that the last snapshot has and that are gone, those that it has otherwise, and those that
    /// it has not. From now on it counts as having what there is.
    pub(super) fn take_changes(&mut self) -> (Vec<RowId>, Vec<RowId>, Vec<RowId>) {
        let fresh = self.fresh.take();
        let (updated, new): (Vec<RowId>, Vec<RowId>) = fresh.into_iter().partition(|id| self.store.meta(*id).saved);
        for id in [&updated, &new].into_iter().flatten() {
            self.store.meta_mut(*id).saved = true;
        }
        (std::mem::take(&mut self.gone), updated, new)
    }

    /// Frees rows that [`take_changes`](Self::take_changes) said are gone.
    pub(super) fn forget(&mut self, gone: &[RowId]) {
        for id in gone {
            let slot = self.slot(*id);
            self.store.remove(*id);
            self.partitions[slot as usize].gone -= 1;
            self.release(slot);
        }
    }

    /// From now on rows come from a snapshot.
    pub(super) fn start_restoring(&mut self) {
        if self.restoring.is_none() {
            self.restoring = Some(HashMap::new());
        }
    }

    /// Takes a row of a snapshot out.
    pub(super) fn remove_restored(&mut self, slot: Slot, parts: [&[u8]; 3], sequence: Option<i64>) {
        if self.identity == Identity::Key {
            self.remove(slot, parts);
        } else if let Some(id) = sequence.and_then(|sequence| self.restoring.as_mut()?.remove(&(slot, sequence))) {
            self.take_out(id);
        }
    }

    /// No more rows come from a snapshot.
    pub(super) fn finish_restoring(&mut self) {
        if self.restoring.take().is_none() || self.identity != Identity::Content {
            return;
        }
        // Equal rows are equal in the order too, so that they come in the order of their arrival.
        let mut all = self.all();
        if self.newest_first {
            all.reverse();
        }
        for id in all {
            self.make_known(id);
        }
    }

    fn release(&mut self, slot: Slot) {
        let partition = &mut self.partitions[slot as usize];
        if partition.rows.is_empty() && partition.gone == 0 {
            *partition = Partition::default();
            self.index.remove(slot);
        }
    }

    fn fill_scratch(&mut self, parts: [&[u8]; 3]) {
        self.scratch.clear();
        for part in parts {
            self.scratch.extend_from_slice(part);
        }
    }

    fn hash(&self, slot: Slot, identity: &[u8]) -> u64 {
        self.hasher.hash_one((slot, identity))
    }

    /// The row with the identity of the row in `scratch`, whose parts these are.
    fn find(&self, slot: Slot, parts: [&[u8]; 3]) -> Option<RowId> {
        let identity = if self.identity == Identity::Key { parts[1] } else { &self.scratch };
        let same = |id: &RowId| self.slot(*id) == slot && self.identity(*id) == identity;
        self.known.find(self.hash(slot, identity), same).copied()
    }

    /// Enters a row under its identity: instead of the one before, or behind its equals.
    fn make_known(&mut self, id: RowId) {
        let slot = self.slot(id);
        let hash = self.hash(slot, self.identity(id));
        let Self { known, store, hasher, identity, .. } = self;
        let identity_of = |id: RowId| {
            let meta = store.meta(id);
            let row = store.get(id);
            let row =
                if *identity == Identity::Key { &row[meta.order_end as usize..meta.key_end as usize] } else { row };
            (meta.slot, row)
        };
        let same = |other: &RowId| identity_of(*other) == identity_of(id);
        match known.find_mut(hash, same) {
            Some(entry) if *identity == Identity::Key => *entry = id,
            Some(entry) => {
                let head = *entry;
                let tail = store.meta(head).tail;
                let last = if tail == NO_ROW { head } else { tail };
                store.meta_mut(last).next = id;
                store.meta_mut(head).tail = id;
            }
            None => {
                known.insert_unique(hash, id, |id| hasher.hash_one(identity_of(*id)));
            }
        }
    }

    /// Takes the first of equal rows out of the table; the next takes its place.
    fn leave_queue(&mut self, head: RowId) {
        let Meta { slot, next, tail, .. } = *self.store.meta(head);
        let hash = self.hash(slot, self.store.get(head));
        if next == NO_ROW {
            if let Ok(entry) = self.known.find_entry(hash, |other| *other == head) {
                entry.remove();
            }
        } else if let Some(entry) = self.known.find_mut(hash, |other| *other == head) {
            *entry = next;
            self.store.meta_mut(next).tail = if tail == next { NO_ROW } else { tail };
        }
    }

    fn take_out(&mut self, id: RowId) {
        let meta = self.store.meta_mut(id);
        if std::mem::replace(&mut meta.dead, true) {
            return;
        }
        let slot = meta.slot;
        let (store, newest_first) = (&self.store, self.newest_first);
        self.partitions[slot as usize].rows.remove(id, |other| is_before(store, newest_first, other, id));
        self.removed.push(id);
    }
}

fn is_before(store: &RowStore<Meta>, newest_first: bool, left: RowId, right: RowId) -> bool {
    let (left_meta, right_meta) = (store.meta(left), store.meta(right));
    let left = &store.get(left)[..left_meta.order_end as usize];
    let right = &store.get(right)[..right_meta.order_end as usize];
    let arrival = || {
        let arrival = left_meta.sequence.cmp(&right_meta.sequence);
        if newest_first { arrival.reverse() } else { arrival }
    };
    left.cmp(right).then_with(arrival).is_lt()
}
