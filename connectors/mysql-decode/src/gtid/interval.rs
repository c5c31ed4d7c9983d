//! Runs of consecutive transaction numbers.

/// Transactions `first` to `last`, both included, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    /// The first number.
    pub first: u64,
    /// The last number, not below `first`.
    pub last: u64,
}

/// Sorted intervals that neither overlap nor touch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Intervals(Vec<Interval>);

impl Intervals {
    pub(crate) fn as_slice(&self) -> &[Interval] {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one run, merging it with those it overlaps or touches.
    pub(crate) fn insert(&mut self, run: Interval) {
        let from = self.0.partition_point(|other| other.last.saturating_add(1) < run.first);
        let to = self.0.partition_point(|other| other.first <= run.last.saturating_add(1));
        if from >= to {
            self.0.insert(from, run);
            return;
        }
        let merged = Interval { first: self.0[from].first.min(run.first), last: self.0[to - 1].last.max(run.last) };
        self.0.drain(from + 1..to);
        self.0[from] = merged;
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        self.covers(Interval { first: number, last: number })
    }

    /// Whether every number of `run` is in here.
    pub(crate) fn covers(&self, run: Interval) -> bool {
        let at = self.0.partition_point(|other| other.last < run.first);
        self.0.get(at).is_some_and(|other| other.first <= run.first && run.last <= other.last)
    }

    /// Takes every number of `other` out.
    pub(crate) fn subtract(&mut self, other: &Self) {
        let mut left = Vec::with_capacity(self.0.len());
        let mut removals = other.0.iter().peekable();
        for run in &self.0 {
            let mut first = run.first;
            while removals.next_if(|removal| removal.last < first).is_some() {}
            let mut pending = removals.clone();
            while let Some(removal) = pending.next_if(|removal| removal.first <= run.last) {
                if removal.first > first {
                    left.push(Interval { first, last: removal.first - 1 });
                }
                first = removal.last.saturating_add(1);
            }
            if first <= run.last {
                left.push(Interval { first, last: run.last });
            }
        }
        self.0 = left;
    }
}
