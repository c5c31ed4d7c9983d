//! The last operation of each key.
//!
//! ```text
//! +I 1 a / -U 1 a / +U 1 b / -D 2 c / -U 3 d / +U 4 d
//!   upserts: 1 b, 4 d        deletes: 2, 3
//! ```
//!
//! `-U` counts as a deletion that a later row of the same key undoes, so that an update that
//! changes its key deletes the old one. What comes out is sorted by key: two writers that touch the
//! same rows lock them in the same order, and the target's index is written from left to right.

use std::hash::BuildHasher;

use arrow_array::ArrayRef;
use arrow_row::{RowConverter, Rows, SortField};
use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use sluice_model::{ChangelogBatch, Error, Result, RowKind, SqlType, TableSchema};

/// A row of one of several batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowRef {
    pub(crate) batch: u32,
    pub(crate) row: u32,
}

/// What is left of some batches.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reduced {
    /// Rows that are in the table afterwards.
    pub(crate) upserts: Vec<RowRef>,
    /// Rows that are not; only their keys count.
    pub(crate) deletes: Vec<RowRef>,
}

impl Reduced {
    /// Rows that are left.
    pub(crate) fn len(&self) -> usize {
        self.upserts.len() + self.deletes.len()
    }

    /// All rows in their order, as they are in a table without a key.
    pub(crate) fn append(batches: &[ChangelogBatch]) -> Self {
        let mut upserts = Vec::with_capacity(batches.iter().map(ChangelogBatch::num_rows).sum());
        for (batch, rows) in (0u32..).zip(batches) {
            upserts.extend((0..rows.num_rows() as u32).map(|row| RowRef { batch, row }));
        }
        Self { upserts, deletes: Vec::new() }
    }
}

/// Reduces batches by the primary key. Keeps its buffers from batch to batch.
pub(crate) struct KeyReducer {
    key: Vec<usize>,
    converter: RowConverter,
    hasher: DefaultHashBuilder,
    seen: HashTable<u32>,
}

/// A key's last operation, while it is being sorted.
#[derive(Clone, Copy)]
struct Last {
    /// First bytes of the key: decides most comparisons without looking at the row.
    prefix: u128,
    place: RowRef,
}

impl KeyReducer {
    /// A reducer by the primary key of `schema`.
    ///
    /// # Errors
    /// A key of a type that has no order.
    pub(crate) fn new(schema: &TableSchema) -> Result<Self> {
        let key = schema.primary_key.clone();
        let types = key.iter().map(|index| &schema.columns[*index].data_type).map(SqlType::to_arrow);
        let converter = RowConverter::new(types.map(SortField::new).collect()).map_err(Error::from_arrow)?;
        Ok(Self { key, converter, hasher: DefaultHashBuilder::default(), seen: HashTable::new() })
    }

    /// The last operation of each key of `batches`, sorted by key.
    ///
    /// # Errors
    /// A bug: batches of another schema.
    pub(crate) fn reduce(&mut self, batches: &[ChangelogBatch]) -> Result<Reduced> {
        let keys = batches.iter().map(|batch| self.keys_of(batch)).collect::<Result<Vec<_>>>()?;
        let mut last = self.last_of_each_key(&keys);
        let bytes = |place: RowRef| keys[place.batch as usize].row(place.row as usize).data();
        let in_order = |a: &Last, b: &Last| a.prefix.cmp(&b.prefix).then_with(|| bytes(a.place).cmp(bytes(b.place)));
        // A snapshot comes sorted, and was walked from its end.
        last.reverse();
        if !last.is_sorted_by(|a, b| in_order(a, b).is_le()) {
            last.sort_unstable_by(in_order);
        }
        let mut reduced = Reduced { upserts: Vec::with_capacity(last.len()), deletes: Vec::new() };
        for Last { place, .. } in last {
            let stays = batches[place.batch as usize].kind(place.row as usize).is_addition();
            if stays { &mut reduced.upserts } else { &mut reduced.deletes }.push(place);
        }
        Ok(reduced)
    }

    /// Every operation in its order, without a `-U` that its `+U` follows at once: deleting a row to
    /// insert it again could take rows with it that refer to it.
    ///
    /// # Errors
    /// A bug: batches of another schema.
    pub(crate) fn ordered(&self, batches: &[ChangelogBatch]) -> Result<Vec<RowRef>> {
        let keys = batches.iter().map(|batch| self.keys_of(batch)).collect::<Result<Vec<_>>>()?;
        let bytes = |place: &RowRef| keys[place.batch as usize].row(place.row as usize).data();
        let kind = |place: &RowRef| batches[place.batch as usize].kind(place.row as usize);
        let mut ordered: Vec<RowRef> = Vec::new();
        for place in Reduced::append(batches).upserts {
            if let Some(before) = ordered.last()
                && kind(before) == RowKind::UpdateBefore
                && kind(&place).is_addition()
                && bytes(before) == bytes(&place)
            {
                ordered.pop();
            }
            ordered.push(place);
        }
        Ok(ordered)
    }

