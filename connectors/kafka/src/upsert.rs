//! The `upsert-kafka` connector.

use std::sync::Arc;

use sluice_connector_api::{Connector, ConnectorInfo, FormatSlot, OptionReader, Sink, SinkTable, TableDefinition};
use sluice_model::Result;

use crate::options::UpsertKafkaOptions;
use crate::projection::{Projection, check_prefix};
use crate::properties;
use crate::sink::{KafkaSink, WriteMode, client_settings, format_notes, single_topic, waits_for_brokers};

/// Writes a changelog by primary key: the newest row of a key is its value, a deleted key a tombstone.
#[derive(Debug, Clone, Copy, Default)]
pub struct UpsertKafka;

impl Connector for UpsertKafka {
    const NAME: &'static str = "upsert-kafka";
    type Options = UpsertKafkaOptions;

    fn info(&self) -> ConnectorInfo {
        let slot = |option, prefix| FormatSlot { option, prefix, required: true };
        ConnectorInfo {
            formats: vec![slot("key.format", "key."), slot("value.format", "value.")],
            is_sink: true,
            ..ConnectorInfo::default()
        }
    }

    fn validate(&self, options: &UpsertKafkaOptions, table: &TableDefinition, reader: &mut OptionReader<'_>) {
        properties::check(&options.extra, reader);
        if table.schema.primary_key.is_empty() {
            reader.reject(
                "connector",
                "'upsert-kafka' tables require to define a PRIMARY KEY constraint".to_owned(),
                "add PRIMARY KEY (…) NOT ENFORCED; the key is the Kafka message key, and says which row a change updates or deletes",
            );
        }
        let prefix = options.key_fields_prefix.as_deref();
        if let Some((what, hint)) = check_prefix(prefix, options.value_fields, &table.schema.primary_key_names()) {
            reader.reject("key.fields-prefix", what, hint);
        }
        if (options.flush_max_rows > 0) != (options.flush_interval.as_nanos() > 0) {
            reader.reject(
                "sink.buffer-flush.max-rows",
                "'sink.buffer-flush.interval' and 'sink.buffer-flush.max-rows' must be set to be greater than zero together to enable sink buffer flushing".to_owned(),
                "set both, or leave both out",
            );
        }
    }

    fn sink(&self, options: UpsertKafkaOptions, table: SinkTable) -> Result<Arc<dyn Sink>> {
        let topic = single_topic(&table.name, options.topic.as_ref(), options.topic_pattern.as_deref())?;
        let waits_for_brokers = waits_for_brokers(
            options.delivery_guarantee,
            "leave it out: 'upsert-kafka' is effectively once by key, because a repeated change leaves the same row",
        )?;
        let (settings, mut notes) = client_settings(&options.extra, &options.bootstrap_servers)?;
        let (key_format, value_format) = (table.format("key.format")?, table.format("value.format")?);
        if let Some(partitioner) = &options.sink_partitioner {
            notes.push(format!(
                "'sink.partitioner' = '{partitioner}' has no effect with 'upsert-kafka': rows are partitioned by key, so that changes of one key keep their order"
            ));
        }
        notes.extend(format_notes(&[&key_format, &value_format]));
        let key = &table.schema.primary_key;
        let interval = i64::try_from(options.flush_interval.as_millis()).unwrap_or(i64::MAX);
        Ok(Arc::new(KafkaSink {
            topic,
            servers: options.bootstrap_servers,
            settings,
            key: Some((Projection::key(&table.schema, key, options.key_fields_prefix.as_deref()), key_format)),
            value: (Projection::value(&table.schema, key, options.value_fields), value_format),
            mode: WriteMode::Keyed {
                compaction: (options.flush_max_rows > 0).then_some((options.flush_max_rows, interval)),
            },
            waits_for_brokers,
            parallelism: options.sink_parallelism,
            notes,
        }))
    }
}
