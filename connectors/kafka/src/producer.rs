//! The Kafka client of one writer: hands records over in bulk, and learns of failures only.
//!
//! Success is not reported message by message (`delivery.report.only.error`): a message that the
//! brokers have acknowledged simply is no longer in the client's queue, and an empty queue without
//! a failure means that everything has arrived.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use sluice_model::Result;
use tokio::sync::Notify;

use crate::errors::{DeliveryFailure, client_error, shown_key};
use crate::settings::Settings;

/// How long to sleep while the client's queue is full or is being emptied.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// What the client says from its own threads and from `poll`.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    has_failed: AtomicBool,
    failure: Mutex<Option<DeliveryFailure>>,
    last_words: Mutex<LastWords>,
}

/// The last global error of the client.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastWords {
    pub(crate) code: Option<RDKafkaErrorCode>,
    /// In the client's own words; empty if it has not said anything.
    pub(crate) reason: String,
    /// Whether it has given up on all brokers at once.
    pub(crate) all_brokers_down: bool,
}

impl Deliveries {
    /// What the client last said about its brokers.
    pub(crate) fn last_words(&self) -> LastWords {
        self.last_words.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "kafka", ?level, facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        tracing::warn!(target: "kafka", "{reason}");
        let mut last_words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        let all_brokers_down = code == Some(RDKafkaErrorCode::AllBrokersDown);
        last_words.all_brokers_down |= all_brokers_down;
        // "All brokers are down" says less than why the last of them is.
        if !all_brokers_down || last_words.reason.is_empty() {
            (last_words.code, last_words.reason) = (code, reason.to_owned());
        }
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let Err((error, message)) = result else {
            return;
        };
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        // Purged means that the writer itself threw the message away.
        if matches!(code, RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) {
            return;
        }
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if failure.is_none() {
            let last_words = Some(self.last_words().reason);
            *failure = Some(DeliveryFailure { code, key: message.key().map(shown_key), last_words });
            self.has_failed.store(true, Ordering::Release);
        }
    }
}

/// A client that writes one topic.
pub(crate) struct Producer {
    client: BaseProducer<Deliveries>,
    topic: String,
    sent: AtomicU64,
    /// Told when messages have been handed over: see [`crate::pacing`].
    pub(crate) handed_over: Arc<Notify>,
}

impl Producer {
    /// Makes a client; it connects in the background.
    ///
    /// # Errors
    /// Settings that do not fit each other, or files that cannot be read.
    pub(crate) fn new(settings: &Settings, topic: &str) -> Result<Self> {
        let client = settings.to_client_config().create_with_context(Deliveries::default()).map_err(|error| {
            client_error(format!("the Kafka client for topic '{topic}' cannot be made"), &error)
                .with_hint("check the options below 'properties.'")
        })?;
        Ok(Self { client, topic: topic.to_owned(), sent: AtomicU64::new(0), handed_over: Arc::default() })
    }

    pub(crate) fn client(&self) -> &rdkafka::client::Client<Deliveries> {
        self.client.client()
    }

    /// Wakes the client's threads, which look at what has changed once a second otherwise.
    pub(crate) fn wake(&self) {
        // Emptying the queue wakes them; no time is given to it.
        self.client.flush(Duration::ZERO).ok();
    }

    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }

    /// Hands a message over; false if the client's queue is full.
    ///
    /// # Errors
    /// The client refuses the message, or an earlier one could not be delivered.
    pub(crate) fn try_send(&self, partition: Option<i32>, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<bool> {
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&self.topic);
        record.partition = partition;
        record.key = key;
        record.payload = value;
        match self.client.send(record) {
            Ok(()) => {
                self.sent.fetch_add(1, Ordering::Relaxed);
                Ok(true)
            }
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => Ok(false),
            Err((error, _)) => {
                self.poll()?;
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                let last_words = self.client.client().fatal_error().map(|(_, reason)| reason);
                Err(DeliveryFailure { code, key: key.map(shown_key), last_words }.to_error(&self.topic))
            }
        }
    }

    /// Takes note of what the client reports.
    ///
    /// # Errors
    /// A message could not be delivered.
    pub(crate) fn poll(&self) -> Result<()> {
        self.client.poll(Duration::ZERO);
        if self.queued() > 0 {
            self.handed_over.notify_one();
        }
        let deliveries = self.client.context();
        if !deliveries.has_failed.load(Ordering::Acquire) {
            return Ok(());
        }
        let failure = deliveries.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.as_ref().map_or(Ok(()), |failure| Err(failure.to_error(&self.topic)))
    }

    /// Messages that the brokers have not acknowledged yet.
    pub(crate) fn queued(&self) -> i64 {
        i64::from(self.client.in_flight_count())
    }

    /// Messages that the client is done with; exact when nobody hands messages over at the time.
    pub(crate) fn acknowledged(&self) -> i64 {
        self.sent.load(Ordering::Relaxed).cast_signed() - self.queued()
    }

    /// Waits a moment for room in the queue.
    ///
    /// # Errors
    /// A message could not be delivered.
    pub(crate) async fn wait_for_room(&self) -> Result<()> {
        self.poll()?;
        tokio::time::sleep(POLL_INTERVAL).await;
        Ok(())
    }

    /// Waits until the brokers have acknowledged everything. Ends, because every message is either
    /// acknowledged or fails when `delivery.timeout.ms` is over.
    ///
    /// # Errors
    /// A message could not be delivered.
    pub(crate) async fn flush(&self) -> Result<()> {
        loop {
            self.poll()?;
            if self.queued() == 0 {
                // A failure may have been reported between the two.
                return self.poll();
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

impl Drop for Producer {
    /// Who watches over the producer notices that it is gone.
    fn drop(&mut self) {
        self.handed_over.notify_one();
    }
}
