//! What a snapshot has to know of each slot.
//!
//! ```text
//!            before       snapshot(Changes)     after
//! slot 0     live         written               live, persisted
//! slot 1     persisted    deleted, freed        (free)
//! slot 2     live, persisted, not changed       the same
//! ```
//!
//! A key that dies before any snapshot has seen it is forgotten at once. One that a snapshot has
//! seen stays, dead, until the next snapshot has written that it is gone.

use crate::Scope;
use crate::key_index::Slot;
use crate::memory;

/// The key has rows.
pub(super) const LIVE: u8 = 1;
/// It is not what the last snapshot has written.
const CHANGED: u8 = 2;
/// The last snapshot knows it.
const PERSISTED: u8 = 4;
/// Something refers to the slot: it must not be used for another key yet.
pub(super) const HELD: u8 = 8;

/// Flags of one slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark(pub(super) u8);

/// Flags by slot.
#[derive(Debug, Default)]
pub(super) struct Marks(Vec<Mark>);

/// What a snapshot writes.
#[derive(Debug, Default)]
pub(super) struct Delta {
    /// Live slots that are written.
    pub(super) written: Vec<Slot>,
    /// Dead slots that the snapshot before has written.
    pub(super) deleted: Vec<Slot>,
    /// Dead slots that were kept for the snapshot only: they can be freed after it.
    pub(super) freed: Vec<Slot>,
}

impl Mark {
    pub(super) fn is(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    /// The key has rows, and other ones than before.
    pub(super) fn changed(&mut self) {
        self.0 |= LIVE | CHANGED;
    }

    /// The key has no rows any more.
    pub(super) fn dead(&mut self) {
        self.0 = self.0 & !LIVE | CHANGED;
    }

    /// The key was read back from a snapshot.
    pub(super) fn restored(&mut self, live: bool) {
        self.0 = self.0 & HELD | if live { LIVE | PERSISTED } else { 0 };
    }

    /// Whether nothing needs the slot.
    pub(super) fn is_free(self) -> bool {
        self.0 & (LIVE | PERSISTED | HELD) == 0
    }
}

impl Delta {
    /// Adds what a snapshot has to write of a slot, and counts it as written.
    pub(super) fn add(&mut self, slot: Slot, mark: &mut Mark, scope: Scope) {
        if mark.is(LIVE) {
            if scope == Scope::All || mark.is(CHANGED) {
                self.written.push(slot);
            }
            mark.0 = mark.0 & !CHANGED | PERSISTED;
        } else if mark.is(PERSISTED) {
            if scope == Scope::Changes {
                self.deleted.push(slot);
            }
            mark.0 &= HELD;
            if mark.0 == 0 {
                self.freed.push(slot);
            }
        }
    }
}

impl Marks {
    pub(super) fn resize(&mut self, slots: usize) {
        self.0.resize(slots, Mark::default());
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        memory::of_vec(&self.0)
    }

    pub(super) fn is(&self, slot: Slot, flag: u8) -> bool {
        self.0[slot as usize].is(flag)
    }

    pub(super) fn hold(&mut self, slot: Slot) {
        self.0[slot as usize].0 |= HELD;
    }

    pub(super) fn let_go(&mut self, slot: Slot) {
        self.0[slot as usize].0 &= !HELD;
    }

    /// The key has rows, and other ones than before.
    pub(super) fn changed(&mut self, slot: Slot) {
        self.0[slot as usize].changed();
    }

    /// The key has no rows any more.
    pub(super) fn dead(&mut self, slot: Slot) {
        self.0[slot as usize].dead();
    }

    /// The key was read back from a snapshot.
    pub(super) fn restored(&mut self, slot: Slot, live: bool) {
        self.0[slot as usize].restored(live);
    }

    /// The key has no rows, and the next snapshot has to say so.
    pub(super) fn keep(&mut self, slot: Slot) {
        self.0[slot as usize].0 |= PERSISTED;
    }

    /// Whether nothing needs the slot; its flags are cleared if so.
    pub(super) fn release(&mut self, slot: Slot) -> bool {
        let mark = &mut self.0[slot as usize];
        let free = mark.is_free();
        if free {
            *mark = Mark::default();
        }
        free
    }

    /// What a snapshot has to write, and counts it as written.
    pub(super) fn take_delta(&mut self, scope: Scope) -> Delta {
        let mut delta = Delta::default();
        for (slot, mark) in (0..).zip(&mut self.0) {
            delta.add(slot, mark, scope);
        }
        delta
    }
}
