//! [`GtidSet`]: which MySQL transactions have been executed.

use std::collections::BTreeMap;

use crate::gtid::id::{Gtid, GtidSource};
use crate::gtid::interval::{Interval, Intervals};

/// A set of MySQL GTIDs, tagged and untagged, with its holes.
///
/// Two sets need not be comparable: neither may be a subset of the other. Use [`is_subset`](Self::is_subset) both ways.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GtidSet {
    sources: BTreeMap<GtidSource, Intervals>,
}

impl GtidSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one transaction.
    pub fn add(&mut self, gtid: &Gtid) {
        let run = Interval { first: gtid.number, last: gtid.number };
        match self.sources.get_mut(&gtid.source) {
            Some(intervals) => intervals.insert(run),
            None => self.add_run(gtid.source.clone(), run),
        }
    }

    /// Adds a run of transactions of one source.
    pub fn add_run(&mut self, source: GtidSource, run: Interval) {
        self.sources.entry(source).or_default().insert(run);
    }

    /// Whether the transaction is in the set.
    pub fn contains(&self, gtid: &Gtid) -> bool {
        self.sources.get(&gtid.source).is_some_and(|intervals| intervals.contains(gtid.number))
    }

    /// Adds everything in `other`.
    pub fn union(&mut self, other: &Self) {
        for (source, run) in other.runs() {
            self.add_run(source.clone(), run);
        }
    }

    /// What is in here and not in `other`.
    pub fn difference(&self, other: &Self) -> Self {
        let mut left = self.clone();
        for (source, intervals) in &mut left.sources {
            if let Some(removed) = other.sources.get(source) {
                intervals.subtract(removed);
            }
        }
        left.sources.retain(|_, intervals| !intervals.is_empty());
        left
    }

    /// Whether every transaction in here is in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.runs().all(|(source, run)| other.sources.get(source).is_some_and(|intervals| intervals.covers(run)))
    }

    /// Whether there is a transaction in both.
    pub fn intersects(&self, other: &Self) -> bool {
        self.difference(other) != *self
    }

    /// Whether the set has no transaction.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Whether any source has a tag, which servers before MySQL 8.3 do not understand.
    pub fn has_tags(&self) -> bool {
        self.sources.keys().any(|source| source.tag.is_some())
    }

    /// Sources and their intervals, ordered by uuid and tag.
    pub fn iter(&self) -> impl Iterator<Item = (&GtidSource, &[Interval])> {
        self.sources.iter().map(|(source, intervals)| (source, intervals.as_slice()))
    }

    fn runs(&self) -> impl Iterator<Item = (&GtidSource, Interval)> {
        self.iter().flat_map(|(source, intervals)| intervals.iter().map(move |run| (source, *run)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    const B: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn set(text: &str) -> GtidSet {
        text.replace('A', A).replace('B', B).parse().unwrap()
    }

    fn gtid(text: &str) -> Gtid {
        text.replace('A', A).replace('B', B).parse().unwrap()
    }

    #[test]
    fn adding_closes_holes() {
        let mut executed = set("A:1-3:5");
        executed.add(&gtid("A:4"));
        assert_eq!(executed, set("A:1-5"));
        executed.add(&gtid("A:7"));
        executed.add(&gtid("B:tag:1"));
        assert_eq!(executed, set("A:1-5:7,B:tag:1"));
        executed.add(&gtid("A:2"));
        assert_eq!(executed, set("A:1-5:7,B:tag:1"));
    }

    #[test]
    fn containment_minds_holes_and_tags() {
        let executed = set("A:1-5:7:tag:1-2");
        assert!(executed.contains(&gtid("A:7")) && executed.contains(&gtid("A:tag:2")));
        assert!(!executed.contains(&gtid("A:6")) && !executed.contains(&gtid("A:tag:3")));
        assert!(!executed.contains(&gtid("B:1")));
    }

    #[test]
    fn subsets_need_not_be_comparable() {
        assert!(set("A:1-3").is_subset(&set("A:1-5")));
        assert!(!set("A:1-7").is_subset(&set("A:1-5:7")));
        assert!(!set("A:1").is_subset(&set("B:1")) && !set("B:1").is_subset(&set("A:1")));
        assert!(GtidSet::new().is_subset(&GtidSet::new()));
    }

    #[test]
    fn difference_and_union_are_inverse_where_they_should_be() {
        let all = set("A:1-10,B:1-4");
        let part = set("A:3-4:6:9-20,B:1-4");
        let rest = all.difference(&part);
        assert_eq!(rest, set("A:1-2:5:7-8"));
        assert!(all.intersects(&part) && !rest.intersects(&part));
        let mut sum = rest;
        sum.union(&part);
        assert_eq!(sum, set("A:1-20,B:1-4"));
    }
}
