//! Numbers keys, so that what is known of a key can lie in arrays.
//!
//! ```text
//! keys of a batch   b  a  b  c        index before   a → 0
//! slots             1  0  1  2        index after    a → 0, b → 1, c → 2
//! ```

use std::hash::BuildHasher;

use arrow_array::ArrayRef;
use arrow_row::{RowConverter, RowParser, Rows, SortField};
use arrow_schema::DataType;
use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use sluice_model::{Error, Result};

/// Number of a key; numbers of keys that were removed are used again.
pub(crate) type Slot = u32;

/// The number of every key that is known.
#[derive(Debug)]
pub(crate) struct KeyIndex {
    converter: RowConverter,
    parser: RowParser,
    table: HashTable<Slot>,
    /// By slot; empty for slots that are free.
    keys: Vec<Box<[u8]>>,
    free: Vec<Slot>,
    hasher: DefaultHashBuilder,
}

impl KeyIndex {
    /// An index of keys of these types; without types there is one key.
    ///
    /// # Errors
    /// A type that cannot be a key.
    pub(crate) fn new(types: &[DataType]) -> Result<Self> {
        let fields = types.iter().cloned().map(SortField::new).collect();
        let converter = RowConverter::new(fields).map_err(Error::from_arrow)?;
        let parser = converter.parser();
        let (table, keys, free) = (HashTable::new(), Vec::new(), Vec::new());
        Ok(Self { converter, parser, table, keys, free, hasher: DefaultHashBuilder::default() })
    }

    /// Slots of keys, in their order; keys that are not known yet get one. Columns may be empty: then
    /// all `rows` have the one key that there is.
    ///
    /// # Errors
    /// A bug: columns of other types.
    pub(crate) fn insert(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Vec<Slot>> {
        let encoded = self.encode(columns, rows)?;
        (0..rows).map(|row| self.insert_one(key(encoded.as_ref(), row))).collect()
    }

    /// Forgets the key of a slot. The slot is free for another key.
    pub(crate) fn remove(&mut self, slot: Slot) {
        let hash = self.hasher.hash_one(&*self.keys[slot as usize]);
        if let Ok(entry) = self.table.find_entry(hash, |other| *other == slot) {
            entry.remove();
            self.keys[slot as usize] = Box::default();
            self.free.push(slot);
        }
    }

    /// The keys of slots that are in use, as columns.
    ///
    /// # Errors
    /// A bug: a slot that is free.
    pub(crate) fn columns(&self, slots: impl IntoIterator<Item = Slot>) -> Result<Vec<ArrayRef>> {
        let rows = slots.into_iter().map(|slot| self.parser.parse(&self.keys[slot as usize]));
        self.converter.convert_rows(rows).map_err(Error::from_arrow)
    }

    /// The encoded key of a slot, empty if it is free; the order of the bytes is the order of the keys.
    pub(crate) fn key(&self, slot: Slot) -> &[u8] {
        &self.keys[slot as usize]
    }

    /// The slots in use, in no particular order.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.table.iter().copied()
    }

    /// One more than the largest slot that was ever in use.
    pub(crate) fn capacity(&self) -> usize {
        self.keys.len()
    }

    /// Number of keys.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// `None` without columns: the encoder makes no rows of none.
    fn encode(&self, columns: &[ArrayRef], rows: usize) -> Result<Option<Rows>> {
        if columns.is_empty() {
            return Ok(None);
        }
        debug_assert!(columns.iter().all(|column| column.len() == rows));
        self.converter.convert_columns(columns).map(Some).map_err(Error::from_arrow)
    }

    fn insert_one(&mut self, key: &[u8]) -> Result<Slot> {
        let Self { table, keys, free, hasher, .. } = self;
        let same = |slot: &Slot| &*keys[*slot as usize] == key;
        let entry = table.entry(hasher.hash_one(key), same, |slot| hasher.hash_one(&*keys[*slot as usize]));
        match entry {
            Entry::Occupied(entry) => Ok(*entry.get()),
            Entry::Vacant(entry) => {
                let next = || Slot::try_from(keys.len()).map_err(|_| Error::fix("an operator has more than 2^32 keys"));
                let slot = free.pop().map_or_else(next, Ok)?;
                entry.insert(slot);
                match keys.get_mut(slot as usize) {
                    Some(place) => *place = key.into(),
                    None => keys.push(key.into()),
                }
                Ok(slot)
            }
        }
    }
}

fn key(encoded: Option<&Rows>, row: usize) -> &[u8] {
    encoded.map_or(&[], |rows| rows.row(row).data())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::StringArray;
    use arrow_array::cast::AsArray;

    use super::*;

    fn names(names: &[Option<&str>]) -> [ArrayRef; 1] {
        [Arc::new(StringArray::from(names.to_vec()))]
    }

    #[test]
    fn equal_keys_share_a_slot_and_null_is_a_key() {
        let mut index = KeyIndex::new(&[DataType::Utf8]).unwrap();
        assert_eq!(index.insert(&names(&[Some("b"), Some("a"), Some("b"), None]), 4).unwrap(), [0, 1, 0, 2]);
        let columns = index.columns([1, 2]).unwrap();
        assert_eq!(columns[0].as_string::<i32>(), &StringArray::from(vec![Some("a"), None]));
    }

    #[test]
    fn slots_are_used_again() {
        let mut index = KeyIndex::new(&[DataType::Utf8]).unwrap();
        index.insert(&names(&[Some("a"), Some("b")]), 2).unwrap();
        index.remove(0);
        assert_eq!(index.slots().count(), 1);
        assert_eq!(index.insert(&names(&[Some("b"), Some("c"), Some("d")]), 3).unwrap(), [1, 0, 2]);
        assert_eq!(index.slots().collect::<std::collections::BTreeSet<_>>(), [0, 1, 2].into());
        assert_eq!(index.capacity(), 3);
    }

    #[test]
    fn without_columns_there_is_one_key() {
        let mut index = KeyIndex::new(&[]).unwrap();
        assert_eq!(index.insert(&[], 3).unwrap(), [0, 0, 0]);
        assert!(index.columns([0]).unwrap().is_empty());
    }
}
