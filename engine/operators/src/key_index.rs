//! Numbers keys, so that what is known of a key can lie in arrays.
//!
//! ```text
//! keys of a batch   b  a  b  c        index before   a → 0
//! slots             1  0  1  2        index after    a → 0, b → 1, c → 2
//! ```
//!
//! Keys are bytes (`arrow-row`) in few large pieces of memory: one behind the other if all are of one
//! length, as numbers and times are, and in a [`RowStore`] otherwise. The table holds a part of each
//! hash beside the slot, so that it neither looks at other keys while it searches nor at any while it
//! grows.

use std::hash::BuildHasher;

use arrow_array::{ArrayRef, new_null_array};
use arrow_row::{RowConverter, RowParser, Rows, SortField};
use arrow_schema::DataType;
use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use sluice_model::{Error, Result};

use crate::memory;
use crate::row_store::RowStore;

/// Number of a key; numbers of keys that were removed are used again.
pub(crate) type Slot = u32;

/// The number of every key that is known.
#[derive(Debug)]
pub(crate) struct KeyIndex {
    converter: RowConverter,
    parser: RowParser,
    table: HashTable<Place>,
    keys: Keys,
    hasher: DefaultHashBuilder,
}

/// A place of the table.
#[derive(Debug, Clone, Copy)]
struct Place {
    hash: Hash,
    slot: Slot,
}

/// A part of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hash(u32);

impl Hash {
    fn of(hasher: &DefaultHashBuilder, key: &[u8]) -> Self {
        Self((hasher.hash_one(key) >> 32) as u32)
    }

    /// What the table goes by: it looks at the lowest bits and at the highest ones.
    fn spread(self) -> u64 {
        u64::from(self.0) << 32 | u64::from(self.0)
    }
}

/// The bytes of keys, by slot.
#[derive(Debug)]
enum Keys {
    Fixed { length: usize, bytes: Vec<u8>, count: usize, free: Vec<Slot> },
    Varying { rows: RowStore<()>, capacity: usize },
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
        let keys = Keys::new(&converter, types)?;
        Ok(Self { converter, parser, table: HashTable::new(), keys, hasher: DefaultHashBuilder::default() })
    }

    /// Slots of keys, in their order; keys that are not known yet get one. Columns may be empty: then
    /// all `rows` have the one key that there is.
    ///
    /// # Errors
    /// A bug: columns of other types.
    pub(crate) fn insert(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Vec<Slot>> {
        let encoded = self.encode(columns, rows)?;
        let encoded = encoded.as_ref();
        // All hashes first: searching then waits for memory only, for several keys at once.
        let hashes: Vec<Hash> = (0..rows).map(|row| Hash::of(&self.hasher, key(encoded, row))).collect();
        hashes.into_iter().enumerate().map(|(row, hash)| self.insert_one(hash, key(encoded, row))).collect()
    }

    /// Forgets the key of a slot, if it has one. The slot is free for another key.
    pub(crate) fn remove(&mut self, slot: Slot) {
        if !self.keys.may_hold(slot) {
            return;
        }
        let hash = Hash::of(&self.hasher, self.keys.get(slot));
        if let Ok(entry) = self.table.find_entry(hash.spread(), |other| other.slot == slot) {
            entry.remove();
            self.keys.remove(slot);
        }
    }

    /// Forgets all keys, and keeps the memory: slots begin at 0 again.
    pub(crate) fn clear(&mut self) {
        self.table.clear();
        match &mut self.keys {
            Keys::Fixed { bytes, count, free, .. } => {
                bytes.clear();
                free.clear();
                *count = 0;
            }
            Keys::Varying { rows, capacity } => {
                rows.clear();
                *capacity = 0;
            }
        }
    }

    /// The keys of slots that are in use, as columns.
    ///
    /// # Errors
    /// A bug: a slot that is free.
    pub(crate) fn columns(&self, slots: impl IntoIterator<Item = Slot>) -> Result<Vec<ArrayRef>> {
        let rows = slots.into_iter().map(|slot| self.parser.parse(self.keys.get(slot)));
        self.converter.convert_rows(rows).map_err(Error::from_arrow)
    }

    /// The encoded key of a slot that is in use; the order of the bytes is the order of the keys.
    pub(crate) fn key(&self, slot: Slot) -> &[u8] {
        self.keys.get(slot)
    }

    /// The slots in use, in no particular order.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.table.iter().map(|place| place.slot)
    }

    /// One more than the largest slot that was ever in use.
    pub(crate) fn capacity(&self) -> usize {
        match &self.keys {
            Keys::Fixed { count, .. } => *count,
            Keys::Varying { capacity, .. } => *capacity,
        }
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        let keys = match &self.keys {
            Keys::Fixed { bytes, free, .. } => memory::of_vec(bytes) + memory::of_vec(free),
            Keys::Varying { rows, .. } => rows.bytes(),
        };
        keys + memory::of_table::<Place>(self.table.capacity())
    }

    /// Number of keys.
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

    fn insert_one(&mut self, hash: Hash, key: &[u8]) -> Result<Slot> {
        let Self { table, keys, .. } = self;
        let same = |place: &Place| place.hash == hash && keys.get(place.slot) == key;
        match table.entry(hash.spread(), same, |place| place.hash.spread()) {
            Entry::Occupied(entry) => Ok(entry.get().slot),
            Entry::Vacant(entry) => {
                let slot = keys.insert(key)?;
                entry.insert(Place { hash, slot });
                Ok(slot)
            }
        }
    }
}

