//! A channel between two subtasks: bounded by batches, by bytes, and by the time that the consumer needs
//! for these.
//!
//! The bounds are what backpressure is made of: a producer whose consumer is slow waits here, and
//! so does everything before it. What lies in the channels of a job is counted in one gauge.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::UInt32Array;
use sluice_model::{ChangelogBatch, Error, Gauge, RowKind, StreamElement};
use tokio::sync::{Notify, mpsc};

use crate::pace::Pace;
use crate::state_tables::bytes_of;

/// Batches that a channel holds.
const BATCHES: usize = 8;

/// The producer's end.
#[derive(Debug)]
pub(crate) struct Sender {
    queue: mpsc::Sender<Item>,
    fill: Arc<Fill>,
    /// How much the consumer wants to have waiting.
    pace: Arc<Pace>,
    /// Bytes in all channels of the job.
    ledger: Gauge,
}

/// The consumer's end.
#[derive(Debug)]
pub(crate) struct Receiver(mpsc::Receiver<Item>);

/// What lies in a channel.
#[derive(Debug, Default)]
struct Fill {
    bytes: AtomicUsize,
    /// Something was taken out.
    taken: Notify,
}

#[derive(Debug)]
struct Item {
    element: StreamElement,
    /// Gives the room back when the element leaves the channel, in whichever way.
    charge: Option<Charge>,
}

#[derive(Debug)]
struct Charge {
    fill: Arc<Fill>,
    ledger: Gauge,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.fill.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        self.fill.taken.notify_one();
        self.ledger.add(-gauge(self.bytes));
    }
}

