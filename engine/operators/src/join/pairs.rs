//! Candidate pairs of the changes of a batch: rows of the other side with an equal key, and whether
//! the condition holds for them with the old and with the new content of the changed row.

use std::ops::Range;

use arrow_buffer::BooleanBuffer;
use sluice_model::Result;

use super::condition::Condition;
use super::rows::{Place, RowId, RowStore};
use super::side::{Book, Change};

/// Candidates are collected up to about this number before they are judged.
const CANDIDATES: usize = 16 * 1024;

/// The partners of some changes.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// Rows of the other side, change by change.
    partners: Vec<RowId>,
    /// Where the partners of each change end.
    ends: Vec<usize>,
    /// Per change: the verdict on its partners with the old content, if there is one, then that
    /// with the new content. Without a condition all candidates are partners.
    holds: Option<BooleanBuffer>,
    own: Vec<Place>,
    other: Vec<Place>,
}

/// The partners of one change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Partners<'a> {
    pub(super) rows: &'a [RowId],
    holds: Option<&'a BooleanBuffer>,
    /// Where the verdicts on the old and the new content start; `None` without such content.
    old: Option<usize>,
    new: Option<usize>,
}

impl Pairs {
    /// Collects the partners of the first of `changes` and tells of how many that is: of one at
    /// least, and of more until there are many candidates.
    pub(super) fn collect(&mut self, changes: &[Change], other: &Book) -> usize {
        self.partners.clear();
        self.ends.clear();
        for change in changes {
            if let Some(key) = change.key {
                self.partners.extend(other.rows_of(key));
            }
            self.ends.push(self.partners.len());
            if self.partners.len() >= CANDIDATES {
                break;
            }
        }
        self.ends.len()
    }

    /// Evaluates the condition on all candidates.
    ///
    /// # Errors
    /// As [`Condition::evaluate`].
    pub(super) fn judge(
        &mut self,
        condition: &Condition,
        changes: &[Change],
        input: usize,
        other: &Book,
        stores: [&RowStore; 2],
    ) -> Result<()> {
        self.own.clear();
        self.other.clear();
        for (change, range) in changes.iter().zip(ranges(&self.ends)) {
            for content in [change.old, change.new].into_iter().filter(|place| place.is_some()) {
                self.own.resize(self.own.len() + range.len(), content);
                self.other.extend(self.partners[range.clone()].iter().map(|row| other.place(*row)));
            }
        }
        let places = if input == 0 { [&*self.own, &*self.other] } else { [&*self.other, &*self.own] };
        self.holds = Some(condition.evaluate(stores, places)?);
        Ok(())
    }

    /// Each change with its partners.
    pub(super) fn iter<'a>(&'a self, changes: &'a [Change]) -> impl Iterator<Item = (&'a Change, Partners<'a>)> {
        let mut verdict = 0;
        changes.iter().zip(ranges(&self.ends)).map(move |(change, range)| {
            let mut verdicts = |content: Place| {
                let start = content.is_some().then_some(verdict);
                verdict += start.map_or(0, |_| range.len());
                start
            };
            let (old, new) = (verdicts(change.old), verdicts(change.new));
            let rows = &self.partners[range];
            (change, Partners { rows, holds: self.holds.as_ref(), old, new })
        })
    }
}

impl Partners<'_> {
    /// Whether the old content has row number `partner` for a partner.
    pub(super) fn had(&self, partner: usize) -> bool {
        self.holds(self.old, partner)
    }

    /// Whether the new content has row number `partner` for a partner.
    pub(super) fn has(&self, partner: usize) -> bool {
        self.holds(self.new, partner)
    }

    fn holds(&self, verdicts: Option<usize>, partner: usize) -> bool {
        verdicts.is_some_and(|start| self.holds.is_none_or(|holds| holds.value(start + partner)))
    }

    /// How many partners the old and the new content have, each counted as often as it occurs.
    pub(super) fn degrees(&self, other: &Book) -> (u64, u64) {
        let (mut had, mut has) = (0, 0);
        for (partner, row) in self.rows.iter().enumerate() {
            had += if self.had(partner) { other.count(*row) } else { 0 };
            has += if self.has(partner) { other.count(*row) } else { 0 };
        }
        (had, has)
    }
}

fn ranges(ends: &[usize]) -> impl Iterator<Item = Range<usize>> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(ends).map(|(start, end)| start..*end)
}
