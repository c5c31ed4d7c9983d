//! Which events are still to be made.
//!
//! A table is split once, by the subtasks that the job starts with; the splits stay what they are when
//! it is restored at another parallelism, and a subtask then makes the events of several splits, or of
//! none. Splits are merged by time:
//!
//! ```text
//! split 0 at   3 ms  6 ms  9 ms          one subtask   0: 3 ms   1: 4 ms   0: 6 ms   1: 8 ms   0: 9 ms
//! split 1 at   4 ms  8 ms
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sluice_model::{Error, Result};

use crate::rules::Rules;
use crate::timeline::Timeline;

/// Shortest wait, so that a slow table does not come in tiny batches.
const MIN_WAIT_MICROS: f64 = 5_000.0;
const MAX_WAIT_MICROS: f64 = 60_000_000.0;

/// As a checkpoint holds it: split `split` of `of`, of which the first `made` events are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    split: i64,
    of: i64,
    made: i64,
}

/// Events `first` and on of a timeline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span {
    pub(crate) timeline: Timeline,
    pub(crate) first: i64,
    pub(crate) count: usize,
}

/// What there is to do next.
#[derive(Debug, PartialEq)]
pub(crate) enum Taken {
    /// Make these events, in this order.
    Spans(Vec<Span>),
    /// Nothing is due yet.
    Wait(Duration),
    /// All events are made.
    Nothing,
}

/// What a subtask has still to make.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    splits: Vec<Split>,
}

#[derive(Debug, Clone)]
struct Split {
    position: Position,
    timeline: Timeline,
    /// Events that were made when this progress began.
    start: i64,
}

impl Progress {
    /// The share of subtask `subtask` of `parallelism` in what the former subtasks left.
    ///
    /// # Errors
    /// A position that this connector has not written.
    pub(crate) fn restore(positions: &[Vec<u8>], subtask: usize, parallelism: usize, rules: &Rules) -> Result<Self> {
        let parallelism = parallelism.max(1);
        let mut all: Vec<Position> = Vec::new();
        for position in positions {
            let read: Vec<Position> = serde_json::from_slice(position)
                .map_err(|error| Error::bug("a position of 'nexmark' cannot be read").because(error.to_string()))?;
            all.extend(read);
        }
        if positions.is_empty() {
            let of = parallelism as i64;
            all.extend((0..of).map(|split| Position { split, of, made: 0 }));
        }
        if all.iter().any(|position| !(0..position.of).contains(&position.split) || position.made < 0) {
            return Err(Error::bug("a position of 'nexmark' is of no split"));
        }
        all.sort_by_key(|position| position.split);
        let splits = all.into_iter().skip(subtask).step_by(parallelism);
        Ok(Self { splits: splits.map(|position| Split::new(position, rules)).collect() })
    }

    /// What [`restore`](Self::restore) reads.
    ///
    /// # Errors
    /// None in practice.
    pub(crate) fn position(&self) -> Result<Vec<u8>> {
        let positions: Vec<_> = self.splits.iter().map(|split| split.position).collect();
        serde_json::to_vec(&positions).map_err(|error| Error::bug(error.to_string()))
    }

    /// Up to `limit` events in the order of their times; with `elapsed`, the milliseconds since the
    /// beginning, only those that are due by then.
    pub(crate) fn take(&mut self, limit: usize, elapsed: Option<i64>) -> Taken {
        let mut spans = Vec::new();
        let mut left = limit as i64;
        while left > 0
            && let Some((split, until)) = self.next_split(elapsed)
        {
            let due = split.due(elapsed).min(left);
            let earlier = until.map_or(due, |time| split.timeline.events_until(time) - split.position.made);
            let count = earlier.clamp(1, due);
            spans.push(Span { timeline: split.timeline, first: split.position.made, count: count as usize });
            split.position.made += count;
            left -= count;
        }
        if !spans.is_empty() {
            return Taken::Spans(spans);
        }
        let waits = self.splits.iter().filter(|split| split.left() > 0).map(|split| split.wait_micros(elapsed));
        match waits.reduce(f64::min) {
            Some(micros) => Taken::Wait(Duration::from_micros(micros.clamp(MIN_WAIT_MICROS, MAX_WAIT_MICROS) as u64)),
            None => Taken::Nothing,
        }
    }

    /// The split with the earliest event, if it is due, and the time of the earliest event of the others.
    fn next_split(&mut self, elapsed: Option<i64>) -> Option<(&mut Split, Option<i64>)> {
        let mut ready: Vec<_> = self.splits.iter_mut().filter(|split| split.due(elapsed) > 0).collect();
        ready.sort_by_key(|split| split.next_time());
        let until = ready.get(1).map(|split| split.next_time());
        ready.into_iter().next().map(|split| (split, until))
    }
}