    fn keys_of(&self, batch: &ChangelogBatch) -> Result<Rows> {
        let columns: Vec<ArrayRef> = self.key.iter().map(|index| batch.rows().column(*index).clone()).collect();
        self.converter.convert_columns(&columns).map_err(Error::from_arrow)
    }

    /// Walks from the last row to the first: what is seen first of a key is what counts.
    fn last_of_each_key(&mut self, keys: &[Rows]) -> Vec<Last> {
        let total = keys.iter().map(Rows::num_rows).sum();
        self.seen.clear();
        let mut last: Vec<Last> = Vec::with_capacity(total);
        let hasher = &self.hasher;
        self.seen.reserve(total, |_| 0);
        for (batch, rows) in keys.iter().enumerate().rev() {
            for row in (0..rows.num_rows()).rev() {
                let bytes = rows.row(row).data();
                let same = |index: &u32| {
                    let place = last[*index as usize].place;
                    keys[place.batch as usize].row(place.row as usize).data() == bytes
                };
                let rehash = |index: &u32| {
                    let place = last[*index as usize].place;
                    hasher.hash_one(keys[place.batch as usize].row(place.row as usize).data())
                };
                if let Entry::Vacant(vacant) = self.seen.entry(hasher.hash_one(bytes), same, rehash) {
                    vacant.insert(last.len() as u32);
                    last.push(Last {
                        prefix: prefix_of(bytes),
                        place: RowRef { batch: batch as u32, row: row as u32 },
                    });
                }
            }
        }
        last
    }
}

/// The first sixteen bytes as a number that compares as they do.
fn prefix_of(bytes: &[u8]) -> u128 {
    match bytes.first_chunk::<16>() {
        Some(chunk) => u128::from_be_bytes(*chunk),
        None => {
            let mut chunk = [0; 16];
            chunk[..bytes.len()].copy_from_slice(bytes);
            u128::from_be_bytes(chunk)
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::UInt32Array;
    use sluice_model::{Column, from_pretty, to_pretty};

    use super::*;

    /// `upserts | deletes` of changelogs with the columns `id INT, v STRING`, keyed by `id`.
    fn reduce(changelogs: &[&str]) -> String {
        let batches: Vec<_> = changelogs.iter().map(|rows| from_pretty("id INT, v STRING", rows)).collect();
        let columns = vec![Column::new("id", SqlType::Int).not_null(), Column::new("v", SqlType::STRING)];
        let schema = TableSchema::new(columns).with_primary_key(vec![0]);
        let reduced = KeyReducer::new(&schema).unwrap().reduce(&batches).unwrap();
        let show = |rows: &[RowRef]| {
            let rows: Vec<_> = rows
                .iter()
                .map(|place| {
                    let row = batches[place.batch as usize].take(&UInt32Array::from(vec![place.row])).unwrap();
                    to_pretty(&row)
                })
                .collect();
            rows.join(" / ")
        };
        format!("{} | {}", show(&reduced.upserts), show(&reduced.deletes))
    }

    #[test]
    fn the_last_operation_of_a_key_wins() {
        assert_eq!(
            reduce(&["+I 1 a / -U 1 a / +U 1 b / -D 2 c / -U 3 d / +U 4 d"]),
            "+U 1 b / +U 4 d | -D 2 c / -U 3 d"
        );
        assert_eq!(reduce(&["+I 1 a / -D 1 a"]), " | -D 1 a");
        assert_eq!(reduce(&["-D 1 a / +I 1 b"]), "+I 1 b | ");
    }

    #[test]
    fn batches_follow_each_other() {
        assert_eq!(reduce(&["+I 1 a / +I 2 a", "-D 1 a", "+I 3 c / +I 1 z"]), "+I 1 z / +I 2 a / +I 3 c | ");
    }

    #[test]
    fn rows_are_sorted_by_key() {
        assert_eq!(reduce(&["+I 9 a / +I -3 b / -D 7 c / -D 4 d"]), "+I -3 b / +I 9 a | -D 4 d / -D 7 c");
    }
}
