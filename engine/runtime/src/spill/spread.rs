//! Which partition a key is in.
//!
//! The last bits of a key's hash name its partition; key groups, and so subtasks, go by the first
//! ones. A partition that has become too large is split by one bit more than it had.
//!
//! ```text
//! last bits    0  1             split 1     00  01  10  11      split 3     … 011 … 111
//! partition    0  1             ────────►    0   1   0   2      of 10       2: 0 1 0 2 …
//! ```

use arrow_array::UInt32Array;
use sluice_model::{ChangelogBatch, Result};

use crate::hash::hash_rows;

/// See the module.
#[derive(Debug)]
pub(super) struct Spread(
    /// By the last bits of the hash.
    Vec<u32>,
);

impl Spread {
    /// Partitions of this many bits.
    pub(super) fn new(bits: u32) -> Self {
        Self((0..1 << bits).collect())
    }

    /// Gives keys of `partition`, which is known by `bits` bits, to partition `new`: those with a one in
    /// the next bit.
    pub(super) fn split(&mut self, partition: usize, bits: u32, new: usize) {
        if self.0.len() == 1 << bits {
            self.0.extend_from_within(..);
        }
        for (place, owner) in self.0.iter_mut().enumerate() {
            if *owner as usize == partition && place >> bits & 1 == 1 {
                *owner = new as u32;
            }
        }
    }

    /// The rows of each partition, in their order; none without rows.
    ///
    /// # Errors
    /// A key that cannot be hashed.
    pub(super) fn deal(
        &self,
        rows: &ChangelogBatch,
        columns: &[usize],
        partitions: usize,
    ) -> Result<Vec<(usize, ChangelogBatch)>> {
        let mask = self.0.len() as u64 - 1;
        let hashes = hash_rows(rows.rows(), columns)?;
        let owners: Vec<u32> = hashes.iter().map(|hash| self.0[(hash & mask) as usize]).collect();
        // Where the rows of each partition end, when they are sorted by partition.
        let mut ends = vec![0_u32; partitions];
        owners.iter().for_each(|owner| ends[*owner as usize] += 1);
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum - *end;
        }
        let mut order = vec![0_u32; owners.len()];
        for (row, owner) in (0..).zip(&owners) {
            let place = &mut ends[*owner as usize];
            order[*place as usize] = row;
            *place += 1;
        }
        let order = UInt32Array::from(order);
        let mut start = 0;
        let mut parts = Vec::new();
        for (partition, end) in ends.into_iter().enumerate() {
            let length = (end as usize) - start;
            if length > 0 {
                // Copies: a part must not keep the memory of the others.
                parts.push((partition, rows.take(&order.slice(start, length))?));
            }
            start = end as usize;
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sluice_model::{from_pretty, to_pretty};

    use super::*;

    /// The partition of each key, and the rows of each partition.
    fn dealt(spread: &Spread, partitions: usize) -> (BTreeMap<String, usize>, usize) {
        let rows: Vec<String> = (0..200).map(|row| format!("+I {} {row}", row % 50)).collect();
        let rows = from_pretty("id INT, n INT", &rows.join(" / "));
        let mut keys = BTreeMap::new();
        let mut count = 0;
        for (partition, rows) in spread.deal(&rows, &[0], partitions).unwrap() {
            let mut numbers = Vec::new();
            for row in to_pretty(&rows).split(" / ") {
                let values: Vec<&str> = row.split(' ').collect();
                assert_eq!(*keys.entry(values[1].to_owned()).or_insert(partition), partition, "a key is in one place");
                numbers.push(values[2].parse::<i32>().unwrap());
            }
            assert!(numbers.is_sorted(), "{numbers:?}");
            count += numbers.len();
        }
        assert_eq!(count, 200);
        (keys, count)
    }

    #[test]
    fn a_split_moves_keys_of_one_partition_only() {
        let mut spread = Spread::new(1);
        let (before, _) = dealt(&spread, 2);
        spread.split(1, 1, 2);
        let (after, _) = dealt(&spread, 3);
        for (key, partition) in &before {
            let now = after[key];
            assert!(now == *partition || *partition == 1 && now == 2, "{key}: {partition} to {now}");
        }
        assert!(after.values().any(|partition| *partition == 1) && after.values().any(|partition| *partition == 2));
        spread.split(2, 2, 3);
        spread.split(0, 1, 4);
        let (last, _) = dealt(&spread, 5);
        for (key, partition) in after {
            let halves = [(0, 4), (1, 1), (2, 3)][partition];
            assert!(last[&key] == halves.0 && halves.0 == partition || last[&key] == halves.1, "{key}");
        }
    }
}
