//! Rest for a client whose brokers do not keep up.
//!
//! An idempotent librdkafka client sends a partition's next batch when the one before is
//! acknowledged, and asks for it without a pause for as long as a full batch waits: a broker that
//! hangs costs one processor per client, which may be just what the broker needs
//! (<https://github.com/confluentinc/librdkafka/pull/4989>). A paused partition is not asked for.
//! So when nothing has been acknowledged for a while, the partitions rest until something is:
//!
//! ```text
//! 0 ms    10,000 messages handed over, the first batch is on its way
//! 50 ms   nothing acknowledged: pause
//! 210 ms  the first batch is acknowledged: resume, the next batch goes
//! ```

use std::sync::{Arc, Weak};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings::{rd_kafka_pause_partitions, rd_kafka_resume_partitions};
use rdkafka::types::RDKafkaRespErr;
use sluice_model::Result;

use crate::producer::Producer;
use crate::topic;

/// How long a broker may take without a rest for the client.
const PATIENCE: Duration = Duration::from_millis(50);
/// How soon a rest ends when something has been acknowledged.
const GLANCE: Duration = Duration::from_millis(5);
/// The longest rest: requests that timed out and connections that broke are then tried again.
const LONGEST_REST: Duration = Duration::from_millis(500);

/// Watches over a producer until it is dropped.
///
/// # Errors
/// None: it is a task of the job as others are.
pub(crate) async fn pace(producer: Weak<Producer>) -> Result<()> {
    let mut partitions = None;
    loop {
        let Some(handed_over) = producer.upgrade().map(|producer| Arc::clone(&producer.handed_over)) else {
            return Ok(());
        };
        handed_over.notified().await;
        let mut acknowledged = None;
        loop {
            tokio::time::sleep(PATIENCE).await;
            let Some(producer) = producer.upgrade() else { return Ok(()) };
            if producer.queued() == 0 {
                break;
            }
            // Not before the first message: another subtask may still be creating the topic.
            if partitions.is_none() {
                partitions = topic::partition_count(Arc::clone(&producer)).await.ok();
            }
            let before = acknowledged.replace(producer.acknowledged());
            if let Some(partitions) = partitions.filter(|_| before == acknowledged) {
                rest(producer, partitions).await;
            }
        }
    }
}

/// Pauses the partitions until something is acknowledged.
async fn rest(producer: Arc<Producer>, partitions: i32) {
    let acknowledged = producer.acknowledged();
    set_paused(&producer, partitions, true).await;
    let mut rested = Duration::ZERO;
    while rested < LONGEST_REST && producer.acknowledged() == acknowledged && Arc::strong_count(&producer) > 1 {
        tokio::time::sleep(GLANCE).await;
        rested += GLANCE;
    }
    set_paused(&producer, partitions, false).await;
}

async fn set_paused(producer: &Arc<Producer>, partitions: i32, is_paused: bool) {
    let producer = Arc::clone(producer);
    // The call waits for a thread of the client's. If it did not succeed, nothing would be wrong but the load.
    tokio::task::spawn_blocking(move || {
        let code = change(&producer, partitions, is_paused);
        if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            tracing::debug!(target: "kafka", ?code, is_paused, "pausing or resuming has failed");
        }
        if !is_paused {
            producer.wake();
        }
    })
    .await
    .ok();
}

#[expect(unsafe_code, reason = "rdkafka offers pausing to consumers only")]
fn change(producer: &Producer, partitions: i32, is_paused: bool) -> RDKafkaRespErr {
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition(producer.topic(), partition);
    }
    let client = producer.client().native_ptr();
    // SAFETY: the client outlives the call, for `producer` is borrowed, and so does the list. Both
    // calls may be made from any thread, for clients of both kinds.
    unsafe {
        if is_paused {
            rd_kafka_pause_partitions(client, list.ptr())
        } else {
            rd_kafka_resume_partitions(client, list.ptr())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rdkafka::mocking::MockCluster;
    use sluice_connector_api::ExtraOptions;

    use super::*;
    use crate::properties;
    use crate::settings::Settings;

    const ROUND_TRIP: Duration = Duration::from_millis(1500);

    fn settings(servers: String) -> Settings {
        let mut settings = properties::read(&ExtraOptions::default()).unwrap().settings;
        settings.set("bootstrap.servers", servers);
        settings
    }

    /// Processor time of the threads that talk to brokers, in seconds.
    fn broker_threads() -> f64 {
        const TICKS_PER_SECOND: f64 = 100.0;
        let mut ticks = 0;
        for thread in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
            let Ok(stat) = std::fs::read_to_string(thread.path().join("stat")) else { continue };
            let (name, fields) = stat.split_once('(').unwrap().1.rsplit_once(')').unwrap();
            if name == "rdk:broker1" {
                let fields: Vec<&str> = fields.split_whitespace().collect();
                ticks += fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
            }
        }
        ticks as f64 / TICKS_PER_SECOND
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_client_rests_while_its_broker_does_not_answer_and_goes_on_when_it_does() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("slow", 1, 1).unwrap();
        let producer = Arc::new(Producer::new(&settings(cluster.bootstrap_servers()), "slow").unwrap());
        let watch = tokio::spawn(pace(Arc::downgrade(&producer)));
        assert!(producer.try_send(None, Some(b"first"), Some(b"1")).unwrap());
        producer.flush().await.unwrap();

        cluster.broker_round_trip_time(1, ROUND_TRIP).unwrap();
        let (started, used) = (Instant::now(), broker_threads());
        // Two batches at least: one is on its way, the other waits.
        for number in 0..20_000 {
            let value = format!("{number:0100}");
            assert!(producer.try_send(None, Some(value.as_bytes()), Some(value.as_bytes())).unwrap());
        }
        producer.flush().await.unwrap();
        let (waited, used) = (started.elapsed(), broker_threads() - used);
        assert!(waited > ROUND_TRIP, "the broker answered after {waited:?}");
        assert!(used < waited.as_secs_f64() / 5.0, "{used} s of processor time in {waited:?}");
        assert_eq!(producer.acknowledged(), 20_001);

        drop(producer);
        tokio::time::timeout(Duration::from_secs(5), watch).await.unwrap().unwrap().unwrap();
    }
}
