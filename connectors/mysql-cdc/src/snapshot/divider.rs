//! A connection that divides tables into chunks, and tells where keys lie between bounds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sluice_model::{Error, Reaction, Result};
use tokio::sync::mpsc;

use super::{Answer, Question, SnapshotContext, statements, worker};
use crate::chunk::{Bound, Range};
use crate::feed::{ChunkKey, Comparison, Feed};
use crate::server::Session;

/// Bounds that are computed ahead at a time.
const AHEAD: usize = 64;
/// Above this ratio of key range to rows computed chunks would differ too much in size, whatever the options allow.
const DENSE: f64 = 4.0;
/// Keys that one statement ranks.
const RANKED_AT_ONCE: usize = 400;

/// Answers questions until nobody asks.
pub(super) async fn run(
    context: Arc<SnapshotContext>,
    mut questions: mpsc::Receiver<Question>,
    answers: mpsc::Sender<Answer>,
) -> Result<()> {
    let mut divider = Divider { context, session: None, steps: HashMap::new() };
    while let Some(question) = questions.recv().await {
        let answer = divider.answer_again(&question).await.unwrap_or_else(Answer::Failed);
        if answers.send(answer).await.is_err() {
            break;
        }
    }
    Ok(())
}

struct Divider {
    context: Arc<SnapshotContext>,
    session: Option<Session>,
    /// Of tables whose bounds are computed: the highest key at the start, and the distance between bounds.
    steps: HashMap<usize, Option<Steps>>,
}

/// Evenly distributed integer keys.
#[derive(Debug, Clone, Copy)]
struct Steps {
    lowest: i128,
    highest: i128,
    step: i128,
}

impl Divider {
    async fn answer_again(&mut self, question: &Question) -> Result<Answer> {
        let mut attempt = 0;
        loop {
            match self.answer(question).await {
                Err(error) if error.reaction() == Reaction::Retry && attempt < self.context.max_retries => {
                    self.session = None;
                    tokio::time::sleep(Duration::from_millis(200 << attempt.min(6))).await;
                    attempt += 1;
                }
                other => return other,
            }
        }
    }

    async fn answer(&mut self, question: &Question) -> Result<Answer> {
        let context = Arc::clone(&self.context);
        let feed_of = |index: usize| context.feeds.get(index).ok_or_else(|| Error::bug("a question about no table"));
        match question {
            Question::Divide { feed, range } => {
                let (bounds, to_end) = self.divide(*feed, feed_of(*feed)?, range).await?;
                Ok(Answer::Bounds { feed: *feed, start: range.start.clone(), bounds, to_end })
            }
            Question::Rank { feed, bounds, keys } => {
                let ranks = self.rank(feed_of(*feed)?, bounds, keys).await?;
                Ok(Answer::Ranks { ranks })
            }
        }
    }

    async fn divide(&mut self, index: usize, feed: &Feed, range: &Range) -> Result<(Vec<Bound>, bool)> {
        let Some(key) = &feed.chunk_key else {
            return Ok((Vec::new(), true));
        };
        let session = worker::connected(&self.context, &mut self.session).await?;
        let steps = match self.steps.get(&index) {
            Some(steps) => *steps,
            None => {
                let steps = steps(session, feed, key).await?;
                self.steps.insert(index, steps);
                steps
            }
        };
        if let Some(steps) = steps {
            let bounds = steps.bounds(range);
            if !bounds.is_empty() {
                return Ok((bounds, false));
            }
        }
        let bound = next_bound(session, feed, key, range).await?;
        let to_end = bound.is_none();
        Ok((bound.into_iter().collect(), to_end))
    }

    async fn rank(&mut self, feed: &Feed, bounds: &[Bound], keys: &[Vec<u8>]) -> Result<Vec<u32>> {
        let key = feed.chunk_key.as_ref().ok_or_else(|| Error::bug("keys of a table without a chunk key"))?;
        let session = worker::connected(&self.context, &mut self.session).await?;
        let mut ranks: HashMap<&[u8], u32> = HashMap::new();
        let mut distinct: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        distinct.sort_unstable();
        distinct.dedup();
        for part in distinct.chunks(RANKED_AT_ONCE) {
            let result = session.query(&statements::select_ranks(key, bounds, part)?).await?;
            for row in 0..result.rows.len() {
                let number = |column| result.cell(row, column).and_then(|text| text.parse::<u32>().ok());
                if let (Some(position), Some(rank)) = (number(0), number(1))
                    && let Some(value) = part.get(position as usize)
                {
                    ranks.insert(value, rank);
                }
            }
        }
        keys.iter()
            .map(|value| ranks.get(value.as_slice()).copied())
            .collect::<Option<_>>()
            .ok_or_else(|| Error::bug("the server left a key without a rank"))
    }
}

