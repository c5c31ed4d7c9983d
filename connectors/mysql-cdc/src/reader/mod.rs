//! The running source: log and snapshot, merged, one batch at a time.

mod opening;
mod progress;
mod state;

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use sluice_connector_api::{SourceEvent, SourceReader};
use sluice_model::{ChangelogBatch, Error, Result};
use tokio::sync::mpsc;

pub(crate) use opening::open;

use self::progress::SnapshotProgress;
use self::state::Committed;
use crate::chunk::{Bound, Range};
use crate::feed::{Comparison, Feed};
use crate::log::{FeedBatch, LogChunk, LogMark, LogResult};
use crate::merge::{TableMerge, byte_keys, integer_keys};
use crate::snapshot::{Answer, ChunkJob, Question, Snapshot};

/// Something to hand out, in order; what it means for the position takes effect when it is handed out.
#[derive(Debug)]
enum Output {
    /// Rows of the log, of which some or all may have been dropped.
    Log { feed: usize, raw_rows: u64, batch: Option<ChangelogBatch> },
    /// The log has been consumed up to here.
    Mark(LogMark),
    /// A chunk of the snapshot.
    Chunk { feed: usize, finished: Option<Vec<Range>>, batch: ChangelogBatch },
}

/// How far the snapshot of a feed is.
struct FeedState {
    /// The snapshot in the making; `None` when the table is only followed.
    merge: Option<TableMerge>,
    /// The divider was asked for bounds.
    is_dividing: bool,
    /// Chunks registered and not finished.
    in_flight: usize,
    progress: SnapshotProgress,
}

/// A stretch of the log on its way through the merge.
struct Pending {
    batches: VecDeque<FeedBatch>,
    mark: LogMark,
    /// Rows that wait for the server to say between which bounds their keys lie.
    asked: Option<FeedBatch>,
}

/// The running source.
struct Reader {
    feeds: Arc<Vec<Feed>>,
    states: Vec<FeedState>,
    log: mpsc::Receiver<LogResult>,
    snapshot: Option<Snapshot>,
    pending: Option<Pending>,
    /// Bounds that came while rows waited for their ranks, which fix the bounds.
    deferred: Vec<NewBounds>,
    /// Where the merge has consumed the log up to.
    consumed: LogMark,
    outputs: VecDeque<Output>,
    committed: Committed,
    next_chunk: u64,
    ends_with_snapshot: bool,
}

/// Bounds inside the undivided part of a table that begins at `start`.
struct NewBounds {
    feed: usize,
    start: Option<Bound>,
    bounds: Vec<Bound>,
    to_end: bool,
}

/// What the reader has waited for.
enum Arrival {
    Log(LogChunk),
    Answer(Answer),
}

#[async_trait]
impl SourceReader for Reader {
    async fn next(&mut self) -> Result<SourceEvent> {
        loop {
            while let Some(output) = self.outputs.pop_front() {
                if let Some(event) = self.hand_out(output)? {
                    return Ok(event);
                }
            }
            if self.ends_with_snapshot && self.snapshot.is_none() {
                return Ok(SourceEvent::End);
            }
            self.schedule()?;
            match self.wait().await? {
                Arrival::Log(chunk) => {
                    self.pending = Some(Pending { batches: chunk.batches.into(), mark: chunk.mark, asked: None });
                    self.consume()?;
                }
                Arrival::Answer(answer) => self.take_answer(answer)?,
            }
        }
    }

    fn position(&mut self) -> Result<Vec<u8>> {
        self.committed.serialise()
    }
}

impl Reader {
    /// Waits for whatever comes next. Cancel-safe: nothing is taken before it is returned.
    async fn wait(&mut self) -> Result<Arrival> {
        let gone = || Error::bug("a task of the source ended without a word");
        // A stretch of the log that waits for ranks has to be finished before the next one begins.
        let takes_log = self.pending.is_none();
        match &mut self.snapshot {
            None => self.log.recv().await.ok_or_else(gone)?.map(Arrival::Log),
            Some(snapshot) => tokio::select! {
                chunk = self.log.recv(), if takes_log => chunk.ok_or_else(gone)?.map(Arrival::Log),
                answer = snapshot.answers.recv() => answer.ok_or_else(gone).map(Arrival::Answer),
            },
        }
    }

    /// Routes the pending stretch of the log; stops where the server has to be asked first.
    fn consume(&mut self) -> Result<()> {
        while let Some(pending) = &mut self.pending {
            if pending.asked.is_some() {
                return Ok(());
            }
            let Some(batch) = pending.batches.pop_front() else {
                let mark = pending.mark.clone();
                self.pending = None;
                self.outputs.push_back(Output::Mark(mark.clone()));
                self.consumed = mark;
                for bounds in std::mem::take(&mut self.deferred) {
                    self.divide(bounds)?;
                }
                return self.finish_chunks();
            };
            self.route(batch)?;
        }
        Ok(())
    }

