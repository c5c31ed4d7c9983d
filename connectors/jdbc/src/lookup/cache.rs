//! What was looked up, for the keys that were looked up last.
//!
//! Keys and rows are kept as bytes (Arrow's row format), so that a row that stays does not keep the
//! batch that it came in.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_row::{RowConverter, RowParser, Rows, SortField};
use arrow_schema::{DataType, SchemaRef};
use hashbrown::HashMap;
use sluice_connector_api::Found;
use sluice_model::{Error, Result};

/// When rows leave the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CacheLimits {
    /// Largest number of keys.
    pub(super) max_keys: Option<usize>,
    /// Milliseconds since the key was looked up in the table.
    pub(super) after_write: Option<i64>,
    /// Milliseconds since the key was asked for.
    pub(super) after_access: Option<i64>,
    /// Whether it is worth remembering that a key has no row.
    pub(super) missing_keys: bool,
}

struct Entry {
    /// Encoded rows.
    rows: Box<[Box<[u8]>]>,
    written: i64,
    accessed: i64,
    /// Number of its last use.
    used: u64,
}

/// See the module.
pub(super) struct Cache {
    limits: CacheLimits,
    keys: RowConverter,
    rows: RowConverter,
    parser: RowParser,
    entries: HashMap<Arc<[u8]>, Entry>,
    /// Uses, oldest first; only the last one of a key counts.
    uses: VecDeque<(Arc<[u8]>, u64)>,
    next_use: u64,
}

impl Cache {
    /// An empty cache.
    ///
    /// # Errors
    /// Types that cannot be encoded.
    pub(super) fn new(keys: &[DataType], schema: &SchemaRef, limits: CacheLimits) -> Result<Self> {
        let converter = |types: Vec<DataType>| {
            RowConverter::new(types.into_iter().map(SortField::new).collect()).map_err(Error::from_arrow)
        };
        let rows = converter(schema.fields().iter().map(|field| field.data_type().clone()).collect())?;
        let parser = rows.parser();
        let (entries, uses) = (HashMap::new(), VecDeque::new());
        Ok(Self { limits, keys: converter(keys.to_vec())?, rows, parser, entries, uses, next_use: 0 })
    }

    /// Keys in the form that the cache knows them by.
    ///
    /// # Errors
    /// A bug: keys of other types.
    pub(super) fn encode(&self, keys: &[ArrayRef]) -> Result<Rows> {
        self.keys.convert_columns(keys).map_err(Error::from_arrow)
    }

