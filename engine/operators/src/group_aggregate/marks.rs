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

/// Flags by slot.
#[derive(Debug, Default)]
pub(super) struct Marks(Vec<u8>);

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

impl Marks {
    pub(super) fn resize(&mut self, slots: usize) {
        self.0.resize(slots, 0);
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        memory::of_vec(&self.0)
    }

    pub(super) fn is(&self, slot: Slot, flag: u8) -> bool {
        self.0[slot as usize] & flag != 0
    }

    pub(super) fn hold(&mut self, slot: Slot) {
        self.0[slot as usize] |= HELD;
    }

    pub(super) fn let_go(&mut self, slot: Slot) {
        self.0[slot as usize] &= !HELD;
    }

    /// The key has rows, and other ones than before.
    pub(super) fn changed(&mut self, slot: Slot) {
        self.0[slot as usize] |= LIVE | CHANGED;
    }

    /// The key has no rows any more.
    pub(super) fn dead(&mut self, slot: Slot) {
        let mark = &mut self.0[slot as usize];
        *mark = *mark & !LIVE | CHANGED;
    }

    /// The key was read back from a snapshot.
    pub(super) fn restored(&mut self, slot: Slot, live: bool) {
        let mark = &mut self.0[slot as usize];
        *mark = *mark & HELD | if live { LIVE | PERSISTED } else { 0 };
    }

    /// The key has no rows, and the next snapshot has to say so.
    pub(super) fn keep(&mut self, slot: Slot) {
        self.0[slot as usize] |= PERSISTED;
    }

    /// Whether nothing needs the slot; its flags are cleared if so.
    pub(super) fn release(&mut self, slot: Slot) -> bool {
        let mark = &mut self.0[slot as usize];
        let free = *mark & (LIVE | PERSISTED | HELD) == 0;
        if free {
            *mark = 0;
        }
        free
    }

    /// What a snapshot has to write, and counts it as written.
    pub(super) fn take_delta(&mut self, scope: Scope) -> Delta {
        let mut delta = Delta::default();
        for (slot, mark) in (0..).zip(&mut self.0) {
            if *mark & LIVE != 0 {
                if scope == Scope::All || *mark & CHANGED != 0 {
                    delta.written.push(slot);
                }
                *mark = *mark & !CHANGED | PERSISTED;
            } else if *mark & PERSISTED != 0 {
                if scope == Scope::Changes {
                    delta.deleted.push(slot);
                }
                *mark &= HELD;
                if *mark == 0 {
                    delta.freed.push(slot);
                }
            }
        }
        delta
    }
}
