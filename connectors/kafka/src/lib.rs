//! The `upsert-kafka` and `kafka` connectors: changelogs and append-only streams into Kafka topics.
//!
//! ```text
//! upsert-kafka, PRIMARY KEY (id)          topic
//! +I 1 a                            ─►    {"id":1} : {"id":1,"name":"a"}
//! -U 1 a / +U 1 b                   ─►    {"id":1} : {"id":1,"name":"b"}
//! -D 1 b                            ─►    {"id":1} : (tombstone)
//! ```
//!
//! All changes of a key go to one partition, chosen as Java clients choose it (murmur2 of the key),
//! and arrive there in their order: the producer is idempotent. Records are handed to the client
//! in bulk and are never waited for one by one; a checkpoint waits until the brokers have
//! acknowledged all of them.

mod append;
mod changes;
mod compaction;
mod errors;
mod options;
mod pacing;
mod producer;
mod projection;
mod properties;
mod properties_names;
mod settings;
mod sink;
mod topic;
mod upsert;
mod writer;

pub use append::Kafka;
pub use options::{DeliveryGuarantee, KafkaOptions, StringList, UpsertKafkaOptions, ValueFields};
pub use upsert::UpsertKafka;
