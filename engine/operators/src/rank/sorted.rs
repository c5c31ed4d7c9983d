//! The rows of one partition in their order.
//!
//! A list of short lists: a row goes in or out by moving at most one short list, and the first rows
//! are at hand. Partitions are small as a rule, and then there is one short list.

use std::mem;

use crate::memory;
use crate::row_store::RowId;

/// Rows of a short list, at most.
const CHUNK: usize = 512;

/// Numbers of rows, in an order that the caller knows.
#[derive(Debug, Default)]
pub(super) struct SortedRows {
    chunks: Vec<Vec<RowId>>,
    len: usize,
}

impl SortedRows {
    /// Bytes of memory of a list with rows, besides their numbers.
    pub(super) const OVERHEAD: usize = 4 * size_of::<Vec<RowId>>() + 2 * memory::OVERHEAD;

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn last(&self) -> Option<RowId> {
        self.chunks.last()?.last().copied()
    }

    /// Puts a row behind those for which `is_before` holds: they come first.
    pub(super) fn insert(&mut self, row: RowId, is_before: impl Fn(RowId) -> bool) {
        self.len += 1;
        let (mut chunk, mut index) = self.locate(&is_before);
        if chunk == self.chunks.len() {
            if self.chunks.is_empty() {
                self.chunks.push(vec![row]);
                return;
            }
            chunk -= 1;
            index = self.chunks[chunk].len();
        }
        self.chunks[chunk].insert(index, row);
        if self.chunks[chunk].len() > CHUNK {
            let tail = self.chunks[chunk].split_off(CHUNK / 2);
            self.chunks.insert(chunk + 1, tail);
        }
    }

    /// Takes a row out; those for which `is_before` holds come before it.
    pub(super) fn remove(&mut self, row: RowId, is_before: impl Fn(RowId) -> bool) -> bool {
        let (chunk, index) = self.locate(&is_before);
        if self.chunks.get(chunk).and_then(|rows| rows.get(index)) != Some(&row) {
            return false;
        }
        self.len -= 1;
        self.chunks[chunk].remove(index);
        self.tidy(chunk);
        true
    }

    pub(super) fn pop(&mut self) -> Option<RowId> {
        let chunk = self.chunks.len().checked_sub(1)?;
        let row = self.chunks[chunk].pop();
        self.len -= usize::from(row.is_some());
        self.tidy(chunk);
        row
    }

    /// At most `count` rows, without the first `skip`.
    pub(super) fn window(&self, skip: usize, count: usize, into: &mut Vec<RowId>) {
        let (mut skip, mut count) = (skip, count);
        for rows in &self.chunks {
            if skip >= rows.len() {
                skip -= rows.len();
                continue;
            }
            let rows = &rows[mem::take(&mut skip)..];
            let rows = &rows[..rows.len().min(count)];
            into.extend_from_slice(rows);
            count -= rows.len();
            if count == 0 {
                return;
            }
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = RowId> {
        self.chunks.iter().flatten().copied()
    }

    fn locate(&self, is_before: &impl Fn(RowId) -> bool) -> (usize, usize) {
        let chunk = self.chunks.partition_point(|rows| rows.last().is_some_and(|row| is_before(*row)));
        let index = self.chunks.get(chunk).map_or(0, |rows| rows.partition_point(|row| is_before(*row)));
        (chunk, index)
    }

    /// Drops a list that is empty, and merges one that has become short with the next.
    fn tidy(&mut self, chunk: usize) {
        let length = self.chunks[chunk].len();
        if length == 0 {
            self.chunks.remove(chunk);
        } else if length < CHUNK / 8 && self.chunks.get(chunk + 1).is_some_and(|next| next.len() < CHUNK / 2) {
            let next = self.chunks.remove(chunk + 1);
            self.chunks[chunk].extend(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn keeps_the_order_of_a_sorted_list() {
        let mut random = StdRng::seed_from_u64(3);
        let (mut rows, mut model) = (SortedRows::default(), Vec::<RowId>::new());
        for step in 0..20_000 {
            let row = random.random_range(0..4_000);
            match model.binary_search(&row) {
                Ok(index) => {
                    model.remove(index);
                    assert!(rows.remove(row, |other| other < row));
                }
                Err(index) => {
                    assert!(!rows.remove(row, |other| other < row));
                    model.insert(index, row);
                    rows.insert(row, |other| other < row);
                }
            }
            if step % 97 == 0 {
                assert_eq!(rows.pop(), model.pop());
            }
            assert_eq!((rows.len(), rows.last()), (model.len(), model.last().copied()));
        }
        assert!(rows.iter().eq(model.iter().copied()));
        for (skip, count) in [(0, 10), (700, 900), (0, usize::MAX), (9_999, 1)] {
            let mut window = Vec::new();
            rows.window(skip, count, &mut window);
            assert!(window.iter().eq(model.iter().skip(skip).take(count)));
        }
    }
}
