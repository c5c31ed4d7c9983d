//! Options of `kafka` and `upsert-kafka`.

use std::time::Duration;

use sluice_connector_api::{OptionValue, OptionValues};

sluice_connector_api::options! {
    /// Options of `upsert-kafka`.
    pub struct UpsertKafkaOptions {
        /// Brokers to start from: `host:port,…`.
        "properties.bootstrap.servers" => bootstrap_servers: String,
        /// Topic to write.
        "topic" => topic: Option<StringList>,
        /// Topics to read, as a regular expression. A sink needs `topic`.
        "topic-pattern" => topic_pattern: Option<String>,
        /// Prefix of the key columns' names that the key format leaves out. Needs
        /// `'value.fields-include' = 'EXCEPT_KEY'`.
        "key.fields-prefix" => key_fields_prefix: Option<String>,
        /// Whether the message value has the key columns too: `ALL` or `EXCEPT_KEY`.
        "value.fields-include" => value_fields: ValueFields = ValueFields::All,
        /// Rows to hold back at most, of which only the newest of each key is written. Together
        /// with `sink.buffer-flush.interval`; 0 switches the buffer off.
        "sink.buffer-flush.max-rows" => flush_max_rows: u64 = 0u64,
        /// How long rows are held back at most. Together with `sink.buffer-flush.max-rows`.
        "sink.buffer-flush.interval" => flush_interval: Duration = Duration::ZERO,
        /// `at-least-once` (with keys: effectively once) or `none`.
        "sink.delivery-guarantee" => delivery_guarantee: DeliveryGuarantee = DeliveryGuarantee::AtLeastOnce,
        /// Prefix of transaction ids. Only read for `exactly-once`.
        "sink.transactional-id-prefix" => transactional_id_prefix: Option<String>,
        /// How transactions are named. Only read for `exactly-once`.
        "sink.transaction-naming-strategy" => transaction_naming_strategy: Option<String>,
        /// Number of writers.
        "sink.parallelism" => sink_parallelism: Option<usize>,
        /// Accepted, without effect: changes are partitioned by key, so that those of one key keep their order.
        "sink.partitioner" => sink_partitioner: Option<String>,
        /// Where reading ends.
        "scan.bounded.mode" => scan_bounded_mode: Option<String>,
        /// Offsets where reading ends.
        "scan.bounded.specific-offsets" => scan_bounded_specific_offsets: Option<String>,
        /// Time where reading ends, in milliseconds.
        "scan.bounded.timestamp-millis" => scan_bounded_timestamp_millis: Option<i64>,
        /// How often reading looks for new partitions.
        "scan.topic-partition-discovery.interval" => scan_partition_discovery_interval: Option<Duration>,
        /// Number of readers.
        "scan.parallelism" => scan_parallelism: Option<usize>,
    }
    prefixes: ["properties."]
}

sluice_connector_api::options! {
    /// Options of `kafka`.
    pub struct KafkaOptions {
        /// Brokers to start from: `host:port,…`.
        "properties.bootstrap.servers" => bootstrap_servers: String,
        /// Topic to write.
        "topic" => topic: Option<StringList>,
        /// Topics to read, as a regular expression. A sink needs `topic`.
        "topic-pattern" => topic_pattern: Option<String>,
        /// Format of the message value; `value.format` is the same.
        "format" => format: Option<String>,
        /// Format of the message value; `format` is the same.
        "value.format" => value_format: Option<String>,
        /// Format of the message key. Needs `key.fields`.
        "key.format" => key_format: Option<String>,
        /// Columns of the message key: `a;b`.
        "key.fields" => key_fields: Option<StringList>,
        /// Prefix of the key columns' names that the key format leaves out. Needs
        /// `'value.fields-include' = 'EXCEPT_KEY'`.
        "key.fields-prefix" => key_fields_prefix: Option<String>,
        /// Whether the message value has the key columns too: `ALL` or `EXCEPT_KEY`.
        "value.fields-include" => value_fields: ValueFields = ValueFields::All,
        /// `default` or `round-robin` (the client chooses), or `fixed` (one partition for each writer).
        "sink.partitioner" => sink_partitioner: Partitioner = Partitioner::Default,
        /// `at-least-once` or `none`.
        "sink.delivery-guarantee" => delivery_guarantee: DeliveryGuarantee = DeliveryGuarantee::AtLeastOnce,
        /// Prefix of transaction ids. Only read for `exactly-once`.
        "sink.transactional-id-prefix" => transactional_id_prefix: Option<String>,
        /// How transactions are named. Only read for `exactly-once`.
        "sink.transaction-naming-strategy" => transaction_naming_strategy: Option<String>,
        /// Number of writers.
        "sink.parallelism" => sink_parallelism: Option<usize>,
        /// Where reading starts.
        "scan.startup.mode" => scan_startup_mode: Option<String>,
        /// Offsets where reading starts.
        "scan.startup.specific-offsets" => scan_startup_specific_offsets: Option<String>,
        /// Time where reading starts, in milliseconds.
        "scan.startup.timestamp-millis" => scan_startup_timestamp_millis: Option<i64>,
        /// Where reading ends.
        "scan.bounded.mode" => scan_bounded_mode: Option<String>,
        /// Offsets where reading ends.
        "scan.bounded.specific-offsets" => scan_bounded_specific_offsets: Option<String>,
        /// Time where reading ends, in milliseconds.
        "scan.bounded.timestamp-millis" => scan_bounded_timestamp_millis: Option<i64>,
        /// How often reading looks for new partitions.
        "scan.topic-partition-discovery.interval" => scan_partition_discovery_interval: Option<Duration>,
        /// Number of readers.
        "scan.parallelism" => scan_parallelism: Option<usize>,
    }
    prefixes: ["properties."]
}

/// A list as Flink writes it: `a;b`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StringList(pub Vec<String>);

impl OptionValue for StringList {
    const TYPE_NAME: &'static str = "List";
    fn parse_option(text: &str) -> Result<Self, String> {
        let parts: Vec<_> = text.split(';').map(|part| part.trim().to_owned()).collect();
        if parts.iter().any(String::is_empty) { Err("expected a list such as a;b".to_owned()) } else { Ok(Self(parts)) }
    }
}

/// Which columns the message value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueFields {
    /// All columns.
    All,
    /// All columns that are not in the key.
    ExceptKey,
}

impl OptionValues for ValueFields {
    const VALUES: &'static [(&'static str, Self)] = &[("ALL", Self::All), ("EXCEPT_KEY", Self::ExceptKey)];
}

/// What is promised when a job restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryGuarantee {
    /// A checkpoint does not wait for the brokers.
    None,
    /// A checkpoint waits until the brokers have everything.
    AtLeastOnce,
    /// By transactions.
    ExactlyOnce,
}

impl OptionValues for DeliveryGuarantee {
    const VALUES: &'static [(&'static str, Self)] =
        &[("none", Self::None), ("at-least-once", Self::AtLeastOnce), ("exactly-once", Self::ExactlyOnce)];
}

/// How rows without a key are spread over partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitioner {
    /// By the client.
    Default,
    /// Each writer has one partition.
    Fixed,
    /// By the client, as in Flink.
    RoundRobin,
}

impl OptionValues for Partitioner {
    const VALUES: &'static [(&'static str, Self)] =
        &[("default", Self::Default), ("fixed", Self::Fixed), ("round-robin", Self::RoundRobin)];
}
