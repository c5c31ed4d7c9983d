//! The buffer behind `sink.buffer-flush.*`: of each key only the newest message is written.
//!
//! Messages leave in the order of their newest change, so that changes of different keys keep
//! their order as well as they can when some of them are left out.

use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;

use hashbrown::HashTable;

/// Messages that wait, newest per key.
#[derive(Default)]
pub(crate) struct CompactionBuffer {
    /// Keys and values one behind the other; forgotten all at once.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    newest: HashTable<usize>,
    hasher: RandomState,
    rows: u64,
}

struct Entry {
    key: Range<usize>,
    /// None for a tombstone.
    value: Option<Range<usize>>,
    is_newest: bool,
}

impl CompactionBuffer {
    /// Takes a message, which replaces the one of the same key.
    pub(crate) fn put(&mut self, key: &[u8], value: Option<&[u8]>) {
        let index = self.entries.len();
        let hash = self.hasher.hash_one(key);
        let (bytes, entries) = (&self.bytes, &mut self.entries);
        match self.newest.find_mut(hash, |other| &bytes[entries[*other].key.clone()] == key) {
            Some(other) => {
                entries[*other].is_newest = false;
                *other = index;
            }
            None => {
                let hasher = &self.hasher;
                let rehash = |other: &usize| hasher.hash_one(&bytes[entries[*other].key.clone()]);
                self.newest.insert_unique(hash, index, rehash);
            }
        }
        let key = self.append(key);
        let value = value.map(|value| self.append(value));
        self.entries.push(Entry { key, value, is_newest: true });
        self.rows += 1;
    }

    fn append(&mut self, part: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(part);
        start..self.bytes.len()
    }

    /// Messages that were put since the last [`clear`](Self::clear).
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Number of places for [`message`](Self::message).
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Key and value at a place; none if a newer message has replaced it.
    pub(crate) fn message(&self, place: usize) -> Option<(&[u8], Option<&[u8]>)> {
        let entry = self.entries.get(place).filter(|entry| entry.is_newest)?;
        Some((&self.bytes[entry.key.clone()], entry.value.clone().map(|value| &self.bytes[value])))
    }

    /// Forgets everything, keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.newest.clear();
        self.rows = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(buffer: &CompactionBuffer) -> String {
        let messages = (0..buffer.len()).filter_map(|place| buffer.message(place));
        let line = |(key, value): (&[u8], Option<&[u8]>)| {
            let value = value.map_or("-".to_owned(), |value| String::from_utf8_lossy(value).into_owned());
            format!("{}={value}", String::from_utf8_lossy(key))
        };
        messages.map(line).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_the_newest_of_a_key_stays_and_moves_to_the_end() {
        let mut buffer = CompactionBuffer::default();
        for (key, value) in [("1", Some("a")), ("2", Some("b")), ("1", Some("c")), ("3", None)] {
            buffer.put(key.as_bytes(), value.map(str::as_bytes));
        }
        assert_eq!(text(&buffer), "2=b 1=c 3=-");
        assert_eq!(buffer.rows(), 4);
        buffer.clear();
        assert_eq!((text(&buffer).as_str(), buffer.rows()), ("", 0));
        buffer.put(b"2", None);
        assert_eq!(text(&buffer), "2=-");
    }
}
