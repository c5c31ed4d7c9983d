//! Deals rows to the subtasks of a consumer.
//!
//! Every split is a stable partition: rows of one key go to one subtask in the order they came.
//!
//! | rows | hash of `id` over two subtasks |
//! |---|---|
//! | `+I 1 a / +I 2 b / -U 1 a / +U 1 c` | 0: `+I 1 a / -U 1 a / +U 1 c` |
//! | | 1: `+I 2 b` |

use arrow_array::UInt32Array;
use sluice_model::{ChangelogBatch, Result, key_group_of, subtask_of_key_group};
use sluice_plan::Distribution;

use crate::hash::hash_rows;

/// How one producing subtask deals its rows.
#[derive(Debug)]
pub(crate) enum Partitioner {
    /// All rows to the only channel there is.
    Whole,
    /// By the key group of these columns.
    Hash(Vec<usize>),
    /// Batches in turn; holds the channel whose turn it is.
    Rebalance(usize),
}

impl Partitioner {
    /// The partitioner of subtask `subtask` for a number of channels.
    pub(crate) fn new(distribution: &Distribution, subtask: usize, channels: usize) -> Self {
        match distribution {
            _ if channels <= 1 => Self::Whole,
            Distribution::Forward | Distribution::Single => Self::Whole,
            Distribution::Hash(columns) => Self::Hash(columns.clone()),
            // Producers start at different consumers, so that the first one is not flooded.
            Distribution::Rebalance => Self::Rebalance(subtask % channels),
        }
    }

    /// Which rows go to which of `channels` channels; no empty batches.
    ///
    /// # Errors
    /// A key that cannot be hashed.
    pub(crate) fn split(&mut self, batch: ChangelogBatch, channels: usize) -> Result<Vec<(usize, ChangelogBatch)>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        match self {
            Self::Whole => Ok(vec![(0, batch)]),
            Self::Rebalance(next) => {
                let channel = *next;
                *next = (channel + 1) % channels;
                Ok(vec![(channel, batch)])
            }
            Self::Hash(columns) => split_by_hash(batch, columns, channels),
        }
    }
}

fn split_by_hash(batch: ChangelogBatch, columns: &[usize], channels: usize) -> Result<Vec<(usize, ChangelogBatch)>> {
    let mut rows: Vec<Vec<u32>> = vec![Vec::new(); channels];
    for (row, hash) in hash_rows(batch.rows(), columns)?.into_iter().enumerate() {
        rows[subtask_of_key_group(key_group_of(hash), channels)].push(row as u32);
    }
    if let Some(only) = rows.iter().position(|rows| rows.len() == batch.num_rows()) {
        return Ok(vec![(only, batch)]);
    }
    let filled = rows.into_iter().enumerate().filter(|(_, rows)| !rows.is_empty());
    filled.map(|(channel, rows)| Ok((channel, batch.take(&UInt32Array::from(rows))?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_model::{from_pretty, to_pretty};

    fn split(partitioner: &mut Partitioner, channels: usize) -> Vec<String> {
        let batch = from_pretty("id INT, v STRING", "+I 1 a / +I 2 b / -U 1 a / +U 1 c / +I 3 d / -D 2 b");
        let parts = partitioner.split(batch, channels).unwrap();
        parts.iter().map(|(channel, batch)| format!("{channel}: {}", to_pretty(batch))).collect()
    }

    #[test]
    fn a_key_stays_in_one_place_and_in_order() {
        for channels in 2..6 {
            let parts = split(&mut Partitioner::new(&Distribution::Hash(vec![0]), 0, channels), channels);
            let of_one: Vec<_> = parts.iter().filter(|part| part.contains("I 1 a")).collect();
            assert_eq!(of_one.len(), 1);
            let changes: Vec<_> = of_one[0].split(" / ").filter(|row| row.contains(" 1 ")).collect();
            assert_eq!(changes.len(), 3, "{parts:?}");
            assert!(changes[1].contains("-U 1 a") && changes[2].contains("+U 1 c"), "{parts:?}");
        }
    }

    #[test]
    fn batches_go_round() {
        let mut partitioner = Partitioner::new(&Distribution::Rebalance, 1, 3);
        let channels: Vec<_> = (0..4).map(|_| split(&mut partitioner, 3)[0].as_bytes()[0] as char).collect();
        assert_eq!(channels, ['1', '2', '0', '1']);
    }

    #[test]
    fn one_consumer_gets_the_batch_untouched() {
        assert_eq!(split(&mut Partitioner::new(&Distribution::Hash(vec![0]), 0, 1), 1).len(), 1);
    }
}