impl Split {
    fn new(position: Position, rules: &Rules) -> Self {
        let timeline = Timeline::of_split(rules, position.split, position.of);
        Self { position, timeline, start: position.made }
    }

    fn left(&self) -> i64 {
        (self.timeline.events - self.position.made).max(0)
    }

    fn next_time(&self) -> i64 {
        self.timeline.time(self.position.made)
    }

    /// Events that may be made by now.
    fn due(&self, elapsed: Option<i64>) -> i64 {
        elapsed.map_or(self.left(), |elapsed| {
            let events = (elapsed as f64 * 1_000.0 / self.timeline.delay_micros) as i64;
            (self.start + events - self.position.made).clamp(0, self.left())
        })
    }

    fn wait_micros(&self, elapsed: Option<i64>) -> f64 {
        let next = (self.position.made - self.start + 1) as f64 * self.timeline.delay_micros;
        next - elapsed.unwrap_or_default() as f64 * 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules() -> Rules {
        Rules { max_events: 200, events_per_second: 1_000, ..Rules::default() }
    }

    fn open(positions: &[Vec<u8>], parallelism: usize) -> Vec<Progress> {
        (0..parallelism).map(|subtask| Progress::restore(positions, subtask, parallelism, &rules()).unwrap()).collect()
    }

    fn take(progress: &mut Progress, limit: usize) -> Vec<(i64, i64)> {
        let Taken::Spans(spans) = progress.take(limit, None) else { return Vec::new() };
        let events = |span: Span| (span.first..span.first + span.count as i64).map(move |event| (span.timeline, event));
        spans.into_iter().flat_map(events).map(|(line, event)| (line.first_id + event, line.time(event))).collect()
    }

    #[test]
    fn one_subtask_makes_all_events_in_order() {
        let mut progress = open(&[], 1).remove(0);
        assert_eq!(take(&mut progress, 3), [(2, 1), (3, 2), (4, 3)]);
        assert_eq!(take(&mut progress, 1_000).len(), 197);
        assert_eq!(progress.take(1, None), Taken::Nothing);
    }

    #[test]
    fn splits_of_one_subtask_are_merged_by_time() {
        let positions: Vec<_> = open(&[], 3).iter().map(|progress| progress.position().unwrap()).collect();
        let mut progress = open(&positions, 1).remove(0);
        let times: Vec<_> = take(&mut progress, 1_000).into_iter().map(|(_, time)| time).collect();
        assert_eq!(times.len(), 200);
        assert!(times.is_sorted(), "{times:?}");
    }

    #[test]
    fn events_come_when_they_are_due() {
        let mut progress = open(&[], 1).remove(0);
        assert_eq!(progress.take(100, Some(0)), Taken::Wait(Duration::from_millis(5)));
        let Taken::Spans(spans) = progress.take(100, Some(20)) else { panic!("events") };
        assert_eq!((spans.len(), spans[0].count), (1, 20));
        assert_eq!(progress.take(100, Some(20)), Taken::Wait(Duration::from_millis(5)));
        let Taken::Spans(spans) = progress.take(1_000, Some(60_000)) else { panic!("events") };
        assert_eq!(spans[0].count, 180);
        assert_eq!(progress.take(100, Some(60_000)), Taken::Nothing);
    }

    #[test]
    fn a_position_of_somebody_else_is_refused() {
        assert!(Progress::restore(&[b"what".to_vec()], 0, 1, &rules()).is_err());
        assert!(Progress::restore(&[br#"[{"split":3,"of":2,"made":0}]"#.to_vec()], 0, 1, &rules()).is_err());
    }

    proptest! {
        /// However often and to whatever parallelism it is restored, every event is made once.
        #[test]
        fn every_event_is_made_once(runs in prop::collection::vec((1usize..5, prop::collection::vec(0usize..20, 4)), 1..5)) {
            let mut made = Vec::new();
            let mut positions = Vec::new();
            for (parallelism, counts) in runs {
                let mut subtasks = open(&positions, parallelism);
                for (progress, count) in subtasks.iter_mut().zip(counts) {
                    made.extend(take(progress, count).into_iter().map(|(id, _)| id));
                }
                positions = subtasks.iter().map(|progress| progress.position().unwrap()).collect();
            }
            for mut progress in open(&positions, 3) {
                made.extend(take(&mut progress, 1_000).into_iter().map(|(id, _)| id));
            }
            made.sort_unstable();
            prop_assert_eq!(made, (2..202).collect::<Vec<_>>());
        }
    }
}