/// How to compute bounds, if the keys are unique integers that lie close together.
async fn steps(session: &mut Session, feed: &Feed, key: &ChunkKey) -> Result<Option<Steps>> {
    if key.comparison != Comparison::Integer || !key.is_unique {
        return Ok(None);
    }
    let extremes = session.query(&statements::select_extremes(feed, key, &Range::ALL)?).await?;
    let number = |column| extremes.cell(0, column).and_then(|text| text.parse::<i128>().ok());
    let (Some(lowest), Some(highest)) = (number(0), number(1)) else {
        return Ok(None);
    };
    Ok(Steps::new(lowest, highest, feed.table.estimated_rows, feed.chunk_rows, feed.factor))
}

impl Steps {
    fn new(lowest: i128, highest: i128, rows: u64, chunk_rows: u32, factor: (f64, f64)) -> Option<Self> {
        let (upper, lower) = factor;
        let range = highest - lowest + 1;
        let distribution = range as f64 / rows.max(1) as f64;
        if distribution > upper.min(DENSE) || distribution < lower {
            return None;
        }
        // Unique keys: a chunk holds at most as many rows as its range has keys.
        let step = (f64::from(chunk_rows) * distribution.max(1.0)) as i128;
        Some(Self { lowest, highest, step: step.max(1) })
    }

    /// The next bounds inside `range`, none behind the highest key.
    fn bounds(&self, range: &Range) -> Vec<Bound> {
        let start = range.start.as_ref().and_then(Bound::to_int).unwrap_or(self.lowest);
        let end = range.end.as_ref().and_then(Bound::to_int).unwrap_or(i128::MAX);
        let mut bounds = Vec::new();
        let mut next = start + self.step;
        while next <= self.highest && next < end && bounds.len() < AHEAD {
            bounds.push(Bound::of_int(next));
            next += self.step;
        }
        bounds
    }
}

/// Asks the server where the first chunk of a range ends; `None` if the range is one chunk.
async fn next_bound(session: &mut Session, feed: &Feed, key: &ChunkKey, range: &Range) -> Result<Option<Bound>> {
    let found = session.query(&statements::select_bound(feed, key, range, feed.chunk_rows)?).await?;
    let Some(cells) = found.rows.first() else {
        return Ok(None);
    };
    let value = cells.first().cloned().flatten();
    if value.is_some() && range.start.is_some() && found.cell(0, 1).as_deref() == Some("1") {
        return Ok(value.map(Bound::new));
    }
    if range.start.is_none() {
        // From the very beginning "behind the start" means behind the lowest key, or the chunk would have no rows.
        let lowest = session.query(&statements::select_extremes(feed, key, range)?).await?;
        let at_lowest = lowest.rows.first().and_then(|row| row.first().cloned().flatten()) == value;
        if !at_lowest && value.is_some() {
            return Ok(value.map(Bound::new));
        }
    }
    // Rows with one key fill more than a chunk: they stay together.
    let next = session.query(&statements::select_next_key(feed, key, range)?).await?;
    Ok(next.rows.first().and_then(|row| row.first().cloned().flatten()).map(Bound::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: Option<i128>, end: Option<i128>) -> Range {
        Range { start: start.map(Bound::of_int), end: end.map(Bound::of_int) }
    }

    fn numbers(bounds: Vec<Bound>) -> Vec<i128> {
        bounds.iter().filter_map(Bound::to_int).collect()
    }

    #[test]
    fn dense_keys_are_divided_by_computing() {
        let steps = Steps::new(1, 100, 100, 30, (1000.0, 0.05)).unwrap();
        assert_eq!(numbers(steps.bounds(&range(None, None))), [31, 61, 91]);
        assert_eq!(numbers(steps.bounds(&range(Some(61), Some(91)))), Vec::<i128>::new());
        assert_eq!(numbers(steps.bounds(&range(Some(91), None))), Vec::<i128>::new());
    }

    #[test]
    fn outliers_and_bad_estimates_are_left_to_the_server() {
        assert!(Steps::new(1, 9_000_000_000_000_000_000, 1_000_000, 8096, (1000.0, 0.05)).is_none());
        assert!(Steps::new(1, 1_000_000, 0, 8096, (1000.0, 0.05)).is_none());
        // Ten times more rows estimated than there are: chunks do not shrink to nothing.
        assert_eq!(Steps::new(1, 1000, 10_000, 100, (1000.0, 0.05)).unwrap().step, 100);
        assert!(Steps::new(i128::from(i64::MIN), i128::from(u64::MAX), 5, 100, (1000.0, 0.05)).is_none());
    }
}
