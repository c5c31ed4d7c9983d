//! Keys, each for as long as a row needs it.

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use sluice_model::Result;

use crate::key_index::{KeyIndex, Slot};
use crate::memory;

/// Numbers of keys, and how many rows hold each.
#[derive(Debug)]
pub(crate) struct Keys {
    index: KeyIndex,
    holders: Vec<u32>,
}

impl Keys {
    /// Without keys.
    ///
    /// # Errors
    /// A type that cannot be a key.
    pub(crate) fn new(types: &[DataType]) -> Result<Self> {
        Ok(Self { index: KeyIndex::new(types)?, holders: Vec::new() })
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.index.bytes() + memory::of_vec(&self.holders)
    }

    /// The slots of rows; each row holds its slot until it releases it.
    ///
    /// # Errors
    /// A bug: columns of other types.
    pub(crate) fn hold_all(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Vec<Slot>> {
        let slots = self.index.insert(columns, rows)?;
        self.holders.resize(self.index.capacity(), 0);
        slots.iter().for_each(|slot| self.hold(*slot));
        Ok(slots)
    }

    /// One row more holds a slot.
    pub(crate) fn hold(&mut self, slot: Slot) {
        self.holders[slot as usize] += 1;
    }

    /// A row needs its slot no more.
    pub(crate) fn release(&mut self, slot: Slot) {
        let holders = &mut self.holders[slot as usize];
        *holders -= 1;
        if *holders == 0 {
            self.index.remove(slot);
        }
    }

    /// One more than the largest slot that was ever in use.
    pub(crate) fn capacity(&self) -> usize {
        self.index.capacity()
    }

    /// The keys of slots, as columns.
    ///
    /// # Errors
    /// A bug: a slot that is free.
    pub(crate) fn columns(&self, slots: impl IntoIterator<Item = Slot>) -> Result<Vec<ArrayRef>> {
        self.index.columns(slots)
    }

    /// Number of keys.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }
}
