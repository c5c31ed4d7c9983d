//! What a batch has done to the kept rows of a partition, as a changelog.

use std::cmp::Ordering;

use sluice_model::RowKind;

use crate::row_store::RowId;

use super::rows::Rows;

/// Rows to put out.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) kinds: Vec<u8>,
    pub(super) rows: Vec<RowId>,
    pub(super) ranks: Vec<i64>,
}

/// How the kept rows before and after are compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comparison {
    /// Rank of the first row that is kept.
    pub(super) first: i64,
    /// Consumers want the old content of updated rows.
    pub(super) update_before: bool,
    /// What is kept at a rank replaces what was kept there: the rank identifies rows of the result.
    pub(super) by_rank: bool,
    /// A row may have been replaced by one of the same identity.
    pub(super) identified: bool,
}

impl Comparison {
    /// Adds what leads from `before` to `after`, the kept rows of one partition.
    pub(super) fn compare(&self, rows: &Rows, before: &[RowId], after: &[RowId], changes: &mut Changes) {
        let same = before.iter().zip(after).take_while(|(before, after)| before == after).count();
        let (before, after) = (&before[same..], &after[same..]);
        if before.is_empty() && after.is_empty() {
            return;
        }
        if self.by_rank {
            self.by_rank(rows, self.first + same as i64, before, after, changes);
        } else {
            self.by_identity(rows, before, after, changes);
        }
    }

    fn by_rank(&self, rows: &Rows, first: i64, before: &[RowId], after: &[RowId], changes: &mut Changes) {
        for index in 0..before.len().max(after.len()) {
            let rank = first + index as i64;
            match (before.get(index), after.get(index)) {
                (Some(old), Some(new)) => self.update(rows, *old, *new, rank, changes),
                (Some(old), None) => changes.push(RowKind::Delete, *old, rank),
                (None, Some(new)) => changes.push(RowKind::Insert, *new, rank),
                (None, None) => {}
            }
        }
    }

    /// Rows that leave, rows whose content has changed, rows that enter.
    fn by_identity(&self, rows: &Rows, before: &[RowId], after: &[RowId], changes: &mut Changes) {
        let (mut leaving, mut entering) = only_in_one(rows, before, after);
        let mut updated = Vec::new();
        if self.identified && !leaving.is_empty() && !entering.is_empty() {
            updated = take_pairs(rows, &mut leaving, &mut entering);
        }
        for row in leaving {
            changes.push(RowKind::Delete, row, 0);
        }
        for (old, new) in updated {
            self.update(rows, old, new, 0, changes);
        }
        for row in entering {
            changes.push(RowKind::Insert, row, 0);
        }
    }

    fn update(&self, rows: &Rows, old: RowId, new: RowId, rank: i64, changes: &mut Changes) {
        if old == new || rows.content(old) == rows.content(new) {
            return;
        }
        if self.update_before {
            changes.push(RowKind::UpdateBefore, old, rank);
        }
        changes.push(RowKind::UpdateAfter, new, rank);
    }
}

impl Changes {
    fn push(&mut self, kind: RowKind, row: RowId, rank: i64) {
        self.kinds.push(kind as u8);
        self.rows.push(row);
        self.ranks.push(rank);
    }
}

/// Rows that only `before` has, and rows that only `after` has. Both are sorted, so that it takes one
/// walk along both.
fn only_in_one(rows: &Rows, before: &[RowId], after: &[RowId]) -> (Vec<RowId>, Vec<RowId>) {
    let (mut leaving, mut entering) = (Vec::new(), Vec::new());
    let (mut left, mut right) = (0, 0);
    while left < before.len() && right < after.len() {
        let (old, new) = (before[left], after[right]);
        if old == new {
            left += 1;
            right += 1;
        } else if rows.is_before(old, new) {
            leaving.push(old);
            left += 1;
        } else if rows.is_before(new, old) {
            entering.push(new);
            right += 1;
        } else {
            // An update that leaves the row at its place.
            leaving.push(old);
            entering.push(new);
            left += 1;
            right += 1;
        }
    }
    leaving.extend_from_slice(&before[left..]);
    entering.extend_from_slice(&after[right..]);
    (leaving, entering)
}

/// Takes pairs of the same identity out of both lists; the order of the others is kept.
fn take_pairs(rows: &Rows, leaving: &mut Vec<RowId>, entering: &mut Vec<RowId>) -> Vec<(RowId, RowId)> {
    let sorted = |list: &[RowId]| {
        let mut positions: Vec<usize> = (0..list.len()).collect();
        positions.sort_by_key(|position| rows.identity(list[*position]));
        positions
    };
    let (old, new) = (sorted(leaving), sorted(entering));
    let (mut left, mut right) = (0, 0);
    let mut pairs = Vec::new();
    while left < old.len() && right < new.len() {
        match rows.identity(leaving[old[left]]).cmp(rows.identity(entering[new[right]])) {
            Ordering::Less => left += 1,
            Ordering::Greater => right += 1,
            Ordering::Equal => {
                pairs.push((old[left], new[right]));
                left += 1;
                right += 1;
            }
        }
    }
    pairs.sort_by_key(|(_, new)| *new);
    let taken = pairs.iter().map(|(old, new)| (leaving[*old], entering[*new])).collect();
    let mut keep = vec![true; leaving.len()];
    pairs.iter().for_each(|(old, _)| keep[*old] = false);
    retain(leaving, &keep);
    keep = vec![true; entering.len()];
    pairs.iter().for_each(|(_, new)| keep[*new] = false);
    retain(entering, &keep);
    taken
}

fn retain(list: &mut Vec<RowId>, keep: &[bool]) {
    let mut keep = keep.iter();
    list.retain(|_| keep.next() == Some(&true));
}
