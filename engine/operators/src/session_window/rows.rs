//! The rows of all partitions, and the sessions that they make.

use std::collections::HashMap;

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use sluice_model::{Result, RowKind};

use crate::bit_set::BitSet;
use crate::key_index::{KeyIndex, Slot};
use crate::memory;
use crate::row_store::{RowId, RowStore};

/// Rows of a partition without a gap between them.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) start: i64,
    /// Time of its last row.
    last: i64,
    /// The end under which it is noted.
    noted: i64,
    /// In their order of arrival once the session is over.
    pub(super) rows: Vec<RowId>,
}

impl Session {
    /// The first millisecond behind it.
    pub(super) fn end(&self, gap: i64) -> i64 {
        self.last.saturating_add(gap)
    }

    /// Whether a row belongs to it; one at its very end does.
    fn touches(&self, time: i64, gap: i64) -> bool {
        self.start <= time.saturating_add(gap) && time <= self.end(gap)
    }
}

/// What is known of a row besides its content.
#[derive(Debug, Clone, Copy)]
struct Meta {
    sequence: i64,
    time: i64,
    slot: Slot,
    kind: RowKind,
    /// The last snapshot has it.
    is_saved: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) index: KeyIndex,
    /// By slot, in the order of time.
    sessions: Vec<Vec<Session>>,
    /// By slot: rows that are gone and that the next snapshot has to tell of.
    gone_of: Vec<u32>,
    store: RowStore<Meta>,
    gap: i64,
    next_sequence: i64,
    /// Rows that the last snapshot does not have.
    fresh: BitSet,
    /// Rows that only the last snapshot has.
    gone: Vec<RowId>,
    /// While state is being restored: rows by partition and number of arrival.
    restoring: HashMap<(Slot, i64), RowId>,
}

impl Rows {
    pub(super) fn new(partition: &[DataType], gap: i64) -> Result<Self> {
        Ok(Self {
            index: KeyIndex::new(partition)?,
            sessions: Vec::new(),
            gone_of: Vec::new(),
            store: RowStore::new(),
            gap,
            next_sequence: 0,
            fresh: BitSet::default(),
            gone: Vec::new(),
            restoring: HashMap::new(),
        })
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        // Each row is in the list of one session.
        let sessions = memory::of_vec(&self.sessions) + self.index.len() * size_of::<Session>();
        let rows = self.store.bytes() + 2 * size_of::<RowId>() * self.store.len();
        self.index.bytes() + sessions + rows + memory::of_vec(&self.gone_of) + self.fresh.bytes()
    }

    pub(super) fn gap(&self) -> i64 {
        self.gap
    }

    /// Slots of the partitions of rows; those that are new get one.
    pub(super) fn slots(&mut self, key: &[ArrayRef], rows: usize) -> Result<Vec<Slot>> {
        let slots = self.index.insert(key, rows)?;
        let capacity = self.index.capacity();
        if capacity > self.sessions.len() {
            self.sessions.resize_with(capacity, Vec::new);
            self.gone_of.resize(capacity, 0);
        }
        Ok(slots)
    }

    pub(super) fn content(&self, id: RowId) -> &[u8] {
        self.store.get(id)
    }

    pub(super) fn kind(&self, id: RowId) -> u8 {
        self.store.meta(id).kind as u8
    }

    pub(super) fn slot(&self, id: RowId) -> Slot {
        self.store.meta(id).slot
    }

    /// Its time, in milliseconds: by processing time it is in no column.
    pub(super) fn time(&self, id: RowId) -> i64 {
        self.store.meta(id).time
    }

    pub(super) fn sequence(&self, id: RowId) -> i64 {
        self.store.meta(id).sequence
    }

    /// Whether a row would make a session that is over.
    pub(super) fn is_late(&self, slot: Slot, time: i64, is_over: impl Fn(i64) -> bool) -> bool {
        let end = time.saturating_add(self.gap);
        is_over(end) && !self.sessions[slot as usize].iter().any(|session| session.touches(time, self.gap))
    }

    /// Adds a row that is in no session yet. `sequence` is that of a row of a snapshot.
    pub(super) fn insert(
        &mut self,
        slot: Slot,
        row: &[u8],
        time: i64,
        kind: RowKind,
        sequence: Option<i64>,
    ) -> Result<RowId> {
        let number = sequence.unwrap_or(self.next_sequence);
        self.next_sequence = self.next_sequence.max(number + 1);
        let meta = Meta { sequence: number, time, slot, kind, is_saved: sequence.is_some() };
        let id = self.store.insert(row, meta)?;
        if sequence.is_some() {
            self.restoring.insert((slot, number), id);
        } else {
            self.fresh.insert(id);
        }
        Ok(id)
    }

