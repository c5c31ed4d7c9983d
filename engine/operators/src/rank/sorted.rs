//! The rows of one partition in their order.
//!
//! A list of short lists: a row goes in or out by moving at most one short list, and the first rows
//! are at hand. Partitions are small as a rule, and then there is one short list, or none at all.

use std::{mem, slice};

use crate::memory;
use crate::row_store::RowId;

/// Rows of a short list, at most.
const CHUNK: usize = 512;

/// Numbers of rows, in an order that the caller knows.
#[derive(Debug, Default)]
pub(super) struct SortedRows {
    lists: Lists,
    len: usize,
}

#[derive(Debug)]
enum Lists {
    /// A single row, as all partitions have whose first row is kept: it needs no list.
    One(RowId),
    Many(Vec<Vec<RowId>>),
}

impl Default for Lists {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl SortedRows {
    /// Bytes of memory of lists with rows, besides their numbers.
    pub(super) const OVERHEAD: usize = 4 * size_of::<Vec<RowId>>() + 2 * memory::OVERHEAD;

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn last(&self) -> Option<RowId> {
        match &self.lists {
            Lists::One(row) => Some(*row),
            Lists::Many(chunks) => chunks.last()?.last().copied(),
        }
    }

    /// Puts a row behind those for which `is_before` holds: they come first.
    pub(super) fn insert(&mut self, row: RowId, is_before: impl Fn(RowId) -> bool) {
        self.len += 1;
        match &mut self.lists {
            lists if self.len == 1 => *lists = Lists::One(row),
            Lists::One(other) => {
                let rows = if is_before(*other) { vec![*other, row] } else { vec![row, *other] };
                self.lists = Lists::Many(vec![rows]);
            }
            Lists::Many(chunks) => insert_into(chunks, row, is_before),
        }
    }

    /// Takes a row out; those for which `is_before` holds come before it.
    pub(super) fn remove(&mut self, row: RowId, is_before: impl Fn(RowId) -> bool) -> bool {
        let chunks = match &mut self.lists {
            Lists::One(only) if *only == row => return self.pop().is_some(),
            Lists::One(_) => return false,
            Lists::Many(chunks) => chunks,
        };
        let (chunk, index) = locate(chunks, &is_before);
        if chunks.get(chunk).and_then(|rows| rows.get(index)) != Some(&row) {
            return false;
        }
        self.len -= 1;
        chunks[chunk].remove(index);
        self.tidy(chunk);
        true
    }

    pub(super) fn pop(&mut self) -> Option<RowId> {
        let chunks = match &mut self.lists {
            Lists::One(row) => {
                let row = *row;
                *self = Self::default();
                return Some(row);
            }
            Lists::Many(chunks) => chunks,
        };
        let chunk = chunks.len().checked_sub(1)?;
        let row = chunks[chunk].pop();
        self.len -= usize::from(row.is_some());
        self.tidy(chunk);
        row
    }

    /// At most `count` rows, without the first `skip`.
    pub(super) fn window(&self, skip: usize, count: usize, into: &mut Vec<RowId>) {
        let (mut skip, mut count) = (skip, count);
        for rows in self.chunks() {
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
        self.chunks().flatten().copied()
    }

    fn chunks(&self) -> impl DoubleEndedIterator<Item = &[RowId]> {
        let (one, many) = match &self.lists {
            Lists::One(row) => (Some(slice::from_ref(row)), &[][..]),
            Lists::Many(chunks) => (None, chunks.as_slice()),
        };
        one.into_iter().chain(many.iter().map(Vec::as_slice))
    }

    /// Drops a list that is empty, and merges one that has become short with the next.
    fn tidy(&mut self, chunk: usize) {
        let Lists::Many(chunks) = &mut self.lists else { return };
        let length = chunks[chunk].len();
        if length == 0 {
            chunks.remove(chunk);
        } else if length < CHUNK / 8 && chunks.get(chunk + 1).is_some_and(|next| next.len() < CHUNK / 2) {
            let next = chunks.remove(chunk + 1);
            chunks[chunk].extend(next);
        }
    }
}

fn insert_into(chunks: &mut Vec<Vec<RowId>>, row: RowId, is_before: impl Fn(RowId) -> bool) {
    let (mut chunk, mut index) = locate(chunks, &is_before);
    if chunk == chunks.len() {
        if chunks.is_empty() {
            chunks.push(vec![row]);
            return;
        }
        chunk -= 1;
        index = chunks[chunk].len();
    }
    chunks[chunk].insert(index, row);
    if chunks[chunk].len() > CHUNK {
        let tail = chunks[chunk].split_off(CHUNK / 2);
        chunks.insert(chunk + 1, tail);
    }
}

fn locate(chunks: &[Vec<RowId>], is_before: &impl Fn(RowId) -> bool) -> (usize, usize) {
    let chunk = chunks.partition_point(|rows| rows.last().is_some_and(|row| is_before(*row)));
    let index = chunks.get(chunk).map_or(0, |rows| rows.partition_point(|row| is_before(*row)));
    (chunk, index)
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
        for step in 0..25_000 {
            // At first, and now and then, there are few rows or none.
            let different = if step % 10_000 < 5_000 { 3 } else { 4_000 };
            if step % 5_000 == 0 {
                while let Some(row) = rows.pop() {
                    assert_eq!(model.pop(), Some(row));
                }
                assert!(model.is_empty() && rows.is_empty() && rows.last().is_none());
            }
            let row = random.random_range(0..different);
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
