//! Which rows are still to be made, at any parallelism.
//!
//! Rows are numbered from 0. Subtask i of p makes rows i, i + p, i + 2p, …: a progression. A
//! progression can be split again, so that a restore at another parallelism q deals every old one
//! to the q new subtasks:
//!
//! ```text
//! 2 subtasks      0 2 4 6 …       1 3 5 7 …          stopped behind 2 and behind 1
//! 3 subtasks      4 10 … 3 9 …    6 12 … 5 11 …      8 14 … 7 13 …
//! ```

use serde::{Deserialize, Serialize};
use sluice_model::{Error, Result};

/// Rows `next`, `next + stride`, …
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Progression {
    next: u64,
    stride: u64,
}

/// What a subtask has still to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    progressions: Vec<Progression>,
    total: Option<u64>,
}

impl Progress {
    /// The share of subtask `subtask` of `parallelism` in what the former subtasks left.
    ///
    /// # Errors
    /// A position that this connector has not written.
    pub(crate) fn restore(
        positions: &[Vec<u8>],
        subtask: usize,
        parallelism: usize,
        total: Option<u64>,
    ) -> Result<Self> {
        let (subtask, parallelism) = (subtask as u64, parallelism.max(1) as u64);
        if positions.is_empty() {
            return Ok(Self { progressions: vec![Progression { next: subtask, stride: parallelism }], total });
        }
        let mut left: Vec<Progression> = Vec::new();
        for position in positions {
            let read: Vec<Progression> = serde_json::from_slice(position)
                .map_err(|error| Error::bug("a position of 'datagen' cannot be read").because(error.to_string()))?;
            left.extend(read);
        }
        left.sort_by_key(|progression| (progression.next, progression.stride));
        let progressions = if left.len() as u64 == parallelism {
            left.into_iter().skip(subtask as usize).take(1).collect()
        } else {
            left.into_iter().map(|old| old.split(subtask, parallelism)).collect()
        };
        Ok(Self { progressions, total })
    }

    /// What [`restore`](Self::restore) reads.
    ///
    /// # Errors
    /// None in practice.
    pub(crate) fn position(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(&self.progressions).map_err(|error| Error::bug(error.to_string()))
    }

    /// Up to `count` row numbers in their order; fewer at the end.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u64> {
        let total = self.total.unwrap_or(u64::MAX);
        let mut rows = Vec::with_capacity(count);
        while rows.len() < count
            && let Some(first) = self.progressions.iter_mut().min_by_key(|progression| progression.next)
            && first.next < total
        {
            rows.push(first.next);
            first.next = first.next.saturating_add(first.stride);
        }
        rows
    }
}

impl Progression {
    fn split(self, part: u64, parts: u64) -> Self {
        let next = self.next.saturating_add(part.saturating_mul(self.stride));
        Self { next, stride: self.stride.saturating_mul(parts) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn open(positions: &[Vec<u8>], parallelism: usize, total: u64) -> Vec<Progress> {
        (0..parallelism)
            .map(|subtask| Progress::restore(positions, subtask, parallelism, Some(total)).unwrap())
            .collect()
    }

    #[test]
    fn one_subtask_makes_all_rows_in_order() {
        let mut progress = Progress::restore(&[], 0, 1, Some(5)).unwrap();
        assert_eq!(progress.take(3), [0, 1, 2]);
        assert_eq!(progress.take(3), [3, 4]);
        assert!(progress.take(3).is_empty());
    }

    #[test]
    fn a_position_of_somebody_else_is_refused() {
        assert!(Progress::restore(&[b"what".to_vec()], 0, 1, None).is_err());
    }

    proptest! {
        /// However often and to whatever parallelism it is restored, every row is made once.
        #[test]
        fn every_row_is_made_once(runs in prop::collection::vec((1usize..5, prop::collection::vec(0usize..20, 4)), 1..5)) {
            let total = 200;
            let mut made = Vec::new();
            let mut positions = Vec::new();
            for (parallelism, counts) in runs {
                let mut subtasks = open(&positions, parallelism, total);
                for (progress, count) in subtasks.iter_mut().zip(counts) {
                    made.extend(progress.take(count));
                }
                positions = subtasks.iter().map(|progress| progress.position().unwrap()).collect();
            }
            for mut progress in open(&positions, 3, total) {
                made.extend(progress.take(total as usize));
            }
            made.sort_unstable();
            prop_assert_eq!(made, (0..total).collect::<Vec<_>>());
        }
    }
}