    fn route(&mut self, batch: FeedBatch) -> Result<()> {
        let (feed, state) = feed_and_state(&self.feeds, &mut self.states, batch.feed)?;
        let Some(merge) = &mut state.merge else {
            let rows = feed.output(batch.rows)?;
            self.outputs.push_back(Output::Log { feed: batch.feed, raw_rows: batch.raw_rows, batch: Some(rows) });
            return Ok(());
        };
        match segments(feed, merge, &batch.rows)? {
            Segments::Known(segments) => self.routed(batch, &segments),
            Segments::AskServer { bounds, keys } => {
                let question = Question::Rank { feed: batch.feed, bounds, keys };
                let snapshot = self.snapshot.as_ref().ok_or_else(|| Error::bug("a snapshot without connections"))?;
                // One question of this kind at a time, and the divider is asked at most once per table.
                snapshot.questions.try_send(question).map_err(|_| Error::bug("the divider takes no questions"))?;
                if let Some(pending) = &mut self.pending {
                    pending.asked = Some(batch);
                }
                Ok(())
            }
        }
    }

    fn routed(&mut self, batch: FeedBatch, segments: &[u32]) -> Result<()> {
        let (feed, state) = feed_and_state(&self.feeds, &mut self.states, batch.feed)?;
        let merge = state.merge.as_mut().ok_or_else(|| Error::bug("ranks of a table without a snapshot"))?;
        let rows = merge.route(batch.rows, segments)?.map(|rows| feed.output(rows)).transpose()?;
        self.outputs.push_back(Output::Log { feed: batch.feed, raw_rows: batch.raw_rows, batch: rows });
        Ok(())
    }

    fn take_answer(&mut self, answer: Answer) -> Result<()> {
        match answer {
            Answer::Failed(error) => Err(error),
            Answer::Chunk { feed, id, rows, high } => {
                let (_, state) = feed_and_state(&self.feeds, &mut self.states, feed)?;
                state
                    .merge
                    .as_mut()
                    .ok_or_else(|| Error::bug("a chunk of a finished table"))?
                    .deliver(id, rows, high)?;
                // Bounds may not change while rows wait for their ranks.
                if self.pending.is_none() { self.finish_chunks() } else { Ok(()) }
            }
            Answer::Bounds { feed, start, bounds, to_end } => {
                let bounds = NewBounds { feed, start, bounds, to_end };
                if self.pending.is_none() {
                    return self.divide(bounds);
                }
                self.deferred.push(bounds);
                Ok(())
            }
            Answer::Ranks { ranks } => {
                let asked = self.pending.as_mut().and_then(|pending| pending.asked.take());
                let batch = asked.ok_or_else(|| Error::bug("ranks that nobody asked for"))?;
                self.routed(batch, &ranks)?;
                self.consume()
            }
        }
    }

    fn divide(&mut self, new: NewBounds) -> Result<()> {
        let NewBounds { feed, mut start, bounds, to_end } = new;
        let (_, state) = feed_and_state(&self.feeds, &mut self.states, feed)?;
        state.is_dividing = false;
        let merge = state.merge.as_mut().ok_or_else(|| Error::bug("bounds of a finished table"))?;
        for bound in bounds {
            merge.divide(start.as_ref(), Some(bound.clone()))?;
            start = Some(bound);
        }
        if to_end {
            merge.divide(start.as_ref(), None)?;
        }
        Ok(())
    }

    /// Emits the chunks whose watermark the log has reached.
    fn finish_chunks(&mut self) -> Result<()> {
        for index in 0..self.states.len() {
            let (feed, state) = feed_and_state(&self.feeds, &mut self.states, index)?;
            while let Some(merge) = &mut state.merge {
                let Some(emitted) = merge.finish_next(self.consumed.place)? else {
                    break;
                };
                state.in_flight -= 1;
                let is_last = merge.is_complete();
                if is_last {
                    state.merge = None;
                }
                let batch = feed.output(ChangelogBatch::append(emitted.rows))?;
                let finished = (!is_last).then_some(emitted.finished);
                self.outputs.push_back(Output::Chunk { feed: index, finished, batch });
            }
        }
        if self.states.iter().all(|state| state.merge.is_none()) {
            self.snapshot = None;
        }
        Ok(())
    }