impl Keys {
    fn new(converter: &RowConverter, types: &[DataType]) -> Result<Self> {
        let is_fixed = |of: &DataType| of.is_primitive() || *of == DataType::Boolean;
        if !types.iter().all(is_fixed) {
            return Ok(Self::Varying { rows: RowStore::new(), capacity: 0 });
        }
        // Such a value takes the same number of bytes whatever it is, NULL included.
        let nulls: Vec<_> = types.iter().map(|of| new_null_array(of, 1)).collect();
        let length = match nulls.as_slice() {
            [] => 0,
            nulls => converter.convert_columns(nulls).map_err(Error::from_arrow)?.row(0).data().len(),
        };
        Ok(Self::Fixed { length, bytes: Vec::new(), count: 0, free: Vec::new() })
    }

    /// False for slots that are known to be free.
    fn may_hold(&self, slot: Slot) -> bool {
        match self {
            Self::Fixed { count, .. } => (slot as usize) < *count,
            Self::Varying { rows, .. } => rows.contains(slot),
        }
    }

    #[inline]
    fn get(&self, slot: Slot) -> &[u8] {
        match self {
            Self::Fixed { length, bytes, .. } => {
                let start = slot as usize * length;
                &bytes[start..start + length]
            }
            Self::Varying { rows, .. } => rows.get(slot),
        }
    }

    fn insert(&mut self, key: &[u8]) -> Result<Slot> {
        match self {
            Self::Varying { rows, capacity } => {
                let slot = rows.insert(key, ())?;
                *capacity = (*capacity).max(slot as usize + 1);
                Ok(slot)
            }
            Self::Fixed { length, .. } if *length != key.len() => {
                Err(Error::bug(format!("a key of {} bytes among those of {length}", key.len())))
            }
            Self::Fixed { length, bytes, count, free } => {
                if let Some(slot) = free.pop() {
                    let start = slot as usize * *length;
                    bytes[start..start + *length].copy_from_slice(key);
                    return Ok(slot);
                }
                let slot = Slot::try_from(*count).ok().filter(|slot| *slot != Slot::MAX);
                let slot = slot.ok_or_else(|| Error::fix("an operator has more than 2^32 keys"))?;
                bytes.extend_from_slice(key);
                *count += 1;
                Ok(slot)
            }
        }
    }

    fn remove(&mut self, slot: Slot) {
        match self {
            Self::Fixed { free, .. } => free.push(slot),
            Self::Varying { rows, .. } => rows.remove(slot),
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

    /// Numbers lie one behind the other, texts do not: both are found, removed and numbered anew.
    #[test]
    fn an_index_is_a_map() {
        use std::collections::HashMap;

        use arrow_array::Int64Array;
        use rand::rngs::StdRng;
        use rand::{Rng, SeedableRng};

        let mut random = StdRng::seed_from_u64(3);
        for types in [vec![DataType::Int64, DataType::Boolean], vec![DataType::Int64, DataType::Utf8]] {
            let mut index = KeyIndex::new(&types).unwrap();
            let mut slots: HashMap<Option<i64>, Slot> = HashMap::new();
            for _ in 0..300 {
                let keys: Vec<Option<i64>> =
                    (0..40).map(|_| Some(random.random_range(0..500)).filter(|key| *key > 0)).collect();
                let numbers: ArrayRef = Arc::new(Int64Array::from(keys.clone()));
                let other = match types[1] {
                    DataType::Utf8 => names(&vec![Some("x"); 40])[0].clone(),
                    _ => new_null_array(&DataType::Boolean, 40),
                };
                for (key, slot) in keys.iter().zip(index.insert(&[numbers, other], 40).unwrap()) {
                    assert_eq!(*slots.entry(*key).or_insert(slot), slot);
                }
                let gone: Vec<_> = slots.keys().copied().filter(|_| random.random_bool(0.1)).collect();
                for key in gone {
                    index.remove(slots.remove(&key).unwrap());
                }
            }
            assert_eq!(index.len(), slots.len());
            assert!(index.capacity() <= 500);
            let (keys, used): (Vec<_>, Vec<_>) = slots.into_iter().unzip();
            assert_eq!(
                *index.columns(used).unwrap()[0].as_primitive::<arrow_array::types::Int64Type>(),
                Int64Array::from(keys)
            );
        }
    }

    #[test]
    fn without_columns_there_is_one_key() {
        let mut index = KeyIndex::new(&[]).unwrap();
        assert_eq!(index.insert(&[], 3).unwrap(), [0, 0, 0]);
        assert!(index.columns([0]).unwrap().is_empty());
    }
}