fn gauge(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The other end is gone: its task has failed or was cancelled.
#[derive(Debug)]
pub(crate) struct Closed;

/// Makes a channel to a consumer that works at this pace.
pub(crate) fn channel(pace: Arc<Pace>, ledger: Gauge) -> (Sender, Receiver) {
    let (queue, receiver) = mpsc::channel(BATCHES);
    (Sender { queue, fill: Arc::default(), pace, ledger }, Receiver(receiver))
}

impl Sender {
    /// Puts an element in, when there is room.
    pub(crate) async fn send(&self, element: StreamElement) -> Result<(), Closed> {
        let charge = match &element {
            StreamElement::Batch(batch) => Some(self.charge(batch.memory_size()).await),
            _ => None,
        };
        self.queue.send(Item { element, charge }).await.map_err(|_| Closed)
    }

    /// The rows behind the first `start` of a batch that are to be sent next, and where those begin that
    /// follow them: a consumer that is slow gets small batches. The old and the new content of a row stay
    /// together.
    ///
    /// # Errors
    /// Rows that cannot be copied.
    pub(crate) fn cut(&self, batch: &ChangelogBatch, start: usize) -> Result<(ChangelogBatch, usize), Error> {
        let all = batch.num_rows();
        let rows = self.pace.piece().map_or(all, |piece| (all * piece).checked_div(bytes_of(batch)).unwrap_or(all));
        let end = start.saturating_add(rows.max(1)).min(all);
        let is_split = end < all && batch.kind(end) == RowKind::UpdateAfter;
        let end = end + usize::from(is_split);
        if (start, end) == (0, all) {
            return Ok((batch.clone(), all));
        }
        // Copied: what follows must not be kept in memory, or counted, together with what is in front.
        Ok((batch.take(&UInt32Array::from_iter_values(start as u32..end as u32))?, end))
    }

    async fn charge(&self, bytes: usize) -> Charge {
        loop {
            let waiting = self.fill.bytes.load(Ordering::Acquire);
            if waiting == 0 || waiting.saturating_add(bytes) <= self.pace.limit() {
                break;
            }
            self.fill.taken.notified().await;
        }
        self.fill.bytes.fetch_add(bytes, Ordering::AcqRel);
        self.ledger.add(gauge(bytes));
        Charge { fill: Arc::clone(&self.fill), ledger: self.ledger.clone(), bytes }
    }
}

/// What came out of a channel: an element, and the bytes of its rows.
pub(crate) type Taken = (StreamElement, usize);

impl Item {
    fn take(self) -> Taken {
        (self.element, self.charge.map_or(0, |charge| charge.bytes))
    }
}

impl Receiver {
    /// The next element; `None` when the producer is gone and everything was taken.
    pub(crate) fn poll(&mut self, context: &mut std::task::Context<'_>) -> std::task::Poll<Option<Taken>> {
        self.0.poll_recv(context).map(|item| item.map(Item::take))
    }

    /// The next element if it is there already.
    pub(crate) fn try_take(&mut self) -> Result<Option<Taken>, Closed> {
        match self.0.try_recv() {
            Ok(item) => Ok(Some(item.take())),
            Err(mpsc::error::TryRecvError::Empty) => Ok(None),
            Err(mpsc::error::TryRecvError::Disconnected) => Err(Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::pace::{MOST, Meter};
    use arrow_array::{BinaryArray, RecordBatch};
    use futures::FutureExt;
    use sluice_model::{from_pretty, to_pretty};

    fn batch(bytes: usize) -> StreamElement {
        let column: arrow_array::ArrayRef = Arc::new(BinaryArray::from_vec(vec![vec![0; bytes].as_slice()]));
        StreamElement::Batch(ChangelogBatch::append(RecordBatch::try_from_iter([("b", column)]).unwrap()))
    }

    #[tokio::test]
    async fn is_bounded_by_batches() {
        let ledger = Gauge::default();
        let (sender, mut receiver) = channel(Arc::default(), ledger.clone());
        for _ in 0..BATCHES {
            sender.send(batch(10)).now_or_never().unwrap().unwrap();
        }
        assert!(sender.send(batch(10)).now_or_never().is_none());
        receiver.try_take().unwrap().unwrap();
        sender.send(batch(10)).now_or_never().unwrap().unwrap();
        drop(receiver);
        assert_eq!(ledger.get(), 0);
        assert!(sender.send(batch(10)).await.is_err());
    }

    #[tokio::test]
    async fn is_bounded_by_bytes_but_lets_a_huge_batch_through_alone() {
        let (sender, mut receiver) = channel(Arc::default(), Gauge::default());
        sender.send(batch(2 * MOST)).now_or_never().unwrap().unwrap();
        assert!(sender.send(batch(10)).now_or_never().is_none());
        receiver.try_take().unwrap().unwrap();
        sender.send(batch(10)).now_or_never().unwrap().unwrap();
    }

    #[tokio::test]
    async fn who_waits_for_room_goes_on_when_there_is_some() {
        let (sender, mut receiver) = channel(Arc::default(), Gauge::default());
        sender.send(batch(MOST)).await.unwrap();
        let (sent, taken) = tokio::join!(sender.send(batch(10)), async {
            tokio::task::yield_now().await;
            receiver.try_take().unwrap().is_some()
        });
        assert!(sent.is_ok() && taken);
        drop(receiver);
    }

    #[tokio::test]
    async fn a_slow_consumer_gets_small_batches() {
        let pace = Arc::new(Pace::default());
        let (sender, _receiver) = channel(Arc::clone(&pace), Gauge::default());
        let rows: Vec<String> = (0..20_000).map(|row| format!("-U {row} a / +U {row} b")).collect();
        let batch = from_pretty("id BIGINT, v STRING", &rows.join(" / "));
        assert_eq!(sender.cut(&batch, 0).unwrap().1, batch.num_rows());
        // 100 bytes in 120 ms: the limit is halved each time.
        let mut meter = Meter::new(pace, 1, Some(Duration::from_secs(1)));
        for _ in 0..8 {
            meter.takes(100);
            std::thread::sleep(Duration::from_millis(120));
            meter.waits();
        }
        let (mut pieces, mut start) = (Vec::new(), 0);
        while start < batch.num_rows() {
            let (piece, end) = sender.cut(&batch, start).unwrap();
            assert_eq!(piece.kind(0), RowKind::UpdateBefore);
            assert!(piece.memory_size() < 100_000, "{}", piece.memory_size());
            pieces.push(to_pretty(&piece));
            start = end;
        }
        assert!((10..200).contains(&pieces.len()), "{}", pieces.len());
        assert!(pieces.join(" / ") == rows.join(" / "));
    }
}