    /// Keeps the connections of the snapshot busy.
    fn schedule(&mut self) -> Result<()> {
        let Some(snapshot) = &self.snapshot else {
            return Ok(());
        };
        // Rows that wait for ranks fix the bounds, and chunks may be registered only when everything that a restart
        // repeats has been passed over.
        if self.pending.is_some() || self.consumed.is_replaying {
            return Ok(());
        }
        let mut in_flight: usize = self.states.iter().map(|state| state.in_flight).sum();
        for (index, state) in self.states.iter_mut().enumerate() {
            let Some(merge) = &mut state.merge else {
                continue;
            };
            while in_flight < snapshot.capacity {
                let Some(range) = merge.register(self.next_chunk) else {
                    break;
                };
                let visible = self.consumed.visible.clone();
                let job = ChunkJob { feed: index, id: self.next_chunk, range, visible };
                snapshot.jobs.try_send(job).map_err(|_| Error::bug("the snapshot takes no chunks"))?;
                self.next_chunk += 1;
                state.in_flight += 1;
                in_flight += 1;
            }
            if !state.is_dividing
                && merge.to_do() < snapshot.capacity
                && let Some(range) = merge.next_undivided()
            {
                // The queue holds a few questions; a table that finds it full asks at the next turn.
                state.is_dividing = snapshot.questions.try_send(Question::Divide { feed: index, range }).is_ok();
            }
            if in_flight >= snapshot.capacity || merge.to_do() > 0 || state.is_dividing {
                // Tables one after the other: a finished table is of more use than several half finished ones.
                break;
            }
        }
        Ok(())
    }

    /// Makes an output's effect on the position, and returns what it gives the consumer.
    fn hand_out(&mut self, output: Output) -> Result<Option<SourceEvent>> {
        let (feed, batch) = match output {
            Output::Mark(mark) => {
                self.committed.consumed_to(&mark);
                return Ok(None);
            }
            Output::Log { feed, raw_rows, batch } => {
                self.committed.consumed_rows(feed, raw_rows);
                (feed, batch)
            }
            Output::Chunk { feed, finished, batch } => {
                let rows = batch.num_rows() as u64;
                if let Some(state) = self.states.get(feed) {
                    state.progress.chunk(rows, finished.is_none());
                }
                self.committed.finished_chunk(feed, finished, rows);
                (feed, Some(batch))
            }
        };
        let table = self.feeds.get(feed).ok_or_else(|| Error::bug("rows of no table"))?.sql_table;
        Ok(batch.filter(|batch| !batch.is_empty()).map(|batch| SourceEvent::Batch { table, batch }))
    }
}

fn feed_and_state<'a>(
    feeds: &'a [Feed],
    states: &'a mut [FeedState],
    index: usize,
) -> Result<(&'a Feed, &'a mut FeedState)> {
    feeds.get(index).zip(states.get_mut(index)).ok_or_else(|| Error::bug("something about no table"))
}

/// Where the rows of a batch lie.
enum Segments {
    Known(Vec<u32>),
    AskServer { bounds: Vec<Bound>, keys: Vec<Vec<u8>> },
}

/// The segment of every row, or what to ask the server to know it.
fn segments(feed: &Feed, merge: &TableMerge, batch: &ChangelogBatch) -> Result<Segments> {
    let bounds: Vec<&Bound> = merge.bounds().collect();
    let Some(key) = feed.chunk_key.as_ref().filter(|_| !bounds.is_empty()) else {
        return Ok(Segments::Known(vec![0; batch.num_rows()]));
    };
    let null = || {
        Error::fix(format!("a row of table {} has no chunk key '{}'", feed.table.full_name(), key.name))
            .with_hint("name a NOT NULL column in 'scan.incremental.snapshot.chunk.key-column'")
    };
    let column = batch.rows().column(key.column);
    Ok(match &key.comparison {
        Comparison::Integer => {
            let bounds: Vec<i128> = bounds.iter().filter_map(|bound| bound.to_int()).collect();
            let keys = integer_keys(column.as_ref()).ok_or_else(null)?;
            Segments::Known(keys.iter().map(|key| rank(bounds.partition_point(|bound| bound <= key))).collect())
        }
        Comparison::Bytes => {
            let keys = byte_keys(column.as_ref()).ok_or_else(null)?;
            let place = |key: &&[u8]| rank(bounds.partition_point(|bound| bound.bytes() <= *key));
            Segments::Known(keys.iter().map(place).collect())
        }
        Comparison::Server { .. } => {
            let keys = byte_keys(column.as_ref()).ok_or_else(null)?;
            Segments::AskServer {
                bounds: bounds.into_iter().cloned().collect(),
                keys: keys.into_iter().map(<[u8]>::to_vec).collect(),
            }
        }
    })
}

fn rank(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