    /// Puts a row into its session, which it may begin, extend, or make of several. The end under
    /// which the session is to be noted, if it is not yet.
    pub(super) fn join(&mut self, id: RowId) -> Option<i64> {
        let Meta { time, slot, .. } = *self.store.meta(id);
        let (gap, sessions) = (self.gap, &mut self.sessions[slot as usize]);
        let first = sessions.partition_point(|session| session.end(gap) < time);
        let count = sessions[first..].iter().take_while(|session| session.touches(time, gap)).count();
        if count == 0 {
            let noted = time.saturating_add(gap);
            sessions.insert(first, Session { start: time, last: time, noted, rows: vec![id] });
            return Some(noted);
        }
        let later: Vec<Session> = sessions.drain(first + 1..first + count).collect();
        let session = &mut sessions[first];
        session.start = session.start.min(time);
        session.last = session.last.max(time);
        session.rows.push(id);
        for other in later {
            session.last = session.last.max(other.last);
            session.rows.extend(other.rows);
        }
        None
    }

    /// Takes the sessions of a partition out that are over.
    pub(super) fn take_over(&mut self, slot: Slot, is_over: impl Fn(i64) -> bool) -> Vec<Session> {
        let (gap, sessions) = (self.gap, &mut self.sessions[slot as usize]);
        let over = sessions.iter().take_while(|session| is_over(session.end(gap))).count();
        let mut over: Vec<Session> = sessions.drain(..over).collect();
        for session in &mut over {
            session.rows.sort_unstable_by_key(|id| self.store.meta(*id).sequence);
        }
        over
    }

    /// Ends of the sessions of a partition that are noted under another one; from now on under these.
    pub(super) fn unnoted(&mut self, slot: Slot) -> Vec<i64> {
        let gap = self.gap;
        let changed = self.sessions[slot as usize].iter_mut().filter(|session| session.noted != session.end(gap));
        let note = |session: &mut Session| {
            session.noted = session.end(gap);
            session.noted
        };
        changed.map(note).collect()
    }

    /// Forgets the rows of a session that was taken out.
    pub(super) fn forget(&mut self, session: &Session) {
        let Some(slot) = session.rows.first().map(|id| self.slot(*id)) else { return };
        for id in &session.rows {
            self.fresh.remove(*id);
            if self.store.meta(*id).is_saved {
                self.gone_of[slot as usize] += 1;
                self.gone.push(*id);
            } else {
                self.store.remove(*id);
            }
        }
        self.release(slot);
    }

    /// Forgets a partition if nothing is left of it.
    pub(super) fn release(&mut self, slot: Slot) {
        if self.sessions[slot as usize].is_empty() && self.gone_of[slot as usize] == 0 {
            self.index.remove(slot);
        }
    }

    /// All rows.
    pub(super) fn all(&self) -> Vec<RowId> {
        self.sessions.iter().flatten().flat_map(|session| session.rows.iter().copied()).collect()
    }

    /// Rows that the last snapshot has and that are gone, and those that it has not. From now on it
    /// counts as having what there is.
    pub(super) fn take_changes(&mut self) -> (Vec<RowId>, Vec<RowId>) {
        let fresh = self.fresh.take();
        fresh.iter().for_each(|id| self.store.meta_mut(*id).is_saved = true);
        (std::mem::take(&mut self.gone), fresh)
    }

    /// Frees rows that [`take_changes`](Self::take_changes) said are gone.
    pub(super) fn free(&mut self, gone: &[RowId]) {
        for id in gone {
            let slot = self.slot(*id);
            self.store.remove(*id);
            self.gone_of[slot as usize] -= 1;
            self.release(slot);
        }
    }

    /// Takes a row of a snapshot out.
    pub(super) fn remove_restored(&mut self, slot: Slot, sequence: i64) {
        if let Some(id) = self.restoring.remove(&(slot, sequence)) {
            self.store.remove(id);
        }
    }

    /// No more rows come from a snapshot: the ends of their sessions, and the partitions.
    pub(super) fn finish_restoring(&mut self) -> Vec<(i64, Slot)> {
        let mut restored: Vec<RowId> = std::mem::take(&mut self.restoring).into_values().collect();
        restored.sort_unstable_by_key(|id| self.sequence(*id));
        restored.into_iter().for_each(|id| {
            self.join(id);
        });
        let slots: Vec<Slot> = self.index.slots().collect();
        slots.iter().for_each(|slot| self.release(*slot));
        let gap = self.gap;
        let noted = |slot: Slot| {
            move |session: &mut Session| {
                session.noted = session.end(gap);
                (session.noted, slot)
            }
        };
        let sessions = self.sessions.iter_mut().zip(0..);
        sessions.flat_map(|(sessions, slot)| sessions.iter_mut().map(noted(slot))).collect()
    }
}
