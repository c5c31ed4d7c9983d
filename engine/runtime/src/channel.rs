//! A channel between two subtasks: bounded by batches and by bytes.
//!
//! The bounds are what backpressure is made of: a producer whose consumer is slow waits here, and
//! so does everything before it. What lies in the channels of a job is counted in one gauge.

use std::sync::Arc;

use sluice_model::{Gauge, StreamElement};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Batches that a channel holds.
const BATCHES: usize = 8;
/// Kibibytes that a channel holds; a larger batch has the channel for itself.
const KIBIBYTES: usize = 4 * 1024;

/// The producer's end.
#[derive(Debug)]
pub(crate) struct Sender {
    queue: mpsc::Sender<Item>,
    room: Arc<Semaphore>,
    /// Bytes in all channels of the job.
    ledger: Gauge,
}

/// The consumer's end.
#[derive(Debug)]
pub(crate) struct Receiver(mpsc::Receiver<Item>);

#[derive(Debug)]
struct Item {
    element: StreamElement,
    /// Gives the room back when the element leaves the channel, in whichever way.
    _charge: Option<Charge>,
}

#[derive(Debug)]
struct Charge {
    _room: OwnedSemaphorePermit,
    ledger: Gauge,
    bytes: i64,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.ledger.add(-self.bytes);
    }
}

/// The other end is gone: its task has failed or was cancelled.
#[derive(Debug)]
pub(crate) struct Closed;

/// Makes a channel.
pub(crate) fn channel(ledger: Gauge) -> (Sender, Receiver) {
    let (queue, receiver) = mpsc::channel(BATCHES);
    (Sender { queue, room: Arc::new(Semaphore::new(KIBIBYTES)), ledger }, Receiver(receiver))
}

impl Sender {
    /// Puts an element in, when there is room.
    pub(crate) async fn send(&self, element: StreamElement) -> Result<(), Closed> {
        let charge = match &element {
            StreamElement::Batch(batch) => Some(self.charge(batch.memory_size()).await?),
            _ => None,
        };
        self.queue.send(Item { element, _charge: charge }).await.map_err(|_| Closed)
    }

    async fn charge(&self, bytes: usize) -> Result<Charge, Closed> {
        let units = (bytes / 1024).clamp(1, KIBIBYTES) as u32;
        let room = Arc::clone(&self.room).acquire_many_owned(units).await.map_err(|_| Closed)?;
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.ledger.add(bytes);
        Ok(Charge { _room: room, ledger: self.ledger.clone(), bytes })
    }
}

impl Receiver {
    /// The next element; `None` when the producer is gone and everything was taken.
    pub(crate) fn poll(&mut self, context: &mut std::task::Context<'_>) -> std::task::Poll<Option<StreamElement>> {
        self.0.poll_recv(context).map(|item| item.map(|item| item.element))
    }

    /// The next element if it is there already.
    pub(crate) fn try_take(&mut self) -> Result<Option<StreamElement>, Closed> {
        match self.0.try_recv() {
            Ok(item) => Ok(Some(item.element)),
            Err(mpsc::error::TryRecvError::Empty) => Ok(None),
            Err(mpsc::error::TryRecvError::Disconnected) => Err(Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{BinaryArray, RecordBatch};
    use futures::FutureExt;
    use sluice_model::ChangelogBatch;

    fn batch(bytes: usize) -> StreamElement {
        let column: arrow_array::ArrayRef = Arc::new(BinaryArray::from_vec(vec![vec![0; bytes].as_slice()]));
        StreamElement::Batch(ChangelogBatch::append(RecordBatch::try_from_iter([("b", column)]).unwrap()))
    }

    #[tokio::test]
    async fn is_bounded_by_batches() {
        let ledger = Gauge::default();
        let (sender, mut receiver) = channel(ledger.clone());
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
        let (sender, mut receiver) = channel(Gauge::default());
        sender.send(batch(KIBIBYTES * 2048)).now_or_never().unwrap().unwrap();
        assert!(sender.send(batch(10)).now_or_never().is_none());
        receiver.try_take().unwrap().unwrap();
        sender.send(batch(10)).now_or_never().unwrap().unwrap();
    }
}
