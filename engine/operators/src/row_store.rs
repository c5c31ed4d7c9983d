//! Rows as bytes, packed into chunks, with a number each.
//!
//! There is no allocation per row: rows lie one after another in chunks of memory, and a chunk that
//! is more than half garbage has what is left of it moved, so that garbage never outweighs rows and
//! no single call moves more than one chunk.
//!
//! ```text
//! insert "ab" → 0   insert "c" → 1   remove 0   insert "de" → 0
//! chunk             0 2 ab | 1 1 c | 0 2 de      (number, length, row)
//! ```

use sluice_model::{Error, Result};

use crate::memory;

/// Number of a row; numbers of rows that were removed are used again.
pub(crate) type RowId = u32;

/// No row.
pub(crate) const NO_ROW: RowId = RowId::MAX;

/// Bytes of a chunk; a larger row has a chunk of its own.
const CHUNK: usize = 256 << 10;
/// Number and length in front of a row.
const HEADER: usize = 8;
/// Empty chunks whose memory is kept.
const SPARE_CHUNKS: usize = 4;
/// The chunk of numbers that are free.
const NOWHERE: u32 = u32::MAX;

/// Rows, and a fixed piece of metadata each.
#[derive(Debug)]
pub(crate) struct RowStore<M> {
    places: Vec<Place<M>>,
    free: Vec<RowId>,
    chunks: Vec<Chunk>,
    empty: Vec<u32>,
    current: u32,
}

#[derive(Debug, Clone, Copy)]
struct Place<M> {
    chunk: u32,
    /// Of the row, behind its header.
    start: u32,
    length: u32,
    meta: M,
}

#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    /// Bytes of rows, with their headers, that are still there.
    live: usize,
}

impl<M: Copy> RowStore<M> {
    pub(crate) fn new() -> Self {
        let chunks = vec![Chunk::default()];
        Self { places: Vec::new(), free: Vec::new(), chunks, empty: Vec::new(), current: 0 }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// More rows, or a longer row, than 32 bits can count.
    pub(crate) fn insert(&mut self, row: &[u8], meta: M) -> Result<RowId> {
        self.insert_parts(&[row], meta)
    }

    /// Adds a row that consists of these parts.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub(crate) fn insert_parts(&mut self, parts: &[&[u8]], meta: M) -> Result<RowId> {
        let length = row_length(parts)?;
        let next = || {
            RowId::try_from(self.places.len())
                .ok()
                .filter(|id| *id != NO_ROW)
                .ok_or_else(|| Error::fix("an operator keeps more than 2^32 rows"))
        };
        let id = self.free.pop().map_or_else(next, Ok)?;
        let (chunk, start) = self.write(id, parts, length);
        let place = Place { chunk, start, length, meta };
        match self.places.get_mut(id as usize) {
            Some(old) => *old = place,
            None => self.places.push(place),
        }
        Ok(id)
    }