    /// Number of keys.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.entries.len()
    }

    /// The rows of those keys that are known, and which are not.
    ///
    /// # Errors
    /// A bug: rows of other types.
    pub(super) fn find(&mut self, keys: &Rows, now: i64) -> Result<(Vec<u32>, Vec<ArrayRef>, Vec<u32>)> {
        let (mut found, mut places, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for place in 0..keys.num_rows() {
            let number = u32::try_from(place).map_err(|_| Error::bug("too many keys at once"))?;
            let key = keys.row(place);
            if !self.touch(key.data(), now) {
                missing.push(number);
                continue;
            }
            found.push(place);
        }
        let Self { entries, parser, rows, .. } = self;
        let mut encoded = Vec::new();
        for place in found {
            for row in entries.get(keys.row(place).data()).into_iter().flat_map(|entry| entry.rows.iter()) {
                places.push(place as u32);
                encoded.push(parser.parse(row));
            }
        }
        let columns = rows.convert_rows(encoded).map_err(Error::from_arrow)?;
        self.evict();
        Ok((places, columns, missing))
    }

    /// Takes in what the table has for `asked`, positions among `keys`; `found` goes by positions in `asked`.
    ///
    /// # Errors
    /// A bug: rows of other types.
    pub(super) fn insert(&mut self, keys: &Rows, asked: &[u32], found: &Found, now: i64) -> Result<()> {
        let rows = self.encode_rows(&found.rows)?;
        let mut next = 0;
        for (number, place) in (0u32..).zip(asked) {
            let start = next;
            while found.keys.get(next) == Some(&number) {
                next += 1;
            }
            if start == next && !self.limits.missing_keys {
                continue;
            }
            let encoded: Box<[Box<[u8]>]> = (start..next).map(|row| rows.row(row).data().into()).collect();
            let key: Arc<[u8]> = keys.row(*place as usize).data().into();
            let used = self.next_use;
            self.next_use += 1;
            self.uses.push_back((Arc::clone(&key), used));
            self.entries.insert(key, Entry { rows: encoded, written: now, accessed: now, used });
        }
        self.evict();
        Ok(())
    }

    fn encode_rows(&self, rows: &RecordBatch) -> Result<Rows> {
        self.rows.convert_columns(rows.columns()).map_err(Error::from_arrow)
    }

    /// Whether a key is known and fresh; it is the last one used then, and forgotten if it is not fresh.
    fn touch(&mut self, key: &[u8], now: i64) -> bool {
        let limits = self.limits;
        let is_over = |since: i64, limit: Option<i64>| limit.is_some_and(|limit| now - since >= limit);
        let Some((key, entry)) = self.entries.get_key_value(key) else { return false };
        let is_stale = is_over(entry.written, limits.after_write) || is_over(entry.accessed, limits.after_access);
        let key = Arc::clone(key);
        if is_stale {
            self.entries.remove(&key);
            return false;
        }
        if let Some(entry) = self.entries.get_mut(&key) {
            (entry.accessed, entry.used) = (now, self.next_use);
            self.uses.push_back((key, self.next_use));
            self.next_use += 1;
        }
        true
    }

    /// Forgets the keys that were not used for longest; uses that do not count any more are dropped.
    fn evict(&mut self) {
        let Self { entries, uses, limits, .. } = self;
        let counts = |entries: &HashMap<Arc<[u8]>, Entry>, key: &Arc<[u8]>, used: u64| {
            entries.get(key).is_some_and(|entry| entry.used == used)
        };
        while limits.max_keys.is_some_and(|max| entries.len() > max) {
            let Some((key, used)) = uses.pop_front() else { break };
            if counts(entries, &key, used) {
                entries.remove(&key);
            }
        }
        if uses.len() > 2 * entries.len() + 1024 {
            uses.retain(|(key, used)| counts(entries, key, *used));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int32Array;
    use arrow_schema::{Field, Schema};

    use super::*;

    fn ints(values: &[i32]) -> ArrayRef {
        Arc::new(Int32Array::from(values.to_vec()))
    }

    fn cache(limits: CacheLimits) -> (Cache, SchemaRef) {
        let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Int32, true)]));
        (Cache::new(&[DataType::Int32], &schema, limits).unwrap(), schema)
    }

    /// Asks for a key; a key that is unknown is looked up, and has one row, its tenfold.
    fn ask((cache, schema): &mut (Cache, SchemaRef), key: i32, now: i64) -> bool {
        let keys = cache.encode(&[ints(&[key])]).unwrap();
        let (places, columns, missing) = cache.find(&keys, now).unwrap();
        if missing.is_empty() {
            assert_eq!((places, &columns[0]), (vec![0], &ints(&[key * 10])));
            return true;
        }
        let rows = RecordBatch::try_new(Arc::clone(schema), vec![ints(&[key * 10])]).unwrap();
        cache.insert(&keys, &missing, &Found { keys: vec![0], rows }, now).unwrap();
        false
    }

    const LIMITS: CacheLimits =
        CacheLimits { max_keys: None, after_write: None, after_access: None, missing_keys: true };

    #[test]
    fn the_key_that_was_not_used_for_longest_goes_first() {
        let mut cache = cache(CacheLimits { max_keys: Some(2), ..LIMITS });
        assert_eq!([1, 2, 1, 3].map(|key| ask(&mut cache, key, 0)), [false, false, true, false]);
        assert_eq!([1, 2].map(|key| ask(&mut cache, key, 0)), [true, false]);
        assert_eq!(cache.0.len(), 2);
    }

    #[test]
    fn rows_get_old_with_and_without_being_used() {
        let mut written = cache(CacheLimits { after_write: Some(100), ..LIMITS });
        assert_eq!([0, 60, 99, 100, 150].map(|now| ask(&mut written, 1, now)), [false, true, true, false, true]);
        let mut accessed = cache(CacheLimits { after_access: Some(100), ..LIMITS });
        assert_eq!([0, 60, 159, 259].map(|now| ask(&mut accessed, 1, now)), [false, true, true, false]);
    }

    #[test]
    fn keys_without_a_row_are_remembered_if_they_shall_be() {
        for remembers in [true, false] {
            let (mut cache, schema) = cache(CacheLimits { missing_keys: remembers, ..LIMITS });
            let keys = cache.encode(&[ints(&[1, 2])]).unwrap();
            let rows = RecordBatch::try_new(schema, vec![ints(&[20, 21])]).unwrap();
            cache.insert(&keys, &[0, 1], &Found { keys: vec![1, 1], rows }, 0).unwrap();
            let (places, columns, missing) = cache.find(&keys, 0).unwrap();
            assert_eq!((places, &columns[0]), (vec![1, 1], &ints(&[20, 21])));
            assert_eq!(missing, if remembers { vec![] } else { vec![0] });
        }
    }

    #[test]
    fn uses_do_not_pile_up() {
        let mut cache = cache(CacheLimits { max_keys: Some(3), ..LIMITS });
        for round in 0..5_000 {
            ask(&mut cache, round % 3, 0);
        }
        assert!(cache.0.uses.len() < 2_000, "{}", cache.0.uses.len());
    }
}