    /// Puts another row in the place of one.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub(crate) fn replace(&mut self, id: RowId, row: &[u8]) -> Result<()> {
        let length = row_length(&[row])?;
        let place = &self.places[id as usize];
        if place.length == length {
            let start = place.start as usize;
            self.chunks[place.chunk as usize].bytes[start..start + row.len()].copy_from_slice(row);
            return Ok(());
        }
        self.discard(id);
        let (chunk, start) = self.write(id, &[row], length);
        let meta = self.places[id as usize].meta;
        self.places[id as usize] = Place { chunk, start, length, meta };
        Ok(())
    }

    /// Forgets a row. Its number is free for another one.
    pub(crate) fn remove(&mut self, id: RowId) {
        self.discard(id);
        self.free.push(id);
    }

    /// Forgets all rows, and keeps the memory of a chunk: numbers begin at 0 again.
    pub(crate) fn clear(&mut self) {
        self.places.clear();
        self.free.clear();
        self.empty.clear();
        self.chunks.truncate(1);
        self.chunks.iter_mut().for_each(|chunk| {
            chunk.bytes.clear();
            chunk.live = 0;
        });
        self.current = 0;
    }

    /// The bytes of a row.
    pub(crate) fn get(&self, id: RowId) -> &[u8] {
        let place = &self.places[id as usize];
        let start = place.start as usize;
        &self.chunks[place.chunk as usize].bytes[start..start + place.length as usize]
    }

    /// Whether there is a row of this number.
    pub(crate) fn contains(&self, id: RowId) -> bool {
        self.places.get(id as usize).is_some_and(|place| place.chunk != NOWHERE)
    }

    /// The metadata of a row.
    pub(crate) fn meta(&self, id: RowId) -> &M {
        &self.places[id as usize].meta
    }

    /// The metadata of a row, to be changed.
    pub(crate) fn meta_mut(&mut self, id: RowId) -> &mut M {
        &mut self.places[id as usize].meta
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(|chunk| memory::of_vec(&chunk.bytes)).sum();
        chunks + memory::of_vec(&self.places) + memory::of_vec(&self.free)
    }

    fn write(&mut self, id: RowId, parts: &[&[u8]], length: u32) -> (u32, u32) {
        let used = self.chunks[self.current as usize].bytes.len();
        if used > 0 && used + HEADER + length as usize > CHUNK {
            let full = self.current;
            self.current = self.empty_chunk();
            self.reclaim(full);
        }
        let current = self.current;
        let chunk = &mut self.chunks[current as usize];
        chunk.bytes.extend_from_slice(&id.to_le_bytes());
        chunk.bytes.extend_from_slice(&length.to_le_bytes());
        let start = chunk.bytes.len() as u32;
        parts.iter().for_each(|part| chunk.bytes.extend_from_slice(part));
        chunk.live += HEADER + length as usize;
        (current, start)
    }

    fn discard(&mut self, id: RowId) {
        let place = &mut self.places[id as usize];
        let (index, length) = (place.chunk, place.length as usize);
        place.chunk = NOWHERE;
        let chunk = &mut self.chunks[index as usize];
        chunk.live -= HEADER + length;
        if index != self.current {
            self.reclaim(index);
        } else if chunk.live == 0 {
            chunk.bytes.clear();
        }
    }

    fn empty_chunk(&mut self) -> u32 {
        self.empty.pop().unwrap_or_else(|| {
            self.chunks.push(Chunk { bytes: Vec::with_capacity(CHUNK), live: 0 });
            (self.chunks.len() - 1) as u32
        })
    }

    /// Empties a chunk if more than half of it is garbage. Not the current one.
    fn reclaim(&mut self, index: u32) {
        let chunk = &mut self.chunks[index as usize];
        if chunk.live * 2 >= chunk.bytes.len() {
            return;
        }
        let mut bytes = std::mem::take(&mut chunk.bytes);
        chunk.live = 0;
        let mut offset = 0;
        while offset < bytes.len() {
            let (id, length) = (number(&bytes, offset), number(&bytes, offset + 4) as usize);
            let start = offset + HEADER;
            let place = self.places[id as usize];
            if place.chunk == index && place.start as usize == start {
                let (chunk, moved) = self.write(id, &[&bytes[start..start + length]], place.length);
                let place = &mut self.places[id as usize];
                (place.chunk, place.start) = (chunk, moved);
            }
            offset = start + length;
        }
        if self.empty.len() < SPARE_CHUNKS && bytes.capacity() <= CHUNK {
            bytes.clear();
            self.chunks[index as usize].bytes = bytes;
        }
        self.empty.push(index);
    }
}

fn row_length(parts: &[&[u8]]) -> Result<u32> {
    // A row starts within a chunk, so that its start fits where its length does.
    u32::try_from(parts.iter().map(|part| part.len()).sum::<usize>())
        .map_err(|_| Error::fix("a row that an operator has to keep is larger than 4 GiB"))
}

fn number(bytes: &[u8], offset: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn numbers_are_used_again() {
        let mut store = RowStore::new();
        assert_eq!((store.insert(b"ab", 1).unwrap(), store.insert(b"c", 2).unwrap()), (0, 1));
        store.remove(0);
        assert_eq!(store.insert(b"", 3).unwrap(), 0);
        assert_eq!((store.get(0), store.get(1), *store.meta(0)), (&b""[..], &b"c"[..], 3));
    }

    #[test]
    fn holds_what_a_map_holds_and_little_garbage() {
        let mut random = StdRng::seed_from_u64(7);
        let (mut store, mut model, mut live) = (RowStore::new(), HashMap::<RowId, Vec<u8>>::new(), Vec::new());
        for step in 0..60_000_u32 {
            let row = vec![step as u8; random.random_range(0..400)];
            let target = if live.is_empty() { 0 } else { random.random_range(0..live.len()) };
            match random.random_range(0..10) {
                0..5 => {
                    let id = store.insert(&row, ()).unwrap();
                    assert!(model.insert(id, row).is_none());
                    live.push(id);
                }
                5..7 if !live.is_empty() => {
                    store.replace(live[target], &row).unwrap();
                    model.insert(live[target], row);
                }
                _ if !live.is_empty() => {
                    store.remove(live[target]);
                    model.remove(&live.swap_remove(target));
                }
                _ => {}
            }
        }
        assert!(model.iter().all(|(id, row)| store.get(*id) == row));
        let used: usize = store.chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        let needed: usize = model.values().map(|row| row.len() + HEADER).sum();
        assert!(used <= 2 * needed + CHUNK, "{used} bytes for {needed}");
        for id in live {
            store.remove(id);
        }
        assert!(store.chunks.iter().all(|chunk| chunk.live == 0 && chunk.bytes.is_empty()));
    }

    #[test]
    fn a_row_may_be_larger_than_a_chunk() {
        let mut store = RowStore::new();
        let large = vec![1; 3 * CHUNK];
        let ids = [store.insert(b"a", ()).unwrap(), store.insert(&large, ()).unwrap(), store.insert(b"b", ()).unwrap()];
        store.remove(ids[0]);
        assert_eq!((store.get(ids[1]), store.get(ids[2])), (&large[..], &b"b"[..]));
    }
}
